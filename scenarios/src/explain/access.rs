//! What there is to say of a device's own access, of which the kernel hears nothing: where it goes,
//! and what is mapped there.

use passim_gic::its::TRANSLATER;
use passim_model::{Iova, Perms, PhysAddr, Rid, Span};
use passim_vfio::iommu::msi::DoorbellView;
use passim_vfio::policy::Choice;
use passim_vfio::type1::Version;

use super::Origin;
use super::words::{container_of, mapping_text, wrapped, wraps_after};
use crate::op::{DeviceName, Op};
use crate::run::{Account, Surroundings};

/// Most mappings that are listed.
const MAX_LISTED: usize = 4;

/// The command that shows how a device's access is translated: by tables, or by what caches hold.
pub(super) fn walked(op: &Op, file: &str, line: u64) -> Option<String> {
    let (dev, iova, write) = match op {
        Op::Read { dev, iova, .. } => (dev, iova, ""),
        Op::Write { dev, iova, .. } => (dev, iova, " --write"),
        _ => return None,
    };
    let place = quoted(&format!("{file}:{line}"));
    let walk = format!("passim walk {place} --dev {dev} --iova {iova}{write}");
    Some(format!("how it is translated: {walk}"))
}

/// As one word of a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    match word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// What there is to say where the kernel was not even asked, about a device's access, and where it
/// answered and did nothing.
pub(super) fn notes(
    op: &Op,
    around: Option<&Surroundings>,
    origins: &[Origin],
    account: &Account,
) -> Vec<String> {
    match (op, around) {
        (Op::Read { dev, iova, .. } | Op::Write { dev, iova, .. }, Some(around)) => {
            let mut notes = of_access(op, dev, *iova, around, origins);
            if let (DeviceName::Function(rid), Op::Write { value, .. }) = (dev, op) {
                notes.extend(known_to_its(*rid, value.0, account, around));
            }
            notes
        }
        (Op::Raise { dev, vector }, Some(around)) => {
            let DeviceName::Function(rid) = dev else { return Vec::new() };
            of_message(*rid, vector.unwrap_or(0), account, around, origins)
        }
        (Op::Map { iova, .. }, Some(around)) => {
            let here = container_of(op, around);
            let last = here.and_then(|here| wraps_after(here, around));
            let beyond = last.filter(|last| iova.get() > *last);
            beyond.map(|last| wrapped(iova.get(), last)).into_iter().collect()
        }
        (Op::Unmap { iova, size, .. }, Some(around)) => {
            of_unmap(op, *iova, size.0, around, origins)
        }
        _ => Vec::new(),
    }
}

/// Of an UNMAP that is no refusal and yet may have taken nothing: what lies in its range.
fn of_unmap(
    op: &Op,
    iova: Iova,
    size: u64,
    around: &Surroundings,
    origins: &[Origin],
) -> Vec<String> {
    let (Some(here), Some(range)) = (container_of(op, around), Span::from_size(iova, size)) else {
        return Vec::new();
    };
    let mut inside = here.mappings.iter().filter(|mapping| mapping.iova.overlaps(range));
    let Some(first) = inside.next() else {
        return vec![format!("nothing is mapped in {range}: that is no error, and unmaps nothing")];
    };
    if here.version != Some(Version::V1) || first.iova.start() >= iova {
        return Vec::new();
    }
    let (start, bytes) = (first.iova.start(), first.iova.size().unwrap_or(0));
    vec![
        format!("the range begins inside {}", mapping_text(first, around, origins)),
        "v1 takes mappings whole, and only those that begin in the range: it stops at this one"
            .to_owned(),
        format!("what takes it: unmap iova={start} size={bytes:#x}"),
    ]
}

fn of_access(
    op: &Op,
    dev: &DeviceName,
    iova: Iova,
    around: &Surroundings,
    origins: &[Origin],
) -> Vec<String> {
    let Some(here) = container_of(op, around) else {
        return vec![format!(
            "{dev} is in no container: the kernel's own domain translates for it"
        )];
    };
    if here.version.is_none() {
        return vec![format!(
            "the container of {dev} has no type yet: nothing can be mapped in it"
        )];
    }
    if let Some(mapping) = here.mappings.iter().find(|mapping| mapping.iova.contains(iova)) {
        let mut notes = vec![format!("{iova} is in {}", mapping_text(mapping, around, origins))];
        // A window allows nothing itself; the kernel maps doorbells in it.
        if mapping.perms.is_empty() {
            match of_doorbell(op, dev, iova, around) {
                Some(more) => notes.extend(more),
                None => notes.push("no doorbell is mapped there".to_owned()),
            }
            return notes;
        }
        let (wanted, what) = match op {
            Op::Write { .. } => (Perms::WRITE, "write"),
            _ => (Perms::READ, "read"),
        };
        if !mapping.perms.contains(wanted) {
            notes.push(format!("that mapping allows no {what}"));
        }
        return notes;
    }
    if let Some(notes) = of_doorbell(op, dev, iova, around) {
        return notes;
    }
    let mut notes: Vec<_> = of_physical(dev, iova, around).into_iter().collect();
    notes.push(match here.mappings.len() {
        0 => format!("no mapping holds {iova}: the container of {dev} has none"),
        _ => format!("no mapping holds {iova}; in the container of {dev} there are"),
    });
    let distance = |span: Span<Iova>| {
        let (start, last) = (span.start().get(), span.last().get());
        start.saturating_sub(iova.get()).max(iova.get().saturating_sub(last))
    };
    let mut mappings: Vec<_> = here.mappings.iter().collect();
    mappings.sort_by_key(|mapping| distance(mapping.iova));
    for mapping in mappings.iter().take(MAX_LISTED) {
        notes.push(format!("  {}", mapping_text(mapping, around, origins)));
    }
    if mappings.len() > MAX_LISTED {
        notes.push(format!("  and {} more, further away", mappings.len() - MAX_LISTED));
    }
    notes
}

/// Of an access to a page that the kernel mapped for messages: no mapping of a container's user.
fn of_doorbell(
    op: &Op,
    dev: &DeviceName,
    iova: Iova,
    around: &Surroundings,
) -> Option<Vec<String>> {
    let DeviceName::Function(rid) = dev else { return None };
    let function = around.functions.get(rid)?;
    let inside =
        |it: &&DoorbellView| iova.get().checked_sub(it.iova.get()).is_some_and(|at| at < it.size);
    let DoorbellView { iova: page, pa, size, .. } = function.doorbells.iter().find(inside)?;
    let mut notes = vec![format!(
        "{iova} is in a page that the kernel mapped for messages of {dev}: {page} leads to the \
         doorbell's page at {pa}, {size:#x} bytes"
    )];
    let Op::Write { value, .. } = op else { return Some(notes) };
    let mut vectors = function.vectors.iter();
    let vector = vectors
        .find(|it| it.message.address == iova.get() && u64::from(it.message.data) == value.0);
    notes.push(match vector {
        Some(it) => format!("that is what the kernel programmed for vector {}", it.vector),
        None => "no vector of it is programmed to write that there".to_owned(),
    });
    Some(notes)
}

/// Of an address at which a doorbell is for CPUs, but nothing for the device.
fn of_physical(dev: &DeviceName, iova: Iova, around: &Surroundings) -> Option<String> {
    let DeviceName::Function(rid) = dev else { return None };
    let mut doorbells = around.functions.get(rid)?.doorbells.iter();
    let inside =
        |it: &&DoorbellView| iova.get().checked_sub(it.pa.get()).is_some_and(|at| at < it.size);
    if let Some(DoorbellView { iova: page, pa, .. }) = doorbells.find(inside) {
        let there = page.get() + (iova.get() - pa.get());
        return Some(format!(
            "{iova} is a doorbell's physical address; for {dev} it is mapped at {there:#x}"
        ));
    }
    let (its, offset) = around.its_at(PhysAddr::new(iova.get()))?;
    (offset == TRANSLATER).then(|| {
        let its = its_name(its, around);
        format!(
            "{iova} is the physical address of GITS_TRANSLATER of {its}, which is not mapped for {dev}"
        )
    })
}

/// How an ITS is called: by its number only where there are several.
fn its_name(its: usize, around: &Surroundings) -> String {
    if around.itss.len() < 2 { "the ITS".to_owned() } else { format!("ITS {its}") }
}

/// What an ITS takes a message for that has come to it.
fn known_to_its(rid: Rid, value: u64, account: &Account, around: &Surroundings) -> Vec<String> {
    let at = account.doorbell.and_then(|at| around.its_at(at));
    let (Some((its, TRANSLATER)), Some((device, own))) = (at, around.senders.get(&rid)) else {
        return Vec::new();
    };
    let (name, device) = (its_name(its, around), device.get());
    let mut notes = vec![format!("{name} takes it for DeviceID {device:#x}, EventID {value}")];
    if let Some(own) = own.filter(|own| *own != its) {
        let (base, own_base) = (around.itss[its], around.itss[own]);
        notes.push(format!(
            "that is not the ITS of {rid}: its messages go to ITS {own} at {own_base}, which is told of \
             {rid} by commands; ITS {its} at {base} is not"
        ));
    }
    notes
}

/// Of a message: what the kernel programmed, and what leads from there to a doorbell.
fn of_message(
    dev: Rid,
    vector: u32,
    account: &Account,
    around: &Surroundings,
    origins: &[Origin],
) -> Vec<String> {
    let Some(function) = around.functions.get(&dev) else { return Vec::new() };
    let found = function.vectors.iter().find(|view| u32::from(view.vector) == vector);
    let Some(found) = found else {
        let has = function.vectors.len();
        return vec![format!(
            "the kernel programmed no message for vector {vector} of {dev}: it has {has} vectors now"
        )];
    };
    let address = found.message.address;
    let mut notes = vec![format!(
        "the kernel programmed vector {vector} of {dev} to write {:#x} to {address:#x}",
        found.message.data
    )];
    notes.extend(known_to_its(dev, u64::from(found.message.data), account, around));
    let iova = Iova::new(address);
    let inside = |first: u64, size: u64| address.checked_sub(first).is_some_and(|at| at < size);
    let mut doorbells = function.doorbells.iter();
    let leads = doorbells.clone().find(|it| inside(it.iova.get(), it.size));
    let physical = doorbells.find(|it| inside(it.pa.get(), it.size));
    let policy = &around.policy;
    let container = around.devices.get(&dev);
    notes.push(match (leads, physical) {
        (Some(DoorbellView { iova, pa, .. }), _) => {
            format!("a doorbell is mapped there: {iova} leads to {pa}")
        }
        (None, Some(DoorbellView { iova, .. })) => format!(
            "that is the doorbell's physical address; for the device it is mapped at {iova}"
        ),
        (None, None) if container.is_none() => {
            format!("{dev} is in no container: the kernel's own domain translates for it")
        }
        (None, None) => format!(
            "no doorbell is mapped there for the device: window-provider = {}, msi-mapping = {}",
            policy.window_provider.name(),
            policy.msi_mapping.name()
        ),
    });
    let here = container.and_then(|number| around.containers.get(number));
    let mapping = here.and_then(|here| here.mappings.iter().find(|it| it.iova.contains(iova)));
    notes.extend(
        mapping.map(|mapping| format!("{iova} is in {}", mapping_text(mapping, around, origins))),
    );
    notes
}
