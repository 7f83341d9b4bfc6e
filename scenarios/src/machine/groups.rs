//! IOMMU groups of devices: as the machine states them, as they follow from the hierarchy, and
//! whether the two agree.
//!
//! A kernel gives a device behind an IOMMU a group when a driver is probed for it (measured on 6.1
//! and 6.12: a function that was never probed has none). So a function with a driver has the group
//! that follows from the hierarchy, and one without has none, unless the machine states otherwise.
//! Behind SMMUv2s the kernel matters as well ([`Machine::grouped`]): devices whose streams share a
//! stream mapping entry share a group.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use passim_model::topology::groups::{Groups, isolation_groups_behind};
use passim_model::topology::hierarchy::Hierarchy;
use passim_model::{Endpoint, Rid};
use passim_vfio::policy::Smmu2Entries;

use super::entries::Streams;
use super::{Function, Iommu, Machine, Platform};

/// The machine file's statement about a device's group.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Given {
    /// Nothing.
    #[default]
    Nothing,
    /// It has none.
    NoGroup,
    /// Its number.
    Number(u32),
}

/// A contradiction between stated and derived groups.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Contradiction {
    /// The device.
    pub(super) device: Endpoint,
    /// The contradiction, in words.
    pub(super) message: String,
    /// The remedy.
    pub(super) hint: String,
}

const KEEP: &str = "leave `group` out, or say `groups = \"given\"` at the top to keep yours";

impl Machine {
    /// The isolation groups that follow from the hierarchy, and from how the SMMUv2 driver assigns
    /// entries, for the functions that have a group, by ascending requester ID; `None` if there is
    /// no hierarchy.
    pub fn isolation(&self, entries: Smmu2Entries) -> Option<Groups> {
        let grouped = self.functions.iter().filter(|function| function.group.is_some());
        let hierarchy = self.hierarchy().ok()?;
        let mut streams = Streams::new(&self.iommu, entries);
        let order = grouped.clone().map(|function| function.rid);
        let joins: BTreeMap<_, _> = grouped
            .filter_map(|it| {
                let with = streams.take(it.rid.into(), it.smmu, &it.streams).ok()??;
                Some((it.rid, with.rid()?))
            })
            .collect();
        Some(isolation_groups_behind(&hierarchy, order, |rid| joins.get(&rid).copied()))
    }

    /// The machine with the groups of a kernel whose SMMUv2 driver assigns entries like this. A
    /// file's groups are those of a driver that assigns entries to the domain and does not compare
    /// devices.
    ///
    /// # Errors
    /// [`GroupConflict`]: the file's groups are not those of that kernel.
    pub fn grouped(&self, entries: Smmu2Entries) -> Result<Cow<'_, Self>, GroupConflict> {
        let (Some(said), Iommu::SmmuV2(_), Ok(hierarchy), Smmu2Entries::OfTheDevice) =
            (&self.said, &self.iommu, self.hierarchy(), entries)
        else {
            return Ok(Cow::Borrowed(self));
        };
        let mut machine = self.clone();
        let streams = Streams::new(&self.iommu, entries);
        let Self { functions, platforms, .. } = &mut machine;
        complete(functions, platforms, said, &hierarchy, streams)
            .map_err(|Contradiction { message, .. }| GroupConflict(message))?;
        Ok(Cow::Owned(machine))
    }
}

/// The machine's groups are not those that a kernel makes.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct GroupConflict(String);

/// The groups of devices in a machine file.
pub(super) type Said = BTreeMap<Endpoint, Given>;

/// Sets the groups as stated.
pub(super) fn take(functions: &mut [Function], platforms: &mut [Platform], given: &Said) {
    let number = |device: Endpoint| match given.get(&device) {
        Some(Given::Number(number)) => Some(*number),
        _ => None,
    };
    for function in functions {
        function.group = number(function.rid.into());
    }
    for (index, platform) in (0..).zip(platforms) {
        platform.group = number(Endpoint::Platform(index));
    }
}

/// Completes the groups of `functions`, ascending by requester ID, and of `platforms`: a group
/// without a stated number gets the lowest free one, functions first.
///
/// # Errors
/// [`Contradiction`].
pub(super) fn complete(
    functions: &mut [Function],
    platforms: &mut [Platform],
    given: &Said,
    hierarchy: &Hierarchy,
    mut streams: Streams,
) -> Result<(), Contradiction> {
    let said = |device: Endpoint| given.get(&device).copied().unwrap_or_default();
    let met = |device: Endpoint, smmu: Option<usize>, driver: &Option<String>| match said(device) {
        Given::NoGroup => false,
        Given::Number(_) => true,
        Given::Nothing => driver.is_some() && smmu.is_some(),
    };
    let mut order = Vec::new();
    let mut joins = BTreeMap::new();
    for function in functions.iter().filter(|it| met(it.rid.into(), it.smmu, &it.driver)) {
        if !function.off {
            let with = streams.take(function.rid.into(), function.smmu, &function.streams)?;
            joins.extend(with.and_then(Endpoint::rid).map(|with| (function.rid, with)));
        }
        order.push(function.rid);
    }
    let groups = isolation_groups_behind(hierarchy, order, |rid| joins.get(&rid).copied());
    let off: BTreeSet<Rid> = functions.iter().filter(|it| it.off).map(|it| it.rid).collect();
    let mut numbers = Numbers::default();
    let mut of_class = Vec::new();
    for class in groups.all() {
        of_class.push(number_of(class, &groups, &said, &mut numbers)?);
    }
    let mut class_of: BTreeMap<Endpoint, usize> = BTreeMap::new();
    for function in functions.iter() {
        class_of.extend(groups.of(function.rid).map(|class| (function.rid.into(), class)));
    }
    for (index, platform) in (0..).zip(platforms.iter()) {
        let device = Endpoint::Platform(index);
        if !met(device, platform.smmu, &platform.driver) {
            continue;
        }
        let with = streams.take(device, platform.smmu, &platform.streams)?;
        let class = with.and_then(|with| class_of.get(&with).copied()).unwrap_or(of_class.len());
        if class == of_class.len() {
            of_class.push(None);
        }
        class_of.insert(device, class);
        if let Given::Number(number) = said(device) {
            give(number, device, with, &mut of_class[class], &mut numbers)?;
        }
    }
    one_group_an_entry(functions, platforms, &class_of, &streams)?;
    let is_off = |class: &Vec<Rid>| class.iter().all(|rid| off.contains(rid));
    let comes_later = |class: usize| groups.all().get(class).is_some_and(is_off);
    for (class, number) in of_class.iter_mut().enumerate() {
        if number.is_none() && !comes_later(class) {
            *number = Some(numbers.lowest());
        }
    }
    // Groups of functions that are not enabled yet show which of them belong together.
    let of_class: Vec<_> =
        of_class.into_iter().map(|number| number.unwrap_or_else(|| numbers.lowest())).collect();
    let number = |device: Endpoint| class_of.get(&device).map(|class| of_class[*class]);
    for function in functions {
        function.group = number(function.rid.into());
    }
    for (index, platform) in (0..).zip(platforms) {
        platform.group = number(Endpoint::Platform(index));
    }
    Ok(())
}

/// Gives a class the number of a platform device, which is in it because of `with`.
fn give(
    number: u32,
    device: Endpoint,
    with: Option<Endpoint>,
    class: &mut Option<u32>,
    numbers: &mut Numbers,
) -> Result<(), Contradiction> {
    match (*class, with) {
        (Some(first), _) if first == number => Ok(()),
        (Some(first), Some(with)) => Err(Contradiction {
            device,
            message: format!(
                "group {number}, but one stream mapping entry has streams of it and of {with}, of \
                 group {first}"
            ),
            hint: KEEP.to_owned(),
        }),
        _ => {
            numbers.claim(number, device)?;
            *class = Some(number);
            Ok(())
        }
    }
}

/// Devices whose streams share an entry are in one group.
// 6.12 arm-smmu.c, arm_smmu_device_group: EINVAL for a device between two groups. It misses a
// device that shares its first entry and not its last; both groups then translate through the
// domain that was attached last, which is not modelled.
fn one_group_an_entry(
    functions: &[Function],
    platforms: &[Platform],
    class_of: &BTreeMap<Endpoint, usize>,
    streams: &Streams,
) -> Result<(), Contradiction> {
    let functions = functions.iter().filter(|it| !it.off);
    let functions = functions.map(|it| (Endpoint::from(it.rid), it.smmu, &it.streams));
    let platforms = platforms.iter().map(|it| (it.smmu, &it.streams));
    let platforms = (0..)
        .map(Endpoint::Platform)
        .zip(platforms)
        .map(|(device, (smmu, own))| (device, smmu, own));
    for (device, smmu, own) in functions.chain(platforms) {
        let (Some(smmu), Some(class)) = (smmu, class_of.get(&device)) else { continue };
        let mut others = own.iter().filter_map(|stream| streams.first(smmu, *stream));
        if let Some(other) = others.find(|other| class_of.get(other) != Some(class)) {
            return Err(Contradiction {
                device,
                message: format!(
                    "one stream mapping entry has streams of {device} and of {other}, which are not \
                     of one group: the kernel gives {device} neither group nor driver"
                ),
                hint: "leave `driver` and `group` out for one of the two".to_owned(),
            });
        }
    }
    Ok(())
}

/// The one number stated for members of a class.
fn number_of(
    class: &[Rid],
    groups: &Groups,
    said: &impl Fn(Endpoint) -> Given,
    numbers: &mut Numbers,
) -> Result<Option<u32>, Contradiction> {
    let mut found: Option<(Rid, u32)> = None;
    for rid in class {
        let Given::Number(number) = said((*rid).into()) else { continue };
        match found {
            None => {
                numbers.claim(number, (*rid).into())?;
                found = Some((*rid, number));
            }
            Some((_, first)) if first == number => {}
            Some((other, first)) => {
                let joins = groups.why(*rid, other).unwrap_or_default();
                let why: Vec<_> = joins.iter().map(ToString::to_string).collect();
                return Err(Contradiction {
                    device: (*rid).into(),
                    message: format!(
                        "group {number}, but {rid} cannot be kept apart from {other} of group \
                         {first}: {}",
                        why.join("; ")
                    ),
                    hint: KEEP.to_owned(),
                });
            }
        }
    }
    Ok(found.map(|(_, number)| number))
}

/// Group numbers in use.
#[derive(Default)]
struct Numbers {
    given: BTreeMap<u32, Endpoint>,
    handed_out: BTreeSet<u32>,
}

impl Numbers {
    fn claim(&mut self, number: u32, device: Endpoint) -> Result<(), Contradiction> {
        match self.given.insert(number, device) {
            None => Ok(()),
            Some(other) => Err(Contradiction {
                device,
                message: format!(
                    "group {number} is also that of {other}, and nothing holds the two together"
                ),
                hint: KEEP.to_owned(),
            }),
        }
    }

    fn lowest(&mut self) -> u32 {
        let free =
            |number: &u32| !self.given.contains_key(number) && !self.handed_out.contains(number);
        let number = (0..).find(free).expect("a machine has fewer devices than numbers");
        self.handed_out.insert(number);
        number
    }
}
