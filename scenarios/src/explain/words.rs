//! What a request ran into, by the names a scenario has for it.

use passim_model::{Conflict, Refusal, Span};
use passim_vfio::policy::Choice;
use passim_vfio::view::MappingView;

use super::Origin;
use crate::ioctl;
use crate::op::{ContainerType, DeviceName, IrqIndex, Op};
use crate::run::{ContainerHere, Surroundings};

/// A conflict in words; `None` for the request itself.
pub(super) fn conflict(
    refusal: &Refusal,
    op: &Op,
    around: Option<&Surroundings>,
    origins: &[Origin],
) -> Option<String> {
    let Some(around) = around else { return plain(refusal) };
    let here = container_of(op, around);
    if let Some(told) = of_rule(refusal, op, around) {
        return Some(told);
    }
    match refusal.conflict {
        Conflict::Slot(span) | Conflict::Window(span) => {
            let mapping = here.and_then(|here| here.mappings.iter().find(|it| it.iova == span));
            mapping.map_or_else(
                || plain(refusal),
                |mapping| Some(mapping_text(mapping, around, origins)),
            )
        }
        Conflict::Aperture(span) => {
            let others = here.map(|here| here.windows.as_slice()).unwrap_or_default();
            let listed: Vec<_> = others.iter().map(Span::to_string).collect();
            Some(match listed.len() {
                0 | 1 => format!("outside valid range {span}"),
                _ => format!("outside every valid range: {}", listed.join(", ")),
            })
        }
        Conflict::User(address) => {
            let place = around.place(address.get()).to_string();
            let inside = place != address.to_string();
            Some(if inside {
                format!("user address {address}, which is {place}")
            } else {
                let areas = around.areas.iter().map(|area| {
                    let last = area.va.get() + (area.size - 1);
                    format!("{} [{}, {last:#x}]", area.name, area.va)
                });
                let areas: Vec<_> = areas.collect();
                let none = "there is no area".to_owned();
                let list = if areas.is_empty() { none } else { areas.join(", ") };
                format!("user address {address}, in no area: {list}")
            })
        }
        _ => plain(refusal),
    }
}

/// What only the rule tells of a conflict: what the number is one of.
fn of_rule(refusal: &Refusal, op: &Op, around: &Surroundings) -> Option<String> {
    /// Bit 2 of the flags of a MAP.
    const FLAG_THIRD: u64 = 1 << 2;
    let rule = refusal.rule.name;
    Some(match (refusal.conflict, rule) {
        (Conflict::Unknown(value), "flags-unknown") => match op {
            Op::Map { .. } | Op::MsiWindow { .. } if value & FLAG_THIRD != 0 => format!(
                "flags {value:#x}; 0x4 means something to other kernels: third-map-flag = {}",
                around.policy.third_map_flag.name()
            ),
            _ => format!("flags {value:#x}"),
        },
        (Conflict::Unknown(0), "set-irqs-shape") => "flags that name no kind of data".to_owned(),
        (Conflict::Unknown(value), "set-irqs-shape" | "irq-action" | "map-no-permission") => {
            format!("flags {value:#x}")
        }
        (Conflict::Unknown(value), "ioctl-unknown" | "container-without-iommu") => {
            // A container says the second; what a number is to others does not matter there.
            let name = match (ioctl::name(value), rule) {
                (Some(name), "container-without-iommu") => name.split(" or ").next(),
                (name, _) => name,
            };
            match name {
                Some(name) => format!("request {value:#x}, {name}"),
                None => format!("request {value:#x}"),
            }
        }
        (Conflict::Request, "msi-no-aperture" | "doorbell-not-mapped") => windows_of(op, around)?,
        (Conflict::Device(dev), "doorbell-not-described") => format!(
            "device {dev}, of whose interrupt controller the driver describes no doorbell: \
             its-doorbell-info = {}",
            around.policy.its_doorbell_info.name()
        ),
        (Conflict::Unknown(value), _) if rule == "nesting-refused" || is_of_types(rule) => {
            let kind = ContainerType::ALL.iter().find(|kind| kind.number() == value);
            match kind {
                Some(kind) => format!("type {value}, {kind}"),
                None => format!("type {value}"),
            }
        }
        (Conflict::Unknown(value), "attribute-value") if matches!(op, Op::Affinity { .. }) => {
            format!("cpu {value}; the machine has cpus 0 to {}", around.cpus.saturating_sub(1))
        }
        (Conflict::Unknown(value), "path-absent") if matches!(op, Op::Affinity { .. }) => {
            let known: Vec<_> = around.irqs.iter().map(u32::to_string).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            format!("interrupt {value}; for messages there are: {known}")
        }
        (Conflict::Limit { limit, wanted }, "map-memlock" | "memlock-limit") => {
            format!("{wanted} pages in all, of which {limit} may be")
        }
        (Conflict::Limit { wanted, .. }, "group-devices-open") => match wanted {
            1 => "1 device file that is open".to_owned(),
            _ => format!("{wanted} device files that are open"),
        },
        (Conflict::Limit { limit, wanted }, "set-irqs-shape" | "irq-vector") => {
            format!("a block that ends before {wanted}, where there are {limit}")
        }
        (Conflict::Device(dev), "irq-mode" | "irq-off") => {
            let on = around.functions.get(&dev)?.on;
            let on = IrqIndex::ALL.iter().find(|index| Some(index.number()) == on);
            match on {
                Some(on) => format!("device {dev}, of which {on} is on"),
                None => format!("device {dev}, of which nothing is on"),
            }
        }
        (Conflict::Group(group), _) => {
            let members = around.functions.iter().filter(|(_, it)| it.group == Some(group));
            let members: Vec<_> = members
                .map(|(rid, it)| format!("{rid} ({})", it.driver.as_deref().unwrap_or("no driver")))
                .collect();
            if members.is_empty() {
                format!("group {group}")
            } else {
                format!("group {group}: {}", members.join(", "))
            }
        }
        _ => return None,
    })
}

/// The windows for doorbells that the container of a device has.
fn windows_of(op: &Op, around: &Surroundings) -> Option<String> {
    let (Op::Enable { dev, .. } | Op::SetIrqs { dev: Some(dev), .. }) = op else { return None };
    let here = around.containers.get(around.devices.get(dev)?)?;
    let windows = here.mappings.iter().filter(|mapping| mapping.perms.is_empty());
    let windows: Vec<_> = windows.map(|mapping| mapping.iova.to_string()).collect();
    Some(match windows.len() {
        0 => format!("the container of {dev}, which has no window for doorbells"),
        _ => format!(
            "the domain of {dev}; its container has window {}, which is not the domain's or has no \
             room: replay-aperture = {}",
            windows.join(", "),
            around.policy.replay_aperture.name()
        ),
    })
}

fn is_of_types(rule: &str) -> bool {
    rule.starts_with("iommu-type-") || rule == "set-iommu-twice"
}

fn plain(refusal: &Refusal) -> Option<String> {
    match refusal.conflict {
        Conflict::Request => None,
        conflict => Some(conflict.to_string()),
    }
}

/// `mapping [0x10000, 0x13fff] of A, r|w, made in line 7`.
pub(super) fn mapping_text(
    mapping: &MappingView,
    around: &Surroundings,
    origins: &[Origin],
) -> String {
    let MappingView { iova, vaddr, perms, vaddr_valid, .. } = mapping;
    let place = around.place(vaddr.get());
    let mut text = if perms.is_empty() {
        // Nothing else allows nothing.
        format!("window {iova} for doorbells")
    } else {
        format!("mapping {iova} of {place}, {perms}")
    };
    if !vaddr_valid {
        text.push_str(", its vaddr invalidated");
    }
    if let Some(origin) = origins.iter().find(|origin| origin.iova == *iova) {
        text.push_str(&format!(", made in line {}", origin.line));
    }
    text
}

/// The container an operation on one is about.
pub(super) fn container_of<'a>(op: &Op, around: &'a Surroundings) -> Option<&'a ContainerHere> {
    match op {
        Op::Map { fd, .. }
        | Op::Unmap { fd, .. }
        | Op::UnmapAll { fd }
        | Op::Dirty { fd, .. }
        | Op::Info { fd, .. }
        | Op::SetIommu { fd, .. }
        | Op::MsiWindow { fd, .. } => around.container_behind(fd.map(|fd| fd.0)),
        Op::Read { dev, .. } | Op::Write { dev, .. } => {
            let DeviceName::Function(rid) = dev else { return None };
            around.containers.get(around.devices.get(rid)?)
        }
        _ => None,
    }
}
