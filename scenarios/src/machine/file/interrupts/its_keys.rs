//! Reading `[gic.its]`: keys of its own, and the keys of [`GicBuilt`] with `_` for `-`.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use super::{ItsFile, virt_spis};
use crate::machine::GicBuilt;

/// A value of a key, in the form that a scenario would use.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Said {
    Flag(bool),
    Number(i64),
    Word(String),
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(true) => f.write_str("on"),
            Self::Flag(false) => f.write_str("off"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Word(word) => f.write_str(word),
        }
    }
}

/// The keys that are no features.
const OWN: [&str; 6] = ["distributor", "redistributors", "its", "spis", "preset", "seed"];

/// A key of `[gic.its]`.
enum Key {
    /// One of [`OWN`].
    Own(&'static str),
    /// A feature, as the file spells it.
    Feature(String),
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if let Some(own) = OWN.into_iter().find(|own| *own == name) {
            return Ok(Self::Own(own));
        }
        let features = || GicBuilt::keys().map(|key| key.replace('-', "_"));
        if features().any(|key| key == name) {
            return Ok(Self::Feature(name));
        }
        let known: Vec<_> = OWN.into_iter().map(str::to_owned).chain(features()).collect();
        let known = known.join("`, `");
        Err(de::Error::custom(format!("unknown field `{name}`, expected one of `{known}`")))
    }
}

struct ItsVisitor;

impl<'de> Visitor<'de> for ItsVisitor {
    type Value = ItsFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of a GICv3 with ITSs")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ItsFile, A::Error> {
        let (mut distributor, mut redistributors, mut its) = (None, None, None);
        let (mut spis, mut preset, mut seed) = (None, None, None);
        let mut features = Vec::new();
        while let Some(key) = map.next_key()? {
            match key {
                Key::Own("distributor") => distributor = Some(map.next_value()?),
                Key::Own("redistributors") => redistributors = Some(map.next_value()?),
                Key::Own("its") => its = Some(map.next_value()?),
                Key::Own("spis") => spis = Some(map.next_value()?),
                Key::Own("preset") => preset = Some(map.next_value()?),
                Key::Own(_) => seed = Some(map.next_value()?),
                Key::Feature(key) => features.push((key, map.next_value()?)),
            }
        }
        let missing = |key| de::Error::missing_field(key);
        Ok(ItsFile {
            distributor: distributor.ok_or_else(|| missing("distributor"))?,
            redistributors: redistributors.ok_or_else(|| missing("redistributors"))?,
            its: its.ok_or_else(|| missing("its"))?,
            spis: spis.unwrap_or_else(virt_spis),
            preset,
            seed,
            features,
        })
    }
}

impl<'de> Deserialize<'de> for ItsFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ItsVisitor)
    }
}
