//! Numbers of a machine file: an integer, or text with a prefix or a unit.

use std::fmt;

use passim_model::Rid;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

/// An unsigned number: `4096`, `0x1000`, `"0x1000"` or `"4K"`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Quantity(pub(super) u64);

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntegerOrText)
    }
}

struct IntegerOrText;

impl Visitor<'_> for IntegerOrText {
    type Value = Quantity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number such as 4096, 0x1000, \"0x1000\" or \"4K\"")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Quantity, E> {
        u64::try_from(number)
            .map(Quantity)
            .map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Quantity, E> {
        Ok(Quantity(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Quantity, E> {
        crate::script::number(text)
            .map(Quantity)
            .ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// A PCI function in a machine file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Bdf(pub(super) Rid);

impl<'de> Deserialize<'de> for Bdf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let rid = Rid::parse(&text);
        rid.map(Self).ok_or_else(|| {
            D::Error::invalid_value(Unexpected::Str(&text), &"a PCI function such as \"00:01.0\"")
        })
    }
}

/// The number of a group, or `"none"`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct GroupNumber(pub(super) Option<u32>);

impl<'de> Deserialize<'de> for GroupNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberOrNone)
    }
}

struct NumberOrNone;

impl Visitor<'_> for NumberOrNone {
    type Value = GroupNumber;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the number of a group or \"none\"")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<GroupNumber, E> {
        // i32, as in the kernel.
        let number = u32::try_from(number).ok().filter(|number| *number <= i32::MAX as u32);
        let negative = || E::custom("a group has a number from 0 to 2147483647");
        Ok(GroupNumber(Some(number.ok_or_else(negative)?)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<GroupNumber, E> {
        if text == "none" {
            Ok(GroupNumber(None))
        } else {
            Err(E::invalid_value(Unexpected::Str(text), &self))
        }
    }
}

/// A number that must fit a field with fewer bits.
pub(super) fn narrow<'de, D, N>(deserializer: D) -> Result<N, D::Error>
where
    D: Deserializer<'de>,
    N: TryFrom<u64>,
{
    let Quantity(number) = Quantity::deserialize(deserializer)?;
    let bits = 8 * size_of::<N>();
    N::try_from(number)
        .map_err(|_| D::Error::custom(format!("{number:#x} has more than {bits} bits")))
}

/// The same, optional.
pub(super) fn optional_narrow<'de, D, N>(deserializer: D) -> Result<Option<N>, D::Error>
where
    D: Deserializer<'de>,
    N: TryFrom<u64>,
{
    narrow(deserializer).map(Some)
}
