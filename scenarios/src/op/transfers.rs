//! Operations that read and write files: regions of devices, and registers as sysfs shows them.

use super::{Argument, Form, Hex, Number, Verb};
use crate::input_error::{InputError, SourceText};
use crate::script::{Args, Invocation, Signed, unknown_verb};

operations! {
    /// What a process reads and writes by a descriptor.
    enum TransferOp;
    /// `pread`.
    Pread = "pread" {
        /// The descriptor.
        key fd: Signed = "fd",
        /// Where in the file; of a device, the region's number times 2^40 and the place in it.
        key offset: Number = "offset",
        /// Bytes.
        key size: Number = "size",
    }
    /// `pwrite`.
    Pwrite = "pwrite" {
        /// The descriptor.
        key fd: Signed = "fd",
        /// Where in the file; of a device, the region's number times 2^40 and the place in it.
        key offset: Number = "offset",
        /// What is written.
        key bytes: Hex = "bytes",
    }
}
