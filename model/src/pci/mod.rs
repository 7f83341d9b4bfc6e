//! The registers of a PCI function: configuration space, and messages.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `wire` | where are the bits? |
//! | [`config`] | which bits of configuration space take a store, and what do they read? |
//! | `extended` | the list of extended capabilities, and that of ATS in it |
//! | [`sriov`] | the extended capability that enables virtual functions |
//! | [`msi`] | the MSI capability: what is sent for a vector, and what is kept? |
//! | [`msix`] | the MSI-X table and its pending bits, in a BAR |
//! | [`registers`] | all of it together: what follows from a store, which BARs answer, what is sent |
//!
//! A message is a write of 32 bits like any other of the function; it is returned to the caller,
//! who carries DMA. Not here: other registers of the function, pins, bridges (their registers hold
//! what is stored; they forward everything), extended capabilities other than two.
//!
//! Made here, where the specifications leave it open:
//!
//! | choice | made here |
//! | --- | --- |
//! | stores to table and PBA narrower than 32 bits or not aligned (PCI 3.0 6.8.2) | ignored; loads of them read the bytes |
//! | low two bits of a message address (PCI 3.0 6.8.2.7) | read-only, zero |
//! | a vector raised while bus mastering is off (PCI 3.0 6.2.2) | lost; what is pending is kept |
//! | MSI and MSI-X both enabled (PCI 3.0 6.8.3.1 forbids it) | MSI-X is used |
//! | D3hot to D0 without No_Soft_Reset (PCI PM 1.2 5.4.1) | every register keeps its value, as QEMU 10.0's functions do |
//! | a BAR moved away from where the machine placed it | answers nowhere |

pub mod config;
mod extended;
pub mod msi;
pub mod msix;
pub mod registers;
pub mod sriov;
mod wire;

pub use config::Config;
pub use msi::Msi;
pub use msix::{Entry, Msix};
pub use registers::Registers;
pub use sriov::Sriov;

use crate::{Iova, Requester};
use core::fmt;

/// A message-signalled interrupt: 32 bits that the function writes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Message {
    /// The requester.
    pub requester: Requester,
    /// The bus address.
    pub at: Iova,
    /// The data; for MSI, the upper 16 bits are zero (PCI 3.0 6.8.1.6).
    pub data: u32,
}

/// The outcome of raising a vector.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Raised {
    /// A message is sent.
    Sent(Message),
    /// The vector is masked: it is pending, and sent when it is unmasked.
    Pending,
    /// Nothing was sent and nothing is pending.
    Lost(Lost),
}

/// Why a vector was lost.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Lost {
    /// Neither MSI nor MSI-X is enabled.
    Disabled,
    /// The function has no such vector, or software allotted fewer.
    NoVector,
    /// The function may not write: Bus Master Enable is clear, or it is not in D0.
    NoBusMaster,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disabled => "neither MSI nor MSI-X is enabled",
            Self::NoVector => "no such vector is enabled",
            Self::NoBusMaster => "bus mastering is off",
        })
    }
}

#[cfg(test)]
mod tests;
