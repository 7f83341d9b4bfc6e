//! Which crate may import which.

use cargo_metadata::{DependencyKind, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};

/// The permitted edges of the architecture, for dependencies of the products only.
const ALLOWED: [(&str, &[&str]); 9] = [
    ("passim-model", &[]),
    ("passim-smmu", &["passim-model"]),
    ("passim-gic", &["passim-model"]),
    ("passim-vfio", &["passim-model"]),
    ("passim-oracle", &[]),
    ("passim-structures", &[]),
    ("passim", &["passim-model", "passim-smmu", "passim-gic", "passim-vfio", "passim-oracle"]),
    ("passim-tests", &["passim", "passim-model", "passim-smmu"]),
    ("passim-benches", &[]),
];

#[test]
fn crates_import_only_what_the_architecture_allows() {
    let manifest = crate::tree::root().join("Cargo.toml");
    let metadata =
        MetadataCommand::new().manifest_path(manifest).no_deps().exec().expect("cargo metadata");
    let ours: BTreeSet<_> =
        metadata.packages.iter().map(|package| package.name.to_string()).collect();
    let allowed: BTreeMap<_, _> = ALLOWED.into_iter().collect();
    assert_eq!(ours, allowed.keys().map(|name| (*name).to_owned()).collect());
    for package in &metadata.packages {
        let imports = package.dependencies.iter().filter(|dependency| {
            dependency.kind == DependencyKind::Normal && ours.contains(&dependency.name)
        });
        for dependency in imports {
            let name = dependency.name.as_str();
            let allowed = allowed[package.name.as_str()];
            assert!(allowed.contains(&name), "{} must not import {name}", package.name);
        }
    }
}

/// The sibling crates do not import one another, not even in tests.
#[test]
fn siblings_do_not_meet_in_tests_either() {
    let manifest = crate::tree::root().join("Cargo.toml");
    let metadata =
        MetadataCommand::new().manifest_path(manifest).no_deps().exec().expect("cargo metadata");
    let siblings = ["passim-smmu", "passim-gic", "passim-vfio"];
    for package in &metadata.packages {
        if !siblings.contains(&package.name.as_str()) {
            continue;
        }
        for dependency in &package.dependencies {
            assert!(!siblings.contains(&dependency.name.as_str()), "{}", package.name);
        }
    }
}
