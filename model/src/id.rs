//! Identifiers that accompany addresses. Many have equal numbers; each has a type of its own.
//!
//! A type holds as many bits as its widest register. Each part of a machine decides how many of
//! them it implements, and how it treats a number beyond them.

use core::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($raw:ty), $form:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name($raw);

        impl $name {
            /// The identifier with this number.
            pub const fn new(raw: $raw) -> Self {
                Self(raw)
            }

            /// The number.
            pub const fn get(self) -> $raw {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "(", $form, ")"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, $form, self.0)
            }
        }
    };
}

id! {
    /// StreamID: an SMMU looks up transactions by it. Up to 32 bits (IHI 0070 SMMU_IDR1.SIDSIZE).
    StreamId(u32), "{:#x}"
}
id! {
    /// SubstreamID: PASID of PCIe, selects a CD. Up to 20 bits (IHI 0070 SMMU_IDR1.SSIDSIZE).
    SubstreamId(u32), "{:#x}"
}
id! {
    /// DeviceID: an ITS looks up messages by it. Up to 32 bits (IHI 0069 GITS_TYPER.Devbits).
    DeviceId(u32), "{:#x}"
}
id! {
    /// Message number within a device, as an ITS sees it: up to 32 bits (GITS_TYPER.ID_bits).
    EventId(u32), "{}"
}
id! {
    /// Interrupt number of a GIC: SPIs from 32 to 1019, LPIs from 8192 on (IHI 0069 2.2).
    IntId(u32), "{}"
}
id! {
    /// Address space identifier: tags stage-1 translations.
    Asid(u16), "{}"
}
id! {
    /// Virtual machine identifier: tags stage-2 translations.
    Vmid(u16), "{}"
}

/// PCI requester ID: bus, device and function.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Rid(u16);

impl Rid {
    /// The requester ID with this number: bus in 15..8, device in 7..3, function in 2..0.
    pub const fn new(raw: u16) -> Self {
        Self(raw)
    }

    /// From bus, device (0 to 31) and function (0 to 7); `None` out of range.
    pub const fn from_bdf(bus: u8, device: u8, function: u8) -> Option<Self> {
        if device < 32 && function < 8 {
            Some(Self((bus as u16) << 8 | (device as u16) << 3 | function as u16))
        } else {
            None
        }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Bus number, 0 to 255.
    pub const fn bus(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// Device number on the bus, 0 to 31.
    pub const fn device(self) -> u8 {
        (self.0 >> 3) as u8 & 0x1f
    }

    /// Function number of the device, 0 to 7.
    pub const fn function(self) -> u8 {
        self.0 as u8 & 7
    }

    /// Parses `00:01.0` or `0000:00:01.0`, hexadecimal (domain 0 only); `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("0000:").unwrap_or(text);
        let (bus, rest) = text.split_once(':')?;
        let (device, function) = rest.split_once('.')?;
        if bus.len() != 2 || device.len() != 2 || function.len() != 1 {
            return None;
        }
        // `from_str_radix` alone would also take a sign.
        let number = |digits: &str| {
            let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            if plain { u8::from_str_radix(digits, 16).ok() } else { None }
        };
        Self::from_bdf(number(bus)?, number(device)?, number(function)?)
    }
}

impl fmt::Display for Rid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}:{:02x}.{:x}", self.bus(), self.device(), self.function())
    }
}

impl fmt::Debug for Rid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rid({self})")
    }
}

/// A device of the kernel: a member of an IOMMU group, and an owner of interrupts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// A PCI function.
    Pci(Rid),
    /// A platform device, which is on no bus: its number among the machine's platform devices.
    Platform(u16),
}

impl Endpoint {
    /// The requester ID of a PCI function; `None` for a platform device.
    pub const fn rid(self) -> Option<Rid> {
        match self {
            Self::Pci(rid) => Some(rid),
            Self::Platform(_) => None,
        }
    }
}

impl From<Rid> for Endpoint {
    fn from(rid: Rid) -> Self {
        Self::Pci(rid)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pci(rid) => rid.fmt(f),
            Self::Platform(number) => write!(f, "platform device {number}"),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

#[cfg(test)]
mod tests;
