//! The groups computed from a recorded machine's hierarchy are those of the kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use passim::input_error::SourceText;
use passim::machine::Machine;
use passim::recording::Topology;
use passim_model::Rid;
use passim_model::topology::groups::isolation_groups;
use passim_vfio::policy::Smmu2Entries;

/// Every recorded topology.
fn topologies() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("recordings"), root.join("../scenarios/tests")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("recordings are there") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name == "topo.jsonl") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The recorded groups as sets of functions, without their numbers.
fn recorded(machine: &Machine) -> BTreeSet<BTreeSet<Rid>> {
    let mut groups: BTreeMap<u32, BTreeSet<Rid>> = BTreeMap::new();
    for function in &machine.functions {
        if let Some(group) = function.group {
            groups.entry(group).or_default().insert(function.rid);
        }
    }
    groups.into_values().collect()
}

#[test]
fn recorded_groups_follow_from_the_hierarchy() {
    let paths = topologies();
    assert!(paths.len() >= 3, "{paths:?}");
    for path in paths {
        let topology = Topology::parse(SourceText::read(&path).unwrap()).unwrap();
        let machine = Machine::from_topology(&topology).unwrap();
        let computed = machine.isolation(Smmu2Entries::OfTheDevice).unwrap();
        let sets: BTreeSet<BTreeSet<Rid>> =
            computed.all().iter().map(|group| group.iter().copied().collect()).collect();
        assert_eq!(sets, recorded(&machine), "{}", path.display());
    }
}

/// Measured: the second function behind the bridge is refused, because its stream is the first's.
/// By the hierarchy alone it would be in the same group.
#[test]
fn the_second_function_behind_a_bridge_has_no_group_for_its_stream_alone() {
    let mut seen = 0;
    for path in topologies() {
        let topology = Topology::parse(SourceText::read(&path).unwrap()).unwrap();
        let machine = Machine::from_topology(&topology).unwrap();
        let [first, second] = ["02:02.0", "02:01.0"].map(|name| Rid::parse(name).unwrap());
        let (Some(first), Some(second)) = (machine.function(first), machine.function(second))
        else {
            continue;
        };
        assert!(first.group.is_some() && second.group.is_none());
        let shared = second.streams.iter().filter(|stream| first.streams.contains(stream));
        assert_eq!(shared.count(), 1, "{}", path.display());
        let order = machine.functions.iter().map(|function| function.rid);
        let everyone = isolation_groups(&machine.hierarchy().unwrap(), order);
        assert_eq!(everyone.of(first.rid), everyone.of(second.rid));
        seen += 1;
    }
    assert!(seen > 0, "no recorded machine has two functions behind that bridge");
}
