//! The first open of a device, and its last close.

use super::DeviceState;
use super::config::VirtualConfig;
use super::irqs::Mode;
use crate::file::FileKind;
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::pci::Space;
use crate::pci::wire::Command;
use crate::process::FileId;
use passim_model::topology::BarKind;
use passim_model::{Host, Rid};

/// D0.
const AWAKE: u64 = 0;
/// D3hot.
const ASLEEP: u64 = 3;

impl Kernel {
    /// Opens a device file. The first open wakes the device and lets it decode its BARs.
    // measured on 6.1 and 6.12: while closed, command 0 and D3hot; then D0, and the decode bits of
    // the spaces in which it has BARs.
    pub(crate) fn open_device(&mut self, rid: Rid, host: &mut impl Host) {
        if let Some(state) = self.devices.get_mut(&rid) {
            state.files += 1;
            return;
        }
        let Some(function) = self.topology.function(rid) else { return };
        let space = Space::new(self.ecam, rid);
        space.set_power(AWAKE, host);
        let command = space.command(host);
        let has = |kind| function.bars.iter().any(|bar| bar.index < 6 && bar.kind == kind);
        let decodes =
            Command::MEMORY.flag(has(BarKind::Memory)) | Command::IO.flag(has(BarKind::Io));
        // 6.12 vfio_pci_core_enable: the kernel saves the function's state as enabled.
        let command = Command::INTX_DISABLE.set(command | decodes, 0);
        space.set_command(command, host);
        let mut config = VirtualConfig::read(function, space, host);
        if self.topology.is_virtual(rid) {
            config.complete_virtual(function);
        }
        self.devices.insert(rid, DeviceState { files: 1, command, config, ..Default::default() });
    }

    /// Closes a device file. The last close disables the device's interrupts and puts it to sleep.
    pub(crate) fn release_device_file(
        &mut self,
        rid: Rid,
        group_file: FileId,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) {
        if let Some(state) = self.devices.get_mut(&rid) {
            state.files -= 1;
            if state.files == 0 {
                self.close_device(rid, tasks, host);
            }
        }
        if let Some(&FileKind::Group(number)) = self.files.kind(group_file)
            && let Some(group) = self.groups.get_mut(&number)
        {
            group.device_files -= 1;
        }
    }

    fn close_device(&mut self, rid: Rid, tasks: &mut Vec<Task>, host: &mut impl Host) {
        match self.irqs_of(rid).mode {
            Mode::Off => {}
            Mode::Pin => self.turn_intx_off(rid, tasks, host),
            Mode::Messages(_) => self.turn_messages_off(rid, tasks, host),
        }
        let state = self.devices.get_mut(&rid);
        let (wakeup, written) = state.map_or((None, Vec::new()), |state| {
            (state.wakeup.take(), core::mem::take(&mut state.ioeventfds))
        });
        for file in written.into_iter().filter_map(|it| it.file) {
            self.stop_waiting(file);
        }
        let irqs = self.irqs_of(rid);
        let notices = irqs.error.take().into_iter().chain(irqs.request.take()).chain(wakeup);
        let notices: Vec<_> = notices.collect();
        self.drop_files(notices, tasks, host);
        if let Some(state) = self.devices.remove(&rid) {
            let space = Space::new(self.ecam, rid);
            // 6.12 vfio_pci_core_disable: the saved state is restored, and disabling a function
            // clears only its bus mastering.
            space.set_command(Command::MASTER.set(state.command, 0), host);
            space.set_power(ASLEEP, host);
        }
    }
}
