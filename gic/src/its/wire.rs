//! Layouts of the ITS: registers (chapter 12) and level 1 of tables (chapter 5) from Arm
//! IHI 0069 H, entries from the implementations whose tables are read and written. Positions and
//! code points, no logic.

pub(crate) mod command;

use passim_model::layout;

/// Offsets from where the ITS starts. IHI 0069 H 12.18.
pub(crate) mod offset {
    pub(crate) const CTLR: u64 = 0x0000;
    pub(crate) const IIDR: u64 = 0x0004;
    pub(crate) const TYPER: u64 = 0x0008;
    pub(crate) const STATUSR: u64 = 0x0040;
    pub(crate) const UMSIR: u64 = 0x0048;
    pub(crate) const CBASER: u64 = 0x0080;
    pub(crate) const CWRITER: u64 = 0x0088;
    pub(crate) const CREADR: u64 = 0x0090;
    pub(crate) const BASER: u64 = 0x0100;
    pub(crate) const BASER_END: u64 = 0x0140;
    /// First of the identification registers.
    pub(crate) const IDENTIFICATION: u64 = 0xffd0;
    /// The control frame ends and the translation frame starts.
    pub(crate) const TRANSLATION: u64 = 0x1_0000;
    /// The translation frame, up to the end.
    pub(crate) const TRANSLATION_FRAME: u64 = 0x1_0000;
    pub(crate) const TRANSLATER: u64 = 0x1_0040;
    pub(crate) const END: u64 = 0x2_0000;
}

/// Which BASER is for devices.
pub(crate) const DEVICES: usize = 0;
/// Which BASER is for collections.
pub(crate) const COLLECTIONS: usize = 1;
/// How many BASERs there are.
pub(crate) const BASERS: usize = 8;

layout! {
    /// GITS_CTLR.
    pub(crate) struct Ctlr {
        /// Commands and messages are taken.
        ENABLED = bit(0);
        /// Implementation defined.
        IM_DE = bit(1);
        /// Which ITS, for VMOVP.
        ITS_NUMBER = bits(7, 4);
        /// Unmapped messages raise an interrupt.
        UMSI_IRQ = bit(8);
        /// Disabled, and all is done.
        QUIESCENT = bit(31);
    }
}
layout! {
    /// GITS_TYPER.
    pub(crate) struct Typer {
        /// Physical LPIs.
        PHYSICAL = bit(0);
        /// Virtual LPIs.
        VIRTUAL = bit(1);
        /// Cumulative collection tables.
        CCT = bit(2);
        /// Bytes of an ITE, less one.
        ITT_ENTRY_SIZE = bits(7, 4);
        /// Bits of an EventID, less one.
        ID_BITS = bits(12, 8);
        /// Bits of a DeviceID, less one.
        DEVBITS = bits(17, 13);
        /// Errors are signalled as SError.
        SEIS = bit(18);
        /// RDbase is an address.
        PTA = bit(19);
        /// Collections the ITS holds itself.
        HCC = bits(31, 24);
        /// Bits of an ICID, less one.
        CIDBITS = bits(35, 32);
        /// CIDbits counts.
        CIL = bit(36);
        /// VMOVP needs one ITS only.
        VMOVP = bit(37);
        /// MPAM.
        MPAM = bit(38);
        /// Virtual SGIs.
        VSGI = bit(39);
        /// VMAPP has its later form.
        VMAPP = bit(40);
        /// Sharing of vPE tables.
        SVPET = bits(42, 41);
        /// No default doorbells.
        NID = bit(43);
        /// Unmapped messages are recorded.
        UMSI = bit(44);
        /// ... and raise an interrupt.
        UMSI_IRQ = bit(45);
        /// INV and INVALL also reach caches of the ITS.
        INV = bit(46);
    }
}
layout! {
    /// GITS_STATUSR.
    pub(crate) struct Statusr {
        /// A reserved register was read.
        RRD = bit(0);
        /// A reserved register was written.
        WRD = bit(1);
        /// A write-only register was read.
        RWOD = bit(2);
        /// A read-only register was written.
        WROD = bit(3);
        /// GITS_UMSIR holds a message.
        UMSI = bit(4);
        /// There were more.
        OVERFLOW = bit(5);
        /// Why it could not be translated.
        SYNDROME = bits(9, 6);
    }
}
layout! {
    /// GITS_UMSIR.
    pub(crate) struct Umsir {
        /// Whose message.
        DEVICE_ID = bits(63, 32);
        /// Which.
        EVENT_ID = bits(31, 0);
    }
}
layout! {
    /// GITS_CBASER.
    pub(crate) struct Cbaser {
        /// Pages of 4 KiB, less one.
        SIZE = bits(7, 0);
        /// Shareability.
        SHAREABILITY = bits(11, 10);
        /// Where the queue is.
        PHYSICAL_ADDRESS = bits(51, 12);
        /// Outer cacheability.
        OUTER_CACHE = bits(55, 53);
        /// Inner cacheability.
        INNER_CACHE = bits(61, 59);
        /// There is a queue.
        VALID = bit(63);
    }
}
layout! {
    /// GITS_CWRITER.
    pub(crate) struct Cwriter {
        /// A stopped queue goes on.
        RETRY = bit(0);
        /// Past the last command, from the start of the queue, in place.
        OFFSET = bits(19, 5);
    }
}
layout! {
    /// GITS_CREADR.
    pub(crate) struct Creadr {
        /// The queue has stopped.
        STALLED = bit(0);
        /// The next command, from the start of the queue, in place.
        OFFSET = bits(19, 5);
    }
}
layout! {
    /// GITS_BASER.
    pub(crate) struct Baser {
        /// Pages, less one.
        SIZE = bits(7, 0);
        /// How large a page is.
        PAGE_SIZE = bits(9, 8);
        /// Shareability.
        SHAREABILITY = bits(11, 10);
        /// Where the table is; with pages of 64 KiB bits 51 to 48 are in 15 to 12.
        PHYSICAL_ADDRESS = bits(47, 12);
        /// Bytes of an entry, less one.
        ENTRY_SIZE = bits(52, 48);
        /// Outer cacheability.
        OUTER_CACHE = bits(55, 53);
        /// What the table holds.
        TYPE = bits(58, 56);
        /// Inner cacheability.
        INNER_CACHE = bits(61, 59);
        /// The table has two levels.
        INDIRECT = bit(62);
        /// There is a table.
        VALID = bit(63);
    }
}
layout! {
    /// Of [`Baser::PHYSICAL_ADDRESS`], with pages of 64 KiB.
    pub(crate) struct LargePage {
        /// Bits 47 to 16, in place.
        LOW = bits(47, 16);
        /// Bits 51 to 48.
        HIGH = bits(15, 12);
    }
}
layout! {
    /// An entry of level 1 of a table of two levels. IHI 0069 H 12.19 (GITS_BASER, Indirect).
    pub(crate) struct Level1 {
        /// There is a page of level 2.
        VALID = bit(63);
        /// Where it is, in place.
        PHYSICAL_ADDRESS = bits(51, 12);
    }
}

/// Values of [`Baser::PAGE_SIZE`].
pub(crate) mod page_size {
    pub(crate) const K4: u64 = 0;
    pub(crate) const K16: u64 = 1;
    pub(crate) const K64: u64 = 2;
}

/// Values of [`Baser::TYPE`].
pub(crate) mod table_type {
    pub(crate) const DEVICES: u64 = 1;
    pub(crate) const COLLECTIONS: u64 = 4;
}

layout! {
    /// A device table entry, KVM revision 0 (Linux `Documentation/virt/kvm/devices/
    /// arm-vgic-its.rst`).
    pub(crate) struct KvmDte {
        /// The device is mapped.
        VALID = bit(63);
        /// Distance to the next mapped device; 0 for the last.
        NEXT = bits(62, 49);
        /// Bits 51 to 8 of the address of the table.
        ITT = bits(48, 5);
        /// Bits of an EventID, less one.
        SIZE = bits(4, 0);
    }
}
layout! {
    /// A collection table entry, KVM revision 0. The table is a list that ends at the first entry
    /// that is not valid.
    pub(crate) struct KvmCte {
        /// There is an entry.
        VALID = bit(63);
        /// Processor number.
        RDBASE = bits(51, 16);
        /// Which collection.
        ICID = bits(15, 0);
    }
}
layout! {
    /// An interrupt translation entry, KVM revision 0. An INTID of 0 means no mapping.
    pub(crate) struct KvmIte {
        /// Distance to the next mapped event; 0 for the last.
        NEXT = bits(63, 48);
        /// Which LPI.
        INTID = bits(47, 16);
        /// Which collection.
        ICID = bits(15, 0);
    }
}
layout! {
    /// A device table entry of QEMU (`hw/intc/gicv3_internal.h`).
    pub(crate) struct QemuDte {
        /// The device is mapped.
        VALID = bit(0);
        /// Bits of an EventID, less one.
        SIZE = bits(5, 1);
        /// Bits 51 to 8 of the address of the table.
        ITT = bits(49, 6);
    }
}
layout! {
    /// A collection table entry of QEMU.
    pub(crate) struct QemuCte {
        /// The collection is mapped.
        VALID = bit(0);
        /// Processor number.
        RDBASE = bits(16, 1);
    }
}
layout! {
    /// The first eight bytes of an interrupt translation entry of QEMU.
    pub(crate) struct QemuIteLow {
        /// The event is mapped.
        VALID = bit(0);
        /// To a physical LPI.
        PHYSICAL = bit(1);
        /// Which LPI.
        INTID = bits(25, 2);
        /// Which collection.
        ICID = bits(47, 32);
        /// Which virtual CPU.
        VPEID = bits(63, 48);
    }
}
layout! {
    /// The last four bytes of an interrupt translation entry of QEMU.
    pub(crate) struct QemuIteHigh {
        /// The doorbell of a virtual LPI; 1023 for none.
        DOORBELL = bits(23, 0);
    }
}
layout! {
    /// A device table entry of 8 bytes, as GIC-600's has (GIC-600 TRM 100336_0106, table 4-35:
    /// GITS_BASER0 resets to 0x0107000000000000). The arrangement is ours.
    pub(crate) struct SmallDte {
        /// The device is mapped.
        VALID = bit(63);
        /// Bits 51 to 8 of the address of the table, in place.
        ITT = bits(51, 8);
        /// Bits of an EventID, less one.
        SIZE = bits(4, 0);
    }
}
layout! {
    /// A collection table entry of 2 bytes, as Linux finds GIC-600's to have. The arrangement is ours.
    pub(crate) struct SmallCte {
        /// The collection is mapped.
        VALID = bit(15);
        /// Processor number.
        TARGET = bits(14, 0);
    }
}
layout! {
    /// An interrupt translation entry of 4 bytes, as GIC-600's has (100336_0106, GITS_TYPER). The
    /// arrangement is ours.
    pub(crate) struct SmallIte {
        /// The event is mapped.
        VALID = bit(31);
        /// Which collection.
        ICID = bits(29, 16);
        /// Which LPI.
        INTID = bits(15, 0);
    }
}
