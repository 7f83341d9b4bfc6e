//! Which device is in which IOMMU group: as a machine says, as its hierarchy says, and whether the
//! two agree.
//!
//! A kernel gives a group to a device behind an IOMMU when a driver is tried on it (measured on 6.1
//! and 6.12: a function nobody tried to bind has none). So a function with a driver has the group
//! that follows from the hierarchy, and one without has none, unless the machine says more.

use std::collections::{BTreeMap, BTreeSet};

use passim_model::topology::groups::{Groups, isolation_groups};
use passim_model::topology::hierarchy::Hierarchy;
use passim_model::{Endpoint, Rid, StreamId};

use super::{Function, Machine, Platform};

/// What a machine file says of a device's group.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Given {
    /// Nothing.
    #[default]
    Nothing,
    /// That it has none.
    NoGroup,
    /// Its number.
    Number(u32),
}

/// A contradiction between what is given and what follows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Contradiction {
    /// Where.
    pub(super) device: Endpoint,
    /// What, in words.
    pub(super) message: String,
    /// What to do.
    pub(super) hint: String,
}

const KEEP: &str = "leave `group` out, or say `groups = \"given\"` at the top to keep yours";

impl Machine {
    /// The isolation groups that follow from the hierarchy for the functions that have a group, by
    /// ascending requester identifier; `None` if there is no hierarchy.
    pub fn isolation(&self) -> Option<Groups> {
        let grouped = self.functions.iter().filter(|function| function.group.is_some());
        let hierarchy = self.hierarchy().ok()?;
        Some(isolation_groups(&hierarchy, grouped.map(|function| function.rid)))
    }
}

/// Takes the groups as they are given.
pub(super) fn take(
    functions: &mut [Function],
    platforms: &mut [Platform],
    given: &BTreeMap<Endpoint, Given>,
) {
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

/// Completes the groups of `functions`, ascending by requester identifier, and of `platforms`: a
/// group that is not given gets the lowest free number, functions first.
///
/// # Errors
/// [`Contradiction`].
pub(super) fn complete(
    functions: &mut [Function],
    platforms: &mut [Platform],
    given: &BTreeMap<Endpoint, Given>,
    hierarchy: &Hierarchy,
) -> Result<(), Contradiction> {
    let said = |device: Endpoint| given.get(&device).copied().unwrap_or_default();
    let met = |device: Endpoint, smmu: Option<usize>, driver: &Option<String>| match said(device) {
        Given::NoGroup => false,
        Given::Number(_) => true,
        Given::Nothing => driver.is_some() && smmu.is_some(),
    };
    let mut streams = Streams::default();
    let mut order = Vec::new();
    for function in functions.iter().filter(|it| met(it.rid.into(), it.smmu, &it.driver)) {
        if !function.off {
            streams.take(function.rid.into(), function.smmu, &function.streams)?;
        }
        order.push(function.rid);
    }
    let groups = isolation_groups(hierarchy, order);
    let off: BTreeSet<Rid> = functions.iter().filter(|it| it.off).map(|it| it.rid).collect();
    let mut numbers = Numbers::default();
    let mut of_class = Vec::new();
    for class in groups.all() {
        of_class.push(number_of(class, &groups, &said, &mut numbers)?);
    }
    for (index, platform) in (0..).zip(platforms.iter_mut()) {
        let device = Endpoint::Platform(index);
        platform.group = None;
        if !met(device, platform.smmu, &platform.driver) {
            continue;
        }
        streams.take(device, platform.smmu, &platform.streams)?;
        if let Given::Number(number) = said(device) {
            numbers.claim(number, device)?;
            platform.group = Some(number);
        }
    }
    let comes_later = |class: usize| groups.all()[class].iter().all(|rid| off.contains(rid));
    for (class, number) in of_class.iter_mut().enumerate() {
        if number.is_none() && !comes_later(class) {
            *number = Some(numbers.lowest());
        }
    }
    for (index, platform) in (0..).zip(platforms) {
        let device = Endpoint::Platform(index);
        if platform.group.is_none() && met(device, platform.smmu, &platform.driver) {
            platform.group = Some(numbers.lowest());
        }
    }
    // Groups of functions that are not turned on tell which of them belong together.
    let of_class: Vec<_> =
        of_class.into_iter().map(|number| number.unwrap_or_else(|| numbers.lowest())).collect();
    for function in functions {
        function.group = groups.of(function.rid).map(|class| of_class[class]);
    }
    Ok(())
}

/// The one number that is given to members of a class.
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

/// Who has which stream.
#[derive(Default)]
struct Streams(BTreeMap<(usize, StreamId), Endpoint>);

impl Streams {
    /// Measured on 6.1 and 6.12: a device whose stream is another's gets neither group nor driver.
    fn take(
        &mut self,
        device: Endpoint,
        smmu: Option<usize>,
        streams: &[StreamId],
    ) -> Result<(), Contradiction> {
        let Some(smmu) = smmu else {
            return Err(Contradiction {
                device,
                message: format!("{device} has a group, but is behind no SMMU"),
                hint: "say `group = \"none\"`, or give it an `smmu`".to_owned(),
            });
        };
        for stream in streams {
            match self.0.insert((smmu, *stream), device) {
                Some(other) if other != device => {
                    return Err(Contradiction {
                        device,
                        message: format!(
                            "stream {stream} of {device} is already {other}'s: the kernel gives it \
                             neither group nor driver"
                        ),
                        hint: "leave `driver` and `group` out for one of the two".to_owned(),
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }
}
