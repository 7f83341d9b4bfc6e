//! VFIO_DEVICE_IOEVENTFD: eventfds whose signals write registers.

use super::rules as device_rules;
use crate::kernel::Kernel;
use crate::msi::table_place;
use crate::pci::wire::entry;
use crate::process::{FileId, Pid};
use crate::rules;
use crate::uapi::{Buffer, Header, irq, region};
use passim_model::topology::{Bar, BarKind};
use passim_model::{Conflict, Errno, Host, Refusal, Rid, Width};

/// Bytes of `struct vfio_device_ioeventfd` that the kernel reads.
const BYTES: usize = 28;
/// `VFIO_PCI_IOEVENTFD_MAX`.
const MOST: usize = 1000;

/// The register and the data of a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Place {
    bar: u8,
    at: u64,
    data: u64,
    width: Width,
}

/// A register that is written when an eventfd is signalled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct IoEventFd {
    place: Place,
    /// The eventfd; `None` once no process has it any more.
    pub(super) file: Option<FileId>,
}

impl Kernel {
    /// Adds or removes an ioeventfd: a register written whenever the eventfd is signalled.
    ///
    /// # Errors
    /// EINVAL by `argsz-short`, `ioeventfd-shape`, `ioeventfd-place` and, for ports,
    /// `not-modelled`; EEXIST by `ioeventfd-taken`, ENODEV by `ioeventfd-absent`, ENOSPC by
    /// `ioeventfd-limit`; EBADF or EINVAL by `irq-eventfd`.
    // 6.12 vfio_pci_core.c and vfio_pci_rdwr.c, vfio_pci_ioeventfd, in the order of their checks.
    pub(super) fn set_ioeventfd(
        &mut self,
        pid: Pid,
        rid: Rid,
        buffer: &Buffer,
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        buffer.require(BYTES)?;
        let Header { argsz, flags } = Header::read(buffer)?;
        super::judge_argsz(argsz, BYTES)?;
        let offset = u64::from_le_bytes(buffer.copy_in::<8>(8)?);
        let data = u64::from_le_bytes(buffer.copy_in::<8>(16)?);
        let fd = i32::from_le_bytes(buffer.copy_in::<4>(24)?);
        let width = match flags {
            1 => Width::W8,
            2 => Width::W16,
            4 => Width::W32,
            8 => Width::W64,
            _ => {
                let conflict = Conflict::Unknown(u64::from(flags));
                return Err(rules::IOEVENTFD_SHAPE.refuse_for(Errno::EINVAL, conflict));
            }
        };
        if fd < -1 {
            let conflict = Conflict::Fd(i64::from(fd));
            return Err(rules::IOEVENTFD_SHAPE.refuse_for(Errno::EINVAL, conflict));
        }
        let bar = self.bar_written(rid, offset, width)?;
        let at = offset & ((1 << region::OFFSET_LG2) - 1);
        let place = Place { bar: bar.index, at, data, width };
        self.claim(rid, bar.index);
        let set = self.devices.get(&rid).map_or(&[][..], |state| &state.ioeventfds);
        let found = set.iter().position(|it| it.place == place);
        let conflict = Conflict::Device(rid);
        match (found, fd) {
            (Some(found), -1) => {
                let state = self.devices.get_mut(&rid);
                if let Some(old) = state.and_then(|state| state.ioeventfds.remove(found).file) {
                    self.stop_waiting(old);
                }
                Ok(0)
            }
            (Some(_), _) => Err(device_rules::IOEVENTFD_TAKEN.refuse_for(Errno::EEXIST, conflict)),
            (None, -1) => Err(device_rules::IOEVENTFD_ABSENT.refuse_for(Errno::ENODEV, conflict)),
            (None, _) if set.len() >= MOST => {
                let conflict = Conflict::Limit { limit: MOST as u64, wanted: MOST as u64 + 1 };
                Err(device_rules::IOEVENTFD_LIMIT.refuse_for(Errno::ENOSPC, conflict))
            }
            (None, fd) => {
                let file = self.hold_eventfd(pid, fd)?;
                if let Some(state) = self.devices.get_mut(&rid) {
                    state.ioeventfds.push(IoEventFd { place, file: Some(file) });
                }
                if self.wait_for(file) {
                    self.write_place(rid, place, host);
                }
                Ok(0)
            }
        }
    }

    /// The BAR that an ioeventfd writes to.
    fn bar_written(&self, rid: Rid, offset: u64, width: Width) -> Result<Bar, Refusal> {
        let index = offset >> region::OFFSET_LG2;
        let at = offset & ((1 << region::OFFSET_LG2) - 1);
        let end = at + width.bytes();
        let refuse = |conflict| device_rules::IOEVENTFD_PLACE.refuse_for(Errno::EINVAL, conflict);
        let unknown = refuse(Conflict::Unknown(index));
        let function = self.function(rid);
        let number = u8::try_from(index).map_err(|_| unknown)?;
        let bar = function.bar(number).filter(|_| index < u64::from(region::ROM));
        let bar = *bar.ok_or(unknown)?;
        if end - 1 > bar.span.size_minus_one() {
            let limit = bar.span.size_minus_one() + 1;
            return Err(refuse(Conflict::Limit { limit, wanted: end }));
        }
        let entries = u64::from(super::vectors(function, irq::MSIX));
        let table = table_place(function).filter(|(index, _)| *index == number);
        if table.is_some_and(|(_, table)| at < table + entries * entry::BYTES && end > table) {
            return Err(refuse(Conflict::Device(rid)));
        }
        if bar.kind != BarKind::Memory {
            return Err(rules::NOT_MODELLED.refuse(Errno::EINVAL));
        }
        Ok(bar)
    }

    /// Writes the registers whose ioeventfd is `file`, where the function decodes memory. Returns
    /// whether there are any.
    pub(crate) fn write_registers_by(&mut self, file: FileId, host: &mut impl Host) -> bool {
        let mut told = Vec::new();
        for (&rid, state) in &self.devices {
            let mine = state.ioeventfds.iter().filter(|it| it.file == Some(file));
            told.extend(mine.map(|it| (rid, it.place)));
        }
        for &(rid, place) in &told {
            self.write_place(rid, place, host);
        }
        !told.is_empty()
    }

    /// Writes one register, if the function decodes memory.
    fn write_place(&self, rid: Rid, place: Place, host: &mut impl Host) {
        let Place { bar, at, data, width } = place;
        let bar = self.topology.function(rid).and_then(|function| function.bar(bar)).copied();
        // A CPU stores to registers only at naturally aligned addresses.
        let place = bar.filter(|_| at.is_multiple_of(width.bytes()));
        let place = place.and_then(|bar| bar.span.start().checked_add(at));
        if let Some(place) = place
            && self.decodes_memory(rid, host)
        {
            // A store that no device accepts is lost, as on the bus.
            let _ = host.store(place, width, data);
        }
    }

    /// Stops writing registers by `file`; their entries stay. Returns how many registers it wrote.
    pub(crate) fn hang_up_registers(&mut self, file: FileId) -> usize {
        let set = self.devices.values_mut().flat_map(|state| &mut state.ioeventfds);
        set.filter_map(|it| it.file.take_if(|it| *it == file)).count()
    }
}
