//! The written forms of steps, where they differ from their meaning.

use passim_model::{PageSize, Rid, UserAddr};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected};

use super::super::number;
use super::{AreaKind, Capability, Fill, FillPattern, NamedDevice, ProcessNumber, Step};

#[derive(Deserialize)]
pub(super) struct Fork {
    pub(super) child: ProcessNumber,
}

#[derive(Deserialize)]
pub(super) struct Process {
    pub(super) proc: ProcessNumber,
}

#[derive(Deserialize)]
pub(super) struct Memlock {
    #[serde(deserialize_with = "number::wrapping")]
    pub(super) memlock: u64,
}

#[derive(Deserialize)]
pub(super) struct DropCap {
    pub(super) cap: Capability,
}

#[derive(Deserialize)]
pub(super) struct Descriptor {
    pub(super) fd: i32,
}

#[derive(Deserialize)]
pub(super) struct EventfdRead {
    fd: i32,
    #[serde(deserialize_with = "number::unsigned")]
    value: u64,
}

impl From<EventfdRead> for Step {
    fn from(EventfdRead { fd, value }: EventfdRead) -> Self {
        Self::EventfdRead { fd, value }
    }
}

#[derive(Deserialize)]
pub(super) struct Ftruncate {
    fd: i32,
    #[serde(deserialize_with = "number::unsigned")]
    len: u64,
}

impl From<Ftruncate> for Step {
    fn from(Ftruncate { fd, len }: Ftruncate) -> Self {
        Self::Ftruncate { fd, len }
    }
}

#[derive(Deserialize)]
pub(super) struct SysfsRead {
    path: String,
    value: String,
}

impl From<SysfsRead> for Step {
    fn from(SysfsRead { path, value }: SysfsRead) -> Self {
        Self::Read { path, value }
    }
}

#[derive(Deserialize)]
pub(super) struct Readlink {
    path: String,
    value: String,
    #[serde(default)]
    errno: i32,
}

impl From<Readlink> for Step {
    fn from(Readlink { path, value, errno }: Readlink) -> Self {
        Self::Readlink { path, value, errno }
    }
}

#[derive(Deserialize)]
pub(super) struct Module {
    name: String,
    params: String,
    ret: i32,
}

impl From<Module> for Step {
    fn from(Module { name, params, ret }: Module) -> Self {
        Self::Module { name, params, ret }
    }
}

/// A fill with either a byte or a string of bytes.
#[derive(Deserialize)]
pub(super) struct FillFields {
    #[serde(deserialize_with = "number::address")]
    va: UserAddr,
    #[serde(deserialize_with = "number::unsigned")]
    len: u64,
    #[serde(default, deserialize_with = "number::optional")]
    byte: Option<u8>,
    #[serde(default, rename = "hex", deserialize_with = "number::optional_bytes")]
    bytes: Option<Vec<u8>>,
}

impl TryFrom<FillFields> for Fill {
    type Error = &'static str;

    fn try_from(FillFields { va, len, byte, bytes }: FillFields) -> Result<Self, Self::Error> {
        let pattern = match (byte, bytes) {
            (Some(byte), None) => FillPattern::Byte(byte),
            (None, Some(bytes)) if bytes.len() as u64 == len => FillPattern::Bytes(bytes),
            (None, Some(_)) => return Err("`hex` does not have `len` bytes"),
            _ => return Err("a fill has either `byte` or `hex`"),
        };
        Ok(Self { va, len, pattern })
    }
}

impl TryFrom<String> for AreaKind {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Ok(match text.as_str() {
            "anon" => Self::Anon,
            "anon-thp" => Self::AnonThp,
            "anon-untouched" => Self::AnonUntouched,
            "file" => Self::File,
            "bar" => Self::Bar,
            other => {
                let size = other.strip_prefix("hugetlb-").and_then(huge_page_size);
                Self::Hugetlb(size.ok_or_else(|| format!("{other:?} is not a kind of memory"))?)
            }
        })
    }
}

/// `2m`, `1g`: a power of two in MiB or GiB.
fn huge_page_size(text: &str) -> Option<PageSize> {
    let (digits, shift) = match text.strip_suffix('m') {
        Some(digits) => (digits, 20),
        None => (text.strip_suffix('g')?, 30),
    };
    let count: u32 = digits.parse().ok()?;
    PageSize::from_bytes(u64::from(count) << shift)
}

/// `Y` or `N`, as the kernel prints a bool parameter.
pub(super) fn yes_or_no<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<bool>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "Y" => Ok(Some(true)),
        "N" => Ok(Some(false)),
        other => Err(D::Error::invalid_value(Unexpected::Str(other), &"Y or N")),
    }
}

/// Decimal digits in quotes: a parameter's value as the kernel prints it, the only exception to the
/// recordings' rule that numbers in quotes are hexadecimal.
pub(super) fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let number = text.parse();
    number
        .map(Some)
        .map_err(|_| D::Error::invalid_value(Unexpected::Str(&text), &"a decimal number"))
}

/// 1, 2, 4 or 8.
pub(super) fn access_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let size: u8 = number::unsigned(deserializer)?;
    if matches!(size, 1 | 2 | 4 | 8) {
        Ok(size)
    } else {
        Err(D::Error::invalid_value(Unexpected::Unsigned(size.into()), &"1, 2, 4 or 8"))
    }
}

/// `A=00:01.0 B=00:02.0`, or nothing.
pub(super) fn named_devices<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<NamedDevice>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let device = |word: &str| {
        let (name, bdf) = word.split_once('=')?;
        Some(NamedDevice { name: name.to_owned(), dev: Rid::parse(bdf)? })
    };
    text.split_whitespace()
        .map(|word| {
            device(word).ok_or_else(|| {
                D::Error::invalid_value(Unexpected::Str(word), &"a device such as A=00:01.0")
            })
        })
        .collect()
}
