//! The machine that a scenario names, and the kernel that boots it.

use passim_vfio::policy::Profile;

use super::its::GicWanted;
use super::{Running, Unperformable};
use crate::chosen::{Chosen, NoSuch, meant_profile};
use crate::machine::Machine;
use crate::op::{Op, PaceName, Setting, YesNo};
use crate::replay::machine_named;
use crate::script::Text;
use crate::system::{Pace, Setup};

/// Builds the machine of a `machine` operation.
pub(super) fn boot(op: &Op, chosen: &Chosen) -> Result<Running, Unperformable> {
    let Op::Machine {
        name,
        profile,
        allow_unsafe_interrupts,
        disable_hugepages,
        dma_entry_limit,
        set,
        pace,
        gic,
        seed,
        built,
    } = op
    else {
        unreachable!("called for `machine` alone");
    };
    let gic = GicWanted { preset: gic.as_ref(), seed: *seed, built: built.as_ref() };
    let machine = chosen.machine(machine_of(name)?, gic)?;
    let profile = match (chosen.profile, profile) {
        (Some(profile), _) => profile,
        (None, Some(name)) => profile_of(&name.0)?,
        (None, None) => profile_of(&machine.profile)?,
    };
    let mut setup = Setup::new(&machine, profile);
    let own = set.as_ref().map_or(&[][..], |Setting(set)| set);
    setup.policy = chosen.policy(profile, &machine.choices, own)?;
    let is_yes = |answer: &YesNo| *answer == YesNo::Yes;
    if let Some(answer) = allow_unsafe_interrupts {
        setup.params.allow_unsafe_interrupts = is_yes(answer);
    }
    if let Some(answer) = disable_hugepages {
        setup.params.disable_hugepages = is_yes(answer);
    }
    if let Some(limit) = dma_entry_limit {
        setup.params.dma_entry_limit = *limit;
    }
    setup.pace = pace_of(*pace);
    setup.lost = chosen.lost;
    Ok(Running { profile: Some(profile), ..Running::new(&machine, setup)? })
}

/// The machine with that name, or in that file.
pub(super) fn machine_of(name: &Text) -> Result<Machine, Unperformable> {
    machine_named(&name.0).map_err(|error| Unperformable {
        // Includes the place: it is in the machine file, not in the scenario.
        message: error.to_string(),
        hint: Some(error.hint().to_owned()),
        key: None,
    })
}

/// When hardware works; eagerly by default.
pub(super) fn pace_of(pace: Option<PaceName>) -> Pace {
    match pace {
        Some(PaceName::Stepped) => Pace::Stepped,
        Some(PaceName::Eager) | None => Pace::Eager,
    }
}

fn profile_of(name: &str) -> Result<Profile, Unperformable> {
    name.parse().map_err(|error: passim_vfio::policy::UnknownProfile| {
        Unperformable::new(error.to_string()).hint(meant_profile(name))
    })
}

impl From<NoSuch> for Unperformable {
    fn from(error: NoSuch) -> Self {
        Self { message: error.message, hint: Some(error.hint), key: None }
    }
}
