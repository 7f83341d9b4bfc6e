//! What CPUs do: calls and accesses of processes, and register accesses; after each, interrupts are
//! served.

use passim_model::{Abort, Endpoint, Host, PhysAddr, Refusal, UserAddr, Width};
use passim_vfio::Pid;
use passim_vfio::call::{Answer, Call};

use super::System;

impl System {
    /// The process makes a system call.
    pub fn call(&mut self, pid: Pid, call: Call) -> Answer {
        let virtuals =
            matches!(&call, Call::WriteAttribute { path, .. } if path.ends_with("numvfs"));
        let answer = self.kernel.run(pid, call, &mut self.board);
        if virtuals {
            self.switch_virtual();
        }
        self.deliver();
        answer
    }

    /// Attaches a device's group to the domain of another device, as a driver inside the kernel
    /// would, and returns the kernel's answer; `None` if the other device is in no domain.
    ///
    /// # Errors
    /// As [`passim_vfio::Kernel::try_domain_of`].
    pub fn try_domain_of(
        &mut self,
        device: Endpoint,
        other: Endpoint,
    ) -> Option<Result<(), Refusal>> {
        let answer = self.kernel.try_domain_of(device, other, &mut self.board);
        self.deliver();
        answer
    }

    /// Adds and removes virtual functions as the physical function's driver does.
    fn switch_virtual(&mut self) {
        let functions = self.topology.functions().iter().map(|function| function.rid);
        let virtuals: Vec<_> = functions.filter(|rid| self.topology.is_virtual(*rid)).collect();
        for rid in virtuals {
            if !self.kernel.has_function(rid) {
                self.unplugged.insert(rid);
            } else if self.unplugged.remove(&rid) {
                self.board.reset_function(rid);
            }
        }
    }

    /// The process loads `len` bytes at `va`: memory, or registers of a device it has mapped.
    ///
    /// # Errors
    /// As [`passim_vfio::Kernel::read_memory`].
    pub fn read_memory(&mut self, pid: Pid, va: UserAddr, len: usize) -> Result<Vec<u8>, Refusal> {
        let bytes = self.kernel.read_memory(pid, va, len, &mut self.board);
        self.deliver();
        bytes
    }

    /// The process stores `bytes` at `va`.
    ///
    /// # Errors
    /// As [`passim_vfio::Kernel::write_memory`].
    pub fn write_memory(&mut self, pid: Pid, va: UserAddr, bytes: &[u8]) -> Result<(), Refusal> {
        let written = self.kernel.write_memory(pid, va, bytes, &mut self.board);
        self.deliver();
        written
    }

    /// A CPU loads a register.
    ///
    /// # Errors
    /// [`Abort`] where no register answers.
    pub fn load(&mut self, at: PhysAddr, width: Width) -> Result<u64, Abort> {
        let value = self.board.load(at, width);
        self.deliver();
        value
    }

    /// A CPU stores to a register.
    ///
    /// # Errors
    /// [`Abort`] where no register answers.
    pub fn store(&mut self, at: PhysAddr, width: Width, value: u64) -> Result<(), Abort> {
        let stored = self.board.store(at, width, value);
        self.deliver();
        stored
    }
}
