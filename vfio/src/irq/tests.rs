//! The register writes of an interrupt controller's driver, and their order.

use super::chip::Chip;
use super::facts::{GicFacts, InterruptFacts};
use super::lines::{Irqs, Service, Title};
use crate::policy::GicV3Priority;
use crate::process::FileId;
use passim_model::{Abort, Host, ICC_SPURIOUS, IccRegister, IntId, Memory, PhysAddr, Width};

const GICD: u64 = 0x0800_0000;
const GICC: u64 = 0x0801_0000;
const GICR: u64 = 0x080a_0000;

/// A controller with one interrupt that records writes to its CPU interface.
#[derive(Default)]
struct Recorder {
    memory: Memory,
    waiting: Option<u64>,
    said: Vec<(&'static str, u64)>,
}

impl Host for Recorder {
    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    fn load(&mut self, at: PhysAddr, _: Width) -> Result<u64, Abort> {
        Ok(match at.get() {
            // GICR_TYPER.Last.
            at if at == GICR + 8 => 1 << 4,
            // GICC_IAR.
            at if at == GICC + 0xc => self.waiting.take().unwrap_or(1023),
            _ => 0,
        })
    }

    fn store(&mut self, at: PhysAddr, _: Width, value: u64) -> Result<(), Abort> {
        let register = match at.get().wrapping_sub(GICC) {
            0 => "ctlr",
            0x10 => "eoi",
            0x1000 => "dir",
            _ => return Ok(()),
        };
        self.said.push((register, value));
        Ok(())
    }

    fn read_icc(&mut self, register: IccRegister) -> u64 {
        assert_eq!(register, IccRegister::Iar1);
        self.waiting.take().unwrap_or(ICC_SPURIOUS)
    }

    fn write_icc(&mut self, register: IccRegister, value: u64) {
        let register = match register {
            IccRegister::Ctlr => "ctlr",
            IccRegister::Eoir1 => "eoi",
            IccRegister::Dir => "dir",
            _ => return,
        };
        self.said.push((register, value));
    }

    fn relax(&mut self) {}
}

fn facts(gic: GicFacts, in_el2: bool) -> InterruptFacts {
    InterruptFacts {
        gic,
        cpus: 1,
        in_el2,
        ecam: PhysAddr::new(0),
        msi_parents: Default::default(),
        last_aliases: Default::default(),
        held: Vec::new(),
        irqs_allocated: Vec::new(),
        smmus: Vec::new(),
        doorbells_per_cpu: Vec::new(),
    }
}

/// The writes at boot, when an interrupt is acknowledged, and when it has been served.
fn said(gic: GicFacts, in_el2: bool, intid: u64) -> [Vec<(&'static str, u64)>; 3] {
    let facts = facts(gic, in_el2);
    let mut host = Recorder::default();
    let chip = Chip::boot(&facts, GicV3Priority::A0, 1, &mut host).unwrap();
    let boot = std::mem::take(&mut host.said);
    host.waiting = Some(intid);
    let taken = chip.acknowledge(&mut host).unwrap().unwrap();
    let acknowledged = std::mem::take(&mut host.said);
    chip.end(taken, &mut host).unwrap();
    let ended = std::mem::take(&mut host.said);
    assert!(chip.acknowledge(&mut host).unwrap().is_none());
    assert_eq!(host.said, [], "nothing is said of nothing");
    [boot, acknowledged, ended]
}

fn v3() -> GicFacts {
    let (distributor, redistributors) = (PhysAddr::new(GICD), PhysAddr::new(GICR));
    GicFacts::V3 { distributor, redistributors, its: Vec::new() }
}

fn v2() -> GicFacts {
    let (distributor, cpu_interface) = (PhysAddr::new(GICD), PhysAddr::new(GICC));
    GicFacts::V2 { distributor, cpu_interface, frames: Vec::new() }
}

#[test]
fn in_el2_the_priority_drops_before_an_interrupt_is_served() {
    assert_eq!(said(v3(), false, 40), [vec![("ctlr", 0)], vec![], vec![("eoi", 40)]]);
    assert_eq!(said(v3(), true, 40), [vec![("ctlr", 2)], vec![("eoi", 40)], vec![("dir", 40)]]);
    assert_eq!(said(v2(), false, 40), [vec![("ctlr", 1)], vec![], vec![("eoi", 40)]]);
    let both = [vec![("ctlr", 0x201)], vec![("eoi", 40)], vec![("dir", 40)]];
    assert_eq!(said(v2(), true, 40), both);
}

#[test]
fn an_lpi_has_nothing_to_deactivate() {
    assert_eq!(said(v3(), true, 8192), [vec![("ctlr", 2)], vec![("eoi", 8192)], vec![]]);
    assert_eq!(said(v3(), false, 8192), [vec![("ctlr", 0)], vec![], vec![("eoi", 8192)]]);
}

/// 6.12 irqdomain.c: a second mapping of an INTID replaces the first, for what is served as well
/// as for what is told of it.
#[test]
fn of_two_interrupts_with_one_intid_the_later_is_served() {
    let mut host = Recorder::default();
    let mut irqs = Irqs::boot(&facts(v2(), false), GicV3Priority::A0, &mut host);
    let title = Title { chip: "GICv2m".to_owned(), hwirq: 0 };
    let intid = IntId::new(40);
    let [first, second] = [(); 2].map(|()| irqs.add(&[intid], None, &title, &mut host));
    let file = |index| Service::EventFd(FileId::new(index, 0));
    irqs.request(first, file(1), "first".to_owned(), &mut host);
    irqs.request(second, file(2), "second".to_owned(), &mut host);
    assert_eq!(irqs.line_of(intid).and_then(|line| line.service), Some(file(2)));
    assert_eq!(irqs.count(intid, 0), Some(file(2)));
    irqs.remove(second);
    assert!(irqs.line_of(intid).is_none());
}
