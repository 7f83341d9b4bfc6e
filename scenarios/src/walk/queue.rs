//! The command queue of a dump, executed by its SMMU.
//!
//! The dump contains the queue's last commands; the SMMU begins at the first of them with nothing
//! cached, and must consume them all.

use passim_model::Width;

use super::command::{Kind, Ring};
use super::dumped_smmu::DumpedSmmu;
use super::report::DumpReport;

const CMDQ_PROD: u64 = 0x98;
const CMDQ_CONS: u64 = 0x9c;
const GERROR: u64 = 0x60;

passim_model::layout! {
    /// SMMU_CMDQ_CONS, IHI 0070 G.b 6.3.28.
    struct CmdqCons {
        /// Index and wrap flag.
        RD = bits(19, 0);
        /// Why consumption stopped.
        ERR = bits(30, 24);
    }
}
passim_model::layout! {
    /// SMMU_GERROR, IHI 0070 G.b 6.3.17.
    struct Gerror {
        /// The command queue stopped.
        CMDQ_ERR = bit(0);
    }
}
passim_model::layout! {
    /// SMMU_CR0, IHI 0070 G.b 6.3.9.
    struct Cr0 {
        /// The command queue is on.
        CMDQEN = bit(3);
    }
}

/// Lets the SMMU consume the commands of a dump.
pub(super) fn execute(stand: &mut DumpedSmmu, report: &mut DumpReport) {
    let entries = std::mem::take(&mut stand.dump.cmdq.entries);
    run(stand, &entries, report);
    stand.dump.cmdq.entries = entries;
    stand.program();
}

fn run(
    stand: &mut DumpedSmmu,
    entries: &[crate::recording::dump::QueueEntry],
    report: &mut DumpReport,
) {
    if entries.is_empty() {
        return;
    }
    if !Cr0::CMDQEN.is_set(stand.register("CR0")) {
        return report.skip("SMMU_CR0.CMDQEN is 0: no command is consumed");
    }
    let ring = Ring::of(stand.register("CMDQ_BASE"));
    let count = entries.len() as u64;
    let prod = CmdqCons::RD.get(stand.register("CMDQ_PROD"));
    let cons = ring.after(prod, 0u64.wrapping_sub(count));
    let follows = (0u64..)
        .zip(entries)
        .all(|(step, entry)| ring.slot(ring.after(cons, step)) == u64::from(entry.index));
    if !follows || count > ring.slots() {
        let found = format!("slots {} to {}", entries[0].index, entries[entries.len() - 1].index);
        let expected = format!("the {count} slots before CMDQ_PROD {prod:#x}");
        return report.differs("the command queue of the dump", expected, found);
    }
    stand.program_queue(cons, prod);
    let stopped = stand.smmu.load(CMDQ_CONS, Width::W32);
    report.commands += ring.distance(cons, CmdqCons::RD.get(stopped));
    let is_error = Gerror::CMDQ_ERR.is_set(stand.smmu.load(GERROR, Width::W32));
    let reason = match CmdqCons::ERR.get(stopped) {
        _ if !is_error && CmdqCons::RD.get(stopped) == prod => return,
        _ if !is_error => "the queue waits",
        1 => "CERROR_ILL",
        2 => "CERROR_ABT",
        3 => "CERROR_ATC_INV_SYNC",
        _ => "an error of the command queue",
    };
    let at = ring.distance(cons, CmdqCons::RD.get(stopped)) as usize;
    let Some(entry) = entries.get(at) else { return };
    let words = [entry.words[0], entry.words[1]];
    let name = Kind::of(words).name();
    let what = format!("{name} {:#x} {:#x} in slot {}", words[0], words[1], entry.index);
    report.differs(what, "it is consumed", reason);
}

/// Registers of the queue's two pointers.
pub(super) const ENDS: [u64; 2] = [CMDQ_CONS, CMDQ_PROD];
