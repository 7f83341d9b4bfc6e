//! Devices behind an SMMU: transactions; behind an SMMUv3 also translation requests and page
//! requests.

use passim_model::ats::{InvalidationEnd, PageRequest, TranslationRequest};
use passim_model::{
    Access, DeviceId, Direction, Iova, Memory, Perms, Privilege, Requester, Span, StreamId,
    SubstreamId,
};
use passim_smmu::SmmuV3;
use passim_smmu::v3::{PageHint, Transaction};

use super::super::{Answered, Outcome, Unperformable};
use super::{Bare, words};
use crate::op::{AccessKind, AtcEnd, SmmuOp, YesNo};
use crate::system::Outcome as Translated;

impl Bare {
    pub(super) fn on_devices(&mut self, op: &SmmuOp) -> Outcome {
        match op {
            SmmuOp::Transaction {
                sid,
                ssid,
                iova,
                access,
                privileged,
                size,
                translated,
                unsupported,
                smmu,
            } => {
                let access = access_of(*access, is_yes(*privileged));
                let range = (*iova, size.map_or(1, |size| size.0));
                // An SMMUv2 is one as well.
                let smmu = smmu.unwrap_or(0) as usize;
                let kind = Kind::of(is_yes(*translated), is_yes(*unsupported));
                self.transaction(smmu, requester(*sid, *ssid), range, access, kind)
            }
            SmmuOp::Hint { sid, ssid, page, span, user, privileged, smmu } => {
                let hint = PageHint {
                    span: span.unwrap_or(1),
                    unprivileged: *user,
                    privileged: privileged.unwrap_or(Perms::empty()),
                };
                let smmu = self.index(*smmu)?;
                self.hint(smmu, requester(*sid, *ssid), *page, hint)
            }
            SmmuOp::PageRequests { smmu } => {
                let smmu = self.index(*smmu)?;
                self.page_requests(smmu)
            }
            SmmuOp::Events { smmu } => {
                let smmu = self.index(*smmu)?;
                self.events(smmu)
            }
            SmmuOp::Break { smmu } => {
                let smmu = self.index(*smmu)?;
                self.hardware(smmu)?.0.fail();
                self.board.settle();
                Ok(Vec::new())
            }
            _ => self.on_ats(op),
        }
    }

    /// Devices with a cache of their own.
    fn on_ats(&mut self, op: &SmmuOp) -> Outcome {
        match op {
            SmmuOp::TranslationRequest { sid, ssid, iova, no_write, execute, privileged, smmu } => {
                let request = TranslationRequest {
                    requester: requester(*sid, *ssid),
                    iova: *iova,
                    no_write: is_yes(*no_write),
                    execute: is_yes(*execute),
                    privileged: is_yes(*privileged),
                };
                let smmu = self.index(*smmu)?;
                let (hardware, memory) = self.hardware(smmu)?;
                let completion = hardware.translation_request(memory, &request);
                Ok(vec![words::completion(&completion)])
            }
            SmmuOp::AtcAnswer { tag, end, smmu } => {
                let end = match end {
                    None | Some(AtcEnd::Done) => InvalidationEnd::Completed,
                    Some(AtcEnd::Unsupported) => InvalidationEnd::UnsupportedRequest,
                    Some(AtcEnd::TimedOut) => InvalidationEnd::TimedOut,
                };
                let smmu = self.index(*smmu)?;
                self.hardware(smmu)?.0.invalidation_ended(*tag, end);
                // The queue may have waited for this.
                self.board.settle();
                let prod = self.load_named(smmu, "CMDQ_PROD")?;
                self.consumed(smmu, prod)
            }
            SmmuOp::PageRequest { sid, ssid, page, prot, privileged, group, last, smmu } => {
                let request = PageRequest {
                    requester: requester(*sid, *ssid),
                    page: *page,
                    perms: *prot,
                    privileged: is_yes(*privileged),
                    last: is_yes(*last),
                    group: group_of(*group)?,
                };
                let smmu = self.index(*smmu)?;
                let (hardware, memory) = self.hardware(smmu)?;
                let outcome = hardware.page_request(memory, &request);
                Ok(vec![words::page_outcome(&outcome)])
            }
            _ => unreachable!("what software does is not a device's"),
        }
    }

    fn hear(&mut self, outcome: &Translated) {
        self.heard.extend(match outcome {
            Translated::Translated(_) => None,
            Translated::Terminated(terminated) => Some(Answered::Terminated(*terminated)),
            Translated::Stalled(stalled) => Some(Answered::Stalled(*stalled)),
        });
    }

    fn hint(&mut self, smmu: usize, requester: Requester, iova: Iova, hint: PageHint) -> Outcome {
        let txn = Transaction { requester, iova, access: Access::READ };
        let (hardware, memory) = self.hardware(smmu)?;
        Ok(vec![words::record_of_event(hardware.hint(memory, &txn, hint)).to_owned()])
    }

    fn hardware(&mut self, smmu: usize) -> Result<(&mut SmmuV3, &mut Memory), Unperformable> {
        let found = self.board.smmu_mut(smmu);
        let found = found.and_then(|(smmu, memory)| Some((smmu.v3_mut()?, memory)));
        found.ok_or_else(|| Unperformable::new("there is no such SMMUv3"))
    }

    fn transaction(
        &mut self,
        smmu: usize,
        requester: Requester,
        (iova, size): (Iova, u64),
        access: Access,
        kind: Kind,
    ) -> Outcome {
        /// Most bytes of a transfer: a few pages show what a border does.
        const MOST: u64 = 1 << 16;
        let whole = Span::from_size(iova, size).filter(|_| size <= MOST).ok_or_else(|| {
            let message = "a transfer has 1 to 64K bytes and ends inside the address space";
            Unperformable::new(message).at_key("size")
        })?;
        let mut lines = Vec::new();
        let mut start = Some(whole.start());
        while let Some(at) = start.filter(|at| *at <= whole.last()) {
            let txn = Transaction { requester, iova: at, access };
            lines.push(self.one(smmu, &txn, kind)?);
            start = Iova::new(at.get() | 0xfff).checked_add(1);
        }
        Ok(lines)
    }

    fn one(&mut self, smmu: usize, txn: &Transaction, kind: Kind) -> Result<String, Unperformable> {
        let at = txn.iova;
        if let Kind::Usual = kind {
            let count = self.board.smmus();
            let (hardware, memory) = self.board.smmu_mut(smmu).ok_or_else(|| {
                let message = format!("this machine has {count} SMMUs, counted from 0");
                Unperformable::new(message).at_key("smmu")
            })?;
            let outcome = hardware.translate(memory, txn);
            self.hear(&outcome);
            return Ok(words::answer(at, &outcome));
        }
        let (hardware, memory) = self.hardware(smmu)?;
        Ok(match kind {
            Kind::Usual => unreachable!("answered above"),
            Kind::Translated => {
                let outcome = hardware.translated(memory, txn).into();
                self.hear(&outcome);
                words::answer(at, &outcome)
            }
            Kind::Unsupported | Kind::TranslatedUnsupported => {
                let record = match kind {
                    Kind::Unsupported => hardware.unsupported(memory, txn),
                    _ => hardware.translated_unsupported(),
                };
                self.heard.push(Answered::Unsupported(record));
                words::unsupported(at, record)
            }
        })
    }
}

/// What sort of transaction it is.
#[derive(Clone, Copy)]
enum Kind {
    Usual,
    Translated,
    Unsupported,
    TranslatedUnsupported,
}

impl Kind {
    fn of(translated: bool, unsupported: bool) -> Self {
        match (translated, unsupported) {
            (false, false) => Self::Usual,
            (true, false) => Self::Translated,
            (false, true) => Self::Unsupported,
            (true, true) => Self::TranslatedUnsupported,
        }
    }
}

fn requester(sid: u32, ssid: Option<u32>) -> Requester {
    Requester {
        stream: StreamId::new(sid),
        substream: ssid.map(SubstreamId::new),
        device: DeviceId::new(sid),
    }
}

fn is_yes(answer: Option<YesNo>) -> bool {
    answer == Some(YesNo::Yes)
}

fn access_of(access: Option<AccessKind>, privileged: bool) -> Access {
    let privilege = if privileged { Privilege::Privileged } else { Privilege::Unprivileged };
    let direction = match access {
        Some(AccessKind::Write) => Direction::Write,
        _ => Direction::Read,
    };
    Access { direction, privilege, instruction: access == Some(AccessKind::Fetch) }
}

/// A Page Request Group Index: nine bits. PCI Express 3.0, ATS 4.2.
fn group_of(group: Option<u16>) -> Result<u16, Unperformable> {
    match group.unwrap_or(0) {
        group @ 0..0x200 => Ok(group),
        group => {
            Err(Unperformable::new(format!("{group} is more than a group's nine bits"))
                .at_key("group"))
        }
    }
}
