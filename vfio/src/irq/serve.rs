//! Interrupt handling: a CPU acknowledges its interrupts, and their handlers run.
//!
//! Not here: other effects of an eventfd's signal (`told`).

use super::lines::{Service, SmmuWire};
use crate::kernel::Kernel;
use crate::policy::AbsentCpu;
use crate::rules;
use passim_model::{Conflict, Errno, Host, IntId, Refusal, event};

/// Most interrupts a CPU takes in a row. Only a controller that keeps raising new ones exceeds it.
const MOST_AT_ONCE: u32 = 1 << 12;

impl Kernel {
    /// Interrupts this CPU: it acknowledges, serves and ends interrupts until none is pending.
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

    /// Routes an interrupt to another CPU, as a write to `/proc/irq/N/smp_affinity_list` does.
    ///
    /// # Errors
    /// ENOENT by `path-absent` without such an interrupt, EINVAL or ERANGE by `cpu-absent` without
    /// such a CPU.
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
            let errno = match self.policy.absent_cpu {
                AbsentCpu::Einval => Errno::EINVAL,
                AbsentCpu::Erange => Errno::ERANGE,
            };
            return Err(rules::CPU_ABSENT.refuse_for(errno, conflict));
        }
        self.move_message(irq, host);
        Ok(())
    }
}
