//! The written forms of lines, where they differ from their meaning.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::super::number::{self, Number};
use super::{IoctlArgument, IoctlLine, Status, StatusCounter};

/// The keys that decide a line's kind.
#[derive(Default)]
pub(in crate::recording) struct Head<'a> {
    /// The first key; empty for an empty object.
    pub(in crate::recording) first: Cow<'a, str>,
    /// The value of `step`.
    pub(super) step: Option<String>,
    /// The value of `op`.
    pub(super) op: Option<String>,
    /// Whether the key `req` exists.
    pub(super) has_req: bool,
}

impl<'de> Deserialize<'de> for Head<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadOfObject)
    }
}

struct HeadOfObject;

impl<'de> Visitor<'de> for HeadOfObject {
    type Value = Head<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Head<'de>, A::Error> {
        let mut head = Head::default();
        let mut is_first = true;
        while let Some(Key(key)) = map.next_key()? {
            match key.as_ref() {
                "step" => head.step = Some(map.next_value()?),
                "op" => head.op = Some(map.next_value()?),
                other => {
                    head.has_req |= other == "req";
                    map.next_value::<IgnoredAny>()?;
                }
            }
            if is_first {
                head.first = key;
                is_first = false;
            }
        }
        Ok(head)
    }
}

/// A key, borrowed from the line unless it holds escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// A line of `/proc/interrupts`.
#[derive(Deserialize)]
pub(super) struct ProcInterrupts {
    #[serde(rename = "proc_interrupts")]
    pub(super) line: String,
}

/// The fields of an ioctl, in either of its two forms: in a `step` line `fd` is the number, in
/// others it is a name and `fdn` the number.
#[derive(Deserialize)]
pub(super) struct IoctlFields {
    fd: Option<NameOrNumber>,
    fdn: Option<i32>,
    #[serde(rename = "n")]
    number: Option<u64>,
    #[serde(rename = "req")]
    name: String,
    #[serde(deserialize_with = "number::unsigned")]
    nr: u32,
    #[serde(default, rename = "in", deserialize_with = "number::optional_bytes")]
    before: Option<Vec<u8>>,
    #[serde(default, rename = "out", deserialize_with = "number::optional_bytes")]
    after: Option<Vec<u8>>,
    #[serde(default, deserialize_with = "optional_value")]
    arg: Option<u64>,
    ret: i32,
    errno: i32,
}

impl TryFrom<IoctlFields> for IoctlLine {
    type Error = &'static str;

    fn try_from(fields: IoctlFields) -> Result<Self, Self::Error> {
        let fd = match (fields.fdn, fields.fd) {
            (Some(number), _) | (None, Some(NameOrNumber::Number(number))) => number,
            (None, _) => return Err("an ioctl without the number of its file descriptor"),
        };
        let argument = match (fields.arg, fields.before, fields.after) {
            (Some(value), None, None) => IoctlArgument::Value(value),
            (None, Some(before), _) if before.is_empty() => IoctlArgument::Null,
            (None, Some(before), Some(after)) => IoctlArgument::Buffer { before, after },
            _ => return Err("an ioctl has either `arg`, or `in` and `out`"),
        };
        let IoctlFields { name, nr, number, ret, errno, .. } = fields;
        Ok(Self { fd, nr, name, argument, number, ret, errno })
    }
}

fn optional_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    number::wrapping(deserializer).map(Some)
}

/// A file descriptor by name or by number.
enum NameOrNumber {
    Name,
    Number(i32),
}

impl<'de> Deserialize<'de> for NameOrNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Descriptor)
    }
}

struct Descriptor;

impl Visitor<'_> for Descriptor {
    type Value = NameOrNumber;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a file descriptor")
    }

    fn visit_str<E>(self, _name: &str) -> Result<NameOrNumber, E> {
        Ok(NameOrNumber::Name)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<NameOrNumber, E> {
        let number = i32::try_from(number).map_err(E::custom)?;
        Ok(NameOrNumber::Number(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<NameOrNumber, E> {
        let number = i32::try_from(number).map_err(E::custom)?;
        Ok(NameOrNumber::Number(number))
    }
}

/// A `status` line, as written.
#[derive(Deserialize)]
pub(super) struct StatusText {
    status: String,
}

impl TryFrom<StatusText> for Status {
    type Error = String;

    fn try_from(text: StatusText) -> Result<Self, Self::Error> {
        let refuse = || format!("{:?} is not a VmLck or VmPin line", text.status);
        let (name, rest) = text.status.split_once(':').ok_or_else(refuse)?;
        let counter = match name {
            "VmLck" => StatusCounter::Locked,
            "VmPin" => StatusCounter::Pinned,
            _ => return Err(refuse()),
        };
        let kib = rest.trim().strip_suffix(" kB").ok_or_else(refuse)?;
        let kib = kib.parse().map_err(|_| refuse())?;
        Ok(Self { counter, kib })
    }
}

/// Page frame numbers, -1 for a missing page.
pub(super) fn pfns<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Option<u64>>, D::Error> {
    let numbers = Vec::<Number>::deserialize(deserializer)?;
    Ok(numbers.into_iter().map(Number::unsigned).collect())
}
