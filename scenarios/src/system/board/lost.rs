//! A command that is lost between an ITS's driver and the ITS: what a driver that forgets it would
//! be like.
//!
//! Just before the ITS is told of new commands, the one to be lost is overwritten in the queue by a
//! SYNC for a redistributor that does not exist, which has no effect (IHI 0069 H 5.3.17).

use passim_gic::Size;
use passim_model::PhysAddr;

use super::Board;

/// A kind of command that can be lost.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LostCommand {
    /// INV.
    Inv,
    /// INVALL.
    Invall,
    /// SYNC.
    Sync,
}

impl LostCommand {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Inv, Self::Invall, Self::Sync];

    /// The architecture's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inv => "INV",
            Self::Invall => "INVALL",
            Self::Sync => "SYNC",
        }
    }

    /// Bits 7 to 0 of the command. IHI 0069 H 5.3.
    pub const fn number(self) -> u64 {
        match self {
            Self::Inv => 0x0c,
            Self::Invall => 0x0d,
            Self::Sync => 0x05,
        }
    }
}

/// Which command is lost.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Lost {
    /// Its kind.
    pub command: LostCommand,
    /// Which of the kind, counted from 1 since power-on; 0 for none any more.
    pub nth: u32,
}

/// GITS_CBASER, GITS_CWRITER. IHI 0069 H 12.18.
const CBASER: u64 = 0x80;
const CWRITER: u64 = 0x88;
const BYTES: u64 = 32;
/// A SYNC for the last redistributor that a command can name.
const NOBODY: [u64; 4] = [0x05, 0, 0x0000_000f_ffff_0000, 0];

impl Board {
    /// Loses a command that comes later; `None` loses none.
    pub(in crate::system) fn lose(&mut self, lost: Option<Lost>) {
        self.lost = lost;
    }

    /// A CPU is about to store to a block of the interrupt controller: where this tells an ITS of
    /// new commands, one of them may have to go.
    pub(super) fn lose_command(&mut self, block: u16, offset: u64, value: u64) {
        if self.lost.is_none() || offset != CWRITER || !self.controller.is_its(block) {
            return;
        }
        let mut load = |offset| self.controller.load(block, offset, Size::Double, self.cpu);
        let (Some(cbaser), Some(from)) = (load(CBASER), load(CWRITER)) else { return };
        let (base, bytes) = (cbaser & 0x000f_ffff_ffff_f000, ((cbaser & 0xff) + 1) << 12);
        let (mut at, to) = (from & 0xf_ffe0, value & 0xf_ffe0);
        while at != to && at < bytes {
            let place = PhysAddr::new(base.saturating_add(at));
            let number = self.memory.load_u64(place).map_or(0, |word| word & 0xff);
            if self.lost.as_mut().is_some_and(|lost| lost.is_this(number))
                && let Ok(words) = self.memory.words_mut(place, NOBODY.len())
            {
                words.copy_from_slice(&NOBODY);
            }
            at = (at + BYTES) % bytes;
        }
    }
}

impl Lost {
    fn is_this(&mut self, number: u64) -> bool {
        if number != self.command.number() || self.nth == 0 {
            return false;
        }
        self.nth -= 1;
        self.nth == 0
    }
}
