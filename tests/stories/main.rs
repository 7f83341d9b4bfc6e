//! Which differences between kernels appear in the stories of the two machines that the series was
//! tested on.
//!
//! Each story is run under pairs of kernels, as `passim diff` does, and every difference must be
//! explained by choices of the policy. This file lists those choices for each machine and pair: no
//! others appear, and each of them makes a visible difference. The story of the kernel before the
//! series is not included: under a later one its first attach is refused, which explains everything
//! after it.

use passim::diff::{Asked, DiffReport, Subject, diff};
use passim::explain::Searched;
use passim_vfio::Profile;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const BEFORE: Profile = Profile::Linux4_6;
const SERIES: Profile = Profile::MsiV9;
const MERGED: Profile = Profile::Linux6_12;

/// The choices that distinguish the series' own kernel from the one before it, on every machine.
const OF_THE_SERIES: &[&str] = &[
    "info-layout",
    "msi-info",
    "msi-mapping",
    "smmu-intr-remap",
    "third-map-flag",
    "window-provider",
];

/// A machine, the kernel its story is written for, the other kernel, and the choices that
/// distinguish them in it.
type Expected = (&'static str, Profile, Profile, &'static [&'static str]);

const EXPECTED: &[Expected] = &[
    ("overdrive", SERIES, BEFORE, OF_THE_SERIES),
    (
        "overdrive",
        SERIES,
        MERGED,
        &[
            "default-domain",
            "entry-limit",
            "iova-allocator",
            "msi-domains",
            "msi-info",
            "msi-mapping",
            "smmu2-faults",
            "smmu2-messages",
            "third-map-flag",
            "window-provider",
        ],
    ),
    (
        "overdrive",
        MERGED,
        SERIES,
        &[
            "default-domain",
            "doorbell-error",
            "msi-domains",
            "msi-info",
            "msi-mapping",
            "smmu2-faults",
            "smmu2-messages",
            "smmu2-unattached",
            "unmap-all",
            "valid-ranges",
            "window-provider",
        ],
    ),
    (
        "overdrive",
        MERGED,
        BEFORE,
        &[
            "default-domain",
            "info-layout",
            "msi-domains",
            "msi-info",
            "msi-mapping",
            "smmu-intr-remap",
            "smmu2-faults",
            "smmu2-messages",
            "smmu2-unattached",
            "unmap-all",
            "valid-ranges",
            "window-provider",
        ],
    ),
    ("armada-7040", SERIES, BEFORE, OF_THE_SERIES),
    (
        "armada-7040",
        SERIES,
        MERGED,
        &[
            "default-domain",
            "entry-limit",
            "iova-allocator",
            "msi-info",
            "msi-mapping",
            "smmu2-faults",
            "smmu2-messages",
            "third-map-flag",
            "window-provider",
        ],
    ),
    (
        "armada-7040",
        MERGED,
        SERIES,
        &[
            "default-domain",
            "doorbell-error",
            "msi-info",
            "msi-mapping",
            "pci-streams",
            "smmu2-ap806",
            "smmu2-unattached",
            "window-provider",
        ],
    ),
    (
        "armada-7040",
        MERGED,
        BEFORE,
        &[
            "default-domain",
            "info-layout",
            "msi-info",
            "msi-mapping",
            "pci-streams",
            "smmu-intr-remap",
            "smmu2-ap806",
            "smmu2-unattached",
            "window-provider",
        ],
    ),
];

fn story(machine: &str, profile: Profile) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/files/smmu2");
    folder.join(machine).join(format!("{profile}.scn"))
}

/// Compares the story that was written for `a` with its outcome under `b`.
fn compared(machine: &str, a: Profile, b: Profile) -> DiffReport {
    let found = Subject::find(&[story(machine, a)]);
    let subject = found.unwrap_or_else(|error| panic!("{error}")).remove(0);
    let asked = Asked { a, b, set: Vec::new(), searched: Searched(0) };
    diff(&subject, &asked, |_| {}).unwrap_or_else(|error| panic!("{error}"))
}

fn check(machine: &str) {
    let mut failures = Vec::new();
    for (_, a, b, expected) in EXPECTED.iter().filter(|(name, ..)| *name == machine) {
        let report = compared(machine, *a, *b);
        assert!(!report.divergences.is_empty(), "{machine}: {a} and {b} say the same");
        for divergence in &report.divergences {
            let explained = divergence.because.0.iter().any(|set| !set.is_empty());
            assert!(explained, "{machine}: {a} and {b}, line {}: no reason", divergence.line);
        }
        let sets = report.divergences.iter().flat_map(|divergence| &divergence.because.0);
        let named: BTreeSet<_> = sets.flatten().map(|flip| flip.choice).collect();
        let expected: BTreeSet<_> = expected.iter().copied().collect();
        if named != expected {
            failures.push(format!("{machine}, {a} and {b}: {named:?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_difference_on_the_overdrive_has_its_choices() {
    check("overdrive");
}

#[test]
fn every_difference_on_the_armada_has_its_choices() {
    check("armada-7040");
}
