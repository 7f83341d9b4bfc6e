//! Values that only operations have.

use core::fmt;

use passim_model::Rid;

use crate::script::{FromValue, number};

/// A number that prints in hexadecimal: sizes, offsets, register values.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Number(pub u64);

impl FromValue for Number {
    const FORM: &'static str = "a number of at most 64 bits such as 4096, 0x1000 or 4K";

    fn from_value(text: &str) -> Option<Self> {
        number(text).map(Self)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// A device: a PCI function by its place, or a platform device by its name.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum DeviceName {
    /// A PCI function.
    Function(Rid),
    /// A platform device.
    Platform(String),
}

impl FromValue for DeviceName {
    const FORM: &'static str = "a PCI function such as 00:01.0, or the name of a platform device";

    fn from_value(text: &str) -> Option<Self> {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
        match Rid::parse(text) {
            Some(rid) => Some(Self::Function(rid)),
            None if !text.is_empty() && text.bytes().all(letter) => {
                Some(Self::Platform(text.to_owned()))
            }
            None => None,
        }
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(rid) => rid.fmt(f),
            Self::Platform(name) => f.write_str(name),
        }
    }
}

/// Bytes in hexadecimal digits, two a byte.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Hex(pub Vec<u8>);

impl FromValue for Hex {
    const FORM: &'static str = "bytes in hexadecimal such as 00ff";

    fn from_value(text: &str) -> Option<Self> {
        if text == "\"\"" {
            return Some(Self(Vec::new()));
        }
        hex::decode(text).ok().filter(|bytes| !bytes.is_empty()).map(Self)
    }
}

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("\"\"") } else { f.write_str(&hex::encode(&self.0)) }
    }
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident, $form:literal {
        $($(#[$value_doc:meta])* $value:ident = $text:literal,)+
    })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
            pub enum $name {
                $($(#[$value_doc])* $value,)+
            }

            impl $name {
                /// Every value.
                pub const ALL: &[Self] = &[$(Self::$value),+];
            }

            impl FromValue for $name {
                const FORM: &'static str = $form;

                fn from_value(text: &str) -> Option<Self> {
                    match text {
                        $($text => Some(Self::$value),)+
                        _ => None,
                    }
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(match self {
                        $(Self::$value => $text,)+
                    })
                }
            }
        )*
    };
}

words! {
    /// Whether a module parameter is set.
    YesNo, "y or n" {
        /// It is.
        Yes = "y",
        /// It is not.
        No = "n",
    }
    /// What backs an area.
    AreaKind, "anon, untouched, huge-2m, huge-32m, huge-512m, huge-1g or file" {
        /// Anonymous memory, every page written once.
        Anon = "anon",
        /// Anonymous memory that nobody has written.
        Untouched = "untouched",
        /// Huge pages.
        Huge2M = "huge-2m",
        /// Huge pages.
        Huge32M = "huge-32m",
        /// Huge pages.
        Huge512M = "huge-512m",
        /// Huge pages.
        Huge1G = "huge-1g",
        /// An open file, shared.
        File = "file",
    }
    /// Protection of an area.
    Protection, "none, r, w or r|w" {
        /// No access.
        None = "none",
        /// Read.
        Read = "r",
        /// Write.
        Write = "w",
        /// Read and write.
        ReadWrite = "r|w",
    }
    /// Which IOMMU backend a container gets.
    ContainerType, "v1, v2, nesting, or unmap-all, which is no type" {
        /// VFIO_TYPE1_IOMMU.
        V1 = "v1",
        /// VFIO_TYPE1v2_IOMMU.
        V2 = "v2",
        /// VFIO_TYPE1_NESTING_IOMMU.
        Nesting = "nesting",
        /// VFIO_UNMAP_ALL: an extension by number, and no type.
        UnmapAll = "unmap-all",
    }
    /// What to do with dirty tracking.
    DirtyAction, "start, stop or get" {
        /// VFIO_IOMMU_DIRTY_PAGES_FLAG_START.
        Start = "start",
        /// VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP.
        Stop = "stop",
        /// VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP.
        Get = "get",
    }
    /// What a device does to a wire.
    WireLevel, "high, low or pulse" {
        /// It asserts it.
        High = "high",
        /// It is content.
        Low = "low",
        /// It asserts it for a moment.
        Pulse = "pulse",
    }
    /// What a device does about ATS.
    AtsName, "off, on or silent" {
        /// Nothing.
        Off = "off",
        /// It asks, keeps and drops.
        On = "on",
        /// It does not answer invalidations.
        Silent = "silent",
    }
    /// What a device asks for.
    AccessKind, "r, w or x" {
        /// A read.
        Read = "r",
        /// A write.
        Write = "w",
        /// An instruction fetch.
        Fetch = "x",
    }
    /// How an invalidation of a device's cache ended.
    AtcEnd, "done, unsupported or timeout" {
        /// The device did it.
        Done = "done",
        /// The device does not know it.
        Unsupported = "unsupported",
        /// The device did not answer in time.
        TimedOut = "timeout",
    }
    /// What a translation table descriptor is.
    DescriptorKind, "table, page, block, s2-page or s2-block" {
        /// It leads to the next table.
        Table = "table",
        /// A page of stage 1.
        Page = "page",
        /// A block of stage 1.
        Block = "block",
        /// A page of stage 2.
        Stage2Page = "s2-page",
        /// A block of stage 2.
        Stage2Block = "s2-block",
    }
    /// A command of an ITS for physical LPIs. IHI 0069 H 5.3.
    CommandName, "MAPD, MAPC, MAPTI, MAPI, MOVI, MOVALL, DISCARD, INV, INVALL, INT, CLEAR or SYNC" {
        /// A device gets a table, or loses it.
        Mapd = "MAPD",
        /// A collection goes to a CPU, or to none.
        Mapc = "MAPC",
        /// An event raises an LPI.
        Mapti = "MAPTI",
        /// An event raises the LPI of its own number.
        Mapi = "MAPI",
        /// An event goes to another collection.
        Movi = "MOVI",
        /// What is pending at one CPU goes to another.
        Movall = "MOVALL",
        /// An event raises nothing any more.
        Discard = "DISCARD",
        /// The configuration of an event's LPI is read again.
        Inv = "INV",
        /// The same of every LPI of a collection.
        Invall = "INVALL",
        /// An event's LPI becomes pending.
        Int = "INT",
        /// An event's LPI is pending no more.
        Clear = "CLEAR",
        /// What came before is done, as far as a CPU's redistributor is concerned.
        Sync = "SYNC",
    }
    /// When hardware works.
    PaceName, "eager or stepped" {
        /// After every store.
        Eager = "eager",
        /// While the CPU waits, a step at a time.
        Stepped = "stepped",
    }
}

impl ContainerType {
    /// The number SET_IOMMU takes. `linux/vfio.h`.
    pub const fn number(self) -> u64 {
        match self {
            Self::V1 => 1,
            Self::V2 => 3,
            Self::Nesting => 6,
            Self::UnmapAll => 9,
        }
    }
}

/// Which interrupt of a device: one of a PCI function by its name, any by its number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IrqIndex {
    /// The pin.
    Intx,
    /// MSI.
    Msi,
    /// MSI-X.
    Msix,
    /// Errors.
    Err,
    /// The kernel wants the device back.
    Req,
    /// The one with this number: a wire of a platform device.
    Number(u32),
}

impl IrqIndex {
    /// Those of a PCI function, ascending.
    pub const ALL: [Self; 5] = [Self::Intx, Self::Msi, Self::Msix, Self::Err, Self::Req];

    const NAMED: [(&'static str, Self); 5] = [
        ("intx", Self::Intx),
        ("msi", Self::Msi),
        ("msix", Self::Msix),
        ("err", Self::Err),
        ("req", Self::Req),
    ];

    /// The number of the interface. `linux/vfio.h`.
    pub const fn number(self) -> u32 {
        match self {
            Self::Intx => 0,
            Self::Msi => 1,
            Self::Msix => 2,
            Self::Err => 3,
            Self::Req => 4,
            Self::Number(number) => number,
        }
    }
}

impl FromValue for IrqIndex {
    const FORM: &'static str = "intx, msi, msix, err, req or a number";

    fn from_value(text: &str) -> Option<Self> {
        let named = Self::NAMED.into_iter().find(|(name, _)| *name == text);
        match named {
            Some((_, index)) => Some(index),
            None => u32::from_value(text).map(Self::Number),
        }
    }
}

impl fmt::Display for IrqIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMED.into_iter().find(|(_, index)| index == self) {
            Some((name, _)) => f.write_str(name),
            None => self.number().fmt(f),
        }
    }
}

/// Choices of a policy, or how hardware is built: `"name=value"`, with commas between several.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Setting(pub Vec<(String, String)>);

impl FromValue for Setting {
    const FORM: &'static str = "settings in quotes, parted by commas: \"NAME=VALUE,NAME=VALUE\"";

    fn from_value(text: &str) -> Option<Self> {
        let text = text.strip_prefix('"')?.strip_suffix('"')?;
        let is_name = |name: &str| {
            !name.is_empty()
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        };
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=')?;
            (is_name(name) && is_name(value)).then(|| (name.to_owned(), value.to_owned()))
        };
        text.split(',').map(pair).collect::<Option<Vec<_>>>().map(Self)
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for (at, (name, value)) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "," };
            write!(f, "{separator}{name}={value}")?;
        }
        f.write_str("\"")
    }
}
