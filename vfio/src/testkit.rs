//! Test machines for several rooms.

use passim_model::{Abort, Host, Memory, PhysAddr, Width};

/// A machine of RAM on which no register answers.
pub(crate) struct Silence(pub(crate) Memory);

impl Host for Silence {
    fn memory(&self) -> &Memory {
        &self.0
    }
    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.0
    }
    fn load(&mut self, at: PhysAddr, _: Width) -> Result<u64, Abort> {
        Err(Abort(at))
    }
    fn store(&mut self, at: PhysAddr, _: Width, _: u64) -> Result<(), Abort> {
        Err(Abort(at))
    }
    fn relax(&mut self) {}
}
