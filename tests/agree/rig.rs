//! A process with one device of a machine: system calls as bytes, and the device's accesses.

use passim::input_error::SourceText;
use passim::machine::{BUILTIN, Iommu, Machine};
use passim::system::Outcome;
use passim::system::{Setup, System};
use passim_model::{Access, Iova, PageSize, Rid, UserAddr};
use passim_vfio::Profile;
use passim_vfio::call::{Answer, Arg, Call, MapKind, Protection};
use passim_vfio::process::{Capabilities, Pid, Start};

/// Request numbers: `';' << 8 | 100` plus an offset.
pub(crate) mod ioctl {
    /// VFIO_CHECK_EXTENSION.
    pub(crate) const CHECK_EXTENSION: u32 = 0x3b65;
    /// VFIO_SET_IOMMU.
    pub(crate) const SET_IOMMU: u32 = 0x3b66;
    /// VFIO_GROUP_SET_CONTAINER.
    pub(crate) const SET_CONTAINER: u32 = 0x3b68;
    /// VFIO_GROUP_GET_DEVICE_FD.
    pub(crate) const GET_DEVICE_FD: u32 = 0x3b6a;
    /// VFIO_IOMMU_GET_INFO.
    pub(crate) const GET_INFO: u32 = 0x3b70;
    /// VFIO_IOMMU_MAP_DMA.
    pub(crate) const MAP: u32 = 0x3b71;
    /// VFIO_IOMMU_UNMAP_DMA.
    pub(crate) const UNMAP: u32 = 0x3b72;
    /// VFIO_IOMMU_DIRTY_PAGES.
    pub(crate) const DIRTY: u32 = 0x3b75;
}

/// The argument of SET_IOMMU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Type {
    /// VFIO_TYPE1_IOMMU.
    V1,
    /// VFIO_TYPE1v2_IOMMU.
    V2,
    /// VFIO_TYPE1_NESTING_IOMMU, stage 2 on 6.1.
    Nesting,
}

impl Type {
    /// The number SET_IOMMU takes.
    pub(crate) fn number(self) -> u64 {
        match self {
            Self::V1 => 1,
            Self::V2 => 3,
            Self::Nesting => 6,
        }
    }

    /// The scenarios' word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::Nesting => "nesting",
        }
    }
}

/// Which stages the machine's SMMU has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stages {
    /// Both.
    Both,
    /// Stage 2 only.
    Second,
}

/// The parameters of the rig.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Spec {
    pub(crate) page: PageSize,
    pub(crate) profile: Profile,
    pub(crate) stages: Stages,
    pub(crate) kind: Type,
    pub(crate) entry_limit: u32,
}

impl Spec {
    /// 4K pages, 6.12, both stages, v2.
    pub(crate) const PLAIN: Self = Self {
        page: PageSize::K4,
        profile: Profile::Linux6_12,
        stages: Stages::Both,
        kind: Type::V2,
        entry_limit: 65535,
    };

    /// The machine's file: the built-in ITS board with this page and these stages.
    pub(crate) fn machine_file(self) -> String {
        let (_, text) = BUILTIN.iter().find(|(name, _)| *name == "virt-its").expect("built in");
        let text =
            text.replacen("page_size = \"4K\"", &format!("page_size = \"{}\"", self.page), 1);
        match self.stages {
            Stages::Both => text,
            // IHI 0070 G.b 6.3.1: IDR0.S1P is bit 1.
            Stages::Second => text.replacen("0x0d44_101b", "0x0d44_1019", 1),
        }
    }

    /// The machine of these parameters.
    pub(crate) fn machine(self) -> Machine {
        let file = SourceText::new("virt-its.toml", self.machine_file());
        let machine = Machine::parse(&file).expect("the built-in machine with another page");
        assert_eq!(machine.page_size, self.page);
        let Iommu::SmmuV3(smmus) = &machine.iommu else { panic!("{:?}", machine.iommu) };
        let has_stage1 = smmus[0].ids.idr[0] & 2 != 0;
        assert_eq!(has_stage1, self.stages == Stages::Both);
        machine
    }

    /// Whether a container of this rig translates by stage 2.
    pub(crate) fn uses_stage2(self) -> bool {
        self.stages == Stages::Second || self.kind == Type::Nesting
    }
}

/// The device, an edu.
pub(crate) const DEVICE: Rid = match Rid::from_bdf(0, 1, 0) {
    Some(rid) => rid,
    None => panic!("00:01.0"),
};

/// A process with a container, a group and a device. See the [module](self).
pub(crate) struct Rig {
    pub(crate) spec: Spec,
    pub(crate) system: System,
    pub(crate) pid: Pid,
    pub(crate) container: i32,
    pub(crate) group: i32,
    pub(crate) device: i32,
}

impl Rig {
    /// Boots the machine, opens the files and attaches the group.
    pub(crate) fn new(spec: Spec) -> Self {
        Self::with_ram(spec, |_| {})
    }

    /// The same on a machine changed by `change`.
    pub(crate) fn with_ram(spec: Spec, change: impl FnOnce(&mut Machine)) -> Self {
        let mut machine = spec.machine();
        change(&mut machine);
        let mut setup = Setup::new(&machine, spec.profile);
        setup.params.dma_entry_limit = spec.entry_limit;
        let mut system = System::new(&machine, setup).expect("the machine boots");
        let start =
            Start { fds: vec![0, 1, 2], memlock: 8 << 20, capabilities: Capabilities::all() };
        let pid = system.kernel.spawn(&start);
        let mut rig = Self { spec, system, pid, container: -1, group: -1, device: -1 };
        rig.container = rig.open("/dev/vfio/vfio");
        rig.group = rig.open("/dev/vfio/2");
        let container = rig.container.to_le_bytes().to_vec();
        rig.must(rig.group, ioctl::SET_CONTAINER, Arg::Bytes(container));
        rig.must(rig.container, ioctl::SET_IOMMU, Arg::Value(spec.kind.number()));
        let name = b"0000:00:01.0\0".to_vec();
        rig.device = rig.must(rig.group, ioctl::GET_DEVICE_FD, Arg::Bytes(name)) as i32;
        rig
    }

    fn open(&mut self, path: &str) -> i32 {
        let answer = self.call(Call::Open { path: path.to_owned() });
        answer.ret.unwrap_or_else(|refusal| panic!("{path}: {refusal}")) as i32
    }

    fn must(&mut self, fd: i32, request: u32, arg: Arg) -> i64 {
        let answer = self.ioctl(fd, request, arg);
        answer.ret.unwrap_or_else(|refusal| panic!("{request:#x}: {refusal}"))
    }

    /// Makes a call.
    pub(crate) fn call(&mut self, call: Call) -> Answer {
        self.system.kernel.run(self.pid, call, &mut self.system.board)
    }

    /// Makes an ioctl.
    pub(crate) fn ioctl(&mut self, fd: i32, request: u32, arg: Arg) -> Answer {
        self.call(Call::Ioctl { fd, request, arg })
    }

    /// Makes an ioctl on the container with a structure.
    pub(crate) fn on_container(&mut self, request: u32, bytes: Vec<u8>) -> Answer {
        self.ioctl(self.container, request, Arg::Bytes(bytes))
    }

    /// Maps memory and populates it: every page of anonymous memory is written, of huge pages the
    /// first.
    pub(crate) fn area(&mut self, va: u64, len: u64, kind: MapKind) {
        let (prot, start) = (Protection::ReadWrite, UserAddr::new(va));
        let anonymous = kind == MapKind::Anonymous;
        let answer = self.call(Call::Mmap { va: start, len, prot, kind });
        assert!(answer.ret.is_ok(), "{:?}", answer.ret);
        let touched = if anonymous { len } else { self.spec.page.bytes() };
        let board = &mut self.system.board;
        let touched = self.system.kernel.touch(self.pid, start, touched, board);
        touched.expect("writable memory");
    }

    /// The physical address of the device's access, unless it faults.
    pub(crate) fn reaches(&mut self, iova: u64, access: Access) -> Option<u64> {
        match self.system.translate(DEVICE, Iova::new(iova), access) {
            Some(Outcome::Translated(translated)) => Some(translated.pa.get()),
            _ => None,
        }
    }
}

/// A structure of 32-bit and 64-bit fields.
pub(crate) fn bytes(words: &[u32], longs: &[u64]) -> Vec<u8> {
    let words = words.iter().flat_map(|word| word.to_le_bytes());
    words.chain(longs.iter().flat_map(|long| long.to_le_bytes())).collect()
}
