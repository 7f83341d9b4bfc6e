//! Numbers in recordings: hexadecimal in quotes, decimal without.

use std::fmt;
use std::marker::PhantomData;

use passim_model::{Address, Rid};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

/// An unsigned number of any width; a negative decimal is refused.
pub(super) fn unsigned<'de, D, N>(deserializer: D) -> Result<N, D::Error>
where
    D: Deserializer<'de>,
    N: TryFrom<u64>,
{
    narrow(Number::deserialize(deserializer)?)
}

/// An unsigned number, or absent or `null`.
pub(super) fn optional<'de, D, N>(deserializer: D) -> Result<Option<N>, D::Error>
where
    D: Deserializer<'de>,
    N: TryFrom<u64>,
{
    Option::<Number>::deserialize(deserializer)?.map(narrow).transpose()
}

/// A number modulo 2^64: a negative decimal counts down from 2^64.
pub(super) fn wrapping<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Ok(match Number::deserialize(deserializer)? {
        Number::Unsigned(number) => number,
        Number::Negative(number) => number.cast_unsigned(),
    })
}

/// An address.
pub(super) fn address<'de, D, A>(deserializer: D) -> Result<A, D::Error>
where
    D: Deserializer<'de>,
    A: Address,
{
    unsigned(deserializer).map(A::from_raw)
}

/// An address, or `null`.
pub(super) fn optional_address<'de, D, A>(deserializer: D) -> Result<Option<A>, D::Error>
where
    D: Deserializer<'de>,
    A: Address,
{
    Ok(optional(deserializer)?.map(A::from_raw))
}

/// A list of unsigned numbers.
pub(super) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    Vec::<Number>::deserialize(deserializer)?.into_iter().map(narrow).collect()
}

/// Bytes written as pairs of hexadecimal digits.
pub(super) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    deserializer.deserialize_str(Bytes)
}

/// Bytes, or absent.
pub(super) fn optional_bytes<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<u8>>, D::Error> {
    bytes(deserializer).map(Some)
}

/// A PCI function, `00:01.0` or `0000:00:01.0`.
pub(super) fn rid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Rid, D::Error> {
    deserializer.deserialize_str(Bdf)
}

/// A number as written. Deserializes from either form; the field decides whether a sign is valid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Number {
    /// Zero or more.
    Unsigned(u64),
    /// Less than zero.
    Negative(i64),
}

impl Number {
    /// The number in a field that cannot be negative.
    pub(super) fn unsigned(self) -> Option<u64> {
        match self {
            Self::Unsigned(number) => Some(number),
            Self::Negative(_) => None,
        }
    }
}

fn narrow<N: TryFrom<u64>, E: de::Error>(number: Number) -> Result<N, E> {
    number.unsigned().and_then(|number| N::try_from(number).ok()).ok_or_else(|| {
        let form = match number {
            Number::Unsigned(number) => de::Unexpected::Unsigned(number),
            Number::Negative(number) => de::Unexpected::Signed(number),
        };
        E::invalid_value(form, &Width::<N>(PhantomData))
    })
}

/// The values that a field of this type accepts, for error messages.
struct Width<N>(PhantomData<N>);

impl<N> de::Expected for Width<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an unsigned number of {} bits", 8 * size_of::<N>())
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EitherForm)
    }
}

struct EitherForm;

impl Visitor<'_> for EitherForm {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal number or a hexadecimal one in quotes")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
        Ok(Number::Unsigned(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Number, E> {
        // serde_json passes only negative numbers here, but does not guarantee it.
        Ok(u64::try_from(number).map_or(Number::Negative(number), Number::Unsigned))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let is_large = digits.len() > 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let wanted = if is_large { "a number of at most 64 bits" } else { "hexadecimal digits" };
        hexadecimal(text)
            .map(Number::Unsigned)
            .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &wanted))
    }
}

/// Digits with or without `0x`; nothing else, no sign, at most 64 bits.
pub(super) fn hexadecimal(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if plain { u64::from_str_radix(digits, 16).ok() } else { None }
}

struct Bytes;

impl Visitor<'_> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes as pairs of hexadecimal digits")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
        hex::decode(text).map_err(E::custom)
    }
}

struct Bdf;

impl Visitor<'_> for Bdf {
    type Value = Rid;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a PCI function such as \"00:01.0\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Rid, E> {
        Rid::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests;
