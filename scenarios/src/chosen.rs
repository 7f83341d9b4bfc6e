//! The kernel of a run: a profile, and single choices of its policy that are overridden.
//!
//! Four sources decide, each overriding those before it: the profile, the machine file's
//! `[policy]`, `set=` of a scenario's `machine` line, and the command line. Not here: the meaning
//! of a choice, which is [`passim_vfio::policy`].

use std::path::Path;

use passim_gic::choice::Preset;
use passim_vfio::policy::{OverrideError, Policy, Profile, choices};

use crate::input_error::{InputError, InputKind, nearest};
use crate::machine::GicBuilt;
use crate::system::Lost;

/// The caller's overrides of what a scenario or a recording specifies.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Chosen {
    /// The profile of every machine.
    pub profile: Option<Profile>,
    /// Single choices of every machine, as if the profile had these values: a machine file or a
    /// scenario overrides them.
    pub under: Vec<(String, String)>,
    /// Single choices of every machine, which override all others.
    pub set: Vec<(String, String)>,
    /// The choices of every GICv3 where the architecture leaves them open.
    pub gic: Option<Preset>,
    /// How every GICv3 is built, overriding its machine or scenario.
    pub built: GicBuilt,
    /// A command that one ITS of every machine does not receive.
    pub lost: Option<Lost>,
}

/// The preset of a GICv3 with this name and seed; `None` if neither is given.
///
/// # Errors
/// No preset has this name, or the preset draws nothing from a seed.
pub fn preset(name: Option<&str>, seed: Option<u64>) -> Result<Option<Preset>, NoSuch> {
    let known = Preset::ALL.map(Preset::name);
    let chance = || {
        let hint = "`adversarial` does".to_owned();
        NoSuch { message: "only a preset with chance has a seed".to_owned(), hint, is_value: false }
    };
    let Some(name) = name else {
        return if seed.is_some() { Err(chance()) } else { Ok(None) };
    };
    let Some(preset) = Preset::from_name(name, seed.unwrap_or(0)) else {
        let hint = nearest(name, &known).map_or_else(
            || format!("presets: {}", known.join(", ")),
            |meant| format!("did you mean `{meant}`?"),
        );
        let message = format!("no preset of a GIC is called `{name}`");
        return Err(NoSuch { message, hint, is_value: true });
    };
    match preset {
        Preset::Adversarial(_) => Ok(Some(preset)),
        _ if seed.is_none() => Ok(Some(preset)),
        _ => Err(chance()),
    }
}

impl Chosen {
    /// The policy of a machine of this profile, with the choices that the machine file (`machine`),
    /// its scenario (`own`) and the caller override.
    ///
    /// # Errors
    /// A choice or a value that does not exist.
    pub fn policy(
        &self,
        profile: Profile,
        machine: &Overrides,
        own: &[(String, String)],
    ) -> Result<Policy, NoSuch> {
        let mut policy = profile.policy();
        set_choices(&mut policy, &self.under)?;
        machine.apply(&mut policy);
        set_choices(&mut policy, own)?;
        set_choices(&mut policy, &self.set)?;
        Ok(policy)
    }
}

/// Choices that exist, each with a valid value.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Overrides(Vec<(&'static str, &'static str)>);

impl Overrides {
    /// Adds one; a later one of the same name wins.
    ///
    /// # Errors
    /// There is no such choice, or it has no such value.
    pub fn push(&mut self, name: &str, value: &str) -> Result<(), NoSuch> {
        let all = choices();
        let choice = all.iter().find(|choice| choice.name == name);
        let choice = choice.ok_or_else(|| NoSuch::choice(name))?;
        let entry = choice.value(value).ok_or_else(|| {
            let takes: Vec<_> = choice.values.iter().map(|value| value.name).collect();
            NoSuch::value(choice.name, value, &takes)
        })?;
        self.0.push((choice.name, entry.name));
        Ok(())
    }

    /// Sets these choices in `policy`.
    ///
    /// # Panics
    /// Never: only choices and values that exist were added.
    pub fn apply(&self, policy: &mut Policy) {
        for (name, value) in &self.0 {
            policy.set(name, value).expect("choice and value were looked up when they were added");
        }
    }
}

/// A choice, or a value of one, that does not exist.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoSuch {
    /// What is wrong.
    pub message: String,
    /// The nearest valid name, or all valid ones.
    pub hint: String,
    /// Whether the choice exists and only the value does not.
    pub is_value: bool,
}

impl NoSuch {
    fn choice(name: &str) -> Self {
        let known: Vec<_> = choices().iter().map(|choice| choice.name).collect();
        let hint = nearest(name, &known).map_or_else(
            || format!("`passim profiles {}` lists every choice", Profile::default()),
            |meant| format!("did you mean `{meant}`?"),
        );
        Self { message: format!("no choice is called `{name}`"), hint, is_value: false }
    }

    fn value(choice: &str, value: &str, takes: &[&str]) -> Self {
        let list = takes.join(", ");
        let hint = nearest(value, takes)
            .map_or_else(|| format!("it takes {list}"), |meant| format!("did you mean `{meant}`?"));
        let message = format!("choice `{choice}` has no value `{value}`; it takes {list}");
        Self { message, hint, is_value: true }
    }
}

impl From<OverrideError> for NoSuch {
    fn from(error: OverrideError) -> Self {
        match error {
            OverrideError::UnknownChoice(name) => Self::choice(&name),
            OverrideError::UnknownValue { choice, value, takes } => {
                Self::value(choice, &value, &takes)
            }
        }
    }
}

/// A choice named on the command line that does not exist.
impl From<NoSuch> for InputError {
    fn from(error: NoSuch) -> Self {
        Self::in_file(InputKind::Argument, Path::new("--set"), error.message).with_hint(error.hint)
    }
}

/// Sets single choices of a policy.
///
/// # Errors
/// A choice or a value that does not exist; the choices before it are set nevertheless.
pub fn set_choices(policy: &mut Policy, set: &[(String, String)]) -> Result<(), NoSuch> {
    set.iter().try_for_each(|(name, value)| policy.set(name, value).map_err(NoSuch::from))
}

/// The profile of this name.
///
/// # Errors
/// No profile has this name.
pub fn profile_named(name: &str) -> Result<Profile, InputError> {
    name.parse().map_err(|error: passim_vfio::policy::UnknownProfile| {
        InputError::in_file(InputKind::Argument, Path::new(name), error.to_string())
            .with_hint(meant_profile(name))
    })
}

/// The hint for a profile that does not exist.
pub fn meant_profile(name: &str) -> String {
    let known: Vec<_> = Profile::ALL.iter().map(|profile| profile.name()).collect();
    nearest(name, &known).map_or_else(
        || format!("profiles: {}", known.join(", ")),
        |meant| format!("did you mean `{meant}`?"),
    )
}

/// The choices in which two policies differ: name, value of the first, value of the second.
pub fn differing(a: &Policy, b: &Policy) -> Vec<(&'static str, &'static str, &'static str)> {
    let rows = a.rows().into_iter().zip(b.rows());
    let differ = rows.filter(|(a, b)| a.value != b.value);
    differ.map(|(a, b)| (a.name, a.value, b.value)).collect()
}
