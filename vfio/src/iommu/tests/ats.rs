//! A device with ATS: its control register, its STE, and the invalidation of its ATC.

use super::board::{BASE, BOTH_STAGES, Board, Machine, firmware};
use super::{close, open};
use crate::iommu::DomainKind;
use crate::policy::Profile;
use passim_model::{PageSize, PhysAddr};

/// IDR0.ATS.
const ATS: u64 = 1 << 10;
/// Address of 00:01.0's configuration space on this board, and in it the capability, after another.
const CONFIG: u64 = 0x1_1000;
const CAPABILITY: u64 = CONFIG + 0x140;
const CONTROL: u64 = CAPABILITY + 6;
/// The first register of the command queue.
const CMDQ_PROD: u64 = 0x98;

fn boot(profile: Profile, idr0: u64) -> Machine {
    let mut board = Board::new(idr0);
    board.registers.insert(CONFIG + 0x100, 0x1401_0001);
    board.registers.insert(CAPABILITY, 0x1_000f);
    let mut firmware = firmware();
    firmware.devices[2].config = Some(PhysAddr::new(BASE + CONFIG));
    Machine::boot_firmware(&firmware, &profile.policy(), PageSize::K4, board).unwrap()
}

/// Takes the commands and stores to the control register so far, in order.
fn acts(machine: &mut Machine) -> Vec<String> {
    let mut eaten = std::mem::take(&mut machine.board.eaten).into_iter();
    let mut acts = Vec::new();
    let mut produced = None;
    for (what, at, value) in std::mem::take(&mut machine.board.log) {
        match (what, at) {
            ('w', CMDQ_PROD) => {
                let count = produced.map_or(1, |before: u64| value - before);
                produced = Some(value);
                for _ in 0..count {
                    let Some([first, second]) = eaten.next() else { continue };
                    acts.push(name(first, second));
                }
            }
            ('w', CONTROL) => acts.push(format!("control {value:#x}")),
            _ => {}
        }
    }
    acts
}

fn name(first: u64, second: u64) -> String {
    match first & 0xff {
        0x01 => "PREFETCH".to_owned(),
        0x03 => "STE".to_owned(),
        0x05 => "CD".to_owned(),
        0x11 => "ASID".to_owned(),
        0x12 => format!("VA {:#x}", second >> 12 << 12),
        0x40 => format!("ATC {:#x} {:#x}", first >> 32, second),
        0x46 => "SYNC".to_owned(),
        other => format!("{other:#x}"),
    }
}

/// An ATC invalidation of all addresses of stream 8.
const ALL: &str = "ATC 0x8 0x34";

/// The acts that concern the device's ATC, and those that change translation.
fn about_ats(machine: &mut Machine) -> Vec<String> {
    let wanted = |act: &String| [ALL, "control", "STE", "CD"].iter().any(|it| act.starts_with(it));
    let mut acts: Vec<_> = acts(machine).into_iter().filter(wanted).collect();
    acts.dedup();
    acts
}

#[test]
fn linux_6_12_keeps_it_while_something_translates() {
    let mut machine = boot(Profile::Linux6_12, BOTH_STAGES | ATS);
    acts(&mut machine);
    assert_eq!(machine.board.ste(0x8)[1], 0x1000_00d6, "the default domain translates");
    assert_eq!(machine.board.ste(0x10)[1], 0xd6, "no capability");
    let domain = open(&mut machine, 2, DomainKind::Paging);
    let expected = ["control 0x0", "STE", ALL, "CD", "STE", ALL, "control 0x8000"];
    assert_eq!(about_ats(&mut machine), expected);
    assert_eq!(machine.board.ste(0x8)[1], 0x1000_00d6);
    close(&mut machine, 2, domain);
    assert_eq!(about_ats(&mut machine), expected);
}

#[test]
fn linux_6_1_renews_it() {
    let mut machine = boot(Profile::Linux6_1, BOTH_STAGES | ATS);
    acts(&mut machine);
    let domain = open(&mut machine, 2, DomainKind::Paging);
    let once = ["control 0x0", ALL, "STE", ALL, "control 0x8000"];
    // To the empty domain that blocks, and back.
    assert_eq!(about_ats(&mut machine), [once, once].concat());
    assert_eq!(machine.board.ste(0x8)[1], 0x1000_00d6);
    close(&mut machine, 2, domain);
    assert_eq!(about_ats(&mut machine), [once, once].concat());
    // Stage 2: EATS beside the existing fields.
    let domain = open(&mut machine, 2, DomainKind::Nested);
    assert_eq!(machine.board.ste(0x8)[1], 0x1000_1000_0000);
    close(&mut machine, 2, domain);
}

#[test]
fn who_does_not_know_it_leaves_it_off() {
    for (profile, idr0) in
        [(Profile::Linux4_6, BOTH_STAGES | ATS), (Profile::Linux6_12, BOTH_STAGES)]
    {
        let mut machine = boot(profile, idr0);
        let domain = open(&mut machine, 2, DomainKind::Paging);
        close(&mut machine, 2, domain);
        let acts = acts(&mut machine);
        assert!(acts.iter().all(|act| !act.starts_with("ATC") && !act.starts_with("control")));
    }
}

#[test]
fn a_device_forgets_after_the_tlb() {
    for profile in [Profile::Linux6_1, Profile::Linux6_12] {
        let mut machine = boot(profile, BOTH_STAGES | ATS);
        acts(&mut machine);
        // The superpage test unmaps at 0 and at 0x1000.
        open(&mut machine, 2, DomainKind::Paging);
        let acts = acts(&mut machine);
        let at = acts.iter().position(|act| act == "VA 0x0").unwrap();
        let expected = ["VA 0x0", "SYNC", "ATC 0x8 0x0", "SYNC"];
        assert_eq!(acts[at..at + 4], expected, "{profile}");
        // No ATC invalidation for a domain without such a device.
        open(&mut machine, 5, DomainKind::Paging);
        let acts = self::acts(&mut machine);
        assert!(acts.iter().all(|act| !act.starts_with("ATC")), "{profile}: {acts:?}");
    }
}
