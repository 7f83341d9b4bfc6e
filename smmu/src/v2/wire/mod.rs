//! Register offsets and fields, transcribed from IHI 0062 issue D.c. Nothing here interprets them.
//!
//! | room | what it holds |
//! | --- | --- |
//! | `global` | global register spaces 0 and 1 |
//! | `bank` | context banks of both formats |

pub(crate) mod bank;
pub(crate) mod global;
