//! Why no request near a refused one is accepted: the obstacle to all of them.

use passim_model::{Conflict, Refusal};
use passim_vfio::policy::{Choice, ThirdMapFlag, WindowProvider};

use super::words::container_of;
use crate::op::Op;
use crate::run::Surroundings;

/// The explanation for a request near which `tries` were made, and none was accepted.
pub(super) fn none(op: &Op, refusal: &Refusal, around: &Surroundings, tries: usize) -> String {
    of_windows(op, refusal, around).or_else(|| of_rule(op, refusal, around)).unwrap_or_else(|| {
        let rule = refusal.rule.name;
        match tries {
            0 => format!(
                "the search has no change to try for {rule}, which does not say that there is none"
            ),
            1 => format!("1 was tried, and {rule} or another rule refused it"),
            _ => format!("{tries} were tried, and {rule} or another rule refused each"),
        }
    })
}

fn of_windows(op: &Op, refusal: &Refusal, around: &Surroundings) -> Option<String> {
    /// Bit 2 of the flags of a MAP.
    const FLAG_THIRD: u64 = 1 << 2;
    let third = around.policy.third_map_flag;
    let asks = match op {
        Op::MsiWindow { .. } => true,
        Op::Map { flags: Some(flags), .. } => flags.0 & FLAG_THIRD != 0,
        _ => false,
    };
    if matches!(op, Op::MsiWindow { .. }) && third != ThirdMapFlag::ReservedMsiIova {
        return Some(format!(
            "this kernel registers no windows: third-map-flag = {}",
            third.name()
        ));
    }
    let rule = refusal.rule.name;
    match refusal.conflict {
        Conflict::Window(window) if asks => Some(format!(
            "the container has window {window}, and takes one until its last group leaves it"
        )),
        _ if rule == "msi-no-cookie" => Some(
            "the IOMMU behind this container translates no messages where its user says, whatever \
             the window"
                .to_owned(),
        ),
        _ if rule == "msi-no-support" => {
            let provider = around.policy.window_provider;
            let provider = WindowProvider::name(provider);
            Some(format!("in this kernel nobody maps doorbells: window-provider = {provider}"))
        }
        _ => None,
    }
}

/// `go-on` repeats no check: the call it continues was checked before.
const ASKED_BEFORE: &str = "it goes on with a call that began in a line before; what could be asked \
                            otherwise was asked there";

fn of_rule(op: &Op, refusal: &Refusal, around: &Surroundings) -> Option<String> {
    if let Op::GoOn { .. } = op {
        return Some(ASKED_BEFORE.to_owned());
    }
    Some(match (refusal.rule.name, refusal.conflict) {
        ("map-entry-limit", Conflict::Limit { limit, .. }) => format!(
            "the container holds {limit} mappings, all that dma_entry_limit lets it: one must go \
             first"
        ),
        ("doorbell-not-described", _) => format!(
            "the driver of the interrupt controller does not say where its doorbell is, whatever \
             is asked: its-doorbell-info = {}",
            around.policy.its_doorbell_info.name()
        ),
        ("lock-never-free", _) => {
            "an operation before this one went wrong and keeps the container's lock: nothing that \
             takes it comes to an end any more"
                .to_owned()
        }
        ("msi-no-aperture" | "doorbell-not-mapped", _) => {
            "the domain of the device has no window for doorbells, and none can be registered now"
                .to_owned()
        }
        ("path-absent", _) => match op {
            Op::Unplug { dev } | Op::Bind { dev, .. } => {
                format!("the machine has no function {dev}, or no longer")
            }
            Op::Unbind { dev } => format!("{dev} is bound to no driver, or is not there"),
            _ => "nothing of that name is there".to_owned(),
        },
        ("attribute-value", _) if matches!(op, Op::Bind { .. }) => {
            "the machine has no such function, or no longer".to_owned()
        }
        ("ioctl-unknown", Conflict::Unknown(request)) => {
            format!("no file that is open knows request {request:#x} under this kernel")
        }
        ("set-iommu-twice", _) => {
            let groups = container_of(op, around).map(|here| here.groups.clone());
            let groups: Vec<_> = groups.unwrap_or_default().iter().map(u32::to_string).collect();
            format!("the container keeps its type while it has a group: {}", groups.join(", "))
        }
        ("group-lost", _) => {
            "the last device of the file's group left VFIO, and the file does not come back: once a \
             device is bound again, the group is opened again"
                .to_owned()
        }
        ("hot-reset-no-slot", _) => {
            "the function sits on a root bus, where nothing is reset with its neighbours, whatever \
             the request says"
                .to_owned()
        }
        ("hot-reset-not-isolated", _) => {
            "a function that would be reset along has no group, whatever the request says".to_owned()
        }
        ("dirty-v1", _) => "no container of the process is of type v2".to_owned(),
        ("no-free-frame", _) => "the machine's memory is given out".to_owned(),
        _ => return None,
    })
}
