//! The firmware's description of a machine for the kernel: devices, IOMMUs, interrupt controllers,
//! wires. Not here: the hardware itself.

use std::collections::BTreeSet;

use passim_gic::v2m::Meaning;
use passim_model::topology::hierarchy::Hierarchy;
use passim_model::{Endpoint, Iova, PageSize, PageSizes, Rid, Span};
use passim_smmu::v2::Version;
use passim_vfio::iommu::{DeviceFacts, DriverFacts, Firmware, SmmuV2Facts, SmmuVersion};
use passim_vfio::irq::{FrameFacts, GicFacts, HeldFacts, InterruptFacts, SmmuWireFacts};

use crate::machine::{self, Gic, Iommu, Machine, X86};

pub(super) fn firmware(machine: &Machine) -> Firmware {
    let hierarchy = machine.hierarchy().ok();
    let mut devices: Vec<DeviceFacts> = machine
        .functions
        .iter()
        .filter_map(|function| {
            let (endpoint, streams) = (function.rid.into(), function.streams.clone());
            let (group, driver) = (function.group?, function.smmu?);
            // PCI Express 3.0, 7.2.2: 4 KiB for each function.
            let config = machine.ecam.checked_add(u64::from(function.rid.get()) << 12);
            let requester = Some(requester_of(hierarchy.as_ref(), function.rid));
            let coherent = machine.dma_coherent;
            Some(DeviceFacts { endpoint, streams, requester, group, driver, config, coherent })
        })
        .chain((0..).zip(&machine.platforms).filter_map(|(number, platform)| {
            let (endpoint, streams) = (Endpoint::Platform(number), platform.streams.clone());
            let (group, driver) = (platform.group?, platform.smmu?);
            let (requester, config) = (None, None);
            let coherent = platform.dma_coherent;
            Some(DeviceFacts { endpoint, streams, requester, group, driver, config, coherent })
        }))
        .collect();
    devices.sort_by_key(|device| (device.group, device.endpoint));
    Firmware { drivers: drivers(machine), devices }
}

/// The requester ID of a function on the bus, which may be that of a bridge above it.
fn requester_of(hierarchy: Option<&Hierarchy>, rid: Rid) -> Rid {
    let aliases = hierarchy.map(|hierarchy| hierarchy.aliases(rid));
    aliases.and_then(|aliases| aliases.last().map(|alias| alias.rid)).unwrap_or(rid)
}

pub(super) fn interrupts(machine: &Machine) -> InterruptFacts {
    let gic = match &machine.gic {
        Gic::Its(gic) => GicFacts::V3 {
            distributor: gic.distributor,
            redistributors: gic.redistributors,
            its: gic.its.clone(),
        },
        Gic::V2m(gic) => GicFacts::V2 {
            distributor: gic.distributor,
            cpu_interface: gic.cpu_interface,
            frames: gic
                .frames
                .iter()
                .map(|frame| FrameFacts {
                    base: frame.base,
                    spis: frame.properties,
                    amazon: frame.meaning == Meaning::InOffset,
                })
                .collect(),
        },
    };
    let functions = machine.functions.iter().map(|it| (Endpoint::from(it.rid), &it.held));
    let platforms = machine.platforms.iter().map(|platform| &platform.held);
    let platforms = (0..).map(Endpoint::Platform).zip(platforms);
    let held = functions.chain(platforms).flat_map(|(holder, held)| {
        held.iter().map(move |held| HeldFacts {
            holder,
            irq: Some(held.irq),
            vector: held.vector,
            name: held.name.clone(),
        })
    });
    let functions = machine.functions.iter().map(|it| (Endpoint::from(it.rid), it.its));
    let platforms = machine.platforms.iter().map(|platform| Some(platform.its));
    let platforms = (0..).map(Endpoint::Platform).zip(platforms);
    let known = machine.functions.iter().map(|it| (it.rid, it.last_alias, (it.its, it.device_id)));
    let last_aliases = known.filter(|(_, last, first)| last != first);
    let others = functions.chain(platforms).filter(|(_, its)| *its != Some(0));
    InterruptFacts {
        gic,
        cpus: machine.cpus,
        in_el2: machine.in_el2,
        ecam: machine.ecam,
        msi_parents: others.collect(),
        last_aliases: last_aliases.map(|(rid, last, _)| (rid.into(), last)).collect(),
        held: held.collect(),
        irqs_allocated: machine.irqs_allocated.clone(),
        smmus: smmu_wires(machine),
        doorbells_per_cpu: match &machine.gic {
            Gic::V2m(gic) => gic.doorbells_per_cpu.clone(),
            Gic::Its(_) => Vec::new(),
        },
    }
}

fn smmu_wires(machine: &Machine) -> Vec<SmmuWireFacts> {
    let wires = machine.iommu.smmus().iter().enumerate().map(|(smmu, facts)| {
        let machine::SmmuWires { event_queue, global_error, .. } = facts.wired;
        SmmuWireFacts { smmu, event_queue, global_error, faults: Vec::new() }
    });
    let faults = machine.iommu.smmu_v2s().iter().enumerate().map(|(smmu, facts)| {
        let lines = facts.global_fault.iter().chain(&facts.context_faults).copied();
        let faults = lines.collect::<BTreeSet<_>>().into_iter().collect();
        SmmuWireFacts { smmu, event_queue: None, global_error: None, faults }
    });
    wires.chain(faults).collect()
}

fn drivers(machine: &Machine) -> Vec<DriverFacts> {
    let (aperture, page_sizes) = flat(machine.page_size);
    let smmus = machine.iommu.smmus().iter();
    let mut drivers: Vec<_> = smmus.map(|smmu| DriverFacts::SmmuV3 { base: smmu.base }).collect();
    match machine.iommu {
        Iommu::SmmuV3(_) => {}
        Iommu::SmmuV2(ref smmus) => {
            drivers.extend(smmus.iter().map(|smmu| DriverFacts::SmmuV2(smmu_v2_facts(smmu))));
        }
        Iommu::Flat => drivers.push(DriverFacts::Flat { aperture, page_sizes }),
        Iommu::X86(X86 { base, messages, remaps_interrupts })
        | Iommu::Mixed(_, X86 { base, messages, remaps_interrupts }) => {
            drivers.push(DriverFacts::X86 { base, messages, remaps_interrupts });
        }
    }
    drivers
}

/// A driver with the aperture and page sizes of the recorded SMMUs: 48 bits, pages and the block
/// one level above.
fn flat(page: PageSize) -> (Span<Iova>, PageSizes) {
    let first = Iova::new(0);
    let aperture = Span::new(first, Iova::new((1 << 48) - 1)).expect("0 lies below 2^48");
    // A table holds 2^(lg2 - 3) descriptors of 8 bytes: a block is larger than a page by this
    // factor.
    let block = page.lg2() + page.lg2() - 3;
    (aperture, PageSizes::from_bits(page.bytes() | 1 << block))
}

/// An SMMUv2's node in a device tree: its `compatible`, and the number of interrupts it lists.
fn smmu_v2_facts(smmu: &machine::SmmuV2) -> SmmuV2Facts {
    let listed = u32::try_from(smmu.context_faults.len()).unwrap_or(u32::MAX);
    let version = match smmu.description.version {
        Version::V1 => SmmuVersion::V1,
        Version::V1With64K => SmmuVersion::V1With64K,
        Version::V2 => SmmuVersion::V2,
    };
    SmmuV2Facts {
        base: smmu.base,
        version,
        model: smmu.model,
        secure_config_access: smmu.secure_config_access,
        coherent: smmu.dma_coherent,
        stream_match_mask: smmu.stream_match_mask,
        // A device tree repeats an interrupt that several banks share.
        context_interrupts: match version {
            SmmuVersion::V2 if listed > 0 => listed.max(smmu.description.banks.into()),
            _ => listed,
        },
    }
}
