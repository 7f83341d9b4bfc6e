//! Machines of every shape: recorded ones get the groups of their kernel, random ones boot.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `bus` | which functions are reset together with a device? |
//! | `random` | do random machines boot, with the groups of their slots? |
//! | `recorded` | do recorded hierarchies give the kernel's groups? |

mod bus;
mod random;
mod recorded;
