//! Selects the machine, profile and policy that a recording is replayed with.

use std::path::Path;

use passim_vfio::policy::{Policy, Profile};

use crate::chosen::Chosen;
use crate::explain::Searched;
use crate::input_error::{InputError, InputKind, nearest};
use crate::machine::{self, Machine};
use crate::recording::topo::KernelVersion;
use crate::recording::{Found, Topology};

/// The caller's choices.
#[derive(Clone, Default, Debug)]
pub struct Choices {
    /// Name of a built-in machine, or a machine file, in place of the topology's.
    pub machine: Option<String>,
    /// A profile in place of the kernel's, and single choices.
    pub chosen: Chosen,
    /// Number of differences for which the nearest accepted request is searched.
    pub searched: Searched,
}

/// The machine and policy of a replay.
pub struct Selected {
    /// The machine.
    pub machine: Machine,
    /// The profile, before single choices were set.
    pub profile: Profile,
    /// The recorded kernel, where the profile is that of another.
    pub stands_for: Option<KernelVersion>,
    /// Every choice.
    pub policy: Policy,
    /// Modules loaded before the first line.
    pub modules: Vec<String>,
}

/// Selects the machine and the policy for `found`.
///
/// # Errors
/// A topology or machine file that cannot be used, a machine, profile or choice that does not
/// exist, or a kernel without a profile or one that stands for it, where none was chosen.
pub fn select(found: &Found, choices: &Choices) -> Result<Selected, InputError> {
    let topology = Topology::read(&found.topology)?;
    let machine = match &choices.machine {
        Some(name) => machine_named(name)?,
        None => Machine::from_topology(&topology)?,
    };
    let (profile, stands_for) = match choices.chosen.profile {
        Some(profile) => (profile, None),
        None => of_kernel(&topology)?,
    };
    let policy = choices.chosen.policy(profile, &machine.choices, &[])?;
    let loaded = topology.modules.iter().filter(|module| module.ret == 0);
    let modules = loaded.map(|module| module.name.clone()).collect();
    Ok(Selected { machine, profile, stands_for, policy, modules })
}

/// A built-in machine, or the machine file of this name.
///
/// # Errors
/// No such machine and no such file, or a file that is no machine.
pub fn machine_named(name: &str) -> Result<Machine, InputError> {
    if let Some(machine) = machine::builtin(name) {
        return machine;
    }
    let path = Path::new(name);
    if path.extension().is_some_and(|extension| extension == "toml") || path.is_file() {
        return Machine::read(path);
    }
    let names: Vec<_> = machine::BUILTIN.iter().map(|(name, _)| *name).collect();
    let error = InputError::in_file(InputKind::Argument, path, "no machine of this name");
    Err(error.with_hint(match nearest(name, &names) {
        Some(meant) => format!("did you mean `{meant}`? `passim machines` lists all"),
        None => format!("built in are {}; or name a .toml file", names.join(", ")),
    }))
}

/// The profile of the recorded kernel, or the last before it, which then stands for that kernel.
fn of_kernel(topology: &Topology) -> Result<(Profile, Option<KernelVersion>), InputError> {
    let version = topology.board.version;
    let KernelVersion { major, minor, .. } = version;
    let Some(profile) = Profile::of_kernel(major, minor) else {
        let message = format!("no profile for kernel {version}, nor for one before it");
        let known: Vec<_> = Profile::ALL.iter().map(|profile| profile.name()).collect();
        let error = topology.source.error_in_line(InputKind::Recording, 1, message);
        return Err(error.with_hint(format!("choose one with --profile: {}", known.join(" or "))));
    };
    Ok((profile, (!profile.is_of_kernel(major, minor)).then_some(version)))
}
