//! A CPU takes its interrupts, and whoever asked for them is served.
//!
//! What an eventfd's signal brings about besides is `told`'s.

use super::lines::{Service, SmmuWire};
use crate::kernel::Kernel;
use crate::rules;
use passim_model::{Conflict, Errno, Host, IntId, Refusal, event};

/// Most interrupts a CPU takes before it does something else. More can wait only if the controller
/// raises new ones for ever.
const MOST_AT_ONCE: u32 = 1 << 12;

impl Kernel {
    /// The CPU with this number is interrupted: it takes what waits for it, serves it and ends it,
    /// until nothing waits.
    pub fn interrupt(&mut self, cpu: u16, host: &mut impl Host) {
        host.run_on(cpu);
        for _ in 0..MOST_AT_ONCE {
            let Some(taken) = self.irqs.acknowledge(host) else { break };
            self.serve(taken.intid, cpu, host);
            self.follow_up(host);
            self.irqs.end(taken, host);
        }
        host.run_on(0);
    }

    fn serve(&mut self, intid: IntId, cpu: u16, host: &mut impl Host) {
        tracing::debug!(target: event::VFIO, %intid, cpu, "interrupt");
        match self.irqs.smmu_of(intid) {
            Some(SmmuWire::Events(smmu)) => {
                let events = self.event_interrupt(smmu, host);
                tracing::debug!(target: event::QUEUE, smmu, taken = events.len(), "events");
                return;
            }
            Some(SmmuWire::Errors(smmu)) => return self.error_interrupt(smmu, host),
            Some(SmmuWire::Faults(smmu)) => return self.fault_interrupt(smmu, host),
            None => {}
        }
        match self.irqs.count(intid, cpu) {
            Some(Service::EventFd(file)) => self.signal(file),
            Some(Service::Driver) => {}
            Some(Service::Wire) => self.serve_wire(intid, host),
            None => tracing::warn!(target: event::VFIO, %intid, "an interrupt nobody serves"),
        }
    }

    /// Sends an interrupt to another CPU, as a write to `/proc/irq/N/smp_affinity_list` does.
    ///
    /// # Errors
    /// ENOENT by `path-absent` without such an interrupt, EINVAL by `attribute-value` without such
    /// a CPU.
    pub(crate) fn set_affinity(
        &mut self,
        irq: u32,
        cpu: u16,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        if self.irqs.line(irq).is_none() {
            let conflict = Conflict::Unknown(u64::from(irq));
            return Err(rules::PATH_ABSENT.refuse_for(Errno::ENOENT, conflict));
        }
        if !self.irqs.route(irq, cpu, host) {
            let conflict = Conflict::Unknown(u64::from(cpu));
            return Err(rules::ATTRIBUTE_VALUE.refuse_for(Errno::EINVAL, conflict));
        }
        self.move_message(irq, host);
        Ok(())
    }
}
