//! A process's memory as its CPU uses it: loads, stores, and where its pages lie.

use crate::kernel::Kernel;
use crate::process::{Misplaced, NotMoved, Pid};
use passim_model::{Host, PhysAddr, Refusal, UserAddr};

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

    /// The process stores `bytes` at `va`.
    ///
    /// # Errors
    /// EFAULT by `user-fault`; what lies before the fault is written.
    pub fn write_memory(
        &mut self,
        pid: Pid,
        va: UserAddr,
        bytes: &[u8],
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        self.processes.write(pid, va, bytes, &mut self.frames, host.memory_mut())
    }

    /// The process loads `len` bytes at `va`.
    ///
    /// # Errors
    /// EFAULT by `user-fault`.
    pub fn read_memory(
        &self,
        pid: Pid,
        va: UserAddr,
        len: usize,
        host: &impl Host,
    ) -> Result<Vec<u8>, Refusal> {
        let mut bytes = vec![0; len];
        self.processes.read(pid, va, &mut bytes, host.memory())?;
        Ok(bytes)
    }

    /// Says where `pages` pages from `va` on will lie when they are next populated: in the frames
    /// from `frame` on, which were set aside at boot.
    pub fn plan_pages(&mut self, pid: Pid, va: UserAddr, frame: PhysAddr, pages: u64) {
        self.processes.plan(pid, va, frame, pages);
    }

    /// Forgets every plan for pages of the process that are not populated yet.
    pub fn forget_plans(&mut self, pid: Pid) {
        self.processes.forget_plan(pid);
    }

    /// Plans that could not be followed, since they were last asked for.
    pub fn take_misplaced(&mut self) -> Vec<Misplaced> {
        self.processes.take_misplaced()
    }

    /// Moves a page that nothing pins to another frame, as a kernel under memory pressure may.
    ///
    /// # Errors
    /// [`NotMoved`] says what holds it.
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
