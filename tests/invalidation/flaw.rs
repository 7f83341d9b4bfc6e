//! A host between the driver and the SMMU that may alter commands.

use passim::system::Board;
use passim_model::{Abort, Host, IccRegister, Memory, PhysAddr, Width};
use passim_tests::mistakes::Habit;

use crate::world::Setup;

/// Registers of the board's SMMU.
pub(crate) const SMMU: u64 = 0x0905_0000;
const CMDQ_BASE: u64 = SMMU + 0x90;
const CMDQ_PROD: u64 = SMMU + 0x98;

/// Operations. IHI 0070 G.b 4.1.1.
const PREFETCH_CONFIG: u64 = 0x01;
const CFGI_STE: u64 = 0x03;
const CFGI_ALL: u64 = 0x04;
const CFGI_CD: u64 = 0x05;
const TLBI_NH_ASID: u64 = 0x11;
const TLBI_NH_VA: u64 = 0x12;
const TLBI_S12_VMALL: u64 = 0x28;
const TLBI_S2_IPA: u64 = 0x2a;
const TLBI_NSNH_ALL: u64 = 0x30;
const ATC_INV: u64 = 0x40;
const SYNC: u64 = 0x46;

/// Fields of TLBI commands. IHI 0070 G.b 4.4.1.1.
const LEAF: u64 = 1;
const TTL_SHIFT: u32 = 8;
const TTL: u64 = 3 << TTL_SHIFT;
const TG: u64 = 3 << 10;
const NUM_SHIFT: u32 = 12;
const NUM: u64 = 0x1f << NUM_SHIFT;
const SCALE_SHIFT: u32 = 20;
const SCALE: u64 = 0x3f << SCALE_SHIFT;

/// A flaw of a driver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flaw {
    /// Leaves out CMD_TLBI_NH_VA or CMD_TLBI_S2_IPA.
    ForgetsAddresses,
    /// Leaves out CMD_TLBI_NH_ASID or CMD_TLBI_S12_VMALL.
    ForgetsTag,
    /// Leaves out CMD_CFGI_STE.
    ForgetsSte,
    /// Leaves out CMD_CFGI_CD.
    ForgetsCd,
    /// Leaves out CMD_CFGI_ALL.
    ForgetsConfiguration,
    /// Leaves out CMD_TLBI_NSNH_ALL.
    ForgetsEverything,
    /// Leaves out CMD_SYNC, and takes consumed commands for complete.
    ForgetsSync,
    /// Invalidates half of a range, or one block less of several.
    Shortens,
    /// Names another ASID, or another VMID where addresses are of stage 2.
    WrongTag,
    /// Names another VMID where addresses are of stage 1.
    WrongVmid,
    /// Names another stream in CMD_CFGI_STE and CMD_CFGI_CD.
    WrongStream,
    /// Names leaves only where a table was removed.
    LeavesOnly,
    /// Names another level.
    WrongLevel,
    /// Names another granule.
    WrongGranule,
    /// Leaves out CMD_ATC_INV.
    ForgetsDevice,
    /// Names half of the span in CMD_ATC_INV.
    ShortensDevice,
    /// Names another stream in CMD_ATC_INV.
    WrongDevice,
}

impl Flaw {
    /// The flaws for which a running driver has an occasion.
    pub(crate) const ALL: [Self; 15] = [
        Self::ForgetsAddresses,
        Self::ForgetsTag,
        Self::ForgetsSte,
        Self::ForgetsCd,
        Self::ForgetsSync,
        Self::Shortens,
        Self::WrongTag,
        Self::WrongVmid,
        Self::WrongStream,
        Self::LeavesOnly,
        Self::WrongLevel,
        Self::WrongGranule,
        Self::ForgetsDevice,
        Self::ShortensDevice,
        Self::WrongDevice,
    ];

    /// Whether the flaw shows in this setup.
    pub(crate) fn concerns(self, setup: Setup) -> bool {
        match self {
            Self::ForgetsDevice | Self::ShortensDevice | Self::WrongDevice => setup.asks(),
            // The same TLB answers translation requests: one of the other flaws is enough.
            Self::ForgetsAddresses => true,
            _ if setup.asks() => false,
            Self::ForgetsSte => !setup.covers_stream(),
            Self::ForgetsCd => setup == Setup::Emptied,
            Self::WrongVmid => !setup.is_stage2(),
            Self::WrongLevel | Self::WrongGranule => setup.has_ranges(),
            _ => true,
        }
    }
}

/// A flaw that waits for an occasion.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Armed {
    flaw: Option<(Flaw, Habit)>,
    /// Commands altered so far.
    pub(crate) altered: usize,
}

impl Armed {
    pub(crate) fn new(flaw: Flaw, habit: Habit) -> Self {
        Self { flaw: Some((flaw, habit)), altered: 0 }
    }

    /// Alters the commands that were written before one store of CMDQ_PROD.
    fn alter(&mut self, commands: &mut [[u64; 2]]) {
        let Some((flaw, habit)) = self.flaw else { return };
        for at in 0..commands.len() {
            let followed = commands.get(at + 1).is_some_and(|next| same_kind(commands[at], *next));
            if let Some(altered) = spoilt(flaw, commands[at], followed) {
                commands[at] = altered;
                self.altered += 1;
                if habit == Habit::Once {
                    self.flaw = None;
                    return;
                }
            }
        }
    }
}

fn same_kind(one: [u64; 2], other: [u64; 2]) -> bool {
    one[0] & 0xff == other[0] & 0xff
}

/// A command without effect: CMD_PREFETCH_CONFIG, which this SMMU ignores.
const NOTHING: [u64; 2] = [PREFETCH_CONFIG, 0];

/// The altered command, if the flaw applies; `followed`: by another of its kind.
fn spoilt(flaw: Flaw, [first, second]: [u64; 2], followed: bool) -> Option<[u64; 2]> {
    let operation = first & 0xff;
    let by_address = matches!(operation, TLBI_NH_VA | TLBI_S2_IPA);
    let forgotten = |kinds: &[u64]| kinds.contains(&operation).then_some(NOTHING);
    match flaw {
        Flaw::ForgetsAddresses => forgotten(&[TLBI_NH_VA, TLBI_S2_IPA]),
        Flaw::ForgetsTag => forgotten(&[TLBI_NH_ASID, TLBI_S12_VMALL]),
        Flaw::ForgetsSte => forgotten(&[CFGI_STE]),
        Flaw::ForgetsCd => forgotten(&[CFGI_CD]),
        Flaw::ForgetsConfiguration => forgotten(&[CFGI_ALL]),
        Flaw::ForgetsEverything => forgotten(&[TLBI_NSNH_ALL]),
        Flaw::ForgetsSync => forgotten(&[SYNC]),
        Flaw::ForgetsDevice => forgotten(&[ATC_INV]),
        // IHI 0070 G.b 4.5.1: Size is log2 of the span, 52 is everything.
        Flaw::ShortensDevice if operation == ATC_INV && (1..52).contains(&(second & 0x3f)) => {
            Some([first, second - 1])
        }
        Flaw::WrongDevice if operation == ATC_INV => Some([first ^ 1 << 32, second]),
        Flaw::Shortens if by_address => match second & TG {
            0 => followed.then_some(NOTHING),
            _ => halved(first).map(|first| [first, second]),
        },
        Flaw::WrongTag => match operation {
            TLBI_NH_VA | TLBI_NH_ASID => Some([first ^ 1 << 48, second]),
            TLBI_S2_IPA | TLBI_S12_VMALL => Some([first ^ 1 << 32, second]),
            _ => None,
        },
        Flaw::WrongVmid if matches!(operation, TLBI_NH_VA | TLBI_NH_ASID) => {
            Some([first ^ 1 << 32, second])
        }
        Flaw::WrongStream if matches!(operation, CFGI_STE | CFGI_CD) => {
            Some([first ^ 1 << 32, second])
        }
        Flaw::LeavesOnly if by_address && second & LEAF == 0 => Some([first, second | LEAF]),
        // A command without a level stays without: any level would match.
        Flaw::WrongLevel if by_address && second & TTL != 0 => {
            Some([first, second ^ 1 << TTL_SHIFT])
        }
        Flaw::WrongGranule if by_address && second & TG != 0 && second & LEAF != 0 => {
            Some([first, second | TG])
        }
        _ => None,
    }
}

/// Doubleword 0 of half the range, or of one block less; `None` for a single block.
fn halved(first: u64) -> Option<u64> {
    let (num, scale) = ((first & NUM) >> NUM_SHIFT, (first & SCALE) >> SCALE_SHIFT);
    if scale > 0 {
        Some(first & !SCALE | (scale - 1) << SCALE_SHIFT)
    } else if num > 0 {
        Some(first & !NUM | (num - 1) << NUM_SHIFT)
    } else {
        None
    }
}

/// The board, with a flaw between driver and SMMU. See the [module](self).
pub(crate) struct Between<'a> {
    pub(crate) board: &'a mut Board,
    pub(crate) armed: &'a mut Armed,
}

impl Between<'_> {
    /// Alters the commands in the queue between the old CMDQ_PROD and `producer`.
    fn on_the_way(&mut self, producer: u64) -> Result<(), Abort> {
        let base = self.board.load(PhysAddr::new(CMDQ_BASE), Width::W64)?;
        let before = self.board.load(PhysAddr::new(CMDQ_PROD), Width::W32)?;
        // IHI 0070 G.b 6.3.26: LOG2SIZE is bits 4:0, the address bits 51:5.
        let lg2 = base & 0x1f;
        let queue = base & 0x000f_ffff_ffff_ffe0;
        let count = producer.wrapping_sub(before) & ((2 << lg2) - 1);
        let places = (0..count).map(|n| {
            let index = (before + n) & ((1 << lg2) - 1);
            PhysAddr::new(queue + 16 * index)
        });
        let places: Vec<_> = places.collect();
        let mut commands = Vec::new();
        for at in &places {
            let words = self.board.memory().words(*at, 2)?;
            commands.push([words[0], words[1]]);
        }
        self.armed.alter(&mut commands);
        for (at, command) in places.iter().zip(&commands) {
            self.board.memory_mut().words_mut(*at, 2)?.copy_from_slice(command);
        }
        Ok(())
    }
}

impl Host for Between<'_> {
    fn memory(&self) -> &Memory {
        self.board.memory()
    }

    fn memory_mut(&mut self) -> &mut Memory {
        self.board.memory_mut()
    }

    fn load(&mut self, at: PhysAddr, width: Width) -> Result<u64, Abort> {
        self.board.load(at, width)
    }

    fn store(&mut self, at: PhysAddr, width: Width, value: u64) -> Result<(), Abort> {
        if at == PhysAddr::new(CMDQ_PROD) {
            self.on_the_way(value)?;
        }
        self.board.store(at, width, value)
    }

    fn run_on(&mut self, cpu: u16) {
        self.board.run_on(cpu);
    }

    fn read_icc(&mut self, register: IccRegister) -> u64 {
        self.board.read_icc(register)
    }

    fn write_icc(&mut self, register: IccRegister, value: u64) {
        self.board.write_icc(register, value);
    }

    fn relax(&mut self) {
        self.board.relax();
    }
}
