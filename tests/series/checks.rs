//! Invariants after every step.

use std::collections::BTreeSet;

use passim::system::{Outcome, Reach};
use passim_model::{Access, Endpoint, Host, Iova, Rid};
use passim_vfio::policy::{ItsDoorbellInfo, MsiMapping};
use passim_vfio::type1::SlotKind;

use crate::world::World;

/// Offset of MSI_SETSPI_NS in a frame, and of GITS_TRANSLATER in its own.
const SETSPI_NS: u64 = 0x40;

const PAGE: u64 = 0x1000;

pub(crate) fn all(world: &mut World) -> Result<(), String> {
    windows_are_nobodys_memory(world)?;
    references_are_vectors(world)?;
    devices_reach_what_is_mapped(world)?;
    events_are_where_their_device_is(world)?;
    messages_translate(world)
}

/// The ITS that firmware names for a device has its events, each with the LPI that the kernel
/// allocated; and an ITS has no events of other devices.
fn events_are_where_their_device_is(world: &World) -> Result<(), String> {
    let Some(gic) = world.system.board.gicv3() else { return Ok(()) };
    let mut wanted = vec![BTreeSet::new(); gic.its().len()];
    let users = world.open().into_iter().map(|(rid, _)| Endpoint::from(rid));
    for device in users.chain(world.held.iter().copied()) {
        let requester = world.system.topology().requester(device).ok_or("no such device")?;
        let vectors = world.system.kernel.vectors(device).into_iter();
        let sent = vectors.filter(|vector| vector.message.address != 0);
        wanted[world.its_of(device)].extend(sent.map(|vector| (requester.device, vector.intid)));
    }
    for (at, (its, wanted)) in gic.its().iter().zip(wanted).enumerate() {
        let found = its.mappings(world.system.board.memory()).map_err(|error| error.to_string())?;
        let events =
            found.mappings.devices.iter().flat_map(|(&device, entry)| {
                entry.events.values().map(move |&(lpi, _)| (device, lpi))
            });
        let found: BTreeSet<_> = events.collect();
        if found != wanted {
            return Err(format!("its {at} has {found:?}, the kernel {wanted:?}"));
        }
    }
    Ok(())
}

/// Every device of a container reaches exactly the memory that is mapped there, whatever its IOMMU.
fn devices_reach_what_is_mapped(world: &mut World) -> Result<(), String> {
    for (rid, _) in world.open() {
        let kernel = &world.system.kernel;
        let Some(container) = kernel.container_of_device(rid) else { continue };
        let mappings = kernel.mappings(container).into_iter();
        let user: Vec<_> = mappings.filter(|it| it.kind != SlotKind::ReservedMsi).collect();
        let borders = user.iter().flat_map(|mapping| {
            let (first, last) = (mapping.iova.start().get(), mapping.iova.last().get());
            [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
        });
        for at in borders.collect::<Vec<_>>() {
            let iova = Iova::new(at);
            let mapped = user.iter().any(|mapping| mapping.iova.contains(iova));
            let pieces = world.system.dma_read(rid, iova, &mut [0]);
            let pieces = pieces.map_err(|error| error.to_string())?;
            if matches!(pieces[0].reach, Reach::Ram(_)) != mapped {
                return Err(format!("{rid} at {iova}: {:?}, mapped: {mapped}", pieces[0]));
            }
        }
    }
    Ok(())
}

/// No window is pinned or used for user mappings, and only doorbells are mapped in it.
fn windows_are_nobodys_memory(world: &World) -> Result<(), String> {
    let kernel = &world.system.kernel;
    let mut pages = 0;
    for container in kernel.containers() {
        let mappings = kernel.mappings(container.number);
        let (windows, user): (Vec<_>, Vec<_>) =
            mappings.into_iter().partition(|mapping| mapping.kind == SlotKind::ReservedMsi);
        pages += user.iter().map(|it| (it.iova.size_minus_one() + 1) / PAGE).sum::<u64>();
        for window in windows {
            if user.iter().any(|mapping| mapping.iova.overlaps(window.iova)) {
                return Err(format!("user memory in window {}", window.iova));
            }
            for &domain in &container.domains {
                let doorbells = kernel.iommu().doorbells(domain);
                for at in (window.iova.start().get()..=window.iova.last().get()).step_by(0x1000) {
                    let there = kernel.iommu().iova_run(
                        domain,
                        Iova::new(at),
                        PAGE,
                        world.system.board.memory(),
                    );
                    let known = doorbells
                        .iter()
                        .any(|it| (it.iova.get()..it.iova.get() + it.size).contains(&at));
                    if there.is_some() != known && !world.undone {
                        return Err(format!("{at:#x} leads to {there:?}, doorbells {doorbells:?}"));
                    }
                }
            }
        }
    }
    if pages != world.locked_pages() {
        return Err(format!("{pages} pages mapped, {} locked", world.locked_pages()));
    }
    Ok(())
}

/// Where vectors hold doorbells, a record has as many references as the devices in its domain have
/// vectors with its frame.
fn references_are_vectors(world: &World) -> Result<(), String> {
    let kernel = &world.system.kernel;
    if kernel.policy().msi_mapping != MsiMapping::AllocCounted || world.overput {
        return Ok(());
    }
    for container in kernel.containers() {
        for &domain in &container.domains {
            let inside = |(_, group): &(Rid, u32)| {
                kernel.iommu().translation(*group)
                    == Some(passim_vfio::iommu::Translation::Domain(domain))
            };
            let devices = world.open().into_iter().filter(inside);
            let vectors = devices.flat_map(|(rid, _)| {
                let vectors = kernel.vectors(rid).into_iter();
                vectors.map(move |it| world.frame_of(rid, it.intid.get()))
            });
            let frames: Vec<_> = vectors.collect();
            for doorbell in kernel.iommu().doorbells(domain) {
                let held = frames.iter().filter(|frame| **frame == Some(doorbell.pa));
                let held = held.count() as u64;
                if held != doorbell.references || held == 0 {
                    return Err(format!("{doorbell:?} is held by {held} vectors"));
                }
            }
        }
    }
    Ok(())
}

/// Where the kernel maps doorbells, every message written to a device reaches its frame. (Without a
/// window, v12 and v14 compose the physical address.)
fn messages_translate(world: &mut World) -> Result<(), String> {
    let policy = world.system.kernel.policy();
    let counted = policy.msi_mapping == MsiMapping::AllocCounted;
    let undescribed = counted && policy.its_doorbell_info == ItsDoorbellInfo::Off;
    if world.undone || world.overput || undescribed && world.system.board.gicv3().is_some() {
        // The window or the doorbell was removed while vectors are enabled, or is never mapped.
        return Ok(());
    }
    let translated = |(rid, _): &(Rid, u32)| world.translated.contains(rid);
    let users = world.open().into_iter().filter(translated).map(|(rid, _)| Endpoint::from(rid));
    let devices: Vec<_> = users.chain(world.held.iter().copied()).collect();
    for rid in devices {
        for vector in world.system.kernel.vectors(rid) {
            // Cleared; or, by `msi-failure`, lost: composing found no doorbell mapping.
            if [0, u64::MAX].contains(&vector.message.address) {
                continue;
            }
            if let Some(held) = rid.rid().and_then(|rid| table_entry(world, rid, vector.vector))
                && held != (vector.message.address, vector.message.data)
            {
                return Err(format!("{rid} holds {held:x?} for {vector:?}"));
            }
            let at = Iova::new(vector.message.address);
            let frame = world.frame_of(rid, vector.intid.get());
            let frame = frame.map(|frame| frame.get() + SETSPI_NS);
            let outcome = world.system.translate(rid, at, Access::WRITE);
            let reached = match &outcome {
                Some(Outcome::Translated(translated)) => Some(translated.pa.get()),
                _ => None,
            };
            if reached != frame {
                return Err(format!("{rid}: {vector:?} ends as {outcome:?}"));
            }
        }
    }
    Ok(())
}

/// A device's MSI-X table entry of a vector; `None` for a device without a table.
fn table_entry(world: &World, rid: Rid, vector: u16) -> Option<(u64, u32)> {
    let entries = world.system.board.slot(rid)?.registers.msix()?.entries();
    let entry = entries.get(usize::from(vector))?;
    Some((entry.address.get(), entry.data))
}
