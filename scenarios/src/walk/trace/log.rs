//! An emulator's log of its SMMU, read into lookups.
//!
//! A line is the name of an event and its text. A lookup begins where the emulator looks up its
//! configuration, and ends with a translation, a record, or neither.

use std::path::Path;

use crate::input_error::{InputError, InputKind};
use crate::recording::Lines;
use crate::recording::read::TextLine;

/// An item of a log, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Item {
    /// One translation.
    Lookup(Lookup),
    /// Something cached was invalidated.
    Forgotten,
}

/// One translation request of the emulator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Lookup {
    /// Line of its beginning, 1-based.
    pub(super) line: u64,
    /// StreamID.
    pub(super) stream: u32,
    /// The configuration it read, unless that was cached.
    pub(super) configuration: Option<Configuration>,
    /// ASID and VMID of the lookup.
    pub(super) asid: u64,
    pub(super) vmid: u64,
    /// The address.
    pub(super) iova: Option<u64>,
    /// Whether it was a write, if the log contains that: most lines do not.
    pub(super) is_write: Option<bool>,
    /// Descriptors it read.
    pub(super) descriptors: Vec<Descriptor>,
    /// The result.
    pub(super) end: End,
}

/// Structures a lookup read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Configuration {
    /// The level 1 descriptor's address and value.
    pub(super) level_one: Option<(u64, u64)>,
    /// The address of the STE.
    pub(super) ste: u64,
    /// The address of the CD; `None` without stage 1.
    pub(super) cd: Option<u64>,
    /// Output bits of stage 1.
    pub(super) output_bits: u64,
    /// TTB0.
    pub(super) table: Option<Ttb>,
}

/// A table of stage 1 as the emulator prints it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ttb {
    pub(super) address: u64,
    pub(super) t0sz: u64,
    pub(super) granule_lg2: u64,
    pub(super) had: u64,
}

/// A descriptor that was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Descriptor {
    pub(super) stage: u64,
    pub(super) level: u64,
    /// Address of the table.
    pub(super) table: u64,
    /// Address of the descriptor.
    pub(super) at: u64,
    pub(super) word: u64,
    /// Bytes that one descriptor of the level covers.
    pub(super) covers: u64,
}

/// The result of a lookup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// It is translated to `pa`; bit 0 of `perm` permits reading, bit 1 writing.
    Translated { pa: u64, perm: u64 },
    /// An event of this name was recorded.
    Recorded(String),
    /// Neither of these.
    Nothing,
}

/// A log being read.
#[derive(Default)]
struct Reader {
    items: Vec<Item>,
    open: Option<Lookup>,
}

/// The lookups of a log, compressed if its name ends in `.zst`.
///
/// # Errors
/// Unreadable, a line of a known event with fields missing, or no line of an SMMU.
pub(super) fn read(path: &Path) -> Result<Vec<Item>, InputError> {
    let mut reader = Reader::default();
    for line in Lines::open(path)? {
        let line = line?;
        if reader.line(&line).is_none() {
            let span = 0..line.text.len();
            let message = "this event of the log lacks one of the values it should tell";
            let kind = InputKind::Recording;
            return Err(InputError::in_line(kind, path, line.number, &line.text, span, message)
                .with_hint(
                    "lines are `event-name text key=value ..`, as the emulator prints them",
                ));
        }
    }
    reader.close(End::Nothing);
    if !reader.items.iter().any(|item| matches!(item, Item::Lookup(_))) {
        let message = "nothing in this log is a translation of an SMMUv3";
        return Err(InputError::in_file(InputKind::Recording, path, message).with_hint(
            "a log has lines such as `smmuv3_translate_success .. sid=0x8 iova=0x0 ..`",
        ));
    }
    Ok(reader.items)
}

impl Reader {
    /// Takes a line; `None` if a field is missing.
    fn line(&mut self, line: &TextLine) -> Option<()> {
        let (name, text) = line.text.split_once(' ').unwrap_or((&line.text, ""));
        // Logs may put a process and a time before the name.
        let name = name.rsplit(':').next().unwrap_or(name);
        match name {
            "smmuv3_config_cache_hit" | "smmuv3_config_cache_miss" => {
                self.close(End::Nothing);
                let stream = u32::try_from(value(text, "sid=")?).ok()?;
                let missed = name.ends_with("miss");
                self.open = Some(Lookup {
                    line: line.number,
                    stream,
                    configuration: missed.then(Configuration::default),
                    asid: 0,
                    vmid: 0,
                    iova: None,
                    is_write: None,
                    descriptors: Vec::new(),
                    end: End::Nothing,
                });
            }
            _ if is_invalidation(name) => {
                self.close(End::Nothing);
                self.items.push(Item::Forgotten);
            }
            _ => self.of_lookup(name, text)?,
        }
        Some(())
    }

    /// A line about the current lookup.
    fn of_lookup(&mut self, name: &str, text: &str) -> Option<()> {
        let Some(open) = &mut self.open else { return Some(()) };
        if let Some(is_write) = value(text, "is_write=") {
            open.is_write = Some(is_write != 0);
        }
        let configuration = open.configuration.as_mut();
        match (name, configuration) {
            ("smmuv3_find_ste_2lvl", Some(configuration)) => {
                // The emulator prints 2^Span - 1, which is twice the number of STEs (5.1).
                let span = value(text, "max_l2_ste:")?.checked_add(1)?.ilog2();
                let offset = value(text, "l1_off:")?.checked_mul(8)?;
                let at = value(text, "l1ptr:")?.checked_add(offset)?;
                configuration.level_one = Some((at, value(text, "l2ptr:")? | u64::from(span)));
            }
            ("smmuv3_get_ste", Some(configuration)) => {
                configuration.ste = value(text, "STE addr: ")?;
            }
            ("smmuv3_get_cd", Some(configuration)) => {
                configuration.cd = Some(value(text, "CD addr: ")?);
            }
            ("smmuv3_decode_cd", Some(configuration)) => {
                configuration.output_bits = value(text, "oas=")?;
            }
            ("smmuv3_decode_cd_tt", Some(configuration)) if text.starts_with("TT[0]") => {
                configuration.table = Some(Ttb {
                    address: value(text, "ttb:")?,
                    t0sz: value(text, "tsz:")?,
                    granule_lg2: value(text, "granule_sz:")?,
                    had: value(text, "had:")?,
                });
            }
            ("smmu_iotlb_lookup_hit" | "smmu_iotlb_lookup_miss", _) => {
                open.iova = Some(value(text, "addr=")?);
                // -1 without one.
                open.asid = value(text, "asid=").unwrap_or(0);
                open.vmid = value(text, "vmid=").unwrap_or(0);
            }
            ("smmu_ptw_level", _) => {
                let table = value(text, "baseaddr=")?;
                open.descriptors.push(Descriptor {
                    stage: value(text, "stage=")?,
                    level: value(text, "level=")?,
                    table,
                    at: table.checked_add(value(text, "offset=")?.checked_mul(8)?)?,
                    word: value(text, "pte=")?,
                    covers: value(text, "subpage_sz=")?,
                });
            }
            ("smmuv3_translate_success", _) => {
                open.iova = Some(value(text, "iova=")?);
                let (pa, perm) = (value(text, "translated=")?, value(text, "perm=")?);
                self.close(End::Translated { pa, perm });
            }
            ("smmuv3_record_event", _) => {
                let event = text.split_whitespace().next()?;
                let event = event.strip_prefix("SMMU_EVT_").unwrap_or(event).to_owned();
                self.close(End::Recorded(event));
            }
            _ => {}
        }
        Some(())
    }

    fn close(&mut self, end: End) {
        if let Some(open) = self.open.take() {
            self.items.push(Item::Lookup(Lookup { end, ..open }));
        }
    }
}

/// Whether an event is an invalidation of something cached.
fn is_invalidation(name: &str) -> bool {
    let prefixes = ["smmu_iotlb_inv", "smmu_config", "smmuv3_range_inval"];
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

/// The number after `key`, which begins the text or follows a space or a colon.
fn value(text: &str, key: &str) -> Option<u64> {
    let begins = |at: &usize| {
        at.checked_sub(1).is_none_or(|before| matches!(text.as_bytes()[before], b' ' | b':' | b','))
    };
    let at = text.match_indices(key).map(|(at, _)| at).find(begins)?;
    let rest = &text[at + key.len()..];
    match rest.strip_prefix("0x") {
        Some(digits) => {
            let end = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
            u64::from_str_radix(&digits[..end], 16).ok()
        }
        None => {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest[..end].parse().ok()
        }
    }
}
