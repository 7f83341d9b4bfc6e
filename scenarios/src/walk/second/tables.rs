//! Translates addresses through the tables of a stream.

use std::cell::Cell;

use passim_oracle::rights::Rights;
use passim_oracle::walk::{self, Leaf, Privilege, TableLeaf};
use passim_oracle::{Stage, wide};

/// The tables of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tables {
    pub(super) stage1: Option<First>,
    pub(super) stage2: Option<Second>,
    /// Bits of an address that may reach stage 2 without a stage 1.
    pub(super) input_bits: u8,
    pub(crate) overrides: Overrides,
}

/// The STE's overrides of accesses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Overrides {
    /// STE.PRIVCFG.
    pub(super) privilege: Option<Privilege>,
    /// STE.INSTCFG: whether every read is an instruction fetch, or none.
    pub(super) fetches: Option<bool>,
}

impl Overrides {
    /// The access after PRIVCFG and INSTCFG; a write stays a write.
    pub(crate) fn apply(&self, asked: Asked) -> Asked {
        let wanted = match (asked.wanted, self.fetches) {
            (Wanted::Read, Some(true)) => Wanted::Fetch,
            (Wanted::Fetch, Some(false)) => Wanted::Read,
            (wanted, _) => wanted,
        };
        Asked { privilege: self.privilege.unwrap_or(asked.privilege), wanted }
    }
}

/// Stage 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct First {
    /// TTB0 and TTB1.
    pub(super) halves: [Half; 2],
    pub(super) flags: Flags,
}

/// One half of an address space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Half {
    /// `None`: EPD is set, there are no tables.
    pub(super) form: Option<Form>,
    pub(super) ignores_top_byte: bool,
    /// E0PD.
    pub(super) refuses_unprivileged: bool,
}

/// Stage 2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Second {
    pub(super) form: Form,
    pub(super) flags: Flags,
    /// S2PTW, with a stage 1 whose tables it protects.
    pub(super) protects: bool,
    /// S2FWB.
    pub(super) forces: bool,
}

/// The format of descriptors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// Without DS.
    Narrow(walk::Config),
    /// With DS.
    Wide(wide::Config),
}

/// Flags that hardware updates or ignores, and the byte order of descriptors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Flags {
    pub(super) stage: Stage,
    /// An access flag of 0 is no fault.
    pub(super) access: bool,
    /// Hardware sets an access flag of 0.
    pub(super) sets_access: bool,
    /// DBM makes a descriptor writable.
    pub(super) dirty: bool,
    pub(super) big_endian: bool,
}

/// An access to translate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Asked {
    pub(crate) privilege: Privilege,
    pub(crate) wanted: Wanted,
}

/// The kind of an access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wanted {
    Read,
    Write,
    /// Reads instructions.
    Fetch,
}

/// The translation of a permitted access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reached {
    pub(crate) pa: u64,
    /// Bytes of the smallest leaf of the walk.
    pub(crate) size: u64,
}

/// The kind of a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Translation,
    AddressSize,
    Access,
    Permission,
    /// Unknown memory.
    Abort,
}

/// The purpose of an address that a stage refused. IHI 0070 G.b 7.3.13, CLASS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// A CD.
    Context,
    /// A descriptor of stage 1.
    Table,
    /// A descriptor of stage 1, for an update.
    Update,
    /// The input address.
    Input,
}

/// A fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Refused {
    pub(crate) kind: Kind,
    pub(crate) stage: Stage,
    /// Level of the faulting descriptor, if any.
    pub(crate) level: Option<i8>,
    pub(crate) purpose: Purpose,
    /// The input address of stage 2, where that refused.
    pub(crate) ipa: Option<u64>,
    /// The address at which memory did not answer.
    pub(crate) fetched: Option<u64>,
}

impl Refused {
    fn undecided(kind: Kind, stage: Stage) -> Self {
        Self { kind, stage, level: None, purpose: Purpose::Input, ipa: None, fetched: None }
    }

    /// An external abort of a descriptor fetch.
    fn aborted(stage: Stage, at: u64) -> Self {
        Self { fetched: Some(at), ..Self::undecided(Kind::Abort, stage) }
    }
}

impl Wanted {
    fn is_in(self, rights: Rights) -> bool {
        match self {
            Self::Read => rights.read,
            Self::Write => rights.write,
            Self::Fetch => rights.fetch,
        }
    }
}

/// AF, DBM, and AP[2] or S2AP[1] of a leaf.
const ACCESS: u64 = 1 << 10;
const DIRTY: u64 = 1 << 51;
const WRITABLE: u64 = 1 << 7;

impl Flags {
    /// From AFFD, HA and HD, or their stage 2 equivalents. Without HA hardware updates nothing.
    pub(super) fn of(stage: Stage, [ignored, sets, dirty]: [bool; 3], big_endian: bool) -> Self {
        let (access, dirty) = (ignored || sets, sets && dirty);
        Self { stage, access, sets_access: sets, dirty, big_endian }
    }

    /// The descriptor, from memory's byte order.
    fn descriptor(self, word: u64) -> u64 {
        if self.big_endian { word.swap_bytes() } else { word }
    }

    /// Whether hardware updates a leaf of stage 1, with this word, for an access.
    fn writes(self, word: u64, wanted: Wanted) -> bool {
        let word = self.descriptor(word);
        let clean = word & WRITABLE != 0 && word & DIRTY != 0;
        self.sets_access && word & ACCESS == 0 || self.dirty && clean && wanted == Wanted::Write
    }

    /// The descriptor with its effective flags.
    fn seen(self, word: u64) -> u64 {
        let word = self.descriptor(word);
        let word = if self.access { word | ACCESS } else { word };
        match self.stage {
            _ if !self.dirty || word & DIRTY == 0 => word,
            // AP[2] forbids, S2AP[1] allows.
            Stage::One => word & !WRITABLE,
            Stage::Two => word | WRITABLE,
        }
    }
}

impl Form {
    fn input_bits(&self) -> u8 {
        match self {
            Self::Narrow(config) => config.input_bits,
            Self::Wide(config) => config.input_bits,
        }
    }

    /// The result of a walk for `input`, which has no more than the input bits.
    fn walk(
        &self,
        privilege: Privilege,
        input: u64,
        stage: Stage,
        read: impl Fn(u64) -> Option<u64>,
    ) -> Result<Leaf, Fault> {
        let refused = |kind, level| {
            Fault::Refused(Refused { level: Some(level), ..Refused::undecided(kind, stage) })
        };
        match *self {
            Self::Narrow(config) => {
                let config = walk::Config { privilege, ..config };
                walk::translate(&config, input, read).map_err(|fault| match fault {
                    walk::Fault::Translation { level } => refused(Kind::Translation, level as i8),
                    walk::Fault::AddressSize { level } => refused(Kind::AddressSize, level as i8),
                    walk::Fault::Access { level } => refused(Kind::Access, level as i8),
                    walk::Fault::Abort { pa } => Fault::Abort(pa),
                })
            }
            Self::Wide(config) => {
                let config = wide::Config { privilege, ..config };
                wide::translate(&config, input, read).map_err(|fault| match fault {
                    wide::Fault::Translation(level) => refused(Kind::Translation, level),
                    wide::Fault::AddressSize(level) => refused(Kind::AddressSize, level),
                    wide::Fault::Access(level) => refused(Kind::Access, level),
                    wide::Fault::Abort(pa) => Fault::Abort(pa),
                })
            }
        }
    }

    fn leaves(&self, read: impl Fn(u64) -> Option<u64>) -> Option<Vec<TableLeaf>> {
        match self {
            Self::Narrow(config) => walk::all_leaves(config, read).ok(),
            Self::Wide(config) => wide::all_leaves(config, read).ok(),
        }
    }
}

/// Why a walk found no leaf.
enum Fault {
    Refused(Refused),
    /// The descriptor at this address could not be read.
    Abort(u64),
}

impl Second {
    /// The translation of `ipa`, and the descriptor that maps it.
    fn walk(
        &self,
        ipa: u64,
        privilege: Privilege,
        read: &impl Fn(u64) -> Option<u64>,
    ) -> Result<(Leaf, u64), Refused> {
        let refused = |refused| Refused { ipa: Some(ipa), ..refused };
        if ipa >> self.form.input_bits() != 0 {
            return Err(refused(Refused::undecided(Kind::Translation, Stage::Two)));
        }
        // The last descriptor that a walk reads is the leaf's.
        let last = Cell::new(0);
        let seen = |at| {
            last.set(self.flags.seen(read(at)?));
            Some(last.get())
        };
        let leaf =
            self.form.walk(privilege, ipa, Stage::Two, seen).map_err(|fault| match fault {
                Fault::Refused(other) => refused(other),
                Fault::Abort(at) => refused(Refused::aborted(Stage::Two, at)),
            })?;
        Ok((leaf, last.get()))
    }

    /// The address of a table or a CD. Reads of these are privileged data. IHI 0070 G.b 7.3.16.
    fn reach(
        &self,
        ipa: u64,
        purpose: Purpose,
        read: &impl Fn(u64) -> Option<u64>,
    ) -> Result<u64, Refused> {
        let walked = self.walk(ipa, Privilege::Privileged, read);
        let (leaf, word) = walked.map_err(|refused| Refused { purpose, ..refused })?;
        if leaf.readable && !(self.protects && self.is_device(word)) {
            return Ok(leaf.pa);
        }
        let refused = Refused::undecided(Kind::Permission, Stage::Two);
        Err(Refused { purpose, ipa: Some(ipa), ..refused })
    }

    /// Whether a descriptor of stage 1 may be updated. IHI 0070 G.b 3.13.5, 7.3.16.
    fn lets_write(&self, ipa: u64, read: &impl Fn(u64) -> Option<u64>) -> Result<(), Refused> {
        let walked = self.walk(ipa, Privilege::Privileged, read);
        let (leaf, _) = walked.map_err(|refused| Refused { purpose: Purpose::Table, ..refused })?;
        let refused = Refused::undecided(Kind::Permission, Stage::Two);
        let purpose = Purpose::Update;
        if leaf.writable { Ok(()) } else { Err(Refused { purpose, ipa: Some(ipa), ..refused }) }
    }

    /// Whether a leaf gives Normal memory of stage 1, as tables are, a Device type. DDI 0487,
    /// MemAttr of stage 2: bits 5:4 are 0; where memory types are forced, bit 4 is.
    fn is_device(&self, word: u64) -> bool {
        const BITS: u64 = 0b11 << 4;
        const FORCED: u64 = 1 << 4;
        word & if self.forces { FORCED } else { BITS } == 0
    }

    /// A word read through this stage, `None` where memory does not answer.
    pub(super) fn read(
        &self,
        ipa: u64,
        purpose: Purpose,
        read: &impl Fn(u64) -> Option<u64>,
    ) -> Result<Option<u64>, Refused> {
        self.reach(ipa, purpose, read).map(read)
    }
}

impl First {
    fn walk(
        &self,
        stage2: Option<&Second>,
        iova: u64,
        privilege: Privilege,
        read: &impl Fn(u64) -> Option<u64>,
    ) -> Result<(Leaf, Descriptor), Refused> {
        let no_translation = Refused::undecided(Kind::Translation, Stage::One);
        let upper = iova >> 55 & 1 == 1;
        let half = &self.halves[usize::from(upper)];
        // An ignored top byte is replaced by copies of bit 55. IHI 0070 G.b 5.4, TBI.
        let input = if half.ignores_top_byte { (iova << 8) as i64 >> 8 } else { iova as i64 };
        let Some(form) = &half.form else { return Err(no_translation) };
        if input >> form.input_bits() != if upper { -1 } else { 0 } {
            return Err(no_translation);
        }
        if half.refuses_unprivileged && privilege == Privilege::Unprivileged {
            return Err(no_translation);
        }
        let input = input as u64 & ((1 << form.input_bits()) - 1);
        let through = |at| match stage2 {
            None => read(at),
            Some(second) => second.read(at, Purpose::Table, read).ok().flatten(),
        };
        // The last descriptor that a walk reads is the leaf's.
        let last = Cell::new(Descriptor::default());
        let seen = |at| {
            let word = through(at)?;
            last.set(Descriptor { at, word });
            Some(self.flags.seen(word))
        };
        let leaf = form.walk(privilege, input, Stage::One, seen).map_err(|fault| match fault {
            Fault::Refused(refused) => refused,
            // Stage 2 may not map the table itself.
            Fault::Abort(at) => match stage2.map(|second| second.reach(at, Purpose::Table, read)) {
                Some(Err(refused)) => refused,
                // IHI 0070 G.b 7.3.12: only for this event does stage 1 record that it was a table.
                found => Refused {
                    purpose: Purpose::Table,
                    ..Refused::aborted(Stage::One, found.and_then(Result::ok).unwrap_or(at))
                },
            },
        })?;
        Ok((leaf, last.get()))
    }
}

/// A descriptor of stage 1: its address before stage 2, and its word in memory.
#[derive(Clone, Copy, Default)]
struct Descriptor {
    at: u64,
    word: u64,
}

impl Tables {
    /// The first stage that translates an IOVA.
    pub(crate) fn first_stage(&self) -> Stage {
        if self.stage1.is_some() { Stage::One } else { Stage::Two }
    }

    /// Whether both stages translate.
    pub(crate) fn are_nested(&self) -> bool {
        self.stage1.is_some() && self.stage2.is_some()
    }

    /// IOVA bits that the tables of the lower half translate; 0 without tables.
    pub(crate) fn input_bits(&self) -> u8 {
        let form = match (&self.stage1, &self.stage2) {
            (Some(first), _) => first.halves[0].form.as_ref(),
            (None, second) => second.as_ref().map(|second| &second.form),
        };
        form.map_or(0, Form::input_bits)
    }

    /// The same for the upper half; `None` without stage 1, which alone has it.
    pub(crate) fn upper_bits(&self) -> Option<u8> {
        let upper = &self.stage1.as_ref()?.halves[1];
        Some(upper.form.as_ref().map_or(0, Form::input_bits))
    }

    /// Every leaf of the first stage, by IOVA, those of TTB1 last; `None` if a table is not known,
    /// or more than `most` words would be read: a table may point back to itself.
    pub(crate) fn leaves(
        &self,
        read: &impl Fn(u64) -> Option<u64>,
        most: u64,
    ) -> Option<Vec<TableLeaf>> {
        let reads = Cell::new(0);
        let bounded = |at| {
            reads.set(reads.get() + 1);
            read(at).filter(|_| reads.get() <= most)
        };
        let Some(first) = &self.stage1 else {
            let Some(second) = &self.stage2 else { return Some(Vec::new()) };
            return second.form.leaves(|at| Some(second.flags.descriptor(bounded(at)?)));
        };
        let mut leaves = Vec::new();
        for (half, upper) in first.halves.iter().zip([false, true]) {
            let Some(form) = &half.form else { continue };
            let through = |at| {
                let word = match &self.stage2 {
                    None => bounded(at),
                    Some(second) => second.read(at, Purpose::Table, &bounded).ok().flatten(),
                };
                Some(first.flags.descriptor(word?))
            };
            let above = if upper { u64::MAX << form.input_bits() } else { 0 };
            let own = form.leaves(through)?.into_iter();
            leaves.extend(own.map(|leaf| TableLeaf { iova: leaf.iova | above, ..leaf }));
        }
        Some(leaves)
    }

    /// Translates an access after the STE's overrides, in the order of IHI 0070 G.b 7.3.22: stage 1
    /// and its permissions before stage 2.
    pub(crate) fn translate(
        &self,
        iova: u64,
        asked: Asked,
        read: &impl Fn(u64) -> Option<u64>,
    ) -> Result<Reached, Refused> {
        let Asked { privilege, wanted } = asked;
        let no_permission = |stage| Refused::undecided(Kind::Permission, stage);
        let mut reached = Reached { pa: iova, size: u64::MAX };
        if let Some(first) = &self.stage1 {
            let (leaf, descriptor) = first.walk(self.stage2.as_ref(), iova, privilege, read)?;
            if !wanted.is_in(leaf.rights()) {
                return Err(no_permission(Stage::One));
            }
            if let Some(second) = &self.stage2
                && first.flags.writes(descriptor.word, wanted)
            {
                second.lets_write(descriptor.at, read)?;
            }
            reached = Reached { pa: leaf.pa, size: leaf.block_size };
        } else if iova >> self.input_bits != 0 {
            // IHI 0070 G.b 3.4: more bits than may pass an absent stage 1.
            return Err(Refused::undecided(Kind::AddressSize, Stage::One));
        }
        let Some(second) = &self.stage2 else { return Ok(reached) };
        let (leaf, _) = second.walk(reached.pa, privilege, read)?;
        if !wanted.is_in(leaf.rights()) {
            return Err(Refused { ipa: Some(reached.pa), ..no_permission(Stage::Two) });
        }
        Ok(Reached { pa: leaf.pa, size: reached.size.min(leaf.block_size) })
    }

    /// The permissions of stage 1 for an access; `None` where it refuses or does not exist.
    pub(crate) fn first_rights(
        &self,
        iova: u64,
        privilege: Privilege,
        read: &impl Fn(u64) -> Option<u64>,
    ) -> Option<Rights> {
        let privilege = self.overrides.privilege.unwrap_or(privilege);
        let leaf = self.stage1.as_ref()?.walk(self.stage2.as_ref(), iova, privilege, read);
        Some(leaf.ok()?.0.rights())
    }
}
