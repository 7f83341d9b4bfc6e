//! What changed between kernels and between revisions of the series, as values.
//!
//! A [`Policy`] is a set of named choices. A profile fills it in; a machine file or the command
//! line may override any single choice by name. No code anywhere asks which kernel it is: it asks
//! the policy one question.

mod choices;
mod profiles;

pub use choices::{
    BlockedState, ContextDescriptors, InfoAlignment, NestingType, NotAContainer, ShortInfo,
    SteUpdate, UserAddresses, ZeroPage,
};
pub use profiles::{Profile, UnknownProfile};

use core::fmt;

/// A choice by its textual names: what listings and overrides need.
pub trait Choice: Copy + Sized + 'static {
    /// Every value, in the order listings show them.
    const VALUES: &'static [Self];
    /// The value's stable kebab-case name.
    fn name(self) -> &'static str;

    /// The value of this name.
    fn from_name(name: &str) -> Option<Self> {
        Self::VALUES.iter().copied().find(|value| value.name() == name)
    }
}

/// One row of a policy's listing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// Name of the choice.
    pub name: &'static str,
    /// Its present value.
    pub value: &'static str,
    /// What it decides.
    pub decides: &'static str,
    /// Where the values are known from.
    pub source: &'static str,
}

/// Why an override was not taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OverrideError {
    /// There is no such choice.
    #[error("no choice is called `{0}`")]
    UnknownChoice(String),
    /// The choice has no such value.
    #[error("choice `{choice}` has no value `{value}`; it takes {}", .takes.join(", "))]
    UnknownValue {
        /// The choice.
        choice: &'static str,
        /// What was asked for.
        value: String,
        /// What it takes.
        takes: Vec<&'static str>,
    },
}

macro_rules! policy {
    ($($(#[doc = $decides:literal])+ $field:ident: $type:ty, $name:literal, $source:literal;)*) => {
        /// Every choice, filled in. See the [module](self).
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub struct Policy {
            $($(#[doc = $decides])+ pub $field: $type,)*
        }

        impl Policy {
            /// Every choice with its value, in declaration order.
            pub fn rows(&self) -> Vec<Row> {
                vec![$(Row {
                    name: $name,
                    value: self.$field.name(),
                    decides: concat!($($decides),+).trim_ascii(),
                    source: $source,
                }),*]
            }

            /// Overrides one choice by name.
            ///
            /// # Errors
            /// [`OverrideError`] if the choice or the value does not exist; nothing changes then.
            pub fn set(&mut self, name: &str, value: &str) -> Result<(), OverrideError> {
                match name {
                    $($name => match <$type as Choice>::from_name(value) {
                        Some(value) => self.$field = value,
                        None => return Err(OverrideError::UnknownValue {
                            choice: $name,
                            value: value.to_owned(),
                            takes: <$type as Choice>::VALUES.iter().map(|v| v.name()).collect(),
                        }),
                    },)*
                    _ => return Err(OverrideError::UnknownChoice(name.to_owned())),
                }
                Ok(())
            }
        }
    };
}

policy! {
    /// What SET_CONTAINER says of a descriptor that is no container.
    not_a_container: NotAContainer, "not-a-container", "measured on 6.1 and 6.12";
    /// What SET_IOMMU does with the nesting type.
    nesting_type: NestingType, "nesting-type", "measured on 6.1 and 6.12";
    /// To what size each capability of GET_INFO is rounded up.
    info_alignment: InfoAlignment, "info-alignment", "measured on 6.1 and 6.12";
    /// How much GET_INFO writes back when argsz ends inside the structure.
    short_info: ShortInfo, "short-info", "measured on 6.1 and 6.12";
    /// Whether pinning an untouched page for reading meets the zero page.
    zero_page: ZeroPage, "zero-page", "measured on 6.1 and 6.12";
    /// Which addresses are a process's, and from where on the kernel's.
    user_addresses: UserAddresses, "user-addresses",
        "measured on 6.1 and 6.12: bitmaps at 2^48, with pages of 4K, 16K and 64K";
    /// What translates for a group whose owner has no container type yet.
    blocked_state: BlockedState, "blocked-state",
        "ASIDs and commands in dumps of 6.1 and 6.12; the state itself from reading";
    /// Who owns a context descriptor table.
    context_descriptors: ContextDescriptors, "context-descriptors", "dumps of 6.1 and 6.12";
    /// How the SMMUv3 driver brings an STE from one value to another.
    ste_update: SteUpdate, "ste-update", "command queues in dumps of 6.1 and 6.12";
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in self.rows() {
            writeln!(f, "{} = {}", row.name, row.value)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
