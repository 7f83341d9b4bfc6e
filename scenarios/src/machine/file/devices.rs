//! The devices of a machine file, and what follows from their location: virtual functions, SMMUs,
//! StreamIDs, DeviceIDs and groups.

use std::collections::BTreeMap;
use std::ops::Range;

use passim_model::topology::hierarchy::Hierarchy;
use passim_model::{DeviceId, Endpoint, Rid, StreamId};
use passim_vfio::policy::Smmu2Entries;
use toml::Spanned;

use super::super::check::{self, Flaw};
use super::super::entries::Streams;
use super::super::groups::{self, Contradiction, Given, Said};
use super::super::hierarchy;
use super::super::ids::Ids;
use super::super::quantity::GroupNumber;
use super::super::{CONFIG_BYTES, Function, Gic, Iommu, Isolation, Platform};
use super::platform::PlatformFile;
use super::{
    BarFile, FunctionFile, GroupsFile, HeldFile, bytes, config, isolation, refuse, reserved,
};
use crate::input_error::{InputError, SourceText};

/// The parts of a file that describe devices.
pub(super) struct Devices {
    pub(super) ids: Ids,
    pub(super) groups: Option<GroupsFile>,
    pub(super) functions: Vec<FunctionFile>,
    pub(super) platforms: Vec<Spanned<PlatformFile>>,
}

/// The devices, with everything that is derived.
pub(super) struct Completed {
    /// Ascending.
    pub(super) functions: Vec<Function>,
    pub(super) platforms: Vec<Platform>,
    /// The file's statements about their groups, where these do not decide alone.
    pub(super) said: Option<Said>,
}

/// The identifiers of a function in the file; those left out are derived.
#[derive(Clone, Default)]
struct Stated {
    smmu: Option<usize>,
    streams: Option<Vec<u32>>,
    device_id: Option<u32>,
    its: Option<usize>,
}

/// Functions collected so far, each with its place in the file.
#[derive(Default)]
struct Collected {
    functions: Vec<Function>,
    places: Vec<Range<usize>>,
    stated: BTreeMap<Rid, Stated>,
    groups: BTreeMap<Endpoint, Given>,
}

impl From<Option<GroupNumber>> for Given {
    fn from(file: Option<GroupNumber>) -> Self {
        match file {
            None => Self::Nothing,
            Some(GroupNumber(None)) => Self::NoGroup,
            Some(GroupNumber(Some(number))) => Self::Number(number),
        }
    }
}

impl Devices {
    /// The devices, completed.
    pub(super) fn complete(
        self,
        iommu: &Iommu,
        gic: &Gic,
        source: &SourceText,
    ) -> Result<Completed, InputError> {
        let mut found = Collected::default();
        for file in self.functions {
            file.collect(&mut found, source)?;
        }
        check::functions(&found.functions, iommu).map_err(|Flaw { function, message, hint }| {
            let error = refuse(source, found.places[function].clone(), message);
            match hint {
                Some(hint) => error.with_hint(hint),
                None => error,
            }
        })?;
        let smmus = iommu.count();
        let mut places: BTreeMap<Endpoint, Range<usize>> = BTreeMap::new();
        for (function, place) in found.functions.iter().zip(&found.places) {
            places.insert(function.rid.into(), place.clone());
        }
        let at = |device: Endpoint| places.get(&device).cloned().unwrap_or(0..0);
        let hierarchy = hierarchy::of_functions(&found.functions)
            .map_err(|error| refuse(source, at(error.rid().into()), error.to_string()))?;
        found
            .identify(&hierarchy, &self.ids, smmus)
            .map_err(|(rid, message)| refuse(source, at(rid.into()), message))?;
        let its = match gic {
            Gic::Its(gic) => gic.its.len(),
            Gic::V2m(_) => 1,
        };
        let no_its = |place, its| {
            refuse(source, place, format!("there is no ITS number {its}"))
                .with_hint("ITSs are counted from 0 in the order of `its` of `[gic.its]`")
        };
        for function in &found.functions {
            if let Some(wrong) = function.its.filter(|it| *it >= its) {
                return Err(no_its(at(function.rid.into()), wrong));
            }
        }
        let Collected { mut functions, groups: mut given, .. } = found;
        functions.sort_by_key(|function| function.rid);
        let mut platforms = Vec::new();
        for (index, file) in (0..).zip(self.platforms) {
            let (place, file) = (file.span(), file.into_inner());
            if let Some(wrong) = file.its.filter(|it| *it >= its) {
                return Err(no_its(place, wrong));
            }
            given.insert(Endpoint::Platform(index), file.group.into());
            places.insert(Endpoint::Platform(index), place.clone());
            platforms.push(file.into_platform(place, smmus, source)?);
        }
        if self.groups == Some(GroupsFile::Given) {
            groups::take(&mut functions, &mut platforms, &given);
            return Ok(Completed { functions, platforms, said: None });
        }
        let streams = Streams::new(iommu, Smmu2Entries::OfTheDomain);
        groups::complete(&mut functions, &mut platforms, &given, &hierarchy, streams).map_err(
            |Contradiction { device, message, hint }| {
                let place = places.get(&device).cloned().unwrap_or(0..0);
                refuse(source, place, message).with_hint(hint)
            },
        )?;
        Ok(Completed { functions, platforms, said: Some(given) })
    }
}

impl Collected {
    /// Gives every function the identifiers that the file states or that are derived.
    fn identify(
        &mut self,
        hierarchy: &Hierarchy,
        ids: &Ids,
        smmus: usize,
    ) -> Result<(), (Rid, String)> {
        for function in &mut self.functions {
            let rid = function.rid;
            let stated = self.stated.get(&rid).cloned().unwrap_or_default();
            let known = hierarchy::streams(hierarchy, ids, rid);
            let known = known.map_err(|alias| {
                (rid, format!("{rid} also sends as {alias}, which is behind another SMMU"))
            })?;
            function.smmu = stated.smmu.or(known.smmu);
            if let Some(smmu) = function.smmu.filter(|smmu| *smmu >= smmus) {
                return Err((rid, format!("there is no SMMU number {smmu}")));
            }
            function.streams = match stated.streams {
                Some(streams) => streams.into_iter().map(StreamId::new).collect(),
                None => known.streams,
            };
            function.stream = hierarchy::sent_under(hierarchy, rid, &function.streams);
            let (its, device_id) = ids.message(hierarchy.message_alias(rid));
            function.its = stated.its.or(its);
            function.device_id = stated.device_id.map_or(device_id, DeviceId::new);
            let (its, device_id) = ids.message(hierarchy.last_alias(rid));
            let device_id = stated.device_id.map_or(device_id, DeviceId::new);
            function.last_alias = (stated.its.or(its), device_id);
        }
        Ok(())
    }
}

impl FunctionFile {
    /// Adds the function and its virtual functions.
    fn collect(mut self, found: &mut Collected, source: &SourceText) -> Result<(), InputError> {
        let (rid, place) = (self.bdf.get_ref().0, self.bdf.span());
        let sriov = self.sriov.take();
        let stated = Stated {
            smmu: self.smmu,
            streams: self.streams.take(),
            device_id: self.device_id,
            its: self.its,
        };
        if stated.streams.as_ref().is_some_and(Vec::is_empty) {
            return Err(refuse(source, place, "a function has at least one stream"));
        }
        found.groups.insert(rid.into(), self.group.into());
        let (smmu, its) = (stated.smmu, stated.its);
        found.stated.insert(rid, stated);
        let mut function = self.into_function(source)?;
        let wrong = |message| refuse(source, place.clone(), message);
        function.sriov =
            sriov.as_ref().map(|it| it.capability(&function)).transpose().map_err(wrong)?;
        let virtuals = sriov.map(|sriov| sriov.functions(&function)).transpose();
        let virtuals = virtuals.map_err(wrong)?;
        for function in [function].into_iter().chain(virtuals.unwrap_or_default()) {
            if function.rid != rid {
                found.stated.insert(function.rid, Stated { smmu, its, ..Stated::default() });
            }
            found.functions.push(function);
            found.places.push(place.clone());
        }
        Ok(())
    }

    fn into_function(self, source: &SourceText) -> Result<Function, InputError> {
        let (rid, place) = (self.bdf.get_ref().0, self.bdf.span());
        let wrong = |message: String| refuse(source, place.clone(), message);
        let config = self.config.map(|text| config(&text, source)).transpose()?;
        let extended = self.extended.map(|text| bytes(&text, source)).transpose()?;
        let extended = extended.unwrap_or_default();
        if CONFIG_BYTES + extended.len() > self.config_size as usize {
            let beyond = format!("{} bytes of extended configuration space", extended.len());
            return Err(wrong(format!("{beyond} are more than config_size leaves")));
        }
        let reserved: Result<Vec<_>, _> =
            self.reserved.iter().map(|region| reserved(region, source)).collect();
        let mut bars: Vec<_> = self.bars.iter().map(BarFile::to_bar).collect();
        bars.sort_by_key(|bar| bar.index);
        let held = HeldFile::all(self.held, source)?;
        let acs = isolation::acs(self.acs.as_deref(), self.acs_capable.as_deref());
        let aliases: Result<Vec<_>, _> =
            self.dma_aliases.iter().map(|alias| isolation::alias(alias)).collect();
        let own = u32::from(rid.get());
        Ok(Function {
            rid,
            vendor: self.vendor,
            device: self.device,
            class: self.class,
            group: None,
            driver: self.driver,
            bars,
            config_size: self.config_size,
            config,
            msi: self.msi,
            msix: self.msix,
            pcie: self.pcie,
            reset_method: self.reset_method,
            smmu: self.smmu,
            streams: vec![StreamId::new(own)],
            stream: StreamId::new(own),
            device_id: DeviceId::new(own),
            its: Some(0),
            last_alias: (Some(0), DeviceId::new(own)),
            reserved: reserved?,
            held,
            ats: self.ats,
            extended,
            sriov: None,
            off: false,
            isolation: Isolation {
                acs: acs.map_err(&wrong)?,
                aliases: aliases.map_err(&wrong)?,
                swapped_alias: self.swapped_alias,
                physical: None,
            },
        })
    }
}
