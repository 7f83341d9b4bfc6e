//! A process's memory as its CPU accesses it: loads, stores, and the placement of its pages.
//!
//! Loads and stores of registers go through [`Host`](passim_model::Host). Not here: areas and
//! population of pages ([`process`](crate::process)).

use crate::kernel::Kernel;
use crate::process::{Cause, Fault, Misplaced, NotMoved, Pid, PinAccess, Resolved};
use passim_model::{Abort, Host, PhysAddr, Refusal, UserAddr, Width};
use std::ops::Range;

impl Kernel {
    /// The process writes every page of a range: the first eight bytes of each hold the page's
    /// own address.
    ///
    /// # Errors
    /// EFAULT by `user-fault`; pages before the fault are written.
    pub fn touch(
        &mut self,
        pid: Pid,
        va: UserAddr,
        len: u64,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        self.processes.touch(pid, va, len, &mut self.frames, host.memory_mut())
    }

    /// The process stores `bytes` at `va`, also to mapped registers.
    ///
    /// # Errors
    /// EFAULT by `user-fault`; bytes before the fault are written.
    pub fn write_memory(
        &mut self,
        pid: Pid,
        va: UserAddr,
        bytes: &[u8],
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        for (here, range) in self.pieces(va, bytes.len()) {
            match self.registers_at(pid, here, PinAccess::Write) {
                Some(at) => store_registers(host, at, &bytes[range]).map_err(|_| fault(here))?,
                None => {
                    let memory = host.memory_mut();
                    self.processes.write(pid, here, &bytes[range], &mut self.frames, memory)?;
                }
            }
        }
        Ok(())
    }

    /// The process loads `len` bytes at `va`, also from mapped registers.
    ///
    /// # Errors
    /// EFAULT by `user-fault`.
    pub fn read_memory(
        &self,
        pid: Pid,
        va: UserAddr,
        len: usize,
        host: &mut impl Host,
    ) -> Result<Vec<u8>, Refusal> {
        let mut bytes = vec![0; len];
        for (here, range) in self.pieces(va, len) {
            match self.registers_at(pid, here, PinAccess::Read) {
                Some(at) => load_registers(host, at, &mut bytes[range]).map_err(|_| fault(here))?,
                None => self.processes.read(pid, here, &mut bytes[range], host.memory())?,
            }
        }
        Ok(bytes)
    }

    /// Splits `len` bytes from `va` on at page boundaries. Bytes beyond the address space are one
    /// piece at its end, which faults.
    fn pieces(
        &self,
        va: UserAddr,
        len: usize,
    ) -> impl Iterator<Item = (UserAddr, Range<usize>)> + use<> {
        let page = self.page;
        let mut done = 0;
        core::iter::from_fn(move || {
            let start = (done < len).then_some(done)?;
            let here = va.checked_add(start as u64);
            let room = here.map_or(u64::MAX, |here| page.bytes() - here.offset_in(page.lg2()));
            done += (len - done).min(usize::try_from(room).unwrap_or(usize::MAX));
            Some((here.unwrap_or(UserAddr::new(u64::MAX)), start..done))
        })
    }

    /// The device register that the process has mapped at `va`.
    fn registers_at(&self, pid: Pid, va: UserAddr, access: PinAccess) -> Option<PhysAddr> {
        match self.processes.resolve(pid, va, access) {
            Ok(Resolved::Device(at)) => Some(at),
            _ => None,
        }
    }

    /// Plans where `pages` pages (of the CPU's size) from `va` on are placed when they are next
    /// populated: in the frames from the physical address `frame` on, which were set aside at boot.
    pub fn plan_pages(&mut self, pid: Pid, va: UserAddr, frame: PhysAddr, pages: u64) {
        self.processes.plan(pid, va, frame, pages);
    }

    /// Takes the plans that could not be followed.
    pub fn take_misplaced(&mut self) -> Vec<Misplaced> {
        self.processes.take_misplaced()
    }

    /// Moves a page that nothing pins to another frame, as a kernel under memory pressure may.
    ///
    /// # Errors
    /// [`NotMoved`] names what holds the page.
    pub fn migrate_page(
        &mut self,
        pid: Pid,
        va: UserAddr,
        to: PhysAddr,
        host: &mut impl Host,
    ) -> Result<(), NotMoved> {
        self.processes.migrate(pid, va, to, &mut self.frames, host.memory_mut())
    }
}

/// The fault of an access to registers that do not answer.
fn fault(address: UserAddr) -> Refusal {
    Fault { address, cause: Cause::Device }.into()
}

/// The width of a CPU access to `left` bytes of registers at `at`: the widest of up to 32 bits that
/// is aligned there.
fn access(at: PhysAddr, left: usize) -> Width {
    match left {
        4.. if at.is_aligned(2) => Width::W32,
        2.. if at.is_aligned(1) => Width::W16,
        _ => Width::W8,
    }
}

fn load_registers(host: &mut impl Host, at: PhysAddr, bytes: &mut [u8]) -> Result<(), Abort> {
    let mut done = 0;
    while done < bytes.len() {
        let here = at.checked_add(done as u64).ok_or(Abort(at))?;
        let width = access(here, bytes.len() - done);
        let value = host.load(here, width)?.to_le_bytes();
        let size = width.bytes() as usize;
        bytes[done..done + size].copy_from_slice(&value[..size]);
        done += size;
    }
    Ok(())
}

fn store_registers(host: &mut impl Host, at: PhysAddr, bytes: &[u8]) -> Result<(), Abort> {
    let mut done = 0;
    while done < bytes.len() {
        let here = at.checked_add(done as u64).ok_or(Abort(at))?;
        let width = access(here, bytes.len() - done);
        let size = width.bytes() as usize;
        let mut value = [0; 8];
        value[..size].copy_from_slice(&bytes[done..done + size]);
        host.store(here, width, u64::from_le_bytes(value))?;
        done += size;
    }
    Ok(())
}
