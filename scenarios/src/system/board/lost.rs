//! A command that is dropped between an ITS driver and the ITS, as if the driver forgot it.
//!
//! Just before the store to GITS_CWRITER the command is overwritten in the queue by a SYNC for a
//! redistributor that does not exist, which has no effect (IHI 0069 H 5.3.17).

use std::fmt;
use std::str::FromStr;

use passim_gic::Size;
use passim_model::PhysAddr;

use super::Board;

/// A kind of command that can be dropped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs, reason = "each is the architecture's own name")]
pub enum LostCommand {
    Movi,
    Int,
    Clear,
    Sync,
    Mapd,
    Mapc,
    Mapti,
    Mapi,
    Inv,
    Invall,
    Movall,
    Discard,
}

impl LostCommand {
    /// Every kind, in the order of the architecture's numbers.
    pub const ALL: [Self; 12] = [
        Self::Movi,
        Self::Int,
        Self::Clear,
        Self::Sync,
        Self::Mapd,
        Self::Mapc,
        Self::Mapti,
        Self::Mapi,
        Self::Inv,
        Self::Invall,
        Self::Movall,
        Self::Discard,
    ];

    /// The architecture's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Movi => "MOVI",
            Self::Int => "INT",
            Self::Clear => "CLEAR",
            Self::Sync => "SYNC",
            Self::Mapd => "MAPD",
            Self::Mapc => "MAPC",
            Self::Mapti => "MAPTI",
            Self::Mapi => "MAPI",
            Self::Inv => "INV",
            Self::Invall => "INVALL",
            Self::Movall => "MOVALL",
            Self::Discard => "DISCARD",
        }
    }

    /// Bits 7 to 0 of the command. IHI 0069 H 5.3.
    pub const fn number(self) -> u64 {
        match self {
            Self::Movi => 0x01,
            Self::Int => 0x03,
            Self::Clear => 0x04,
            Self::Sync => 0x05,
            Self::Mapd => 0x08,
            Self::Mapc => 0x09,
            Self::Mapti => 0x0a,
            Self::Mapi => 0x0b,
            Self::Inv => 0x0c,
            Self::Invall => 0x0d,
            Self::Movall => 0x0e,
            Self::Discard => 0x0f,
        }
    }

    /// The kind of this number.
    pub fn numbered(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// The command to drop. Written `SYNC:5`, or `SYNC:5@1` for the second ITS.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Lost {
    /// The ITS that does not receive it.
    pub its: u16,
    /// Its kind.
    pub command: LostCommand,
    /// Its number among those of its kind, counted from 1 since power-on; 0 once it has been
    /// dropped.
    pub nth: u32,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.command.name(), self.nth)?;
        if self.its == 0 { Ok(()) } else { write!(f, "@{}", self.its) }
    }
}

impl FromStr for Lost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (which, its) = text.split_once('@').unwrap_or((text, "0"));
        let kind = |name: &str| LostCommand::ALL.into_iter().find(|kind| kind.name() == name);
        let found = which.split_once(':').and_then(|(name, nth)| {
            let nth = nth.parse().ok().filter(|nth| *nth > 0)?;
            Some(Self { its: its.parse().ok()?, command: kind(name)?, nth })
        });
        found.ok_or_else(|| {
            let names = LostCommand::ALL.map(LostCommand::name).join(", ");
            format!("say SYNC:N, with N from 1, or SYNC:N@1 for the second ITS; commands: {names}")
        })
    }
}

/// A command that was dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dropped {
    /// The ITS that did not receive it.
    pub its: u16,
    /// Its offset in the queue.
    pub offset: u64,
    /// What the driver had written.
    pub words: [u64; 4],
}

/// GITS_CBASER, GITS_CWRITER. IHI 0069 H 12.18.
const CBASER: u64 = 0x80;
const CWRITER: u64 = 0x88;
const BYTES: u64 = 32;
/// A SYNC for the last redistributor that a command can name.
const NOBODY: [u64; 4] = [0x05, 0, 0x0000_000f_ffff_0000, 0];

impl Board {
    /// Sets the command to drop; `None` drops none.
    pub(crate) fn lose(&mut self, lost: Option<Lost>) {
        self.lost = lost;
    }

    /// Whether the command has been dropped.
    pub(crate) fn has_lost(&self) -> bool {
        self.lost.is_some_and(|lost| lost.nth == 0)
    }

    /// The command that has been dropped.
    pub(crate) fn dropped(&self) -> Option<Dropped> {
        self.dropped
    }

    /// Called before a CPU's store to a block of the interrupt controller. A store to GITS_CWRITER
    /// submits new commands, of which one may have to be overwritten.
    pub(super) fn lose_command(&mut self, block: u16, offset: u64, value: u64) {
        let lost = self.lost.is_some_and(|lost| lost.its == block);
        if !lost || offset != CWRITER || !self.controller.is_its(block) {
            return;
        }
        let mut load = |offset| self.controller.load(block, offset, Size::Double, self.cpu);
        let (Some(cbaser), Some(from)) = (load(CBASER), load(CWRITER)) else { return };
        let (base, bytes) = (cbaser & 0x000f_ffff_ffff_f000, ((cbaser & 0xff) + 1) << 12);
        let (mut at, to) = (from & 0xf_ffe0, value & 0xf_ffe0);
        if at >= bytes || to >= bytes {
            // Beyond the queue GITS_CWRITER submits no commands, and the loop would not end.
            return;
        }
        while at != to {
            let place = PhysAddr::new(base.saturating_add(at));
            let number = self.memory.load_u64(place).map_or(0, |word| word & 0xff);
            if self.lost.as_mut().is_some_and(|lost| lost.is_this(number))
                && let Ok(words) = self.memory.words_mut(place, NOBODY.len())
            {
                if let Ok(words) = <[u64; 4]>::try_from(&*words) {
                    self.dropped = Some(Dropped { its: block, offset: at, words });
                }
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
