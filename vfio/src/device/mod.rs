//! Device files: a PCI function through VFIO.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `info` | which regions and interrupts does it have, can it be reset? |
//! | `hot_reset` | which functions are reset together with it, and who may request that? |
//! | `feature` | may it sleep while unused? |
//! | `regions` | which BARs may be mapped, and what does reading and writing them do? |
//! | `config` | what does its configuration space show, what does a write change? |
//! | `ioeventfd` | which registers are written when an eventfd is signalled? |
//! | `irqs` | SET_IRQS: is the request well formed, and which interrupt does it address? |
//! | `messages` | SET_IRQS of MSI and MSI-X |
//! | `intx` | SET_IRQS of the pin |
//! | `notices` | SET_IRQS of errors and requests |
//! | `power` | what happens at the first open and the last close? |
//! | [`rules`] | which check refused? |
//!
//! Not here: how messages are mapped to interrupts (MSI domains).

mod config;
mod feature;
mod hot_reset;
mod info;
mod intx;
mod ioeventfd;
mod irqs;
mod messages;
mod notices;
mod power;
mod regions;
pub mod rules;

use crate::call::Answer;
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::process::{FileId, Pid};
use crate::rules as vfio_rules;
use crate::uapi::{Buffer, ioctl, irq, region};
use config::VirtualConfig;
use irqs::DeviceIrqs;
pub(crate) use irqs::{Action, Data, Request};
pub(crate) use messages::SetMessages;
use passim_model::topology::Function;
use passim_model::{Conflict, Errno, Host, Refusal, Rid};
use std::collections::BTreeSet;

/// The state of a device while files of it are open.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct DeviceState {
    /// Open files.
    pub(crate) files: u32,
    /// BARs that VFIO has used since the first was opened.
    pub(crate) claimed: BTreeSet<u8>,
    /// Its interrupts.
    irqs: DeviceIrqs,
    /// Its virtualised configuration space.
    config: VirtualConfig,
    /// The command register's value after the function was enabled at the first open.
    command: u64,
    /// Whether its user lets it sleep while it is not accessed.
    may_sleep: bool,
    /// The eventfd to signal when it is woken.
    wakeup: Option<FileId>,
    /// Registers that are written when eventfds are signalled.
    ioeventfds: Vec<ioeventfd::IoEventFd>,
}

/// Message vectors of a function.
pub(crate) fn vectors(function: &Function, index: u32) -> u32 {
    let control =
        |capability: Option<u16>| capability.map(|at| function.config_u16(u32::from(at) + 2));
    match index {
        // PCI 3.0 6.2.4: a function without a pin has no legacy interrupt.
        irq::INTX => u32::from(function.config_byte(0x3d) != 0),
        // PCI 3.0 6.8.1.3: Multiple Message Capable, log2, bits 3 to 1.
        irq::MSI => control(function.msi).map_or(0, |flags| 1 << (flags >> 1 & 7)),
        // PCI 3.0 6.8.2.3: table size less one, bits 10 to 0.
        irq::MSIX => control(function.msix).map_or(0, |flags| u32::from(flags & 0x7ff) + 1),
        irq::ERR => u32::from(function.pcie.is_some()),
        _ => 1,
    }
}

/// EINVAL if argsz is less than the bytes that the call reads.
fn judge_argsz(argsz: u32, needs: usize) -> Result<(), Refusal> {
    if (argsz as usize) < needs {
        let conflict = Conflict::Short { got: u64::from(argsz), needs: needs as u64 };
        return Err(vfio_rules::ARGSZ_SHORT.refuse_for(Errno::EINVAL, conflict));
    }
    Ok(())
}

impl Kernel {
    /// Serves an ioctl on a device file.
    pub(crate) fn device_ioctl(
        &mut self,
        pid: Pid,
        rid: Rid,
        request: u32,
        buffer: &mut Buffer,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        self.wake(rid);
        match request {
            ioctl::DEVICE_GET_INFO => self.device_info(rid, buffer),
            ioctl::DEVICE_GET_REGION_INFO => self.region_info(rid, buffer),
            ioctl::DEVICE_GET_IRQ_INFO => self.irq_info(rid, buffer),
            ioctl::DEVICE_SET_IRQS => self.set_irqs(pid, rid, buffer, tasks, host),
            ioctl::DEVICE_RESET => self.reset(rid),
            ioctl::DEVICE_GET_PCI_HOT_RESET_INFO => self.hot_reset_info(rid, buffer),
            ioctl::DEVICE_PCI_HOT_RESET => self.hot_reset(pid, rid, buffer),
            ioctl::DEVICE_IOEVENTFD => self.set_ioeventfd(pid, rid, buffer, host),
            ioctl::DEVICE_FEATURE => self.device_feature(pid, rid, buffer),
            _ => Err(vfio_rules::unknown_ioctl(request)),
        }
    }

    fn function(&self, rid: Rid) -> &Function {
        self.topology.function(rid).expect("a device file names a function of the machine")
    }

    /// Reads a region through a device file.
    pub(crate) fn read_device(
        &mut self,
        rid: Rid,
        offset: u64,
        len: usize,
        host: &mut impl Host,
    ) -> Answer {
        if len == 0 {
            // 6.12 vfio_pci_core_read: before any check.
            return Answer::value(0);
        }
        self.wake_for_region(rid, offset);
        match offset >> region::OFFSET_LG2 == u64::from(region::CONFIG) {
            true => self.read_virtual_config(rid, offset, len, host),
            false => self.read_bar(rid, offset, len, host),
        }
    }

    /// Writes a region through a device file.
    pub(crate) fn write_device(
        &mut self,
        rid: Rid,
        offset: u64,
        bytes: &[u8],
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        if bytes.is_empty() {
            // 6.12 vfio_pci_core_write: before any check.
            return Ok(0);
        }
        self.wake_for_region(rid, offset);
        match offset >> region::OFFSET_LG2 == u64::from(region::CONFIG) {
            true => self.write_virtual_config(rid, offset, bytes, host),
            false => self.write_bar(rid, offset, bytes, host),
        }
    }
}
