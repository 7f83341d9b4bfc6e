//! What the driver logs of an event: the content of `arm_smmu_dump_event`, in our own words.

use super::wire::{EVT_ID_STALLING, Evtq0, Evtq1};
use core::fmt;
use passim_model::Endpoint;

/// The events that the driver names. Linux, `arm-smmu-v3.c`, `event_str`.
const NAMES: [(u64, &str); 12] = [
    (0x02, "C_BAD_STREAMID"),
    (0x03, "F_STE_FETCH"),
    (0x04, "C_BAD_STE"),
    (0x06, "F_STREAM_DISABLED"),
    (0x08, "C_BAD_SUBSTREAMID"),
    (0x09, "F_CD_FETCH"),
    (0x0a, "C_BAD_CD"),
    (0x10, "F_TRANSLATION"),
    (0x11, "F_ADDR_SIZE"),
    (0x12, "F_ACCESS"),
    (0x13, "F_PERMISSION"),
    (0x25, "F_VMS_FETCH"),
];
/// Events of a structure that could not be read.
const FETCHES: [u64; 3] = [0x03, 0x09, 0x25];
/// Values of the field Class.
const CLASSES: [&str; 4] = ["CD", "table", "input address", "reserved"];
/// The Class value of a table.
const TABLE: u64 = 1;
/// The IPA, and the address of a structure, in doubleword 3.
const ADDRESS: u64 = 0x000f_ffff_ffff_fff8;
const IPA: u64 = 0x000f_ffff_ffff_f000;

/// Writes the number of an event and its doublewords.
pub(in crate::iommu) fn raw(words: &[u64; 4], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "event {:#04x}:", Evtq0::ID.get(words[0]))?;
    words.iter().try_for_each(|word| write!(f, " {word:#x}"))
}

/// Writes the fields of an event, and the device that it concerns.
pub(in crate::iommu) fn fields(
    words: &[u64; 4],
    client: Option<Endpoint>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let [first, second, address, third] = *words;
    let number = Evtq0::ID.get(first);
    let name = NAMES.iter().find(|(known, _)| *known == number);
    write!(f, "; {}, ", name.map_or("unknown", |(_, name)| name))?;
    match client {
        Some(client) => write!(f, "device {client}, ")?,
        None => f.write_str("no device's stream, ")?,
    }
    // Without SSV the field is meaningless, and logged as 0.
    let substream = if Evtq0::SSV.is_set(first) { Evtq0::SSID.get(first) } else { 0 };
    write!(f, "stream {:#x}, substream {substream:#x}", Evtq0::SID.get(first))?;
    if FETCHES.contains(&number) {
        return write!(f, ", fetched at {:#x}", third & ADDRESS);
    }
    if !EVT_ID_STALLING.contains(&number) {
        return Ok(());
    }
    let either = |set: bool, yes: &'static str, no: &'static str| if set { yes } else { no };
    let privilege = either(Evtq1::PRIV.is_set(second), "privileged", "unprivileged");
    let what = either(Evtq1::INST.is_set(second), "instruction", "data");
    let direction = either(Evtq1::READ.is_set(second), "read", "write");
    let stage = either(Evtq1::S2.is_set(second), "stage 2", "stage 1");
    let class = Evtq1::CLASS.get(second);
    write!(f, ", address {address:#x}, IPA {:#x}, ", third & IPA)?;
    write!(f, "{privilege} {what} {direction}, {stage}, {}", CLASSES[class as usize])?;
    if class == TABLE {
        f.write_str(either(Evtq1::TTRNW.is_set(second), " read", " write"))?;
    }
    if Evtq1::STALL.is_set(second) {
        f.write_str(", stalled")?;
    }
    write!(f, ", STAG {:#x}", Evtq1::STAG.get(second))
}

#[cfg(test)]
mod tests;
