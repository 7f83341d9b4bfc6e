//! The requests of a case, how cases are generated, and how they are written as scenarios.

use crate::rig::{DEVICE, Spec, Stages, Type, bytes, ioctl};
use passim::op::{AreaKind, DeviceName, Hex, Number, Op, Protection};
use passim::script::{Place, Signed, Text};
use passim_model::{Iova, PageSize, Perms};
use passim_vfio::Profile;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Anonymous memory, [`ARENA_PAGES`] pages.
pub(crate) const ARENA: u64 = 0x1000_0000_0000;
pub(crate) const ARENA_PAGES: u64 = 64;
/// Page of the arena that is unmapped.
pub(crate) const HOLE: u64 = 20;
/// First of the arena's read-only pages, and how many.
pub(crate) const READ_ONLY: (u64, u64) = (40, 4);
/// A huge page.
pub(crate) const HUGE: u64 = ARENA + (1 << 36);
/// Two pages for bitmaps, the second read-only.
pub(crate) const BITMAPS: u64 = HUGE + (1 << 36);

/// One request. Fields are those of the caller's structures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    Map {
        argsz: u32,
        flags: u32,
        iova: u64,
        vaddr: u64,
        size: u64,
    },
    Unmap {
        argsz: u32,
        flags: u32,
        iova: u64,
        size: u64,
    },
    /// UNMAP_DMA with GET_DIRTY_BITMAP.
    UnmapDirty {
        argsz: u32,
        range: Range,
    },
    /// DIRTY_PAGES, with any flags but GET.
    Dirty {
        argsz: u32,
        flags: u32,
    },
    /// DIRTY_PAGES with GET.
    Get {
        argsz: u32,
        range: Range,
    },
    /// Fills eight bytes of the caller's bitmaps.
    Fill {
        at: u64,
        value: u64,
    },
    Memlock {
        bytes: u64,
    },
    DropCap,
}

/// A range and the bitmap for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Range {
    pub(crate) iova: u64,
    pub(crate) size: u64,
    pub(crate) pgsize: u64,
    pub(crate) bitmap_bytes: u64,
    pub(crate) data: u64,
}

/// A container and the requests on it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) spec: Spec,
    pub(crate) steps: Vec<Step>,
}

impl Step {
    /// The ioctl and its structure; `None` for a step that is no ioctl.
    pub(crate) fn ioctl(self) -> Option<(u32, Vec<u8>)> {
        Some(match self {
            Self::Map { argsz, flags, iova, vaddr, size } => {
                (ioctl::MAP, bytes(&[argsz, flags], &[vaddr, iova, size]))
            }
            Self::Unmap { argsz, flags, iova, size } => {
                (ioctl::UNMAP, bytes(&[argsz, flags], &[iova, size]))
            }
            Self::UnmapDirty { argsz, range } => (ioctl::UNMAP, range.bytes(argsz, 1)),
            Self::Dirty { argsz, flags } => (ioctl::DIRTY, bytes(&[argsz, flags], &[])),
            Self::Get { argsz, range } => (ioctl::DIRTY, range.bytes(argsz, 4)),
            Self::Fill { .. } | Self::Memlock { .. } | Self::DropCap => return None,
        })
    }

    /// The step as an operation of a scenario.
    fn op(self) -> Op {
        match self {
            Self::Map { argsz, flags, iova, vaddr, size } => Op::Map {
                iova: Iova::new(iova),
                va: Place::Absolute(vaddr),
                size: Number(size),
                prot: Perms::from_bits_truncate(flags as u8 & 3),
                fd: None,
                flags: (flags & !3 != 0).then_some(Number(flags.into())),
                argsz: (argsz != 32).then_some(argsz),
            },
            Self::Unmap { argsz, flags, iova, size } => Op::Unmap {
                iova: Iova::new(iova),
                size: Number(size),
                fd: None,
                flags: (flags != 0).then_some(Number(flags.into())),
                argsz: (argsz != 24).then_some(argsz),
            },
            Self::Fill { at, value } => {
                Op::Fill { va: Place::Absolute(at), bytes: Hex(value.to_le_bytes().to_vec()) }
            }
            Self::Memlock { bytes } => Op::SetRlimit { memlock: Number(bytes) },
            Self::DropCap => Op::DropCap {},
            Self::UnmapDirty { .. } | Self::Dirty { .. } | Self::Get { .. } => {
                let (nr, bytes) = self.ioctl().expect("requests on dirty pages are ioctls");
                // The container is the first descriptor after a console's three.
                Op::Ioctl {
                    fd: Signed(3),
                    nr: Number(nr.into()),
                    arg: None,
                    bytes: Some(Hex(bytes)),
                }
            }
        }
    }
}

impl Range {
    fn bytes(self, argsz: u32, flags: u32) -> Vec<u8> {
        let Self { iova, size, pgsize, bitmap_bytes, data } = self;
        bytes(&[argsz, flags], &[iova, size, pgsize, bitmap_bytes, data])
    }
}

/// log2 of the size of [`HUGE`]'s page: the smallest block above a page.
pub(crate) fn huge_lg2(page: PageSize) -> u32 {
    page.lg2() + page.lg2() - 3
}

/// Bits of IOVAs that the container accepts.
pub(crate) fn input_bits(spec: Spec) -> u32 {
    // Measured on 6.1 and 6.12: 48 bits at stage 1, 44 at stage 2.
    if spec.uses_stage2() { 44 } else { 48 }
}

/// First addresses of a case's windows: zero, both ends of the MSI window, a block boundary, the
/// end of the aperture and the end of the address space.
pub(crate) fn bases(spec: Spec) -> Vec<u64> {
    let page = spec.page.bytes();
    let top = 1u64 << input_bits(spec);
    vec![
        0,
        0x800_0000 - 8 * page,
        0x810_0000 - 4 * page,
        0x4000_0000,
        top - 8 * page,
        0u64.wrapping_sub(8 * page),
    ]
}

/// Pages of a window.
pub(crate) const WINDOW_PAGES: u64 = 24;

fn iova(spec: Spec) -> impl Strategy<Value = u64> {
    let page = spec.page.bytes();
    // The first window and the one at a block boundary are the usual ones.
    let bases = bases(spec);
    let usual = vec![bases[0], bases[3]];
    let base = prop_oneof![3 => select(usual), 2 => select(bases)];
    let offset =
        prop_oneof![19 => (0..WINDOW_PAGES).prop_map(move |at| at * page), 1 => Just(0x800)];
    (base, offset).prop_map(|(base, offset)| base.wrapping_add(offset))
}

fn size(spec: Spec) -> impl Strategy<Value = u64> {
    let page = spec.page.bytes();
    prop_oneof![
        40 => (1..=12u64).prop_map(move |pages| pages * page),
        1 => Just(0),
        1 => Just(page + 0x200),
        1 => Just(0u64.wrapping_sub(page)),
        1 => Just(70 * page),
        2 => Just(1 << huge_lg2(spec.page)),
        1 => Just(1 << 62),
    ]
}

fn vaddr(spec: Spec) -> impl Strategy<Value = u64> {
    let page = spec.page.bytes();
    prop_oneof![
        20 => (0..ARENA_PAGES).prop_map(move |at| ARENA + at * page),
        5 => (0..3u64).prop_map(move |at| HUGE + at * page),
        1 => Just(ARENA + 8),
        1 => Just(0),
        1 => Just(0u64.wrapping_sub(page)),
    ]
}

fn argsz(needed: u32) -> impl Strategy<Value = u32> {
    prop_oneof![60 => Just(needed), 1 => Just(needed - 1), 1 => Just(u32::MAX), 1 => Just(0)]
}

fn range(spec: Spec) -> impl Strategy<Value = Range> {
    let page = spec.page.bytes();
    let pgsize = prop_oneof![12 => Just(page), 1 => Just(page * 2), 1 => Just(0)];
    let at = prop_oneof![
        6 => Just(BITMAPS),
        2 => Just(BITMAPS + 0x100),
        1 => Just(BITMAPS + 1),
        1 => Just(BITMAPS + page - 8),
        1 => Just(BITMAPS + page),
        1 => Just(BITMAPS + 2 * page),
        1 => Just(0),
        1 => Just(0u64.wrapping_sub(8)),
    ];
    // As many whole words as needed, or this many bytes.
    let bytes = prop_oneof![12 => Just(None), 1 => Just(Some(0)), 1 => Just(Some(7u64)),
        1 => Just(Some(64)), 1 => Just(Some(1 << 28)), 1 => Just(Some((1 << 28) + 8))];
    (iova(spec), size(spec), pgsize, bytes, at).prop_map(
        move |(iova, size, pgsize, bytes, data)| {
            let needed = (size / page).div_ceil(64) * 8;
            let bitmap_bytes = bytes.unwrap_or(needed);
            Range { iova, size, pgsize, bitmap_bytes, data }
        },
    )
}

fn step(spec: Spec) -> impl Strategy<Value = Step> {
    let map_flags = prop_oneof![20 => 1..=3u32, 5 => Just(4), 1 => any::<u32>(), 1 => 0..8u32];
    let unmap_flags =
        prop_oneof![12 => Just(0), 6 => Just(4), 1 => Just(2), 1 => Just(6), 1 => 0..16u32];
    let dirty_flags = prop_oneof![12 => Just(1), 1 => Just(2), 1 => 0..4u32, 1 => 8..16u32];
    let map = (argsz(32), map_flags, iova(spec), vaddr(spec), size(spec)).prop_map(
        |(argsz, flags, iova, vaddr, size)| Step::Map { argsz, flags, iova, vaddr, size },
    );
    let unmap = (argsz(24), unmap_flags, iova(spec), size(spec)).prop_map(
        // GET_DIRTY_BITMAP without room for a bitmap is in `UnmapDirty`.
        |(argsz, flags, iova, size)| Step::Unmap { argsz, flags: flags & !1, iova, size },
    );
    let all = prop_oneof![Just(2u32), Just(6)].prop_map(|flags| Step::Unmap {
        argsz: 24,
        flags,
        iova: 0,
        size: 0,
    });
    let page = spec.page.bytes();
    prop_oneof![
        24 => map,
        10 => unmap,
        1 => all,
        4 => (argsz(48), range(spec)).prop_map(|(argsz, range)| Step::UnmapDirty { argsz, range }),
        2 => (argsz(8), dirty_flags).prop_map(|(argsz, flags)| Step::Dirty { argsz, flags }),
        5 => (argsz(48), range(spec)).prop_map(|(argsz, range)| Step::Get { argsz, range }),
        1 => (0..8u64, any::<u64>())
            .prop_map(|(word, value)| Step::Fill { at: BITMAPS + 8 * word, value }),
        1 => (0..100u64, 0..2u64)
            .prop_map(move |(pages, less)| Step::Memlock { bytes: pages * page + less * 100 }),
        1 => Just(Step::DropCap),
    ]
}

fn spec() -> impl Strategy<Value = Spec> {
    let page = select(vec![PageSize::K4, PageSize::K16, PageSize::K64]);
    // The oracles implement the recorded kernels.
    let profile = select(&[Profile::Linux6_1, Profile::Linux6_12][..]);
    let limit = prop_oneof![4 => Just(65535), 1 => 1..6u32];
    (page, profile, 0..5u8, limit).prop_map(|(page, profile, which, entry_limit)| {
        let (stages, kind) = match which {
            0 | 1 => (Stages::Both, Type::V2),
            2 => (Stages::Both, Type::V1),
            3 => (Stages::Second, Type::V2),
            // SET_IOMMU(6) is EPERM on 6.12.
            _ if profile == Profile::Linux6_1 => (Stages::Both, Type::Nesting),
            _ => (Stages::Second, Type::V1),
        };
        Spec { page, profile, stages, kind, entry_limit }
    })
}

/// The relation of a request to an earlier mapping.
#[derive(Clone, Copy, Debug)]
struct Aim {
    /// Index of the mapping, counted back.
    back: usize,
    /// Pages before its start, and after its end.
    more: (u64, u64),
}

impl Aim {
    fn of(self, spec: Spec, iova: u64, size: u64) -> (u64, u64) {
        let page = spec.page.bytes();
        let start = iova.saturating_sub(self.more.0 * page);
        (start, size.wrapping_add(iova - start).wrapping_add(self.more.1 * page))
    }
}

fn aim() -> impl Strategy<Value = Aim> {
    let more = prop_oneof![3 => Just((0, 0)), 1 => (0..6u64, 0..6u64)];
    (0..6usize, more).prop_map(|(back, more)| Aim { back, more })
}

/// The same request on the range of an earlier mapping.
fn aimed(spec: Spec, step: Step, earlier: &[Step], aim: Aim) -> Step {
    let maps = earlier.iter().rev().filter(|step| matches!(step, Step::Map { .. }));
    let Some(&Step::Map { iova, size, .. }) = maps.clone().nth(aim.back) else { return step };
    let (at, bytes) = aim.of(spec, iova, size);
    let ranged = |range: Range| {
        let needed = (bytes / spec.page.bytes()).div_ceil(64) * 8;
        let bitmap_bytes = range.bitmap_bytes.clamp(needed.min(1 << 28), 1 << 28);
        Range { iova: at, size: bytes, bitmap_bytes, ..range }
    };
    match step {
        Step::Map { argsz, flags: flags @ 4.., vaddr, .. } => {
            Step::Map { argsz, flags, iova, vaddr, size }
        }
        Step::Unmap { argsz, flags, .. } if flags & 2 == 0 => {
            Step::Unmap { argsz, flags, iova: at, size: bytes }
        }
        Step::UnmapDirty { argsz, range } => Step::UnmapDirty { argsz, range: ranged(range) },
        Step::Get { argsz, range } => Step::Get { argsz, range: ranged(range) },
        other => other,
    }
}

/// Any container, and up to `most` requests; half of those with a range use an earlier request's,
/// and half of the cases begin by tracking dirty pages.
pub(crate) fn case(most: usize) -> impl Strategy<Value = Case> {
    (spec(), any::<bool>()).prop_flat_map(move |(spec, tracked)| {
        vec((step(spec), proptest::option::of(aim())), 1..most).prop_map(move |drawn| {
            let start = Step::Dirty { argsz: 8, flags: 1 };
            let mut steps: Vec<_> = tracked.then_some(start).into_iter().collect();
            for (step, aim) in drawn {
                let step = aim.map_or(step, |aim| aimed(spec, step, &steps, aim));
                steps.push(step);
            }
            Case { spec, steps }
        })
    })
}

/// Writes the machine of a case to a file of this name.
pub(crate) fn machine_file(case: &Case, name: &str) -> PathBuf {
    let machine = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name).with_extension("toml");
    fs::write(&machine, case.spec.machine_file()).expect("the folder for such files");
    machine
}

/// Writes a case as a scenario; returns its path and the command to replay it.
pub(crate) fn written_down(case: &Case) -> String {
    let machine = machine_file(case, "disagreement");
    let text = scenario_text(case, &machine);
    let scenario = machine.with_extension("scn");
    fs::write(&scenario, &text).expect("the folder for such files");
    format!("{text}\nreplay with: passim run {}", scenario.display())
}

/// Whether the device accesses every place after the request with this number. The TLB keeps what
/// it found, so that a translation that outlives its mapping is found later.
pub(crate) fn looks_after(at: usize) -> bool {
    at % 12 == 11
}

/// Some of the device's accesses: both ends of every requested mapping.
fn reads(steps: &[Step], page: u64) -> Vec<String> {
    let mut ends = BTreeSet::new();
    for step in steps {
        if let Step::Map { iova, size, .. } = *step {
            ends.extend([iova, iova.wrapping_add(size).wrapping_sub(page)]);
        }
    }
    let read = |iova: u64| {
        let (iova, size) = (Iova::new(iova & !7), None);
        Op::Read { dev: DeviceName::Function(DEVICE), iova, size }.to_string()
    };
    ends.into_iter().map(read).collect()
}

/// A case as a scenario on the machine of this file.
pub(crate) fn scenario_text(case: &Case, machine: &Path) -> String {
    let Spec { page, profile, kind, entry_limit, .. } = case.spec;
    let bytes = page.bytes();
    let area = |name: &str, size, kind| Op::Area {
        name: Text(name.to_owned()),
        size: Number(size),
        kind,
        prot: None,
        fd: None,
        offset: None,
    };
    let huge = match page {
        PageSize::K4 => AreaKind::Huge2M,
        PageSize::K16 => AreaKind::Huge32M,
        _ => AreaKind::Huge512M,
    };
    let protect = |name: &str, at: u64, pages: u64| Op::Mprotect {
        va: Place::Area { name: name.to_owned(), offset: at * bytes },
        size: Number(pages * bytes),
        prot: Protection::Read,
    };
    let hole = Place::Area { name: "A".to_owned(), offset: HOLE * bytes };
    let machine_op = Op::Machine {
        name: Text(machine.display().to_string()),
        profile: Some(Text(profile.to_string())),
        allow_unsafe_interrupts: None,
        disable_hugepages: None,
        dma_entry_limit: Some(entry_limit),
        set: None,
        pace: None,
        gic: None,
        seed: None,
        built: None,
    };
    let mut lines = vec![
        machine_op.to_string(),
        format!("attach dev=00:01.0 type={}", kind.word()),
        area("A", ARENA_PAGES * bytes, None).to_string(),
        area("H", 1 << huge_lg2(page), Some(huge)).to_string(),
        area("U", 2 * bytes, None).to_string(),
        Op::Touch { va: Place::Absolute(HUGE), size: Number(bytes) }.to_string(),
        Op::Munmap { va: hole, size: Number(bytes) }.to_string(),
        protect("A", READ_ONLY.0, READ_ONLY.1).to_string(),
        protect("U", 1, 1).to_string(),
    ];
    for (at, step) in case.steps.iter().enumerate() {
        lines.push(step.op().to_string());
        if looks_after(at) || at + 1 == case.steps.len() {
            lines.extend(reads(&case.steps[..=at], bytes));
        }
    }
    lines.join("\n")
}
