//! Operations of devices that keep translations: ATS, and the pages they ask for.

use passim_model::{Iova, Perms, Rid};

use super::{Argument, AtsName, Form, Verb};
use crate::input_error::{InputError, SourceText};
use crate::script::{Args, Invocation, unknown_verb};

operations! {
    /// What a device that keeps translations does.
    enum TranslationOp;
    /// Says what a device does about ATS. It asks for translations, keeps them and drops them when
    /// it is told to (`on`), or does not answer when it is told to (`silent`); `off` after a reset.
    Ats = "ats" {
        /// The device, which has `ats = true` in the machine file.
        key dev: Rid = "dev",
        /// off, on or silent.
        key state: AtsName = "state",
    }
    /// Shows the translations that a device keeps.
    Atc = "atc" {
        /// The device.
        key dev: Rid = "dev",
    }
    /// A device asks for a page, alone in its group: PRI.
    PageRequest = "page-request" {
        /// The device, which has `ats = true` in the machine file.
        key dev: Rid = "dev",
        /// The page.
        key iova: Iova = "iova",
        /// What it is asked for.
        key prot: Perms = "prot",
        /// Page Request Group Index; 0 without it.
        opt group: u32 = "group",
    }
    /// Shows the answers to the page requests of a device since it was last asked.
    PageResponses = "page-responses" {
        /// The device.
        key dev: Rid = "dev",
    }
}
