//! Moving a device from one domain to another, as acts in the order of each kernel.
//!
//! Not here: the contents of an STE (`entry`), and how one replaces another (`update`).

use super::command::Command;
use super::domain::{Domain, Stage};
use super::entry::{Words, cd, shcfg_incoming, ste_bypass, ste_of_nobody, ste_stage1, ste_stage2};
use super::queue::Ending;
use super::work::{EntryKind, Work};
use super::{Master, SmmuV3};
use crate::policy::{Smmu3Ats, Smmu3Substreams, Smmu3Unattached, SteUpdate};
use passim_model::{PhysAddr, StreamId};

impl SmmuV3 {
    /// The acts that attach a device to a domain.
    pub(in crate::iommu) fn attach(&self, master: &mut Master, domain: &mut Domain) -> Vec<Work> {
        let ats = self.uses_ats(master);
        let mut acts = Vec::new();
        // 6.1 first detaches from a domain that translates; 4.14 from any domain.
        let leaves = !master.bypasses || self.unattached == Smmu3Unattached::Bypass;
        if self.update == SteUpdate::Break && master.attached && leaves {
            if self.ats == Smmu3Ats::Renewed {
                acts.extend(self.leave_ats(master));
            }
            acts.extend(self.rest(master, ste_of_nobody(self.unattached)));
        }
        acts.extend(self.publish_cd(domain));
        master.attached = true;
        master.bypasses = false;
        match (domain.stage, domain.cd.or(master.cd)) {
            (Stage::One(asid), Some(at)) => {
                if domain.cd.is_none() {
                    let geometry = domain.paging.geometry();
                    let target = cd(&self.features, &geometry, domain.paging.root(), asid);
                    let tell = tell_cd(&master.streams);
                    acts.push(Work::Become { kind: EntryKind::Cd, at, target, tell });
                }
                let ats = ats || self.ats == Smmu3Ats::Unguarded;
                let ste = ste_stage1(&self.features, at, ats, self.substreams);
                acts.extend(self.install(master, &ste, &[1]));
            }
            (Stage::One(_), None) => {
                unreachable!("stage 1 has a CD table, of the domain or of the device")
            }
            (Stage::Two(vmid), _) => {
                let (geometry, root) = (domain.paging.geometry(), domain.paging.root());
                let mut ste = ste_stage2(&self.features, &geometry, root, vmid, ats);
                if self.update == SteUpdate::Break {
                    // 6.1 leaves doubleword 1 as it stands, except EATS.
                    ste[1] |= shcfg_incoming();
                }
                let fields = if ats { &[1, 2, 3][..] } else { &[2, 3] };
                acts.extend(self.install(master, &ste, fields));
                acts.extend(clear_cd(master));
            }
        }
        acts.extend(self.enter_ats(master, domain));
        acts
    }

    /// The acts that let a device bypass translation.
    // arm-smmu-v3.c of 4.6: a domain of type DMA bypasses.
    pub(in crate::iommu) fn bypass(&self, master: &mut Master) -> Vec<Work> {
        let mut acts = self.leave_ats(master);
        acts.extend(match self.update {
            SteUpdate::Break => self.rest(master, ste_bypass()),
            SteUpdate::Hitless => {
                let shareability =
                    if self.features.attribute_override { shcfg_incoming() } else { 0 };
                self.install(master, &[ste_bypass(), shareability, 0, 0, 0, 0, 0, 0], &[])
            }
        });
        acts.extend(self.forget_in_device(master));
        master.attached = true;
        master.bypasses = true;
        acts.extend(clear_cd(master));
        acts
    }

    /// The acts that leave a device in no domain.
    pub(in crate::iommu) fn block(&self, master: &mut Master) -> Vec<Work> {
        let mut acts = self.leave_ats(master);
        let nobody = ste_of_nobody(self.unattached);
        acts.extend(match self.update {
            SteUpdate::Break if !master.attached => Vec::new(),
            SteUpdate::Break => self.rest(master, nobody),
            SteUpdate::Hitless => self.install(master, &[nobody, 0, 0, 0, 0, 0, 0, 0], &[]),
        });
        acts.extend(self.forget_in_device(master));
        master.attached = false;
        master.bypasses = false;
        acts.extend(clear_cd(master));
        acts
    }

    /// 6.1: the STEs abort or bypass, as `first` encodes, in one round each; doubleword 3 and up
    /// keep their values.
    fn rest(&self, master: &Master, first: u64) -> Vec<Work> {
        let stores = vec![(0, first), (1, shcfg_incoming()), (2, 0)];
        let streams = master.streams.iter();
        let round = |stream: &StreamId| Work::Round {
            at: self.streams.ste(*stream),
            stores: stores.clone(),
            tell: vec![Command::cfgi_ste(*stream)],
        };
        streams.map(round).collect()
    }

    /// Writes `ste` to every STE of the device. Where entries are broken on the way, `fields` are
    /// the doublewords stored before doubleword 0; the others keep their values.
    fn install(&self, master: &Master, ste: &Words, fields: &[usize]) -> Vec<Work> {
        let mut acts = Vec::new();
        for stream in &master.streams {
            let at = self.streams.ste(*stream);
            let tell = vec![Command::cfgi_ste(*stream)];
            match self.update {
                SteUpdate::Hitless => {
                    acts.push(Work::Become { kind: EntryKind::Ste, at, target: *ste, tell });
                }
                SteUpdate::Break => {
                    let stores = fields.iter().map(|index| (*index, ste[*index])).collect();
                    acts.push(Work::Round { at, stores, tell: tell.clone() });
                    acts.push(Work::Round { at, stores: vec![(0, ste[0])], tell });
                }
            }
            let prefetch = vec![Command::prefetch_cfg(*stream)];
            acts.push(Work::Submit { commands: prefetch, ending: Ending::Open });
        }
        acts
    }

    /// Writes the CD of a domain that owns one, when its first device attaches. No STE points there
    /// yet, so nothing is invalidated; kernels that support substreams send the SYNCs all the same.
    // Dumps of 6.1: two SYNCs without a command before the first CFGI_STE of a domain.
    fn publish_cd(&self, domain: &mut Domain) -> Vec<Work> {
        let first = !core::mem::replace(&mut domain.live, true);
        match (domain.stage, domain.cd) {
            (Stage::One(asid), Some(at)) if first => {
                let geometry = domain.paging.geometry();
                let words = cd(&self.features, &geometry, domain.paging.root(), asid);
                let fields: Vec<_> = (1..4).map(|index| (index, words[index])).collect();
                if self.substreams == Smmu3Substreams::Unknown {
                    let stores = fields.into_iter().chain([(0, words[0])]).collect();
                    return vec![Work::Store { at, stores }];
                }
                vec![
                    Work::Round { at, stores: fields, tell: Vec::new() },
                    Work::Round { at, stores: vec![(0, words[0])], tell: Vec::new() },
                ]
            }
            _ => Vec::new(),
        }
    }
}

/// Invalidates the CD of a device with a CD table of its own.
fn clear_cd(master: &Master) -> Option<Work> {
    let at: PhysAddr = master.cd?;
    let tell = tell_cd(&master.streams);
    Some(Work::Become { kind: EntryKind::Cd, at, target: [0; 8], tell })
}

fn tell_cd(streams: &[StreamId]) -> Vec<Command> {
    streams.iter().map(|stream| Command::cfgi_cd(*stream)).collect()
}
