//! The Linux side repeats what the kernels had done when their memory was dumped.
//!
//! Addresses of pages and tables are the model's own; entries are compared without their addresses.

#[path = "../agree/rig.rs"]
#[allow(dead_code, reason = "shared with other programs, each of which uses a part")]
mod rig;

use crate::literals::registers::{CR2, PLAIN};
use crate::literals::{L1STD, STREAM, command, registers, stage1, stage2};
use passim_model::{Host, PageSize, PhysAddr, Span, Width};
use passim_vfio::Profile;
use passim_vfio::call::MapKind;
use rig::{Rig, Spec, Stages, Type, bytes, ioctl};

/// Base of the SMMU's registers.
const SMMU: u64 = 0x0905_0000;
/// Address bits of table pointers: 51..12.
const ADDRESS: u64 = 0xf_ffff_ffff_f000;
/// First address of the process's memory.
const ARENA: u64 = 0x1000_0000_0000;

fn load(rig: &mut Rig, offset: u64, width: Width) -> u64 {
    rig.system.board.load(PhysAddr::new(SMMU + offset), width).expect("the SMMU answers")
}

fn word(rig: &Rig, at: u64) -> u64 {
    rig.system.board.memory().load_u64(PhysAddr::new(at)).expect("RAM")
}

fn words<const N: usize>(rig: &Rig, at: u64) -> [u64; N] {
    core::array::from_fn(|index| word(rig, at + 8 * index as u64))
}

/// Address of the stream's STE.
fn ste_at(rig: &mut Rig) -> u64 {
    let l1std = load(rig, 0x80, Width::W64) & ADDRESS;
    (word(rig, l1std) & !0x3f & ADDRESS) + 64 * u64::from(STREAM)
}

/// Every command in the queue, without those overwritten after a wrap.
fn commands(rig: &mut Rig) -> Vec<[u64; 2]> {
    let base = load(rig, 0x90, Width::W64) & ADDRESS;
    let prod = load(rig, 0x98, Width::W32) & 0xffff;
    (0..prod).map(|slot| words(rig, base + 16 * slot)).collect()
}

/// The descriptors of the walk to `iova`, from `root` at `level` on.
fn descent(rig: &Rig, root: u64, level: u32, iova: u64) -> Vec<u64> {
    let (mut table, mut found) = (root, Vec::new());
    for level in level..=3 {
        let low = 39 - 9 * level;
        let descriptor = word(rig, table + 8 * (iova >> low & 511));
        found.push(descriptor);
        if descriptor & 3 != 3 {
            break;
        }
        table = descriptor & 0xffff_ffff_f000;
    }
    found
}

fn map(rig: &mut Rig, flags: u32, iova: u64, vaddr: u64, size: u64) {
    let answer = rig.on_container(ioctl::MAP, bytes(&[32, flags], &[vaddr, iova, size]));
    assert!(answer.ret.is_ok(), "{iova:#x}: {:?}", answer.ret);
}

fn unmap(rig: &mut Rig, iova: u64, size: u64) {
    let answer = rig.on_container(ioctl::UNMAP, bytes(&[24, 0], &[iova, size]));
    assert_eq!(answer.bytes, bytes(&[24, 0], &[iova, size]));
}

fn nesting() -> Spec {
    Spec { profile: Profile::Linux6_1, kind: Type::Nesting, ..Spec::PLAIN }
}

fn second_stage() -> Spec {
    Spec { stages: Stages::Second, ..Spec::PLAIN }
}

#[test]
fn registers_are_left_as_the_dump_holds_them() {
    for spec in [Spec::PLAIN, Spec { profile: Profile::Linux6_1, ..Spec::PLAIN }, second_stage()] {
        let mut rig = Rig::new(spec);
        for (name, offset, value) in PLAIN {
            assert_eq!(load(&mut rig, offset, Width::W32), u64::from(value), "{name}");
        }
        assert_eq!(load(&mut rig, 0x2c, Width::W32), u64::from(CR2 & 0b011));
        let literals = [
            (0x80, registers::STRTAB_BASE),
            (0x90, registers::CMDQ_BASE),
            (0xa0, registers::EVENTQ_BASE),
        ];
        for (offset, literal) in literals {
            let found = load(&mut rig, offset, Width::W64);
            assert_eq!(found & !ADDRESS, literal & !ADDRESS, "{offset:#x}");
        }
        // The queue is consumed.
        assert_eq!(load(&mut rig, 0x98, Width::W32), load(&mut rig, 0x9c, Width::W32));
    }
}

#[test]
fn stream_table_entries_are_the_recorded_words() {
    let mut rig = Rig::new(Spec::PLAIN);
    let l1std = load(&mut rig, 0x80, Width::W64) & ADDRESS;
    assert_eq!(word(&rig, l1std) & !ADDRESS, L1STD & !ADDRESS);
    let at = ste_at(&mut rig);
    let ste: [u64; 8] = words(&rig, at);
    assert_eq!(ste[0] & !ADDRESS, stage1::STE[0] & !ADDRESS);
    assert_eq!(ste[1..], stage1::STE[1..]);
    for (spec, dword1) in [(second_stage(), stage2::STE[1]), (nesting(), stage2::STE1_6_1)] {
        let mut rig = Rig::new(spec);
        let at = ste_at(&mut rig);
        let ste: [u64; 8] = words(&rig, at);
        assert_eq!((ste[0], ste[1]), (stage2::STE[0], dword1), "{spec:?}");
        // The VMID is 7 on the board with stage 2 only and 1 for a nesting container.
        assert_eq!(ste[2] & !0xffff, stage2::STE[2] & !0xffff, "{spec:?}");
        assert_eq!(ste[2] & 0xffff, if spec == nesting() { 1 } else { 7 });
        assert_eq!(ste[3] & !ADDRESS, 0);
        assert_eq!(ste[4..], [0; 4]);
    }
}

#[test]
fn context_descriptors_are_the_recorded_words() {
    for (profile, cd0) in
        [(Profile::Linux6_12, stage1::CD[0]), (Profile::Linux6_1, stage1::CD0_6_1)]
    {
        let mut rig = Rig::new(Spec { profile, ..Spec::PLAIN });
        let at = ste_at(&mut rig);
        let cd: [u64; 8] = words(&rig, word(&rig, at) & ADDRESS);
        assert_eq!(cd[0], cd0, "{profile}");
        assert_eq!(cd[1] & !ADDRESS, 0);
        assert_eq!(cd[2..], stage1::CD[2..]);
    }
}

#[test]
fn descriptors_are_the_recorded_words() {
    // Flags of MAP_DMA, and the descriptor of a page at either stage.
    let stages = [
        (Spec::PLAIN, [0xfc7, 0xf47, 0xf47], [0xfc5, 0xf45, 0xf45]),
        (second_stage(), [0x77f, 0x7bf, 0x7ff], [0x77d, 0x7bd, 0x7fd]),
        (nesting(), [0x77f, 0x7bf, 0x7ff], [0x77d, 0x7bd, 0x7fd]),
    ];
    for (spec, pages, blocks) in stages {
        let mut rig = Rig::new(spec);
        rig.area(ARENA, 0x1000, MapKind::Anonymous);
        rig.area(ARENA + (1 << 36), 0x20_0000, MapKind::HugeTlb { lg2: 21 });
        let at = ste_at(&mut rig);
        let root = if spec.uses_stage2() {
            word(&rig, at + 24) & ADDRESS
        } else {
            word(&rig, (word(&rig, at) & ADDRESS) + 8) & ADDRESS
        };
        for flags in 1..=3u32 {
            let iova = 0x5000 + (u64::from(flags) << 12);
            map(&mut rig, flags, iova, ARENA, 0x1000);
            let found = descent(&rig, root, 0, iova);
            assert_eq!(found.len(), 4);
            assert!(found[..3].iter().all(|table| table & !ADDRESS == 3), "{found:x?}");
            assert_eq!(found[3] & !ADDRESS, pages[flags as usize - 1], "{spec:?}");
            let iova = u64::from(flags) << 32;
            map(&mut rig, flags, iova, ARENA + (1 << 36), 0x20_0000);
            let found = descent(&rig, root, 0, iova);
            assert_eq!(found.len(), 3);
            assert_eq!(found[2] & !ADDRESS, blocks[flags as usize - 1], "{spec:?}");
            assert_eq!(found[2] & 0x1f_f000, 0, "a block of 2M");
        }
    }
}

#[test]
fn commands_of_an_attach_are_the_recorded_ones() {
    use command::{CFGI_ALL, CFGI_CD, CFGI_STE, PREFETCH, SYNC, TLBI_NSNH_ALL};
    let mut rig = Rig::new(Spec::PLAIN);
    let all = commands(&mut rig);
    assert_eq!(all[..4], [CFGI_ALL, SYNC, TLBI_NSNH_ALL, SYNC]);
    // Kernel-observed 36: the blocked state, the domain, the superpage test.
    let [test0, test1] = command::SUPERPAGE_TEST;
    let attach = [
        [CFGI_STE, SYNC].as_slice(),
        &[CFGI_STE, SYNC, PREFETCH],
        &[CFGI_CD, SYNC, CFGI_CD, SYNC],
        &[CFGI_CD, SYNC, CFGI_CD, SYNC],
        &[CFGI_STE, SYNC, CFGI_STE, SYNC, PREFETCH],
        &[test0, SYNC, test1, SYNC],
    ]
    .concat();
    assert_eq!(all[all.len() - attach.len()..], attach);
    // The board of the dump had got the same number of commands.
    assert_eq!(all.len(), 132);
}

#[test]
fn the_superpage_test_at_stage_2_is_the_recorded_one() {
    let mut rig = Rig::new(second_stage());
    let all = commands(&mut rig);
    let [test0, test1] = command::SUPERPAGE_TEST_STAGE2;
    let sync = command::SYNC;
    assert_eq!(all[all.len() - 4..], [test0, sync, test1, sync]);
    assert_eq!(all.len(), 86);
}

#[test]
fn a_detach_drops_the_recorded_asid_and_vmid() {
    use passim_vfio::call::Call;
    for (spec, literal) in
        [(Spec::PLAIN, command::TLBI_NH_ASID), (second_stage(), command::TLBI_S12_VMALL)]
    {
        let mut rig = Rig::new(spec);
        let before = commands(&mut rig).len();
        for fd in [rig.device, rig.group, rig.container] {
            assert!(rig.call(Call::Close { fd }).ret.is_ok());
        }
        let added = commands(&mut rig).split_off(before);
        let dropped: Vec<_> =
            added.iter().filter(|words| matches!(words[0] & 0xff, 0x11 | 0x28)).collect();
        assert_eq!(dropped, [&literal], "{spec:?}");
    }
}

#[test]
fn ranges_are_invalidated_by_the_recorded_commands() {
    // Two huge pages of 1G and the tables do not fit into the 2G of the recorded board.
    let mut rig = Rig::with_ram(Spec::PLAIN, |machine| {
        let ram = Span::from_size(PhysAddr::new(0x4000_0000), 6 << 30).expect("6G from 1G");
        machine.ram = vec![ram];
    });
    assert_eq!(rig.system.page(), PageSize::K4);
    let (mut next, mut unmapped) = (ARENA, Vec::new());
    for (words, iova, size, block) in command::RANGES {
        let kind = match block {
            0x1000 => MapKind::Anonymous,
            0x20_0000 => MapKind::HugeTlb { lg2: 21 },
            _ => MapKind::HugeTlb { lg2: 30 },
        };
        rig.area(next, size, kind);
        map(&mut rig, 3, iova, next, size);
        next += size.next_multiple_of(1 << 30);
        unmapped.push((words, iova, size));
    }
    // The last two are the commands of one unmap of 0x1ff pages: 31 pages, then 15 times 32.
    let [one_by_one @ .., (first, start, part), (second, _, rest)] = &unmapped[..] else {
        panic!("there are more than two")
    };
    for (words, iova, size) in one_by_one {
        let before = commands(&mut rig).len();
        unmap(&mut rig, *iova, *size);
        let added = commands(&mut rig).split_off(before);
        assert_eq!(added, [*words, command::SYNC], "{iova:#x}");
    }
    unmap(&mut rig, *start, *part);
    unmap(&mut rig, start + part, *rest);
    rig.area(next, part + rest, MapKind::Anonymous);
    map(&mut rig, 1, *start, next, part + rest);
    let before = commands(&mut rig).len();
    unmap(&mut rig, *start, part + rest);
    let added = commands(&mut rig).split_off(before);
    assert_eq!(added, [*first, *second, command::SYNC]);
}
