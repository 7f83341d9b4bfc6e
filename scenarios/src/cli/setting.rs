//! `--set CHOICE=VALUE`, `--profile NAME` and how GICs answer, which several commands take.

use std::path::Path;

use crate::chosen::{Chosen, NoSuch, preset, profile_named, set_choices};
use crate::input_error::{InputError, InputKind};
use crate::machine::GicBuilt;
use crate::system::Lost;

/// Single choices, on the command line.
#[derive(clap::Args)]
pub(super) struct Settings {
    /// One choice of the profile; may be given several times
    #[arg(long, value_name = "CHOICE=VALUE", value_parser = setting)]
    pub(super) set: Vec<(String, String)>,
}

/// How every GICv3 answers, on the command line.
#[derive(clap::Args)]
pub(super) struct GicSettings {
    /// What every GICv3 chooses where the architecture leaves a choice: arch-strict, qemu,
    /// kvm-abi0, gic600 or adversarial
    #[arg(long, value_name = "PRESET")]
    gic: Option<String>,
    /// What chance is drawn from, for --gic adversarial
    #[arg(long, value_name = "NUMBER", requires = "gic")]
    seed: Option<u64>,
    /// How every GICv3 is built, such as targets=address; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    built: Vec<(String, String)>,
    /// A command that an ITS does not see, such as SYNC:5, the fifth SYNC since the machine was
    /// built, or SYNC:5@1, that of the second ITS; given once, as one command is lost
    #[arg(long, value_name = "COMMAND:N")]
    lose: Option<Lost>,
}

impl GicSettings {
    /// These, over what was chosen.
    ///
    /// # Errors
    /// A preset, a key or a value that does not exist.
    pub(super) fn over(&self, chosen: Chosen) -> Result<Chosen, InputError> {
        let wrong = |option: &str, wrong: NoSuch| {
            InputError::in_file(InputKind::Argument, Path::new(option), wrong.message)
                .with_hint(wrong.hint)
        };
        let gic = preset(self.gic.as_deref(), self.seed).map_err(|it| wrong("--gic", it))?;
        let mut built = GicBuilt::default();
        for (key, value) in &self.built {
            built.set(key, value).map_err(|it| wrong("--built", it))?;
        }
        Ok(Chosen { gic, built, lost: self.lose, ..chosen })
    }
}

/// A command that was to be lost and never came: what happened says nothing of losing it.
pub(super) fn never_lost(lost: Lost) -> InputError {
    let message = format!("no ITS was told {lost}: nothing was lost");
    InputError::in_file(InputKind::Argument, Path::new("--lose"), message)
        .with_hint("`its-queue` shows the commands that an ITS is told")
}

/// A name and a value.
///
/// # Errors
/// There is no `=`, in words.
pub(super) fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("say NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Settings {
    /// These choices, over those of `profile` if one is named.
    ///
    /// # Errors
    /// A profile, a choice or a value that does not exist.
    pub(super) fn chosen(&self, profile: Option<&str>) -> Result<Chosen, InputError> {
        let profile = profile.map(profile_named).transpose()?;
        set_choices(&mut profile.unwrap_or_default().policy(), &self.set)?;
        Ok(Chosen { profile, set: self.set.clone(), ..Chosen::default() })
    }
}
