//! What a request ran into, by the names a scenario has for it.

use passim_model::{Conflict, Iova, Refusal, Rid, Span};
use passim_vfio::iommu::{ReservedKind, ReservedRegion};
use passim_vfio::policy::{BeyondInput, Choice};
use passim_vfio::view::MappingView;

use super::Origin;
use crate::ioctl;
use crate::op::{ContainerType, DeviceName, IrqIndex, Op};
use crate::run::{AbsentHere, ContainerHere, Surroundings};

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
            let mappings = here.map(|here| here.mappings.as_slice()).unwrap_or_default();
            let mapping = mappings.iter().find(|it| it.iova == span);
            let mapping = mapping.or_else(|| mappings.iter().find(|it| it.iova.overlaps(span)));
            if let Some(mapping) = mapping {
                return Some(mapping_text(mapping, around, origins));
            }
            here.and_then(|here| alias(span, here, around, origins)).or_else(|| plain(refusal))
        }
        Conflict::Aperture(span) => {
            // Where nobody looks what is valid, it is what the tables take.
            if refusal.rule.name != "map-outside-valid" {
                return Some(format!("outside {span}, which is what the tables take"));
            }
            let others = here.map(|here| here.windows.as_slice()).unwrap_or_default();
            let listed: Vec<_> = others.iter().map(Span::to_string).collect();
            let valid = match listed.len() {
                0 | 1 => format!("outside valid range {span}"),
                _ => format!("outside every valid range: {}", listed.join(", ")),
            };
            Some(match here.and_then(|here| invalid(op, here)) {
                Some(why) => format!("{why}; {valid}"),
                None => valid,
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

/// The mapping beyond what the tables index that lies in them where `met` does.
fn alias(
    met: Span<Iova>,
    here: &ContainerHere,
    around: &Surroundings,
    origins: &[Origin],
) -> Option<String> {
    let last = wraps_after(here, around)?;
    let inside = |it: &&MappingView| {
        let (start, size) = (it.iova.start().get() & last, it.iova.size().unwrap_or(0));
        it.iova.start().get() > last
            && met.start().get().checked_sub(start).is_some_and(|at| at < size)
    };
    let mapping = here.mappings.iter().find(inside)?;
    let name = mapping_text(mapping, around, origins);
    Some(format!("{name}: {}", wrapped(mapping.iova.start().get(), last)))
}

/// The last address that the tables of a container index, where those beyond begin again at 0.
pub(super) fn wraps_after(here: &ContainerHere, around: &Surroundings) -> Option<u64> {
    if around.policy.beyond_input != BeyondInput::Alias {
        return None;
    }
    let last = here.windows.iter().map(|window| window.last().get()).max()?;
    last.checked_add(1).is_some_and(u64::is_power_of_two).then_some(last)
}

/// Where an address beyond the last that tables index leads.
pub(super) fn wrapped(iova: u64, last: u64) -> String {
    format!(
        "the tables index addresses up to {last:#x} and nobody asks, so that {iova:#x} is where {:#x} \
         is: beyond-input = alias",
        iova & last
    )
}

/// What a range meets that is valid for no mapping: a region that is reserved, or the end of what the
/// IOMMU translates.
fn invalid(op: &Op, here: &ContainerHere) -> Option<String> {
    let Op::Map { iova, size, .. } = op else { return None };
    let asked = Span::from_size(*iova, size.0)?;
    let met = here.reserved.iter().find(|region| region.span.overlaps(asked));
    if let Some(ReservedRegion { span, kind }) = met {
        return Some(format!("reserved region {span}, {}", reserved_text(*kind)));
    }
    let last = here.windows.iter().map(|window| window.last()).max()?;
    (asked.last() > last).then(|| format!("beyond {last}, where the IOMMU's aperture ends"))
}

/// A kind of reserved region, as sysfs names it and by what it is for.
fn reserved_text(kind: ReservedKind) -> &'static str {
    match kind {
        ReservedKind::SwMsi => {
            "msi: the IOMMU driver keeps it for doorbells, which the kernel maps there"
        }
        ReservedKind::Msi => "msi: hardware takes messages from the bus there",
        ReservedKind::Direct => "direct: firmware uses it as it is",
        ReservedKind::Reserved => "reserved: never to be mapped",
    }
}

/// What only the rule tells of a conflict: what the number is one of.
fn of_rule(refusal: &Refusal, op: &Op, around: &Surroundings) -> Option<String> {
    let rule = refusal.rule.name;
    match refusal.conflict {
        Conflict::Unknown(value) => of_number(value, rule, op, around),
        Conflict::Limit { limit, wanted } => of_limit(limit, wanted, rule),
        Conflict::Device(dev) => of_device(dev, rule, around),
        Conflict::Group(group) => Some(of_group(group, around)),
        Conflict::Request if ["msi-no-aperture", "doorbell-not-mapped"].contains(&rule) => {
            windows_of(op, around)
        }
        Conflict::Request => of_request(rule, op, around),
        _ => None,
    }
}

/// What of a request is wrong, where nothing else is in its way.
fn of_request(rule: &str, op: &Op, around: &Surroundings) -> Option<String> {
    let past = |what: &str, first: u64, size: u64| {
        let over = first.checked_add(size.saturating_sub(1)).is_none();
        over.then(|| format!("{what} {first:#x} and {size:#x} bytes, which run past 2^64"))
    };
    match (rule, op) {
        ("map-wrap", Op::Map { iova, va, size, .. }) => {
            past("iova", iova.get(), size.0).or_else(|| past("vaddr", around.resolve(va)?, size.0))
        }
        ("window-wrap", Op::Map { iova, size, .. } | Op::MsiWindow { iova, size, .. })
        | ("unmap-wrap", Op::Unmap { iova, size, .. }) => past("iova", iova.get(), size.0),
        ("vaddr-no-mapping", Op::Map { iova, .. } | Op::MsiWindow { iova, .. }) => {
            Some(format!("{iova}, where no mapping is"))
        }
        ("path-absent", Op::Open { path } | Op::Sysfs { path, .. }) => Some(path.0.clone()),
        _ => None,
    }
}

fn of_number(value: u64, rule: &str, op: &Op, around: &Surroundings) -> Option<String> {
    /// Bit 2 of the flags of a MAP.
    const FLAG_THIRD: u64 = 1 << 2;
    Some(match (rule, op) {
        ("flags-unknown", Op::Map { .. } | Op::MsiWindow { .. }) if value & FLAG_THIRD != 0 => {
            format!(
                "flags {value:#x}; 0x4 means something to other kernels: third-map-flag = {}",
                around.policy.third_map_flag.name()
            )
        }
        ("set-irqs-shape", _) if value == 0 => "flags that name no kind of data".to_owned(),
        ("flags-unknown" | "set-irqs-shape" | "irq-action" | "map-no-permission", _) => {
            format!("flags {value:#x}")
        }
        ("ioctl-unknown" | "container-without-iommu", _) => {
            // Of two names the first is that of a container; what others call it matters not there.
            let name = match (ioctl::name(value), rule) {
                (Some(name), "container-without-iommu") => name.split(" or ").next(),
                (name, _) => name,
            };
            let name = name.map(|name| format!(", {name}")).unwrap_or_default();
            format!("request {value:#x}{name}")
        }
        _ if rule == "nesting-refused" || is_of_types(rule) => {
            let kind = ContainerType::ALL.iter().find(|kind| kind.number() == value);
            let kind = kind.map(|kind| format!(", {kind}")).unwrap_or_default();
            format!("type {value}{kind}")
        }
        ("cpu-absent", Op::Affinity { .. }) => {
            format!("cpu {value}; the machine has cpus 0 to {}", around.cpus.saturating_sub(1))
        }
        ("path-absent", Op::Affinity { .. }) => {
            let known: Vec<_> = around.irqs.iter().map(u32::to_string).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            format!("interrupt {value}; for messages there are: {known}")
        }
        _ => return None,
    })
}

fn of_limit(limit: u64, wanted: u64, rule: &str) -> Option<String> {
    Some(match rule {
        "map-memlock" | "memlock-limit" => {
            format!("{wanted} pages in all, of which {limit} may be")
        }
        "map-entry-limit" => format!("mapping number {wanted}, of which {limit} may be"),
        "group-devices-open" if wanted == 1 => "1 device file that is open".to_owned(),
        "group-devices-open" => format!("{wanted} device files that are open"),
        "set-irqs-shape" | "irq-vector" => {
            format!("a block that ends before {wanted}, where there are {limit}")
        }
        _ => return None,
    })
}

fn of_device(dev: Rid, rule: &str, around: &Surroundings) -> Option<String> {
    Some(match rule {
        "msi-no-domain" => match around.senders.get(&dev) {
            Some((_, None)) => format!("device {dev}, which firmware's msi-map leaves out"),
            _ => format!("device {dev}, for whose messages there is no controller"),
        },
        "doorbell-not-described" => format!(
            "device {dev}, of whose interrupt controller the driver describes no doorbell: \
             its-doorbell-info = {}",
            around.policy.its_doorbell_info.name()
        ),
        "irq-mode" | "irq-off" => {
            let on = around.functions.get(&dev)?.on;
            let on = IrqIndex::ALL.iter().find(|index| Some(index.number()) == on);
            match on {
                Some(on) => format!("device {dev}, of which {on} is on"),
                None => format!("device {dev}, of which nothing is on"),
            }
        }
        _ => return None,
    })
}

/// A group with its members and their drivers.
fn of_group(group: u32, around: &Surroundings) -> String {
    let members = around.functions.iter().filter(|(_, it)| it.group == Some(group));
    let members =
        members.map(|(rid, it)| format!("{rid} ({})", it.driver.as_deref().unwrap_or("no driver")));
    let members: Vec<_> = members.collect();
    if members.is_empty() {
        let absent = around.absent.iter().find(|absent| absent.group == Some(group));
        match absent {
            Some(AbsentHere { rid, physical: Some(physical), .. }) => format!(
                "group {group}: {rid} is a virtual function, which sriov_numvfs of {physical} makes"
            ),
            Some(AbsentHere { rid, .. }) => format!("group {group}: {rid} is not there"),
            None => format!("group {group}"),
        }
    } else {
        format!("group {group}: {}", members.join(", "))
    }
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
    let is_here = |origin: &&Origin| {
        let there = around.containers.get(&origin.container);
        let mut mappings = there.into_iter().flat_map(|here| &here.mappings);
        origin.iova == *iova && mappings.any(|known| known == mapping)
    };
    if let Some(origin) = origins.iter().find(is_here) {
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
