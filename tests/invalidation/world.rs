//! A process with a device, its mappings, and the device's accesses to every page.

use crate::flaw::{Armed, Between, Flaw};
use crate::rig::{DEVICE, Rig, Spec, Stages, Type, bytes, ioctl};
use passim::machine::Iommu;
use passim::system::{Piece, Reach};
use passim_model::{Access, Iova, UserAddr};
use passim_smmu::choice::Completion;
use passim_smmu::tlb::Retention;
use passim_smmu::v3::Description;
use passim_tests::mistakes::Habit;
use passim_vfio::Profile;
use passim_vfio::call::{Answer, Arg, Call, MapKind};
use passim_vfio::iommu::Finding;

/// VFIO_GROUP_UNSET_CONTAINER.
const UNSET_CONTAINER: u32 = 0x3b69;

/// The translation under test, and how the driver invalidates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Setup {
    /// Stage 1, ranges, Linux 6.12.
    Stage1,
    /// The same on Linux 6.1.
    Older,
    /// Stage 1 of an SMMU without range invalidation.
    Singly,
    /// Stage 2, ranges, Linux 6.12.
    Stage2,
    /// Stage 2 because the process asked for nesting, Linux 6.1.
    Nesting,
    /// As the first, with an empty domain for blocking: the device moves from stage 1 to stage 1,
    /// and only its CD changes.
    Emptied,
    /// As the first, with bypassing default domains: outside the container the device's addresses
    /// are not translated.
    Passing,
    /// As the first, with ATS: the device requests translations, and caches them.
    Asking,
    /// The same on Linux 6.1.
    AskingOlder,
}

impl Setup {
    pub(crate) const ALL: [Self; 9] = [
        Self::Stage1,
        Self::Older,
        Self::Singly,
        Self::Stage2,
        Self::Nesting,
        Self::Emptied,
        Self::Passing,
        Self::Asking,
        Self::AskingOlder,
    ];

    pub(crate) fn is_stage2(self) -> bool {
        matches!(self, Self::Stage2 | Self::Nesting)
    }

    /// Whether the device has ATS.
    pub(crate) fn asks(self) -> bool {
        matches!(self, Self::Asking | Self::AskingOlder)
    }

    pub(crate) fn has_ranges(self) -> bool {
        self != Self::Singly
    }

    /// Whether the driver's CMD_CFGI_STE and CMD_CFGI_CD make each other redundant: 6.12 issues
    /// both whenever a stream enters or leaves stage 1, and either makes the SMMU read the CD
    /// again, which is valid only while the STE points to it.
    pub(crate) fn covers_stream(self) -> bool {
        matches!(self, Self::Stage1 | Self::Singly | Self::Emptied)
    }

    /// A choice of the kernel that differs from the profile.
    fn choice(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Emptied => Some(("blocked-state", "empty-domain")),
            Self::Passing => Some(("default-domain", "bypass")),
            _ => None,
        }
    }

    fn spec(self) -> Spec {
        let (profile, stages, kind) = match self {
            Self::Stage1 | Self::Singly | Self::Emptied | Self::Passing | Self::Asking => {
                (Profile::Linux6_12, Stages::Both, Type::V2)
            }
            Self::Older | Self::AskingOlder => (Profile::Linux6_1, Stages::Both, Type::V2),
            Self::Stage2 => (Profile::Linux6_12, Stages::Second, Type::V2),
            Self::Nesting => (Profile::Linux6_1, Stages::Both, Type::Nesting),
        };
        Spec { profile, stages, kind, ..Spec::PLAIN }
    }
}

/// Anonymous memory of the process.
const ARENA: u64 = 0x1000_0000_0000;
const ARENA_PAGES: u64 = 32;
/// Two huge pages.
const HUGE: u64 = ARENA + (1 << 36);
const BLOCK: u64 = 2 << 20;
const PAGE: u64 = 0x1000;

/// Two regions of 2M of the device's addresses; in each, the first sixteen pages and two others are
/// accessed.
const REGIONS: [u64; 2] = [0x4000_0000, 0x4020_0000];
const PAGES: u64 = 16;
const OTHERS: [u64; 2] = [300, 511];

/// One operation of the process.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation {
    /// Maps pages; refused where some are mapped.
    Map { region: u64, page: u64, pages: u64, target: u64, writable: bool },
    /// Unmaps one mapping.
    Unmap { which: usize },
    /// Unmaps everything in a region.
    Clear { region: u64 },
    /// Clears a region and maps a huge page there.
    Block { region: u64, huge: u64 },
    /// Unmaps a mapping and maps the same pages there with the other permission.
    Permit { which: usize },
    /// Unmaps a mapping and maps other pages there.
    Remap { which: usize, target: u64 },
    /// Leaves the container.
    Leave,
}

impl Operation {
    /// The operation that a random number encodes.
    pub(crate) fn from_number(number: u32) -> Self {
        let number = u64::from(number);
        let region = REGIONS[(number >> 8 & 1) as usize];
        let page = number >> 9 & 15;
        let pages = 1 + (number >> 13 & 7).min(PAGES - 1 - page);
        let target = number >> 16 & 15;
        let which = (number >> 20 & 15) as usize;
        match number & 15 {
            0..=5 => {
                let writable = number >> 24 & 1 != 0;
                Self::Map { region, page, pages, target, writable }
            }
            6 | 7 => Self::Unmap { which },
            8 => Self::Clear { region },
            9 | 10 => Self::Block { region, huge: target & 1 },
            11 | 12 => Self::Permit { which },
            13 => Self::Remap { which, target },
            _ => Self::Leave,
        }
    }
}

/// The mapping at one place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Mapping {
    iova: u64,
    size: u64,
    va: u64,
    writable: bool,
}

impl Mapping {
    fn holds(&self, iova: u64) -> bool {
        (self.iova..self.iova + self.size).contains(&iova)
    }
}

/// See the [module](self).
pub(crate) struct World {
    setup: Setup,
    rig: Rig,
    armed: Armed,
    mapped: Vec<Mapping>,
    joined: bool,
}

impl World {
    pub(crate) fn new(setup: Setup) -> Self {
        let mut rig = Rig::with_ram(setup.spec(), |machine| {
            if let Some((choice, value)) = setup.choice() {
                machine.choices.push(choice, value).expect("a choice and its value");
            }
            let Iommu::SmmuV3(smmus) = &mut machine.iommu else { panic!("{:?}", machine.iommu) };
            let smmu = &mut smmus[0];
            smmu.retention = Retention::Everything;
            smmu.choices.completion = Completion::WhenSynchronised;
            if !setup.has_ranges() {
                let singly = Description { range_invalidation: false, ..Description::VIRT };
                smmu.ids = singly.id_registers().expect("nothing needs ranges");
            }
            if setup.asks() {
                let asked = Description { ats: true, ..Description::VIRT };
                smmu.ids = asked.id_registers().expect("nothing forbids ATS");
                let mut functions = machine.functions.iter_mut();
                let function = functions.find(|function| function.rid == DEVICE).expect("an edu");
                // ATS is an extended capability.
                (function.ats, function.config_size) = (true, 0x1000);
            }
        });
        rig.area(ARENA, ARENA_PAGES * PAGE, MapKind::Anonymous);
        rig.area(HUGE, 2 * BLOCK, MapKind::HugeTlb { lg2: 21 });
        let second = UserAddr::new(HUGE + BLOCK);
        let touched = rig.system.kernel.touch(rig.pid, second, PAGE, &mut rig.system.board);
        touched.expect("it is writable");
        Self { setup, rig, armed: Armed::default(), mapped: Vec::new(), joined: true }
    }

    /// Allows alterations from now on.
    pub(crate) fn arm(&mut self, flaw: Flaw, habit: Habit) {
        self.armed = Armed::new(flaw, habit);
    }

    /// Number of altered commands.
    pub(crate) fn altered(&self) -> usize {
        self.armed.altered
    }

    /// The driver's findings.
    pub(crate) fn findings(&mut self) -> Vec<Finding> {
        let all = self.rig.system.kernel.take_findings(0).into_iter();
        // Accesses to unmapped addresses are expected.
        all.filter(|finding| !matches!(finding, Finding::Event { .. })).collect()
    }

    fn call(&mut self, call: Call) -> Answer {
        let Self { rig, armed, .. } = self;
        let mut between = Between { board: &mut rig.system.board, armed };
        rig.system.kernel.run(rig.pid, call, &mut between)
    }

    fn ioctl(&mut self, fd: i32, request: u32, arg: Arg) -> Option<i64> {
        self.call(Call::Ioctl { fd, request, arg }).ret.ok()
    }

    fn must(&mut self, fd: i32, request: u32, arg: Arg) -> i64 {
        self.ioctl(fd, request, arg).unwrap_or_else(|| panic!("{request:#x} is refused"))
    }

    /// Performs an operation; a process that has left joins first.
    pub(crate) fn perform(&mut self, operation: Operation) {
        if !self.joined {
            self.join();
        }
        let chosen = |which: usize, mapped: &[Mapping]| match mapped.len() {
            0 => None,
            count => Some(mapped[which % count]),
        };
        match operation {
            Operation::Map { region, page, pages, target, writable } => {
                let (iova, size) = (region + page * PAGE, pages * PAGE);
                self.map(Mapping { iova, size, va: ARENA + target * PAGE, writable });
            }
            Operation::Unmap { which } => {
                if let Some(Mapping { iova, size, .. }) = chosen(which, &self.mapped) {
                    self.unmap(iova, size);
                }
            }
            Operation::Clear { region } => self.unmap(region, BLOCK),
            Operation::Block { region, huge } => {
                self.unmap(region, BLOCK);
                let va = HUGE + huge * BLOCK;
                self.map(Mapping { iova: region, size: BLOCK, va, writable: true });
            }
            Operation::Permit { which } => {
                if let Some(old) = chosen(which, &self.mapped) {
                    self.unmap(old.iova, old.size);
                    self.map(Mapping { writable: !old.writable, ..old });
                }
            }
            Operation::Remap { which, target } => {
                if let Some(old) = chosen(which, &self.mapped).filter(|old| old.size < BLOCK) {
                    self.unmap(old.iova, old.size);
                    self.map(Mapping { va: ARENA + target * PAGE, ..old });
                }
            }
            Operation::Leave => self.leave(),
        }
    }

    fn map(&mut self, mapping: Mapping) {
        let Mapping { iova, size, va, writable } = mapping;
        let flags = if writable { 3 } else { 1 };
        let request = bytes(&[32, flags], &[va, iova, size]);
        if self.ioctl(self.rig.container, ioctl::MAP, Arg::Bytes(request)).is_some() {
            self.mapped.push(mapping);
        }
    }

    /// Unmaps the mappings in a range, whose ends split none.
    fn unmap(&mut self, iova: u64, size: u64) {
        let request = bytes(&[24, 0], &[iova, size]);
        self.must(self.rig.container, ioctl::UNMAP, Arg::Bytes(request));
        self.mapped.retain(|mapping| !(iova..iova + size).contains(&mapping.iova));
    }

    /// Leaving the container with the group drops every mapping.
    fn leave(&mut self) {
        let closed = self.call(Call::Close { fd: self.rig.device });
        assert!(closed.ret.is_ok(), "{closed:?}");
        self.must(self.rig.group, UNSET_CONTAINER, Arg::Value(0));
        self.mapped.clear();
        self.joined = false;
    }

    fn join(&mut self) {
        let container = self.rig.container.to_le_bytes().to_vec();
        self.must(self.rig.group, ioctl::SET_CONTAINER, Arg::Bytes(container));
        let kind = self.rig.spec.kind.number();
        self.must(self.rig.container, ioctl::SET_IOMMU, Arg::Value(kind));
        let name = b"0000:00:01.0\0".to_vec();
        self.rig.device = self.must(self.rig.group, ioctl::GET_DEVICE_FD, Arg::Bytes(name)) as i32;
        self.joined = true;
    }

    /// The address that an access of the device must reach.
    fn expected(&self, iova: u64, access: Access) -> Option<u64> {
        if !self.joined {
            return (self.setup == Setup::Passing).then_some(iova);
        }
        let mapping = self.mapped.iter().find(|mapping| mapping.holds(iova))?;
        if access.is_write() && !mapping.writable {
            return None;
        }
        let inside = iova - mapping.iova;
        let page = UserAddr::new(mapping.va + (inside & !(PAGE - 1)));
        let frame = self.rig.system.kernel.frame_of(self.rig.pid, page)?;
        Some(frame.get() + inside % PAGE)
    }

    /// The address that an access of the device reaches.
    fn reached(&mut self, iova: u64, access: Access) -> Option<u64> {
        if !self.setup.asks() {
            return self.rig.reaches(iova, access);
        }
        let (system, iova) = (&mut self.rig.system, Iova::new(iova));
        let pieces = match access.is_write() {
            true => system.dma_write(DEVICE, iova, &[0]),
            false => system.dma_read(DEVICE, iova, &mut [0]),
        };
        match pieces.expect("a byte of a device").as_slice() {
            [Piece { reach: Reach::Ram(at), .. }] => Some(at.get()),
            _ => None,
        }
    }

    /// An access that does not end where it should, in words.
    pub(crate) fn difference(&mut self) -> Option<String> {
        for region in REGIONS {
            for page in (0..PAGES).chain(OTHERS) {
                let iova = region + page * PAGE + 8;
                for access in [Access::READ, Access::WRITE] {
                    let expected = self.expected(iova, access);
                    let found = self.reached(iova, access);
                    if found != expected {
                        let said = format!("{iova:#x} {access:?}: {found:x?}");
                        return Some(format!("{said} of {DEVICE}, mapped is {expected:x?}"));
                    }
                }
            }
        }
        None
    }
}
