//! Expansion of the table of choices: the values of a kernel, names, overrides and listings.

macro_rules! policy {
    ($(
        $(#[doc = $decides:literal])+
        $field:ident: $type:ident = $name:literal, $source:literal,
        [$($since:ident $value:ident $certainty:ident),+];
    )*) => {
        /// Every choice, filled in. See the [module](super).
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub struct Policy {
            $($(#[doc = $decides])+ pub $field: super::$type,)*
        }

        impl Policy {
            /// Every choice of a kernel.
            pub fn of(profile: Profile) -> Self {
                Self {
                    $($field: step_of(&[$(Step {
                        since: $since,
                        value: super::$type::$value,
                        certainty: $certainty,
                    }),+], profile).value,)*
                }
            }

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
            /// [`OverrideError`] if the choice or the value does not exist; the policy is then
            /// unchanged.
            pub fn set(&mut self, name: &str, value: &str) -> Result<(), OverrideError> {
                match name {
                    $($name => match <super::$type as Choice>::from_name(value) {
                        Some(value) => self.$field = value,
                        None => return Err(OverrideError::UnknownValue {
                            choice: $name,
                            value: value.to_owned(),
                            takes: <super::$type as Choice>::VALUES.iter().map(|v| v.name()).collect(),
                        }),
                    },)*
                    _ => return Err(OverrideError::UnknownChoice(name.to_owned())),
                }
                Ok(())
            }
        }

        /// Every choice, in declaration order.
        pub fn choices() -> Vec<ChoiceEntry> {
            vec![$(ChoiceEntry {
                name: $name,
                decides: concat!($($decides),+).trim_ascii(),
                source: $source,
                values: <super::$type as Choice>::VALUES.iter().map(|v| ValueEntry::of(*v)).collect(),
                steps: vec![$(Step {
                    since: $since,
                    value: super::$type::$value.name(),
                    certainty: $certainty,
                }),+],
            }),*]
        }
    };
}

pub(super) use policy;
