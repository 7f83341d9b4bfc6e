//! `/proc/interrupts`.
//!
//! Lines of timers, IPIs and the kernel's other drivers are absent: the model raises none.

use super::lines::Service;
use crate::file::FileKind;
use crate::kernel::Kernel;
use core::fmt;
use passim_model::IntId;

/// A line of `/proc/interrupts`, for the interrupts that the model knows: messages, and the wires
/// of VFIO's devices.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InterruptView {
    /// Linux interrupt number.
    pub irq: u32,
    /// The controller's number: an SPI or an LPI.
    pub intid: IntId,
    /// How often each CPU took it, by CPU number.
    pub counts: Vec<u64>,
    /// The chip nearest to the device.
    pub chip: String,
    /// The interrupt's number at that chip.
    pub hwirq: u64,
    /// Its user; empty without one.
    pub name: String,
    /// The CPU it is routed to.
    pub cpu: u16,
    /// Whether it is level-triggered: a wire rather than a message.
    pub level: bool,
}

impl fmt::Display for InterruptView {
    /// Prints the line as the kernel does.
    // 6.12 kernel/irq/proc.c, with fewer than a thousand interrupts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:3}:", self.irq)?;
        for count in &self.counts {
            write!(f, " {count:10}")?;
        }
        let trigger = if self.level { "Level" } else { "Edge" };
        write!(f, "  {:>8} {:3} {trigger:<8}", self.chip, self.hwirq)?;
        if self.name.is_empty() { Ok(()) } else { write!(f, "  {}", self.name) }
    }
}

impl Kernel {
    /// Interrupts with a handler or a count, by number.
    pub fn interrupts(&self) -> Vec<InterruptView> {
        let shown = self.irqs.lines().filter(|(_, line)| {
            line.service.is_some() || line.counts.iter().any(|&count| count > 0)
        });
        let view = shown.map(|(irq, line)| InterruptView {
            irq,
            intid: line.intid,
            counts: line.counts.clone(),
            chip: line.title.chip.clone(),
            hwirq: line.title.hwirq,
            name: line.name.clone(),
            cpu: line.cpu,
            level: line.level,
        });
        view.collect()
    }

    /// The counter of the eventfd that handles the interrupt with this INTID; `None` if no eventfd
    /// does.
    pub fn eventfd_of(&self, intid: IntId) -> Option<u64> {
        let line = self.irqs.line_of(intid)?;
        match line.service {
            Some(Service::EventFd(file)) => match self.files.kind(file) {
                Some(FileKind::EventFd(counter)) => Some(*counter),
                _ => None,
            },
            _ => None,
        }
    }
}
