//! Which capability each byte of configuration space belongs to, and the capability lists without
//! the capabilities that VFIO does not know.
//!
//! Not here: which bits of a byte may be read and written (`permission`).

use super::VirtualConfig;
use crate::pci::Space;
use crate::pci::wire::{
    EXP_TYPE_RC_END, ExpFlags, ExtHeader, MsiFlags, PmCtrl, PmPmc, Status, cap_id, ext_cap_id,
    offset,
};
use core::ops::Range;
use passim_model::Host;
use passim_model::topology::Function;

/// Where the header ends and capabilities begin: `PCI_STD_HEADER_SIZEOF`.
const HEADER_BYTES: u16 = 64;
/// Where extended capabilities begin: `PCI_CFG_SPACE_SIZE`.
pub(super) const EXTENDED: u16 = 256;

/// The owner of a byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Owner {
    Header,
    /// A capability of this id.
    Capability(u8),
    /// An extended capability of this id.
    Extended(u16),
    /// Outside every capability that VFIO knows.
    Nobody,
}

/// A range of bytes with one owner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Part {
    pub(super) owner: Owner,
    pub(super) bytes: Range<u16>,
}

/// Every part; where two overlap the later one applies.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Parts {
    parts: Vec<Part>,
}

impl Parts {
    fn add(&mut self, owner: Owner, at: u16, len: u16) {
        self.parts.push(Part { owner, bytes: at..at.saturating_add(len) });
    }

    /// The owner of the byte at `at`, and where that part begins; for [`Owner::Nobody`], `at`
    /// itself.
    pub(super) fn find(&self, at: u16) -> (Owner, u16) {
        let part = self.parts.iter().rev().find(|part| part.bytes.contains(&at));
        part.map_or((Owner::Nobody, at), |part| (part.owner, part.bytes.start))
    }
}

impl VirtualConfig {
    /// Copies the registers as they stand, without what VFIO hides.
    // 6.12 vfio_config_init.
    pub(in crate::device) fn read(function: &Function, space: Space, host: &mut impl Host) -> Self {
        let bytes = vec![0; function.config_size.min(4096) as usize];
        let mut config = Self { bytes, ..Self::default() };
        config.copy(Owner::Header, 0, HEADER_BYTES, space, host);
        config.add_capabilities(space, host);
        if config.has_extended(space, host) {
            config.add_extended(space, host);
        }
        config
    }

    /// Copies a part, and records its owner.
    fn copy(&mut self, owner: Owner, at: u16, len: u16, space: Space, host: &mut impl Host) {
        let size = self.bytes.len() as u16;
        let len = len.min(size.saturating_sub(at));
        for at in at..at + len {
            self.set_byte(at, space.load8(at, host));
        }
        self.parts.add(owner, at, len);
    }

    // 6.12 vfio_cap_init: a capability without a length is taken out of the list.
    fn add_capabilities(&mut self, space: Space, host: &mut impl Host) {
        if !Status::CAP_LIST.is_set(space.load16(offset::STATUS, host)) {
            return;
        }
        let mut before = offset::CAPABILITY_LIST;
        let mut at = u16::from(space.load8(offset::CAPABILITY_LIST, host));
        let mut found = false;
        for _ in 0..(EXTENDED - HEADER_BYTES) / 4 {
            if at == 0 {
                break;
            }
            let id = space.load8(at, host);
            let next = space.load8(at + offset::CAP_NEXT, host);
            match length(id, at, space, host) {
                0 => self.set_byte(before, next),
                len => {
                    self.copy(Owner::Capability(id), at, len, space, host);
                    match id {
                        cap_id::PM => self.hide_events(at),
                        cap_id::MSI => self.msi_flags = self.word(at + offset::MSI_FLAGS),
                        _ => {}
                    }
                    (before, found) = (at + offset::CAP_NEXT, true);
                }
            }
            at = next.into();
        }
        if !found {
            let status = Status::CAP_LIST.set(self.word(offset::STATUS), 0);
            self.set_word(offset::STATUS, status);
        }
    }

    /// Hides power management events from the user.
    // 6.12 vfio_update_pm_vconfig_bytes.
    fn hide_events(&mut self, at: u16) {
        let capabilities = PmPmc::PME.set(self.word(at + offset::PM_PMC), 0);
        self.set_word(at + offset::PM_PMC, capabilities);
        let control = PmCtrl::PME_ENABLE.set(self.word(at + offset::PM_CTRL), 0);
        self.set_word(at + offset::PM_CTRL, PmCtrl::PME_STATUS.set(control, 0));
    }

    /// Whether the function has extended capabilities: it has PCI Express, and the first doubleword
    /// there is not empty.
    // 6.12 vfio_cap_len.
    fn has_extended(&self, space: Space, host: &mut impl Host) -> bool {
        let is_express = |part: &Part| part.owner == Owner::Capability(cap_id::EXP);
        let is_wide = |part: &Part| {
            let is_pcix = part.owner == Owner::Capability(cap_id::PCIX);
            is_pcix && part.bytes.len() > 8
        };
        let may = self.parts.parts.iter().any(|part| is_express(part) || is_wide(part));
        may && self.bytes.len() > usize::from(EXTENDED) && space.load32(EXTENDED, host) != 0
    }

    // 6.12 vfio_ecap_init: as vfio_cap_init, but the first of the list stays as a placeholder.
    fn add_extended(&mut self, space: Space, host: &mut impl Host) {
        let mut before: Option<u16> = None;
        let (mut at, mut found) = (EXTENDED, false);
        for _ in 0..(self.bytes.len() as u16 - EXTENDED) / 4 {
            if at < EXTENDED {
                break;
            }
            let header = space.load32(at, host);
            let id = ExtHeader::ID.get(header) as u16;
            let next = (ExtHeader::NEXT.get(header) << 2) as u16;
            match (extended_length(id, at, space, host), before) {
                (0, Some(before)) => {
                    let kept = self.double_word(before);
                    let next = ExtHeader::NEXT.get(header);
                    self.set_double_word(before, ExtHeader::NEXT.set(kept, next));
                }
                (0, None) => {
                    self.copy(Owner::Extended(id), at, 4, space, host);
                    self.set_double_word(at, ExtHeader::NEXT.in_place(header));
                    before = Some(at);
                }
                (len, _) => {
                    self.copy(Owner::Extended(id), at, len, space, host);
                    (before, found) = (Some(at), true);
                }
            }
            at = next;
        }
        if !found {
            self.set_double_word(EXTENDED, 0);
        }
    }
}

/// Bytes of a capability; 0 if VFIO hides it.
// 6.12 pci_cap_length and vfio_cap_len.
fn length(id: u8, at: u16, space: Space, host: &mut impl Host) -> u16 {
    match id {
        cap_id::PM | cap_id::VPD => 8,
        cap_id::AGP | cap_id::MSIX => 12,
        cap_id::MSI => {
            let flags = space.load16(at + offset::MSI_FLAGS, host);
            let wide = if MsiFlags::IS_64BIT.is_set(flags) { 4 } else { 0 };
            let masks = if MsiFlags::MASKBIT.is_set(flags) { 10 } else { 0 };
            10 + wide + masks
        }
        // PCI_X_CMD_VERSION.
        cap_id::PCIX if space.load16(at + 2, host) >> 12 & 3 == 0 => 8,
        cap_id::PCIX => 24,
        // HyperTransport: host and slave capabilities have a 3-bit type.
        cap_id::HT if space.load8(at + 3, host) & 0xe0 == 0 => 28,
        cap_id::HT => 24,
        cap_id::VNDR => u16::from(space.load8(at + 2, host)),
        cap_id::EXP => {
            let flags = space.load16(at + offset::EXP_FLAGS, host);
            let in_root_complex = ExpFlags::TYPE.get(flags) == EXP_TYPE_RC_END;
            match (ExpFlags::VERS.get(flags), in_root_complex) {
                (1, true) => 0x0c,
                (1, false) => 0x14,
                (_, true) => 0x2c,
                (_, false) => 0x34,
            }
        }
        // SATA: the registers follow the capability inline.
        cap_id::SATA if space.load8(at + 4, host) & 0xf == 0xf => 16,
        cap_id::SATA => 8,
        cap_id::AF => 6,
        _ => 0,
    }
}

/// Bytes of an extended capability; 0 if VFIO hides it.
// 6.12 pci_ext_cap_length and vfio_ext_cap_len.
fn extended_length(id: u16, at: u16, space: Space, host: &mut impl Host) -> u16 {
    match id {
        ext_cap_id::ERR => 0x2c,
        ext_cap_id::VC | ext_cap_id::VC9 | ext_cap_id::MFVC => virtual_channels(at, space, host),
        ext_cap_id::DSN => 12,
        ext_cap_id::PWR | ext_cap_id::PRI => 16,
        ext_cap_id::VNDR | ext_cap_id::DVSEC => (space.load32(at + 4, host) >> 20) as u16,
        // Access control services: with egress control, one bit per function or port.
        ext_cap_id::ACS => match (space.load8(at + 4, host) & 0x20, space.load8(at + 5, host)) {
            (0, _) => 8,
            (_, 0) => 8 + 256 / 8,
            (_, bits) => 8 + u16::from(bits).next_multiple_of(32) / 8,
        },
        ext_cap_id::ARI | ext_cap_id::ATS | ext_cap_id::LTR => 8,
        ext_cap_id::SRIOV => 64,
        ext_cap_id::MCAST => 40,
        ext_cap_id::REBAR => 4 + u16::from(space.load8(at + 8, host) >> 5) * 8,
        ext_cap_id::DPA => 16 + u16::from(space.load8(at + 4, host) & 0x1f) + 1,
        ext_cap_id::TPH => {
            let capabilities = space.load32(at + 4, host);
            let own_table = capabilities & 0x600 == 0x200;
            if own_table { 12 + (capabilities >> 16 & 0x7ff) as u16 * 2 + 2 } else { 12 }
        }
        _ => 0,
    }
}

// 6.12 vfio_vc_cap_len.
fn virtual_channels(at: u16, space: Space, host: &mut impl Host) -> u16 {
    let channels = (space.load32(at + 4, host) & 7) as u16;
    let phases = match space.load32(at + 8, host) {
        it if it & 8 != 0 => 128,
        it if it & 4 != 0 => 64,
        it if it & 2 != 0 => 32,
        _ => 0,
    };
    let base = 16 + (1 + channels) * 12;
    if phases == 0 { base } else { base.next_multiple_of(16) + phases * 4 / 8 }
}
