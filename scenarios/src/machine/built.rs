//! Hardware features of a GICv3 and its ITSs that override its preset.

use passim_gic::choice::ItsChoices;
use passim_gic::choice::its::{Caching, CommandErrors, ReservedBits};
use passim_gic::its::{Layout, PageSizes};
use passim_gic::v3;
use passim_model::{IntId, PhysAddr};

use crate::chosen::NoSuch;
use crate::input_error::nearest;

/// The features of a GICv3 that differ from its preset; `None` takes the preset's.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct GicBuilt {
    /// How an ITS reacts to a command that it cannot perform.
    pub command_errors: Option<CommandErrors>,
    /// Whether an ITS checks the bits of a command that must be zero.
    pub reserved_bits: Option<ReservedBits>,
    /// An SPI that pulses when a command fails.
    pub error_interrupt: Option<u32>,
    /// An SPI that pulses when an untranslatable message is recorded: GITS_TYPER.UMSIirq.
    pub unmapped_interrupt: Option<u32>,
    /// The translation cache of an ITS.
    pub cache: Option<Caching>,
    /// Bits of an EventID, 1 to 32: GITS_TYPER.ID_bits.
    pub event_bits: Option<u32>,
    /// Bits of a DeviceID, 1 to 32: GITS_TYPER.Devbits.
    pub device_bits: Option<u32>,
    /// Bits of an ICID, 1 to 16: GITS_TYPER.CIDbits; `Some(None)` for 16 without GITS_TYPER.CIL.
    pub collection_bits: Option<Option<u32>>,
    /// Bits of an INTID, 14 to 24: GICD_TYPER.IDbits, and the most that MAPTI takes.
    pub intid_bits: Option<u32>,
    /// LPIs, a power of two from 4 on, where they are fewer than the INTIDs allow: GICD_TYPER.num_LPIs.
    pub lpis: Option<u32>,
    /// Collections that an ITS holds itself, the first ICIDs: GITS_TYPER.HCC.
    pub held_collections: Option<u8>,
    /// Whether commands name redistributors by address: GITS_TYPER.PTA.
    pub by_address: Option<bool>,
    /// Supported page sizes of tables: GITS_BASER.Page_Size.
    pub table_pages: Option<PageSizes>,
    /// Bytes of an entry of the device and of the collection table: GITS_BASER.Entry_Size.
    pub table_entry: Option<u8>,
    /// Whether the device table and the collection table may have two levels: GITS_BASER.Indirect.
    pub two_level: Option<(bool, bool)>,
    /// Layout of table entries, which decides GITS_TYPER.ITT_entry_size.
    pub entries: Option<Layout>,
    /// Whether untranslatable messages are recorded: GITS_TYPER.UMSI.
    pub unmapped_messages: Option<bool>,
    /// Whether registers can set LPIs pending: GICR_TYPER.DirectLPI.
    pub direct_lpi: Option<bool>,
    /// Whether GICR_INVLPIR and GICR_INVALLR exist without the other registers: GICR_CTLR.IR.
    pub invalidation_registers: Option<bool>,
    /// Whether messages can raise SPIs: GICD_TYPER.MBIS.
    pub message_spis: Option<bool>,
}

/// The keys, each with its possible values.
const KEYS: [(&str, &[&str]); 20] = [
    ("command-errors", &["ignore", "report", "stall"]),
    ("reserved-bits", &["ignore", "error"]),
    ("error-interrupt", &["32 to 1019"]),
    ("unmapped-interrupt", &["32 to 1019"]),
    ("cache", &["off", "a power of two up to 1048576"]),
    ("event-bits", &["1 to 32"]),
    ("device-bits", &["1 to 32"]),
    ("collection-bits", &["none", "1 to 16"]),
    ("intid-bits", &["14 to 24"]),
    ("lpis", &["a power of two from 4 to 16777216"]),
    ("held-collections", &["0 to 255"]),
    ("targets", &["number", "address"]),
    ("table-pages", &["all", "4K", "16K", "64K"]),
    ("table-entry", &["8", "16", "32"]),
    ("two-level", &["none", "devices", "both"]),
    ("entries", &["kvm", "qemu", "gic600"]),
    ("unmapped-messages", &["on", "off"]),
    ("direct-lpi", &["on", "off"]),
    ("invalidation-registers", &["on", "off"]),
    ("message-spis", &["on", "off"]),
];

impl GicBuilt {
    /// The keys of all features.
    pub fn keys() -> impl Iterator<Item = &'static str> {
        KEYS.iter().map(|(key, _)| *key)
    }

    /// Sets a feature by its key, whose words `-` or `_` separates.
    ///
    /// # Errors
    /// There is no such key, or it has no such value.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), NoSuch> {
        let known = key.replace('_', "-");
        if !KEYS.iter().any(|(key, _)| *key == known) {
            return Err(no_key(key));
        }
        self.take(&known, value).ok_or_else(|| no_value(&known, value))
    }

    /// Sets one of the keys; `None` if the value is invalid.
    fn take(&mut self, key: &str, value: &str) -> Option<()> {
        match key {
            "command-errors" => self.command_errors = Some(command_errors(value)?),
            "reserved-bits" => {
                let reactions = [ReservedBits::Ignored, ReservedBits::Error];
                self.reserved_bits = Some(reactions[one_of(value, ["ignore", "error"])?]);
            }
            "error-interrupt" => self.error_interrupt = Some(number(value, 32, 1019)?),
            "unmapped-interrupt" => self.unmapped_interrupt = Some(number(value, 32, 1019)?),
            "cache" => self.cache = Some(caching(value)?),
            "event-bits" => self.event_bits = Some(number(value, 1, 32)?),
            "device-bits" => self.device_bits = Some(number(value, 1, 32)?),
            "collection-bits" => {
                let none = value == "none";
                self.collection_bits = Some(if none { None } else { Some(number(value, 1, 16)?) });
            }
            "intid-bits" => self.intid_bits = Some(number(value, 14, 24)?),
            "lpis" => {
                let lpis = number(value, 4, 1 << 24).filter(|lpis| lpis.is_power_of_two())?;
                self.lpis = Some(lpis);
            }
            "held-collections" => self.held_collections = Some(number(value, 0, 255)? as u8),
            "targets" => self.by_address = Some(one_of(value, ["number", "address"])? == 1),
            "table-pages" => {
                let sizes = [PageSizes::All, PageSizes::K4, PageSizes::K16, PageSizes::K64];
                self.table_pages = Some(sizes[one_of(value, ["all", "4K", "16K", "64K"])?]);
            }
            "table-entry" => {
                self.table_entry = Some([8, 16, 32][one_of(value, ["8", "16", "32"])?]);
            }
            "two-level" => {
                let tables = one_of(value, ["none", "devices", "both"])?;
                self.two_level = Some((tables > 0, tables > 1));
            }
            "entries" => {
                let layouts = [Layout::Kvm0, Layout::Qemu, Layout::Gic600];
                self.entries = Some(layouts[one_of(value, ["kvm", "qemu", "gic600"])?]);
            }
            "unmapped-messages" => self.unmapped_messages = Some(is_on(value)?),
            "direct-lpi" => self.direct_lpi = Some(is_on(value)?),
            "invalidation-registers" => self.invalidation_registers = Some(is_on(value)?),
            "message-spis" => self.message_spis = Some(is_on(value)?),
            _ => return None,
        }
        Some(())
    }

    /// These features, overridden by those that `over` sets.
    pub fn under(self, over: Self) -> Self {
        Self {
            command_errors: over.command_errors.or(self.command_errors),
            reserved_bits: over.reserved_bits.or(self.reserved_bits),
            error_interrupt: over.error_interrupt.or(self.error_interrupt),
            unmapped_interrupt: over.unmapped_interrupt.or(self.unmapped_interrupt),
            cache: over.cache.or(self.cache),
            event_bits: over.event_bits.or(self.event_bits),
            device_bits: over.device_bits.or(self.device_bits),
            collection_bits: over.collection_bits.or(self.collection_bits),
            intid_bits: over.intid_bits.or(self.intid_bits),
            lpis: over.lpis.or(self.lpis),
            held_collections: over.held_collections.or(self.held_collections),
            by_address: over.by_address.or(self.by_address),
            table_pages: over.table_pages.or(self.table_pages),
            table_entry: over.table_entry.or(self.table_entry),
            two_level: over.two_level.or(self.two_level),
            entries: over.entries.or(self.entries),
            unmapped_messages: over.unmapped_messages.or(self.unmapped_messages),
            direct_lpi: over.direct_lpi.or(self.direct_lpi),
            invalidation_registers: over.invalidation_registers.or(self.invalidation_registers),
            message_spis: over.message_spis.or(self.message_spis),
        }
    }

    /// Sets the choices of an ITS that these features decide.
    pub(crate) fn choose(self, choices: &mut ItsChoices) {
        set(&mut choices.command_errors, self.command_errors);
        set(&mut choices.reserved_bits, self.reserved_bits);
        set(&mut choices.caching, self.cache);
    }

    /// Sets the features in an implementation with the first redistributor at this address.
    pub(crate) fn apply(self, built: &mut v3::Implementation, redistributors: PhysAddr) {
        for its in &mut built.its {
            self.choose(&mut its.choices);
            let features = &mut its.features;
            set(&mut features.error_wire, self.error_interrupt.map(|spi| Some(IntId::new(spi))));
            let wire = self.unmapped_interrupt.map(|spi| Some(IntId::new(spi)));
            set(&mut features.unmapped_wire, wire);
            set(&mut features.event_bits, self.event_bits);
            set(&mut features.device_bits, self.device_bits);
            set(&mut features.collection_bits, self.collection_bits);
            set(&mut features.intid_bits, self.intid_bits);
            set(&mut features.held_collections, self.held_collections);
            let at = self.by_address.map(|by_address| by_address.then_some(redistributors));
            set(&mut features.redistributors_at, at);
            set(&mut features.page_sizes, self.table_pages);
            set(&mut features.table_entry_bytes, self.table_entry);
            set(&mut features.indirect_devices, self.two_level.map(|(devices, _)| devices));
            set(&mut features.indirect_collections, self.two_level.map(|(_, both)| both));
            set(&mut features.layout, self.entries);
            set(&mut features.unmapped_messages, self.unmapped_messages);
            set(&mut features.statusr, self.unmapped_messages);
        }
        set(&mut built.distributor.intid_bits, self.intid_bits);
        set(&mut built.distributor.message_spis, self.message_spis);
        set(&mut built.distributor.num_lpis, self.lpis.map(|lpis| lpis.ilog2() - 1));
        let redistributors = &mut built.redistributors;
        set(&mut redistributors.direct_lpi, self.direct_lpi);
        set(&mut redistributors.invalidation_registers, self.invalidation_registers);
    }
}

fn set<T>(place: &mut T, said: Option<T>) {
    if let Some(said) = said {
        *place = said;
    }
}

/// The reaction to command errors by its name: `ignore`, `report` (as an SError) or `stall`.
fn command_errors(name: &str) -> Option<CommandErrors> {
    let reactions = [CommandErrors::Skip, CommandErrors::Report, CommandErrors::Stall];
    Some(reactions[one_of(name, ["ignore", "report", "stall"])?])
}

fn caching(value: &str) -> Option<Caching> {
    if value == "off" {
        return Some(Caching::Off);
    }
    let count = number(value, 1, 1 << 20)?;
    count.is_power_of_two().then(|| Caching::Translations { lg2: count.ilog2() as u8 })
}

fn is_on(value: &str) -> Option<bool> {
    Some(one_of(value, ["on", "off"])? == 0)
}

fn number(value: &str, least: u32, most: u32) -> Option<u32> {
    value.parse().ok().filter(|number| (least..=most).contains(number))
}

/// The index of a word in `known`.
fn one_of<const N: usize>(value: &str, known: [&str; N]) -> Option<usize> {
    known.iter().position(|known| *known == value)
}

fn no_key(key: &str) -> NoSuch {
    let known = KEYS.map(|(key, _)| key);
    let hint = nearest(key, &known).map_or_else(
        || format!("keys: {}", known.join(", ")),
        |meant| format!("did you mean `{meant}`?"),
    );
    let message = format!("nothing of a GICv3 is called `{key}`");
    NoSuch { message, hint, is_value: false }
}

fn no_value(key: &str, value: &str) -> NoSuch {
    let takes = KEYS.iter().find(|(known, _)| *known == key).map_or(&[][..], |(_, takes)| takes);
    let message = format!("`{key}` has no value `{value}`");
    NoSuch { message, hint: format!("it takes {}", takes.join(", ")), is_value: true }
}

#[cfg(test)]
mod tests;
