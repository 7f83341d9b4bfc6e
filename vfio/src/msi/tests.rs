//! Messages from a request to an eventfd.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `board` | on which machine do the tests run? |
//! | `series` | do the checks of the series hold? |
//! | `set_irqs` | does SET_IRQS answer as recorded? |
//! | `config` | what does configuration space show? |
//! | `affinity` | to which CPU is a message delivered? |
//! | `numbers` | which SPIs, LPIs and events are allocated? |
//! | `exhausted` | what happens when interrupts run out? |
//! | `random` | do vectors alone hold doorbells in any order of calls? |

mod affinity;
mod board;
mod config;
mod exhausted;
mod numbers;
mod random;
mod series;
mod set_irqs;
