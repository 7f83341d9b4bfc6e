//! The ITS from outside: scenario files under every preset of a GIC.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `drawn` | whose interrupts can a device raise on random machines? |
//! | `features` | does an ITS with any features serve software alike? |
//! | `isolation` | whose interrupts can a device raise through the whole board? |
//! | `losses` | does the loss of a command show? |
//! | `mutants` | does the list of mutants fit the code? |
//! | `presets` | which scenario files hold under every preset? |

mod drawn;
mod features;
mod isolation;
mod losses;
mod mutants;
mod presets;
