//! Requests near a refused write to sysfs or procfs (drivers, interrupts, parameters), and near a
//! refused ATTACH.

use passim_model::{Conflict, Refusal};

use crate::op::{ContainerType, Op};
use crate::run::Surroundings;
use crate::script::{Signed, Text};

/// Most interrupts that are tried.
const MOST: usize = 3;

/// The driver that makes a device available to VFIO.
const VFIO_PCI: &str = "vfio-pci";

/// Parameters of the module, each with valid values.
const PARAMETERS: &[(&str, &[&str])] = &[
    ("allow_unsafe_interrupts", &["Y", "N"]),
    ("disable_hugepages", &["Y", "N"]),
    ("dma_entry_limit", &["65535"]),
];

pub(super) fn near(op: &Op, refusal: &Refusal, around: &Surroundings) -> Vec<Op> {
    match op {
        Op::Attach { dev, kind, container, group: None } => {
            let kinds = [ContainerType::V2, ContainerType::V1].into_iter();
            let ops = kinds.map(|kind| Op::Attach {
                dev: *dev,
                kind: Some(kind),
                container: *container,
                group: None,
            });
            let fds = around.container_fds.iter().map(|(fd, _)| Some(Signed(i64::from(*fd))));
            let into = |container| Op::Attach { dev: *dev, kind: *kind, container, group: None };
            ops.chain(fds.chain([None]).filter(|fd| fd != container).map(into)).collect()
        }
        Op::Affinity { irq, cpu } => affinity(*irq, *cpu, refusal, around),
        Op::Bind { dev, driver } => {
            let same = Op::Bind { dev: *dev, driver: Text(VFIO_PCI.to_owned()) };
            if driver.0 == VFIO_PCI { Vec::new() } else { vec![same] }
        }
        Op::Sysfs { path, value } => {
            let most = match refusal.conflict {
                Conflict::Limit { limit, .. } => Some(limit),
                _ => None,
            };
            let fewer =
                most.map(|most| Op::Sysfs { path: path.clone(), value: Text(most.to_string()) });
            fewer.into_iter().chain(attribute(&path.0, &value.0)).collect()
        }
        _ => Vec::new(),
    }
}

/// Interrupts and CPUs that exist.
fn affinity(irq: u32, cpu: u32, refusal: &Refusal, around: &Surroundings) -> Vec<Op> {
    if refusal.rule.name == "path-absent" {
        let mut irqs = around.irqs.clone();
        irqs.sort_by_key(|known| known.abs_diff(irq));
        let near = irqs.into_iter().take(MOST);
        return near.map(|irq| Op::Affinity { irq, cpu }).collect();
    }
    let last = u32::from(around.cpus).saturating_sub(1);
    vec![Op::Affinity { irq, cpu: cpu.min(last) }, Op::Affinity { irq, cpu: 0 }]
}

/// Parameters that exist, and valid values.
fn attribute(path: &str, value: &str) -> Vec<Op> {
    let write =
        |path: String, value: &str| Op::Sysfs { path: Text(path), value: Text(value.to_owned()) };
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let known = PARAMETERS.iter().find(|(known, _)| *known == name);
    match known {
        Some((_, values)) => {
            let folder = "/sys/module/vfio_iommu_type1/parameters";
            let there = values.iter().map(|other| write(format!("{folder}/{name}"), other));
            there.chain([write(format!("{folder}/{name}"), value)]).collect()
        }
        None if folder.ends_with("/parameters") => {
            let names = PARAMETERS.iter().map(|(name, _)| *name);
            names.map(|name| write(format!("{folder}/{name}"), value)).collect()
        }
        // Most attributes accept a number.
        None => vec![write(path.to_owned(), "1")],
    }
}
