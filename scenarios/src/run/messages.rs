//! Signals of devices, and their state in message registers and the interrupt controller.

use passim_gic::state::State;
use passim_gic::{Cpu, GicV2, GicV3};
use passim_model::Rid;
use passim_model::pci::{Entry, Registers};

use super::device::no_transfer;
use super::{Outcome, Running, Unperformable};
use crate::op::{DeviceName, Op, WireLevel};
use crate::system::{Arrival, Delivery, Reach, Signalled, Wire};

impl Running {
    pub(super) fn messages(&mut self, op: &Op) -> Outcome {
        match op {
            Op::Raise { dev, vector } => self.raise(dev, vector.unwrap_or(0)),
            Op::Wire { dev, level, index } => self.wire(dev, *level, index.unwrap_or(0)),
            Op::Msi { dev } => self.msi(*dev),
            Op::Msix { dev } => self.msix(*dev),
            Op::Pending {} => self.pending(),
            _ => unreachable!("only operations about messages come here"),
        }
    }

    fn raise(&mut self, dev: &DeviceName, vector: u32) -> Outcome {
        let vector = u16::try_from(vector)
            .map_err(|_| Unperformable::new("a function has at most 2048 vectors"))?;
        let device = self.device_named(dev)?;
        let signalled = self.system.raise(device, vector).map_err(no_transfer)?;
        if let Signalled::Sent(delivery) = &signalled {
            self.account.hear(delivery.reach);
        }
        Ok(vec![match signalled {
            Signalled::Sent(delivery) => self.delivered(&delivery),
            Signalled::Pending => "masked: pending".to_owned(),
            Signalled::Lost(why) => format!("nothing sent: {why}"),
            Signalled::Untold => "nothing sent: nobody told it this message".to_owned(),
        }])
    }

    /// `spi 40`: the interrupt that the wire is connected to.
    fn wire(&mut self, dev: &DeviceName, level: WireLevel, index: u32) -> Outcome {
        let device = self.device_named(dev)?;
        let wire = match level {
            WireLevel::High => Wire::High,
            WireLevel::Low => Wire::Low,
            WireLevel::Pulse => Wire::Pulse,
        };
        let leads = self.system.wire(device, index as usize, wire).map_err(no_transfer)?;
        Ok(vec![match leads {
            Some(spi) => format!("spi {spi}"),
            None => "leads nowhere".to_owned(),
        }])
    }

    /// `0x8000040 -> 0x8020040: spi 82 pending on cpu 0, eventfd 1`: where a message ended, and the
    /// counter of the eventfd that the kernel then signalled, if any.
    pub(super) fn delivered(&self, delivery: &Delivery) -> String {
        let Delivery { message, reach, .. } = *delivery;
        let text = self.reached(message.at, reach);
        let counter = match reach {
            Reach::Doorbell(_, Arrival::Pending(intid, _) | Arrival::Lpi(intid, _)) => {
                self.system.kernel.eventfd_of(intid)
            }
            _ => None,
        };
        match counter {
            Some(counter) => format!("{text}, eventfd {counter}"),
            None => text,
        }
    }

    fn registers(&self, dev: Rid) -> Result<&Registers, Unperformable> {
        let slot = self.system.board.slot(dev);
        slot.map(|slot| &slot.registers)
            .ok_or_else(|| Unperformable::new(format!("the machine has no function at {dev}")))
    }

    fn msi(&self, dev: Rid) -> Outcome {
        let registers = self.registers(dev)?;
        let Some(msi) = registers.msi() else { return Ok(vec!["no MSI".to_owned()]) };
        let programmed = msi.programmed(registers.config());
        let state = if registers.is_msi_enabled() { "on" } else { "off" };
        let (address, data) = (programmed.address, programmed.data);
        Ok(vec![format!("{state}, {address} data {data:#x}")])
    }

    fn msix(&self, dev: Rid) -> Outcome {
        let registers = self.registers(dev)?;
        let Some(msix) = registers.msix() else { return Ok(vec!["no MSI-X".to_owned()]) };
        let state = match (registers.is_msix_enabled(), registers.masks_all()) {
            (true, true) => "on, all masked",
            (true, false) => "on",
            (false, _) => "off",
        };
        let used =
            |(entry, vector): &(&Entry, u16)| **entry != Entry::RESET || msix.is_pending(*vector);
        let entries = msix.entries().iter().zip(0..).filter(used);
        let entries = entries.map(|(entry, vector)| {
            let Entry { address, data, .. } = entry;
            let masked = if entry.is_masked() { ", masked" } else { "" };
            let pending = if msix.is_pending(vector) { ", pending" } else { "" };
            format!("{vector}: {address} data {data:#x}{masked}{pending}")
        });
        let mut lines = vec![format!("{state}, {} entries", msix.entries().len())];
        lines.extend(entries);
        Ok(lines)
    }

    /// Interrupts that are not inactive, as each CPU sees them.
    fn pending(&self) -> Outcome {
        let mut lines = match (self.system.board.gic(), self.system.board.gicv3()) {
            (Some(gic), _) => pending_v2(gic),
            (None, Some(gic)) => pending_v3(gic),
            (None, None) => {
                return Err(Unperformable::new("this machine has no interrupt controller"));
            }
        };
        if lines.is_empty() {
            lines.push("nothing".to_owned());
        }
        Ok(lines)
    }
}

fn pending_v2(gic: &GicV2) -> Vec<String> {
    let mut lines = Vec::new();
    for cpu in (0..gic.implementation().cpus).map(Cpu::new) {
        for (intid, state) in gic.busy(cpu) {
            let is_private = intid.get() < FIRST_SPI;
            let Some(line) = gic.line(cpu, intid) else { continue };
            // A shared interrupt is the same for every CPU.
            if !is_private && cpu != Cpu::default() {
                continue;
            }
            let what = if is_private { "intid" } else { "spi" };
            let state = state_text(state);
            let enabled = if line.enabled { "" } else { ", not enabled" };
            let targets = (0..8).filter(|cpu| line.targets >> cpu & 1 != 0);
            let targets: Vec<_> = targets.map(|cpu: u8| cpu.to_string()).collect();
            let targets = match targets.is_empty() {
                true => "no cpu".to_owned(),
                false => format!("cpu {}", targets.join(",")),
            };
            lines.push(format!("{what} {intid} {state} on {targets}{enabled}"));
        }
    }
    lines
}

/// An LPI is pending on one CPU; an SPI's target depends on its route, which is not shown.
pub(super) fn pending_v3(gic: &GicV3) -> Vec<String> {
    let mut lines = Vec::new();
    for cpu in gic.cpus() {
        for (intid, state) in gic.busy(cpu) {
            let state = state_text(state);
            if intid.get() < FIRST_SPI {
                lines.push(format!("intid {intid} {state} on cpu {cpu}"));
            } else if cpu == Cpu::default() {
                lines.push(format!("spi {intid} {state}"));
            }
        }
        for lpi in gic.pending_lpis(cpu) {
            let Some(line) = gic.line(cpu, lpi) else { continue };
            let enabled = if line.enabled { "" } else { ", not enabled" };
            let priority = line.priority;
            lines.push(format!("lpi {lpi} pending on cpu {cpu}, priority {priority:#x}{enabled}"));
        }
    }
    lines
}

/// IHI 0048 B.b 2.2.1: lower INTIDs are private to a CPU.
const FIRST_SPI: u32 = 32;

fn state_text(state: State) -> &'static str {
    match state {
        State::Inactive => "inactive",
        State::Pending => "pending",
        State::Active => "active",
        State::ActivePending => "active and pending",
    }
}
