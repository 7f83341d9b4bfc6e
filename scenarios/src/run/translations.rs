//! Devices with an address translation cache: ATS and page requests.

use passim_model::Rid;
use passim_model::ats::{PageResponse, ResponseCode};
use passim_smmu::v3::PageOutcome;

use super::{Outcome, Running, Unperformable};
use crate::op::{AtsName, Number, TranslationOp};
use crate::system::AtsState;

/// PRG indices have 9 bits. PCIe PRI; IHI 0070 G.b 8.
const GROUP_BITS: u32 = 9;

impl Running {
    pub(super) fn translations(&mut self, op: &TranslationOp) -> Outcome {
        match op {
            TranslationOp::Ats { dev, state } => {
                let state = match state {
                    AtsName::Off => AtsState::Off,
                    AtsName::On => AtsState::On,
                    AtsName::Silent => AtsState::Silent,
                };
                let set = self.system.set_ats(*dev, state);
                set.map(|()| vec!["ok".to_owned()]).ok_or_else(|| no_cache(*dev))
            }
            TranslationOp::Atc { dev } => {
                let slot = self.system.board.slot(*dev);
                let ats = slot.and_then(|slot| slot.ats.as_ref()).ok_or_else(|| no_cache(*dev))?;
                let entries = ats.atc().entries().map(|(_, first, lg2, perms)| {
                    format!("{first} size {}: {perms}", Number(1 << lg2))
                });
                Ok(or_none(entries.collect()))
            }
            TranslationOp::PageRequest { dev, iova, prot, group } => {
                let group = group.unwrap_or(0);
                let Some(group) = u16::try_from(group).ok().filter(|it| it >> GROUP_BITS == 0)
                else {
                    return Err(Unperformable::new("a Page Request Group Index has 9 bits"));
                };
                let outcome = self.system.request_page(*dev, *iova, *prot, group);
                Ok(vec![match outcome.ok_or_else(|| no_cache(*dev))? {
                    PageOutcome::Queued => "queued".to_owned(),
                    PageOutcome::Answered(_) => "answered by the SMMU".to_owned(),
                    PageOutcome::Discarded => "discarded".to_owned(),
                }])
            }
            TranslationOp::PageResponses { dev } => {
                let responses = self.system.take_page_responses(*dev);
                let responses = responses.ok_or_else(|| no_cache(*dev))?;
                Ok(or_none(responses.iter().map(response).collect()))
            }
        }
    }
}

fn response(response: &PageResponse) -> String {
    let code = match response.code {
        ResponseCode::Success => "success",
        ResponseCode::InvalidRequest => "invalid request",
        ResponseCode::Failure => "failure",
    };
    format!("group {}: {code}", response.group)
}

fn or_none(lines: Vec<String>) -> Vec<String> {
    if lines.is_empty() { vec!["none".to_owned()] } else { lines }
}

fn no_cache(rid: Rid) -> Unperformable {
    Unperformable::new(format!("{rid} keeps no translations"))
        .hint("a function does with `ats = true` in the machine file, behind an SMMU")
}
