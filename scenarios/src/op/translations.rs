//! Operations of devices with an address translation cache: ATS and PRI.

use passim_model::{Iova, Perms, Rid};

use super::{Argument, AtsName, Form, Verb};
use crate::input_error::{InputError, SourceText};
use crate::script::{Args, Invocation, unknown_verb};

operations! {
    /// An operation of a device with an address translation cache.
    enum TranslationOp;
    /// Sets how a device uses ATS: it requests, caches and invalidates translations (`on`), or does
    /// not answer invalidations (`silent`); `off` after a reset.
    Ats = "ats" {
        /// The device, which has `ats = true` in the machine file.
        key dev: Rid = "dev",
        /// off, on or silent.
        key state: AtsName = "state",
    }
    /// Shows the translations in a device's cache.
    Atc = "atc" {
        /// The device.
        key dev: Rid = "dev",
    }
    /// A device requests a page, alone in its group: PRI.
    PageRequest = "page-request" {
        /// The device, which has `ats = true` in the machine file.
        key dev: Rid = "dev",
        /// The page.
        key iova: Iova = "iova",
        /// The permissions requested.
        key prot: Perms = "prot",
        /// Page Request Group Index; 0 without it.
        opt group: u32 = "group",
    }
    /// Shows the responses to the page requests of a device since the last time.
    PageResponses = "page-responses" {
        /// The device.
        key dev: Rid = "dev",
    }
}
