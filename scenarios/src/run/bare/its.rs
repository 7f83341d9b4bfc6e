//! The GICv3 of a bare machine, driven by the scenario: registers, a queue in memory, tables.
//!
//! Numbers are transcribed from IHI 0069 H once more, independently of the hardware and of Linux's
//! driver.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `command` | what are a command's 32 bytes? |
//! | `registers` | which register has a name, and where is it? |

mod command;
mod registers;

use passim_gic::its::{FailedWrite, Failure, Report, TRANSLATER};
use passim_gic::{Signal, Size};
use passim_model::{Abort, DeviceId, Host, IccRegister, IntId, PhysAddr, Requester, StreamId};

use super::super::its::{convert, driven, mappings, queue, restored};
use super::super::messages::pending_v3;
use super::super::{Answered, Outcome, Unperformable};
use crate::machine::GicIts;
use crate::op::{CommandName, ItsOp, Number, WireLevel, YesNo};
use crate::system::Board;
use command::Given;

/// Most times a driver polls whether a command has completed.
const MOST_LOOKS: u32 = 1 << 16;
/// Most interrupts that are acknowledged in a row: no GIC has more INTIDs.
const MOST_TAKEN: usize = 1 << 24;
/// GITS_CREADR.Stalled.
const STALLED: u64 = 1;
/// GITS_CBASER: pages of a queue of 64 KiB, less one, and Valid.
const QUEUE_64K: u64 = 1 << 63 | 15;
/// Bytes of that queue.
const QUEUE_BYTES: u64 = 0x1_0000;
/// GITS_BASER: Page_Size of 64 KiB.
const PAGES_64K: u64 = 2 << 8;

/// A board and the addresses of its GICv3.
pub(super) struct GicOnBoard<'a> {
    pub(super) board: &'a mut Board,
    pub(super) gic: &'a GicIts,
    /// The results of the ITSs' commands.
    pub(super) heard: &'a mut Vec<Answered>,
}

fn abort(abort: Abort) -> Unperformable {
    Unperformable::new(abort.to_string())
}

/// Accesses a register of a CPU's interface on a machine that a kernel drives: acknowledging is
/// refused.
pub(in crate::run) fn interface_of_kernel(board: &mut Board, name: &str, cpu: u16) -> Outcome {
    let register = registers::icc(name)?;
    if matches!(register, IccRegister::Iar0 | IccRegister::Iar1) {
        return Err(driven());
    }
    existing(board, cpu)?;
    board.run_on(cpu);
    let value = board.read_icc(register);
    board.run_on(0);
    Ok(vec![Number(value).to_string()])
}

/// Refuses a CPU that does not exist.
fn existing(board: &Board, cpu: u16) -> Result<(), Unperformable> {
    let count = board.gicv3().map_or(0, |gic| gic.cpus().count());
    match usize::from(cpu) < count {
        true => Ok(()),
        false => Err(Unperformable::new(format!("there is no cpu {cpu}"))
            .hint(format!("the machine has {count}, from 0 on"))
            .at_key("cpu")),
    }
}

impl GicOnBoard<'_> {
    pub(super) fn perform(&mut self, op: &ItsOp) -> Outcome {
        let n = |n: &Option<u16>| n.unwrap_or(0);
        let line = match op {
            ItsOp::GicLoad { register, cpu, its, mask } => {
                let mask = mask.as_ref().map_or(u64::MAX, |mask| mask.0);
                Number(self.load(&register.0, n(cpu), n(its))? & mask).to_string()
            }
            ItsOp::GicStore { register, value, cpu, its } => {
                self.store(&register.0, n(cpu), n(its), value.0)?;
                "ok".to_owned()
            }
            ItsOp::GicProbe { register, value, cpu, its } => {
                let (cpu, its) = (n(cpu), n(its));
                let before = self.load(&register.0, cpu, its)?;
                self.store(&register.0, cpu, its, value.0)?;
                let after = self.load(&register.0, cpu, its)?;
                match before == after {
                    true => "unchanged".to_owned(),
                    false => Number(after).to_string(),
                }
            }
            ItsOp::ItsSizes { its, brief } => {
                return self.sizes(n(its), *brief == Some(YesNo::Yes));
            }
            ItsOp::LpisOn { .. } => self.lpis_on(op)?,
            ItsOp::ItsOn { queue, devices, collections, its } => {
                self.its_on(n(its), *queue, *devices, *collections)?
            }
            ItsOp::ItsCommand { name, wait, its, .. } => {
                let words = self.words(op, *name, n(its))?;
                self.submit(n(its), words, *wait != Some(YesNo::No))?
            }
            ItsOp::ItsWords { dw0, dw1, dw2, dw3, its } => {
                let word = |word: &Option<Number>| word.map_or(0, |word| word.0);
                self.submit(n(its), [dw0.0, word(dw1), word(dw2), word(dw3)], true)?
            }
            ItsOp::ItsMappings { its } => return mappings(self.board, *its),
            ItsOp::ItsQueue { its, last } => {
                return queue(self.board, &self.gic.its, *its, *last);
            }
            ItsOp::Message { .. } => self.message(op)?,
            ItsOp::FailedWrites { its } => return Ok(self.failed_writes(n(its))),
            ItsOp::Lpi { intid, value } => self.lpi(*intid, *value)?,
            ItsOp::Acknowledge { cpu } => {
                self.existing(*cpu)?;
                taken(self.acknowledge(*cpu))
            }
            ItsOp::End { cpu, intid } => {
                self.existing(*cpu)?;
                self.end(*cpu, u64::from(*intid));
                "ok".to_owned()
            }
            ItsOp::IccLoad { .. } | ItsOp::IccStore { .. } => self.icc(op)?,
            ItsOp::GicWire { intid, level, cpu } => self.wire(*intid, *level, *cpu)?,
            ItsOp::Take { cpu } => {
                self.existing(*cpu)?;
                self.take(*cpu)
            }
            ItsOp::Migrate { to: Some(to), scratch, size } => {
                return convert(self.board, (to, self.gic), (*scratch, *size));
            }
            ItsOp::Migrate { to: None, .. } => {
                self.board.migrate_gic();
                return Ok(restored(self.board));
            }
        };
        Ok(vec![line])
    }

    /// Accesses a register of a CPU's interface.
    fn icc(&mut self, op: &ItsOp) -> Result<String, Unperformable> {
        let (name, cpu, value) = match op {
            ItsOp::IccLoad { register, cpu } => (register, *cpu, None),
            ItsOp::IccStore { register, value, cpu } => (register, *cpu, Some(value.0)),
            _ => unreachable!("called for these two"),
        };
        let register = registers::icc(&name.0)?;
        self.existing(cpu)?;
        self.board.run_on(cpu);
        Ok(match value {
            None => Number(self.board.read_icc(register)).to_string(),
            Some(value) => {
                self.board.write_icc(register, value);
                "ok".to_owned()
            }
        })
    }

    /// Signals a wire.
    fn wire(
        &mut self,
        intid: u32,
        level: WireLevel,
        cpu: Option<u16>,
    ) -> Result<String, Unperformable> {
        let signal = match level {
            WireLevel::High => Signal::High,
            WireLevel::Low => Signal::Low,
            WireLevel::Pulse => Signal::Pulse,
        };
        let number = IntId::new(intid);
        match intid {
            16..32 => {
                let cpu = cpu.unwrap_or(0);
                self.existing(cpu)?;
                self.board.wire_private(cpu, number, signal);
            }
            32..1020 => {
                self.board.wire(number, signal);
            }
            _ => {
                return Err(Unperformable::new(format!("interrupt {intid} has no wire"))
                    .hint("PPIs are 16 to 31, SPIs 32 to 1019")
                    .at_key("intid"));
            }
        }
        Ok("ok".to_owned())
    }

    fn existing(&self, cpu: u16) -> Result<(), Unperformable> {
        existing(self.board, cpu)
    }

    pub(super) fn pending(&self) -> Outcome {
        let mut lines = self.board.gicv3().map_or(Vec::new(), pending_v3);
        if lines.is_empty() {
            lines.push("nothing".to_owned());
        }
        Ok(lines)
    }

    fn load(&mut self, name: &str, cpu: u16, its: u16) -> Result<u64, Unperformable> {
        let (at, width) = registers::place(self.gic, name, cpu, its)?;
        self.board.load(at, width).map_err(abort)
    }

    fn store(&mut self, name: &str, cpu: u16, its: u16, value: u64) -> Result<(), Unperformable> {
        let (at, width) = registers::place(self.gic, name, cpu, its)?;
        self.board.store(at, width, value).map_err(abort)
    }

    /// GITS_TYPER and GITS_BASER. IHI 0069 H 12.19: without CIL an ICID has 16 bits.
    fn sizes(&mut self, its: u16, brief: bool) -> Outcome {
        let typer = self.load("GITS_TYPER", 0, its)?;
        let bits = |low: u32, count: u32| (typer >> low & ((1 << count) - 1)) + 1;
        let icid = if typer >> 36 & 1 == 1 { bits(32, 4) } else { 16 };
        let physical = if typer & 1 == 1 { "physical LPIs" } else { "no physical LPIs" };
        let (event, device) = (bits(8, 5), bits(13, 5));
        let counted = [("EventID", event), ("DeviceID", device), ("ICID", icid)];
        let counted = counted.map(|(name, bits)| match (brief, bits) {
            (true, 0) => format!("no {name}s"),
            (true, _) => format!("{name}s"),
            _ => format!("{name} {bits} bits"),
        });
        let mut lines = vec![format!("{physical}, {}", counted.join(", "))];
        for n in 0..8 {
            let name = format!("GITS_BASER{n}");
            let baser = self.load(&name, 0, its)?;
            let kind = match baser >> 56 & 7 {
                0 => continue,
                1 => "devices",
                2 => "vPEs",
                4 => "collections",
                _ => "reserved",
            };
            let bytes = (baser >> 48 & 0x1f) + 1;
            lines.push(match brief {
                true => format!("{name}: {kind}"),
                false => format!("{name}: {kind}, {bytes} bytes an entry"),
            });
        }
        Ok(lines)
    }

    /// IHI 0069 H 12.11 (GICR_WAKER, GICR_PROPBASER, GICR_PENDBASER, GICR_CTLR), and the CPU's
    /// interface.
    fn lpis_on(&mut self, op: &ItsOp) -> Result<String, Unperformable> {
        let ItsOp::LpisOn { cpu, config, pending, bits, ptz, enable } = op else {
            unreachable!("called for `lpis-on` alone");
        };
        let cpu = *cpu;
        let bits = u64::from(bits.unwrap_or(16).clamp(1, 32)) - 1;
        let ptz = u64::from(*ptz == Some(YesNo::Yes)) << 62;
        self.store("GICR_WAKER", cpu, 0, 0)?;
        self.store("GICR_PROPBASER", cpu, 0, config.get() & 0x000f_ffff_ffff_f000 | bits)?;
        self.store("GICR_PENDBASER", cpu, 0, pending.get() & 0x000f_ffff_ffff_0000 | ptz)?;
        if *enable != Some(YesNo::No) {
            let ctlr = self.load("GICR_CTLR", cpu, 0)?;
            self.store("GICR_CTLR", cpu, 0, ctlr | 1)?;
        }
        self.board.run_on(cpu);
        self.board.write_icc(IccRegister::Sre, 7);
        self.board.write_icc(IccRegister::Pmr, 0xf0);
        self.board.write_icc(IccRegister::Igrpen1, 1);
        Ok("ok".to_owned())
    }

    fn its_on(
        &mut self,
        its: u16,
        queue: PhysAddr,
        devices: PhysAddr,
        collections: PhysAddr,
    ) -> Result<String, Unperformable> {
        for n in 0..8 {
            let name = format!("GITS_BASER{n}");
            let table = match self.load(&name, 0, its)? >> 56 & 7 {
                1 => devices,
                4 => collections,
                _ => continue,
            };
            // 64 KiB of the largest pages that the ITS supports: the number of pages, less one.
            self.store(&name, 0, its, PAGES_64K)?;
            let (code, pages) = match self.load(&name, 0, its)? >> 8 & 3 {
                0 => (0, 15),
                1 => (1 << 8, 3),
                _ => (PAGES_64K, 0),
            };
            let table = table.get() & 0xffff_ffff_0000;
            self.store(&name, 0, its, 1 << 63 | code | pages | table)?;
        }
        let queue = queue.get() & 0x000f_ffff_ffff_f000;
        self.store("GITS_CBASER", 0, its, QUEUE_64K | queue)?;
        self.store("GITS_CWRITER", 0, its, 0)?;
        self.store("GITS_CTLR", 0, its, 1)?;
        Ok("ok".to_owned())
    }

    /// GITS_TYPER.PTA selects whether RDbase is a redistributor's address or its number.
    fn words(
        &mut self,
        op: &ItsOp,
        name: CommandName,
        its: u16,
    ) -> Result<[u64; 4], Unperformable> {
        let by_address = self.load("GITS_TYPER", 0, its)? >> 19 & 1 == 1;
        let first = self.gic.redistributors.get();
        Given::of(op).words(name, |cpu| match by_address {
            true => first.wrapping_add(cpu << 17) & 0x000f_ffff_ffff_0000,
            false => cpu << 16,
        })
    }

    /// Writes a command at GITS_CWRITER, and advances that.
    fn submit(&mut self, its: u16, words: [u64; 4], wait: bool) -> Result<String, Unperformable> {
        let base = self.load("GITS_CBASER", 0, its)? & 0x000f_ffff_ffff_f000;
        let bytes = ((self.load("GITS_CBASER", 0, its)? & 0xff) + 1) << 12;
        let write = self.load("GITS_CWRITER", 0, its)? & 0xf_ffe0;
        for (at, word) in (0..).step_by(8).zip(words) {
            let at = PhysAddr::new(base.saturating_add(write + at));
            self.board.memory_mut().store_u64(at, word).map_err(abort)?;
        }
        let next = (write + 32) % bytes.min(QUEUE_BYTES * 16);
        self.store("GITS_CWRITER", 0, its, next)?;
        for _ in 0..MOST_LOOKS {
            let creadr = self.load("GITS_CREADR", 0, its)?;
            if creadr & STALLED != 0 || creadr == next {
                break;
            }
            self.board.relax();
        }
        let reports = self.board.take_reports(its);
        self.heard.extend(reports.iter().copied().map(Answered::Command));
        if !wait {
            return Ok("ok".to_owned());
        }
        let creadr = self.load("GITS_CREADR", 0, its)?;
        let offset = creadr & !STALLED;
        let why: Vec<_> = reports.iter().map(failure).collect();
        let mut line = match creadr & STALLED {
            0 => format!("creadr {offset:#x}"),
            _ => format!("stalled at {offset:#x}"),
        };
        for why in why {
            line.push_str(": ");
            line.push_str(&why);
        }
        Ok(line)
    }

    fn message(&mut self, op: &ItsOp) -> Result<String, Unperformable> {
        let ItsOp::Message { device, event, size, at, its } = op else {
            unreachable!("called for `message` alone");
        };
        let translater = registers::its_base(self.gic, its.unwrap_or(0))?.checked_add(TRANSLATER);
        let at = at.or(translater);
        let at = at.ok_or_else(|| Unperformable::new("the ITS leaves the address space"))?;
        let size = match size.map_or(4, |size| size.0) {
            2 => Size::Half,
            4 => Size::Word,
            8 => Size::Double,
            1 => Size::Byte,
            _ => return Err(Unperformable::new("a message has 1, 2, 4 or 8 bytes")),
        };
        if size.cut(event.0) != event.0 {
            return Err(Unperformable::new(format!(
                "{event} has more than {} bytes",
                size.bytes()
            ))
            .hint("`size=` says how many there are")
            .at_key("event"));
        }
        let requester = Requester {
            stream: StreamId::new(*device),
            substream: None,
            device: DeviceId::new(*device),
        };
        let arrival = self.board.message(at, &requester, size, event.0);
        self.heard.extend(arrival.map(Answered::Message));
        Ok(match arrival {
            Some(arrival) => arrival.to_string(),
            None => "no doorbell is there".to_owned(),
        })
    }

    /// `device 0x2, event 20: 0x010307`: the failed writes that an ITS reported.
    fn failed_writes(&mut self, its: u16) -> Vec<String> {
        let failed = self.board.take_failed_writes(its).into_iter();
        let line = |FailedWrite { device, wrote, syndrome }| {
            format!("device {:#x}, {wrote}: {syndrome:#08x}", device.get())
        };
        let mut lines: Vec<_> = failed.map(line).collect();
        if lines.is_empty() {
            lines.push("none".to_owned());
        }
        lines
    }

    fn lpi(&mut self, intid: u32, value: Option<Number>) -> Result<String, Unperformable> {
        let base = self.load("GICR_PROPBASER", 0, 0)? & 0x000f_ffff_ffff_f000;
        let entry = u64::from(intid).checked_sub(8192);
        let entry = entry.ok_or_else(|| Unperformable::new(format!("{intid} is no LPI")))?;
        let at = PhysAddr::new(base.saturating_add(entry));
        let memory = self.board.memory_mut();
        let answered = match value {
            Some(value) => {
                let byte = u8::try_from(value.0);
                let byte = byte.map_err(|_| Unperformable::new("an LPI has one byte"))?;
                memory.write(at, &[byte]).map(|()| "ok".to_owned())
            }
            None => {
                let mut byte = [0];
                memory.read(at, &mut byte).map(|()| Number(u64::from(byte[0])).to_string())
            }
        };
        // The scenario chooses the address of the table, as software does, right or wrong.
        Ok(answered.unwrap_or_else(|abort| abort.to_string()))
    }

    fn acknowledge(&mut self, cpu: u16) -> Option<u64> {
        self.board.run_on(cpu);
        let intid = self.board.read_icc(IccRegister::Iar1);
        (intid != 1023).then_some(intid)
    }

    fn end(&mut self, cpu: u16, intid: u64) {
        self.board.run_on(cpu);
        self.board.write_icc(IccRegister::Eoir1, intid);
    }

    /// Acknowledged interrupts in order; runs of numbers are abbreviated. Ends where an interrupt is
    /// pending again as soon as it has ended: its wire stays high, or its pending table keeps the
    /// bit, so it would be taken without end.
    fn take(&mut self, cpu: u16) -> String {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        let mut count = 0;
        let mut stays = "";
        while let Some(intid) = self.acknowledge(cpu) {
            self.end(cpu, intid);
            if runs.last().is_some_and(|(_, last)| *last == intid) {
                stays = ", still pending";
                break;
            }
            count += 1;
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == intid => *last = intid,
                _ => runs.push((intid, intid)),
            }
            if count == MOST_TAKEN {
                break;
            }
        }
        if runs.len() > 16 {
            let (first, last) = (runs[0].0, runs[runs.len() - 1].1);
            return format!("{count}, from {first} to {last}{stays}");
        }
        let text = |(first, last): &(u64, u64)| match first == last {
            true => first.to_string(),
            false => format!("{first} to {last}"),
        };
        match runs.is_empty() {
            true => taken(None),
            false => runs.iter().map(text).collect::<Vec<_>>().join(", ") + stays,
        }
    }
}

fn taken(intid: Option<u64>) -> String {
    intid.map_or_else(|| "nothing (1023)".to_owned(), |intid| intid.to_string())
}

fn failure(report: &Report) -> String {
    let signalled = if report.signalled { ", signalled as an SError" } else { "" };
    // The text of a failed command contains it already.
    let own = match report.failure {
        Failure::Memory(_) => report.syndrome.map(|it| format!(" ({it:#08x})")).unwrap_or_default(),
        Failure::Command(_) => String::new(),
    };
    format!("{}{own}{signalled}", report.failure)
}
