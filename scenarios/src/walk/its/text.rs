//! A dump of an ITS as text: registers, queue, tables, and what each event becomes.

use std::fmt;

use super::{
    ItsListing, ListedCollection, ListedCommand, ListedDevice, ListedEvent, ListedLpi,
    ListedRegister, ListedTable,
};

impl fmt::Display for ItsListing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, devices, collections, commands, .. } = self;
        let events: usize = devices.iter().map(|device| device.events.len()).sum();
        write!(f, "{file}: {} devices, {events} events, ", devices.len())?;
        write!(f, "{} collections, {} commands; ", collections.len(), commands.len())?;
        write!(f, "{} differ", self.differences.len())?;
        section(f, "registers", &self.registers)?;
        section(f, "command queue, by slot", commands)?;
        section(f, "tables", &self.tables)?;
        section(f, "collections", collections)?;
        section(f, "devices and their events", devices)?;
        section(f, "LPIs whose configuration is not that of most", &self.lpis)?;
        for silent in &self.silent {
            write!(f, "\n  {silent}")?;
        }
        Ok(())
    }
}

fn section(f: &mut fmt::Formatter<'_>, name: &str, lines: &[impl fmt::Display]) -> fmt::Result {
    write!(f, "\n  {name}:")?;
    if lines.is_empty() {
        f.write_str(" none")?;
    }
    lines.iter().try_for_each(|line| write!(f, "\n    {line}"))
}

impl fmt::Display for ListedRegister {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.value)?;
        for field in &self.fields {
            match field.value {
                digit @ 0..=9 => write!(f, " {}={digit}", field.name)?,
                value => write!(f, " {}={value:#x}", field.name)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for ListedCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waits = if self.consumed { "" } else { ", not consumed yet" };
        write!(f, "{}: {}{waits}", self.slot, self.text)
    }
}

impl fmt::Display for ListedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.as_deref().unwrap_or("nowhere");
        let levels = if self.two_levels { "two levels" } else { "flat" };
        write!(f, "of {}, GITS_BASER{}: {levels} at {at}, ", self.of, self.baser)?;
        write!(f, "entries of {} bytes, pages of {}", self.entry_size, self.page_size)?;
        for (n, word) in &self.level1 {
            write!(f, "\n      level 1, entry {n}: {word}")?;
        }
        for (n, word) in &self.entries {
            write!(f, "\n      entry {n}: {word}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ListedCollection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "collection {}: cpu {}", self.icid, self.cpu)
    }
}

impl fmt::Display for ListedDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, itt, event_bits, events } = self;
        write!(f, "device {device:#x}: table at {itt}, {event_bits} bits of EventID")?;
        events.iter().try_for_each(|event| write!(f, "\n      {event}"))
    }
}

impl fmt::Display for ListedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {}: lpi {}, ", self.event, self.lpi)?;
        match self.icid {
            Some(icid) => write!(f, "collection {icid}")?,
            None => f.write_str("no collection")?,
        }
        match (self.cpu, &self.why_not) {
            (Some(cpu), _) => write!(f, " -> lpi {} at cpu {cpu}", self.lpi)?,
            (None, Some(why)) => write!(f, " -> nothing: {why}")?,
            (None, None) => f.write_str(" -> nothing")?,
        }
        match (self.cpu, self.lpis_on) {
            (Some(_), Some(false)) => return f.write_str(", whose LPIs are off"),
            (Some(_), None) => {
                return f.write_str(", of whose redistributor nothing is in the dump");
            }
            _ => {}
        }
        match (self.enabled, self.priority) {
            (Some(true), Some(priority)) => write!(f, ", enabled, priority {priority:#04x}")?,
            (Some(false), _) => f.write_str(", not enabled")?,
            _ => {}
        }
        if self.pending { f.write_str(", pending") } else { Ok(()) }
    }
}

impl fmt::Display for ListedLpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let enabled = if self.enabled { "enabled" } else { "not enabled" };
        write!(f, "lpi {}: {}, {enabled}, priority {:#04x}", self.lpi, self.byte, self.priority)
    }
}
