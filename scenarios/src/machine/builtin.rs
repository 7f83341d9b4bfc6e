//! The built-in machines.

use super::Machine;
use crate::input_error::{InputError, SourceText};

/// Names of the built-in machines, and their files.
pub const BUILTIN: &[(&str, &str)] = &[
    ("armada-7040", include_str!("../../machines/armada-7040.toml")),
    ("board-its", include_str!("../../machines/board-its.toml")),
    ("cpu-doorbells", include_str!("../../machines/cpu-doorbells.toml")),
    ("many-vectors", include_str!("../../machines/many-vectors.toml")),
    ("mixed-iommus", include_str!("../../machines/mixed-iommus.toml")),
    ("msi-map-gap", include_str!("../../machines/msi-map-gap.toml")),
    ("overdrive", include_str!("../../machines/overdrive.toml")),
    ("plain-ats", include_str!("../../machines/plain-ats.toml")),
    ("plain-caches", include_str!("../../machines/plain-caches.toml")),
    ("plain-its", include_str!("../../machines/plain-its.toml")),
    ("plain-stalls", include_str!("../../machines/plain-stalls.toml")),
    ("plain-v2m", include_str!("../../machines/plain-v2m.toml")),
    ("shared-ids", include_str!("../../machines/shared-ids.toml")),
    ("smmuv2-its", include_str!("../../machines/smmuv2-its.toml")),
    ("smmuv2-kinds", include_str!("../../machines/smmuv2-kinds.toml")),
    ("smmuv2-makers", include_str!("../../machines/smmuv2-makers.toml")),
    ("smmuv2-not-coherent", include_str!("../../machines/smmuv2-not-coherent.toml")),
    ("smmuv2-shared", include_str!("../../machines/smmuv2-shared.toml")),
    ("smmuv2-spare-interrupts", include_str!("../../machines/smmuv2-spare-interrupts.toml")),
    ("two-its", include_str!("../../machines/two-its.toml")),
    ("two-its-same-ids", include_str!("../../machines/two-its-same-ids.toml")),
    ("two-smmus", include_str!("../../machines/two-smmus.toml")),
    ("two-smmuv2s", include_str!("../../machines/two-smmuv2s.toml")),
    ("v2m-graviton", include_str!("../../machines/v2m-graviton.toml")),
    ("v2m-makers", include_str!("../../machines/v2m-makers.toml")),
    ("virt-gicv2m", include_str!("../../machines/virt-gicv2m.toml")),
    ("virt-its", include_str!("../../machines/virt-its.toml")),
    ("x86-like", include_str!("../../machines/x86-like.toml")),
];

/// The built-in machine of this name; `None` if there is none.
///
/// # Errors
/// None in a released program: a test reads every machine. Editing a file may introduce one.
pub fn builtin(name: &str) -> Option<Result<Machine, InputError>> {
    let (name, text) = BUILTIN.iter().find(|(builtin, _)| *builtin == name)?;
    let source = SourceText::new(format!("machines/{name}.toml"), *text);
    Some(Machine::parse(&source))
}
