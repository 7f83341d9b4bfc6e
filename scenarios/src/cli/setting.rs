//! `--set CHOICE=VALUE` and `--profile NAME`, which several commands take.

use crate::chosen::{Chosen, profile_named, set_choices};
use crate::input_error::InputError;

/// Single choices, on the command line.
#[derive(clap::Args)]
pub(super) struct Settings {
    /// One choice of the profile; may be given several times
    #[arg(long, value_name = "CHOICE=VALUE", value_parser = setting)]
    pub(super) set: Vec<(String, String)>,
}

/// A name and a value.
///
/// # Errors
/// There is no `=`, in words.
pub(super) fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("say NAME=VALUE, such as zero-page=pinned")?;
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
