//! The kernel's interrupts: each one's source, handler, CPU and counts.
//!
//! Not here: which number an interrupt gets (`number`), and registers of the controller (`chip`).

use super::chip::{Chip, Taken};
use super::facts::InterruptFacts;
use super::number::Numbers;
use crate::policy::GicV3Priority;
use crate::process::FileId;
use passim_model::{Abort, Host, IntId, event};
use std::collections::BTreeMap;

/// The handler of an interrupt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Service {
    /// An eventfd, which counts it.
    EventFd(FileId),
    /// A driver of the kernel, which does nothing here.
    Driver,
    /// The VFIO devices on the wire.
    Wire,
}

/// The purpose of an SMMU's wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SmmuWire {
    /// The event queue of the IOMMU with this index.
    Events(usize),
    /// The global errors of the IOMMU with this index.
    Errors(usize),
    /// The faults of the SMMUv2 with this index, global or of context banks.
    Faults(usize),
}

/// The name of an interrupt in `/proc/interrupts`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Title {
    /// The chip nearest to the device.
    pub(crate) chip: String,
    /// The interrupt's number there.
    pub(crate) hwirq: u64,
}

/// One interrupt.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) intid: IntId,
    pub(crate) title: Title,
    pub(crate) service: Option<Service>,
    /// Name of its user.
    pub(crate) name: String,
    /// Whether it is level-triggered.
    pub(crate) level: bool,
    /// How often each CPU took it.
    pub(crate) counts: Vec<u64>,
    /// The CPU it is routed to.
    pub(crate) cpu: u16,
    /// The CPU that a user has set.
    pub(crate) pinned: Option<u16>,
}

/// Every interrupt, and their controller.
#[derive(Debug)]
pub(crate) struct Irqs {
    pub(crate) cpus: u16,
    numbers: Numbers,
    lines: BTreeMap<u32, Line>,
    by_intid: BTreeMap<IntId, u32>,
    smmus: BTreeMap<IntId, SmmuWire>,
    /// The controller, if the driver supports it and it answered.
    gic: Option<Chip>,
}

/// Logs an access without answer, which is then ignored.
fn or_warn<T>(answer: Result<T, Abort>) -> Option<T> {
    answer
        .inspect_err(|abort| {
            tracing::warn!(target: event::REGISTER, %abort, "interrupt controller");
        })
        .ok()
}

impl Irqs {
    /// Brings the interrupt controller up and reserves the numbers in use.
    pub(crate) fn boot(
        facts: &InterruptFacts,
        priority: GicV3Priority,
        host: &mut impl Host,
    ) -> Self {
        let cpus = u16::try_from(facts.cpus.max(1)).unwrap_or(u16::MAX);
        let gic = or_warn(Chip::boot(facts, priority, cpus, host));
        let mut irqs = Self {
            cpus,
            numbers: Numbers::default(),
            lines: BTreeMap::new(),
            by_intid: BTreeMap::new(),
            smmus: BTreeMap::new(),
            gic,
        };
        facts.irqs_allocated.iter().for_each(|&number| irqs.numbers.reserve(number));
        for wires in &facts.smmus {
            let events = wires.event_queue.map(|intid| (intid, SmmuWire::Events(wires.smmu)));
            let errors = wires.global_error.map(|intid| (intid, SmmuWire::Errors(wires.smmu)));
            let faults = wires.faults.iter().map(|intid| (*intid, SmmuWire::Faults(wires.smmu)));
            for (intid, wire) in events.into_iter().chain(errors).chain(faults) {
                irqs.smmus.insert(intid, wire);
                irqs.gic_do(host, |gic, host| {
                    gic.set_edge(intid, host)?;
                    gic.unmask(intid, host)
                });
            }
        }
        irqs
    }

    fn gic_do<H: Host>(&self, host: &mut H, what: impl FnOnce(&Chip, &mut H) -> Result<(), Abort>) {
        if let Some(gic) = &self.gic {
            or_warn(what(gic, host));
        }
    }

    /// Whether the controller refuses this interrupt. Without a driven controller none is refused.
    pub(crate) fn refuses(&self, intid: IntId) -> bool {
        self.gic.as_ref().is_some_and(|gic| !gic.knows(intid))
    }

    /// Assigns consecutive numbers to interrupts, and returns the first. `number` is the first
    /// number, if it is fixed already.
    // 6.12 irqdomain.c: a second mapping of an INTID replaces the first.
    pub(crate) fn add(
        &mut self,
        intids: &[IntId],
        number: Option<u32>,
        title: &Title,
        host: &mut impl Host,
    ) -> u32 {
        let count = intids.len() as u32;
        let first = number.unwrap_or_else(|| self.numbers.take(count));
        for (irq, (&intid, k)) in (first..).zip(intids.iter().zip(0u64..)) {
            self.numbers.reserve(irq);
            let title = Title { chip: title.chip.clone(), hwirq: title.hwirq + k };
            let counts = vec![0; usize::from(self.cpus)];
            let (service, name) = (None, String::new());
            let (level, cpu, pinned) = (false, 0, None);
            let line = Line { intid, title, service, name, level, counts, cpu, pinned };
            self.lines.insert(irq, line);
            self.by_intid.insert(intid, irq);
            if self.gic.as_ref().is_some_and(|gic| gic.has(intid)) {
                self.gic_do(host, |gic, host| gic.set_edge(intid, host));
            }
        }
        first
    }

    /// The number of the interrupt of a wire, assigned now if it has none; it is masked until it is
    /// unmasked by a handler.
    // 6.12 irqdomain.c: one mapping for all devices on the wire, which stays.
    pub(crate) fn wired(&mut self, intid: IntId, level: bool, host: &mut impl Host) -> u32 {
        if let Some(&irq) = self.by_intid.get(&intid) {
            return irq;
        }
        let chip = self.gic.as_ref().map_or("", Chip::name).to_owned();
        let irq = self.numbers.take(1);
        self.numbers.reserve(irq);
        let line = Line {
            intid,
            title: Title { chip, hwirq: u64::from(intid.get()) },
            service: None,
            name: String::new(),
            level,
            counts: vec![0; usize::from(self.cpus)],
            cpu: 0,
            pinned: None,
        };
        self.lines.insert(irq, line);
        self.by_intid.insert(intid, irq);
        // Boot configured every SPI as level-triggered.
        if !level && self.drives(intid) {
            self.gic_do(host, |gic, host| gic.set_edge(intid, host));
        }
        irq
    }

    /// Adds a VFIO device to the wire, under this name.
    pub(crate) fn join_wire(&mut self, irq: u32, name: &str, host: &mut impl Host) {
        let Some(line) = self.lines.get_mut(&irq) else { return };
        line.service = Some(Service::Wire);
        // 6.12 kernel/irq/proc.c: devices that share are listed.
        let separator = if line.name.is_empty() { "" } else { ", " };
        line.name.push_str(separator);
        line.name.push_str(name);
        let (intid, cpu) = (line.intid, line.cpu);
        if self.drives(intid) {
            self.gic_do(host, |gic, host| gic.route(intid, cpu, host).map(drop));
        }
    }

    /// Removes a device from the wire; the last one masks the interrupt.
    pub(crate) fn leave_wire(&mut self, irq: u32, name: &str, host: &mut impl Host) {
        let Some(line) = self.lines.get_mut(&irq) else { return };
        let mut names: Vec<&str> = line.name.split(", ").collect();
        if let Some(at) = names.iter().position(|it| *it == name) {
            names.remove(at);
        }
        line.name = names.join(", ");
        if line.name.is_empty() {
            self.release(irq, host);
        }
    }

    /// Unmasks or masks an interrupt at the controller.
    pub(crate) fn let_through(&mut self, irq: u32, through: bool, host: &mut impl Host) {
        let Some(intid) = self.lines.get(&irq).map(|line| line.intid) else { return };
        if self.drives(intid) {
            self.gic_do(host, |gic, host| match through {
                true => gic.unmask(intid, host),
                false => gic.mask(intid, host),
            });
        }
    }

    /// Frees an interrupt's number.
    pub(crate) fn remove(&mut self, irq: u32) {
        self.numbers.give(irq);
        if let Some(line) = self.lines.remove(&irq)
            && self.by_intid.get(&line.intid) == Some(&irq)
        {
            self.by_intid.remove(&line.intid);
        }
    }

    /// Sets the handler of an interrupt, routes it to its CPU and unmasks it.
    pub(crate) fn request(
        &mut self,
        irq: u32,
        service: Service,
        name: String,
        host: &mut impl Host,
    ) {
        let Some(line) = self.lines.get_mut(&irq) else { return };
        line.service = Some(service);
        line.name = name;
        let (intid, cpu) = (line.intid, line.cpu);
        if self.drives(intid) {
            self.gic_do(host, |gic, host| {
                gic.route(intid, cpu, host)?;
                gic.unmask(intid, host)
            });
        }
    }

    /// Removes the handler of an interrupt and masks it. Returns the handler.
    pub(crate) fn release(&mut self, irq: u32, host: &mut impl Host) -> Option<Service> {
        let line = self.lines.get_mut(&irq)?;
        let service = line.service.take();
        line.name.clear();
        let intid = line.intid;
        if self.drives(intid) {
            self.gic_do(host, |gic, host| gic.mask(intid, host));
        }
        service
    }

    /// Routes an interrupt to another CPU. Returns `false` if there is no such CPU.
    pub(crate) fn route(&mut self, irq: u32, cpu: u16, host: &mut impl Host) -> bool {
        let Some(line) = self.lines.get_mut(&irq).filter(|_| cpu < self.cpus) else { return false };
        line.cpu = cpu;
        line.pinned = Some(cpu);
        let intid = line.intid;
        if self.drives(intid) {
            self.gic_do(host, |gic, host| gic.route(intid, cpu, host).map(drop));
        }
        true
    }

    /// Records that the ITS routes the interrupt to this CPU.
    pub(crate) fn goes_to(&mut self, irq: u32, cpu: u16) {
        if let Some(line) = self.lines.get_mut(&irq) {
            line.cpu = cpu;
        }
    }

    fn drives(&self, intid: IntId) -> bool {
        self.gic.as_ref().is_some_and(|gic| gic.has(intid))
    }

    /// An interrupt.
    pub(crate) fn line(&self, irq: u32) -> Option<&Line> {
        self.lines.get(&irq)
    }

    /// The interrupt with this INTID: of several, the one mapped last, which is the one served.
    pub(super) fn line_of(&self, intid: IntId) -> Option<&Line> {
        self.by_intid.get(&intid).and_then(|irq| self.lines.get(irq))
    }

    /// Every interrupt, by number.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (u32, &Line)> + '_ {
        self.lines.iter().map(|(&irq, line)| (irq, line))
    }

    /// Acknowledges the highest pending interrupt of the CPU this runs on.
    pub(super) fn acknowledge(&self, host: &mut impl Host) -> Option<Taken> {
        self.gic.as_ref().and_then(|gic| or_warn(gic.acknowledge(host))).flatten()
    }

    /// Ends an interrupt that has been served.
    pub(super) fn end(&self, taken: Taken, host: &mut impl Host) {
        self.gic_do(host, |gic, host| gic.end(taken, host));
    }

    /// Counts an interrupt that `cpu` acknowledged; returns its handler.
    pub(super) fn count(&mut self, intid: IntId, cpu: u16) -> Option<Service> {
        let line = self.by_intid.get(&intid).and_then(|irq| self.lines.get_mut(irq))?;
        if let Some(count) = line.counts.get_mut(usize::from(cpu)) {
            *count = count.saturating_add(1);
        }
        line.service
    }

    /// The SMMU whose wire this is.
    pub(super) fn smmu_of(&self, intid: IntId) -> Option<SmmuWire> {
        self.smmus.get(&intid).copied().filter(|_| !self.by_intid.contains_key(&intid))
    }
}
