//! Operations below any kernel: loads and stores of a CPU, and memory by physical address. They are
//! performed on a machine that Linux runs, and on a bare one.

use passim_model::PhysAddr;

use super::{Argument, Form, Number, Verb};
use crate::input_error::{InputError, SourceText};
use crate::script::{Args, Invocation, unknown_verb};

operations! {
    /// An operation below any kernel.
    enum HardwareOp;
    /// Loads a register.
    Load = "load" {
        /// Physical address.
        key at: PhysAddr = "at",
        /// Bytes, 1, 2, 4 or 8; 4 without it.
        opt size: Number = "size",
    }
    /// Stores to a register.
    Store = "store" {
        /// Physical address.
        key at: PhysAddr = "at",
        /// What to store.
        key value: Number = "value",
        /// Bytes, 1, 2, 4 or 8; 4 without it.
        opt size: Number = "size",
    }
    /// Reads a doubleword of memory.
    PeekPhys = "peek-phys" {
        /// Physical address.
        key at: PhysAddr = "at",
    }
    /// Writes a doubleword of memory.
    PokePhys = "poke-phys" {
        /// Physical address.
        key at: PhysAddr = "at",
        /// What to write.
        key value: Number = "value",
    }
    /// Hardware works until nothing is left to do.
    Settle = "settle" {}
}
