//! Which bits of a byte of configuration space a user may read from hardware and write.

use super::parts::Owner;
use crate::pci::wire::{
    AfCtrl, Command, ExpDevctl, ExpDevctl2, MsiFlags, PmCtrl, PmPmc, Status, cap_id, ext_cap_id,
    offset,
};

/// Which bits of a byte come from the virtualised copy, and which a user may write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Permission {
    pub(super) copied: u8,
    pub(super) writable: u8,
}

/// Real, and not writable: the default for every byte of a capability that VFIO knows.
const READ_ONLY: Permission = Permission { copied: 0, writable: 0 };
const COPY: Permission = Permission { copied: 0xff, writable: 0 };
const COPY_WRITABLE: Permission = Permission { copied: 0xff, writable: 0xff };
const WRITABLE: Permission = Permission { copied: 0, writable: 0xff };

/// One byte of a register with the masks `copied` and `writable`.
const fn byte(copied: u64, writable: u64, at: u16) -> Permission {
    Permission { copied: (copied >> (8 * at)) as u8, writable: (writable >> (8 * at)) as u8 }
}

/// The permission of the byte at offset `within` of its part. `msi_flags` are those of the
/// function's MSI capability.
// 6.12 vfio_pci_config.c, from reading; measured: MSI reads as off and empty, BAR 0 as its real
// address, the command register as the user wrote it.
pub(super) fn permission(owner: Owner, within: u16, msi_flags: u64) -> Permission {
    match (owner, within) {
        (Owner::Header, at) => of_header(at),
        // Gaps between capabilities belong to the device, which may keep registers there.
        (Owner::Nobody, _) => WRITABLE,
        (Owner::Capability(_), offset::CAP_NEXT) => COPY,
        (Owner::Capability(cap_id::PM), at) => of_power(at),
        (Owner::Capability(cap_id::VPD), 2..=7) => COPY_WRITABLE,
        (Owner::Capability(cap_id::MSI), at) => of_msi(at, msi_flags),
        (Owner::Capability(cap_id::PCIX), 2 | 3 | 8..=11) => WRITABLE,
        (Owner::Capability(cap_id::VNDR), _) => WRITABLE,
        (Owner::Capability(cap_id::EXP), at) => of_express(at),
        (Owner::Capability(cap_id::AF), offset::AF_CTRL) => {
            byte(AfCtrl::FLR.mask(), AfCtrl::FLR.mask(), 0)
        }
        (Owner::Extended(ext_cap_id::VNDR | ext_cap_id::DVSEC), at) => {
            Permission { writable: 0xff, ..of_extended(at) }
        }
        (Owner::Extended(ext_cap_id::ERR), at) => of_errors(at),
        (Owner::Extended(ext_cap_id::PWR), 8) => WRITABLE,
        (Owner::Extended(_), at) => of_extended(at),
        (Owner::Capability(_), _) => READ_ONLY,
    }
}

fn of_header(at: u16) -> Permission {
    match at {
        0x00..=0x03 => COPY,
        // VFIO itself uses the real bit to keep the pin quiet.
        offset::COMMAND | 0x05 => {
            byte(Command::INTX_DISABLE.mask(), u64::MAX, at - offset::COMMAND)
        }
        offset::STATUS => byte(Status::CAP_LIST.mask(), 0, 0),
        // Cache line size, latency timer, self test.
        0x0c | 0x0d | 0x0f => WRITABLE,
        offset::BASE_ADDRESS_0..0x28 => COPY_WRITABLE,
        offset::ROM_ADDRESS..offset::CAPABILITY_LIST => COPY_WRITABLE,
        offset::CAPABILITY_LIST => COPY,
        offset::INTERRUPT_LINE => COPY_WRITABLE,
        offset::INTERRUPT_PIN => COPY,
        _ => READ_ONLY,
    }
}

/// A user gets no events, and the kernel performs changes of state.
fn of_power(at: u16) -> Permission {
    let events = PmCtrl::PME_ENABLE.mask() | PmCtrl::PME_STATUS.mask();
    match at {
        offset::PM_PMC | 3 => byte(PmPmc::PME.mask(), 0, at - offset::PM_PMC),
        offset::PM_CTRL..8 => byte(events, !(events | PmCtrl::STATE.mask()), at - offset::PM_CTRL),
        _ => READ_ONLY,
    }
}

fn of_msi(at: u16, flags: u64) -> Permission {
    let (data, mask) = match MsiFlags::IS_64BIT.is_set(flags) {
        true => (offset::MSI_DATA_64, offset::MSI_MASK_64),
        false => (offset::MSI_DATA_32, offset::MSI_MASK_32),
    };
    match at {
        offset::MSI_FLAGS => COPY_WRITABLE,
        at if (offset::MSI_ADDRESS_LO..data + 2).contains(&at) => COPY_WRITABLE,
        // Mask bits, followed by pending bits.
        at if MsiFlags::MASKBIT.is_set(flags) && (mask..mask + 8).contains(&at) => WRITABLE,
        _ => READ_ONLY,
    }
}

/// A user may not write what could confuse the IOMMU or other devices; the kernel performs resets
/// and sets payload and request sizes.
fn of_express(at: u16) -> Permission {
    let copied = ExpDevctl::BCR_FLR.mask() | ExpDevctl::PAYLOAD.mask() | ExpDevctl::READRQ.mask();
    match at {
        offset::EXP_DEVCTL | 9 => byte(copied, !ExpDevctl::PHANTOM.mask(), at - offset::EXP_DEVCTL),
        offset::EXP_DEVCTL2 | 0x29 => byte(0, !ExpDevctl2::ARI.mask(), at - offset::EXP_DEVCTL2),
        _ => READ_ONLY,
    }
}

fn of_extended(at: u16) -> Permission {
    if at < 4 { COPY } else { READ_ONLY }
}

/// Advanced error reporting: every error that VFIO knows, and ECRC generation and checking.
fn of_errors(at: u16) -> Permission {
    const UNCORRECTABLE: u64 = 0x03ff_f031;
    const CORRECTABLE: u64 = 0xf1c1;
    const ECRC: u64 = 0x140;
    match at {
        4..16 => byte(0, UNCORRECTABLE, at % 4),
        16..24 => byte(0, CORRECTABLE, at % 4),
        24..28 => byte(0, ECRC, at % 4),
        _ => of_extended(at),
    }
}
