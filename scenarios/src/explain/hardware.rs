//! What hardware answered, with the rule behind it: of an ITS, of a frame, of an SMMU.
//!
//! Nothing here is a kernel's check: the rule is the architecture's, and its source a section of its
//! manual. What would have been answered otherwise is found by doing otherwise, on a machine of its
//! own (`trials`).
//!
//! | room | question it answers |
//! | --- | --- |
//! | `its` | which rule of an ITS, and which commands does no SYNC follow? |
//! | `list` | which rules are there? |
//! | `trials` | what would have been answered otherwise? |

mod its;
mod list;
mod trials;

use passim_smmu::v3::{EventKind, Record};
use passim_smmu::{v2, v3};
use serde::Serialize;

use crate::op::{ItsOp, Op};
use crate::run::{Answered, CommandError};
use crate::system::{Arrival, Stalled, Terminated};

pub(super) use its::{undone, unsynchronised, until};
pub use list::{command_rules, rules};
pub use trials::Otherwise;
pub(super) use trials::{nearest, otherwise};

/// What hardware made of a line, explained.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Hardware {
    /// Who answered: `its`, `frame`, `smmu`.
    pub by: &'static str,
    /// What was answered.
    pub answer: String,
    /// The rule, under a stable name.
    pub rule: &'static str,
    /// What it demands, or says.
    pub sentence: String,
    /// Where it stands: a section of a manual.
    pub source: String,
}

/// A command that did nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Undone {
    /// Its line.
    pub line: u64,
    /// The command.
    pub command: String,
    /// Why.
    pub because: String,
}

/// A command that no SYNC follows, and what that leaves open.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Unsynchronised {
    /// Its line.
    pub line: u64,
    /// The command.
    pub command: String,
    /// What may be seen until a SYNC covers it. IHI 0069 H 5.3 (SYNC).
    pub until: Vec<&'static str>,
}

/// What hardware answered to a line; nothing of what was simply done.
pub(super) fn told(op: &Op, outcome: &[String], account: &[Answered]) -> Vec<Hardware> {
    let mut told: Vec<_> = account.iter().filter_map(of_answer).collect();
    let is_command = matches!(op, Op::Its(ItsOp::ItsCommand { .. } | ItsOp::ItsWords { .. }));
    if told.is_empty() && is_command && outcome.iter().any(|line| line.starts_with("stalled")) {
        told.push(its::still_stopped());
    }
    told
}

/// `None` for what was done and has no rule to tell.
fn of_answer(answered: &Answered) -> Option<Hardware> {
    match answered {
        Answered::Message(Arrival::Untranslated(why)) => Some(its::of_message(*why)),
        Answered::Message(Arrival::Ignored) => Some(its::ignored_by_frame()),
        Answered::Message(Arrival::NoMessage) => Some(its::ignored_by_its()),
        Answered::Message(Arrival::Lpi(..) | Arrival::Pending(..) | Arrival::TakenBack(_)) => None,
        Answered::Command(report) => Some(its::of_command(report)),
        Answered::Unsupported(Record::Suppressed) => Some(translated_unsupported()),
        Answered::Unsupported(_) => Some(of_kind(EventKind::UnsupportedTransaction)),
        Answered::Stopped(error) => Some(of_queue(*error)),
        Answered::WriteLost => Some(write_lost()),
        Answered::Terminated(Terminated::V3(terminated)) => Some(terminated_v3(terminated)),
        Answered::Terminated(Terminated::V2(terminated)) => Some(terminated_v2(terminated)),
        Answered::Stalled(Stalled::V3(stalled)) => Some(of_event(&stalled.event)),
        Answered::Stalled(Stalled::V2(stalled)) => Some(match &stalled.waits_for {
            v2::WaitsFor::Resume(fault) => context_fault(fault.bank, fault.kind),
            v2::WaitsFor::Bank(bank) => waits_behind(*bank),
        }),
    }
}

/// What a part of the hardware answered, and the rule that it went by.
fn by(
    part: &'static str,
    answer: impl Into<String>,
    rule: &'static str,
    sentence: impl Into<String>,
    source: impl Into<String>,
) -> Hardware {
    let (answer, sentence, source) = (answer.into(), sentence.into(), source.into());
    Hardware { by: part, answer, rule, sentence, source }
}

fn smmu(
    answer: impl Into<String>,
    rule: &'static str,
    sentence: impl Into<String>,
    source: impl Into<String>,
) -> Hardware {
    by("smmu", answer, rule, sentence, source)
}

fn terminated_v3(terminated: &v3::Terminated) -> Hardware {
    match &terminated.cause {
        v3::Cause::Event(event, _) => of_event(event),
        v3::Cause::GlobalAbort => smmu(
            "aborted",
            "global-abort",
            "While SMMU_CR0.SMMUEN is 0, SMMU_GBPA.ABORT says whether transactions pass.",
            "IHI 0070 G.b 6.3 (SMMU_GBPA)",
        ),
        v3::Cause::BeyondOutputSize => smmu(
            "aborted",
            "beyond-output-size",
            "An address that nothing translates fits the output size.",
            "IHI 0070 G.b 3.4",
        ),
        v3::Cause::StreamAborts => smmu(
            "aborted",
            "stream-aborts",
            "STE.Config lets transactions of the stream pass.",
            "IHI 0070 G.b 5.2 (STE.Config)",
        ),
        v3::Cause::ServiceFailure => smmu(
            "aborted",
            "service-failure",
            "The SMMU is not in service failure mode.",
            "IHI 0070 G.b 12.3",
        ),
        v3::Cause::EndedBySoftware => smmu(
            "ended",
            "ended-by-software",
            "A transaction that had stalled ends as CMD_RESUME or CMD_STALL_TERM says.",
            "IHI 0070 G.b 3.12.2",
        ),
    }
}

fn of_event(event: &v3::Event) -> Hardware {
    let plain = of_kind(event.kind);
    let flaw = match event.detail {
        v3::Detail::Ste(flaw) => flaw.sentence(),
        v3::Detail::Cd(flaw) => flaw.sentence(),
        _ => return plain,
    };
    Hardware { answer: format!("{}: {flaw}", plain.answer), ..plain }
}

fn of_kind(kind: EventKind) -> Hardware {
    let name = kind.name();
    smmu(name, name, demand(name), format!("IHI 0070 G.b {}", kind.section()))
}

fn translated_unsupported() -> Hardware {
    smmu(
        "aborted, and nothing recorded",
        "translated-unsupported",
        "A translated transaction is of a kind that the SMMU carries; of one that is not, no event \
         tells.",
        "IHI 0070 G.b 3.9.1.3",
    )
}

fn of_queue(error: CommandError) -> Hardware {
    let (name, sentence) = match error {
        CommandError::Illegal => {
            ("CERROR_ILL", "A command is one that the SMMU has, with fields that it allows.")
        }
        CommandError::Abort => ("CERROR_ABT", "Memory answers where the command is fetched."),
        CommandError::AtcTimeout => (
            "CERROR_ATC_INV_SYNC",
            "Every ATS Invalidate Request before a CMD_SYNC is answered by its device in time.",
        ),
    };
    let answer = format!("{name}: the queue stops there until GERRORN acknowledges CMDQ_ERR");
    smmu(answer, name, sentence, "IHI 0070 G.b 4.9, 7.1")
}

fn write_lost() -> Hardware {
    smmu(
        "a write of the SMMU itself is lost",
        "message-answered",
        "Memory or a doorbell answers where the SMMU sends its own messages; one that is aborted is \
         logged in GERROR.",
        "IHI 0070 G.b 3.18, 6.3 (SMMU_GERROR.MSI_*_ABT_ERR)",
    )
}

/// What a transaction has to be for this event not to come.
fn demand(event: &str) -> &'static str {
    match event {
        "F_UUT" => "A transaction is of a kind that the SMMU carries.",
        "C_BAD_STREAMID" => "The StreamID is inside the stream table.",
        "F_STE_FETCH" => "Memory answers where the STE is fetched.",
        "F_BAD_ATS_TREQ" => "A translation request comes of a stream with ATS.",
        "F_STREAM_DISABLED" => "A transaction without substream is allowed by STE.S1DSS.",
        "F_TRANSL_FORBIDDEN" => "A translated transaction comes of a stream that may send such.",
        "C_BAD_SUBSTREAMID" => "The SubstreamID is inside the table of CDs.",
        "F_CD_FETCH" => "Memory answers where the CD is fetched.",
        "F_WALK_EABT" => "Memory answers where a descriptor is read.",
        "F_TRANSLATION" => {
            "Valid descriptors lead from the address to a leaf, inside the input size."
        }
        "F_ADDR_SIZE" => "An address fits the size of what comes next.",
        "F_ACCESS" => "The access flag of the leaf is set.",
        "F_PERMISSION" => "The leaf, and the tables above it, allow the access.",
        "F_TLB_CONFLICT" => "At most one entry of the TLB matches.",
        "F_CFG_CONFLICT" => "At most one cached structure matches.",
        "F_VMS_FETCH" => "Memory answers where the VMS is fetched.",
        _ => "The structure is one that the architecture calls valid.",
    }
}

fn waits_behind(bank: u8) -> Hardware {
    smmu(
        format!("waits behind the fault of bank {bank}"),
        "bank-stalled",
        "A transaction of a bank with a stalled one waits until software resumes that.",
        "IHI 0062 D.c 3.7.3",
    )
}

fn terminated_v2(terminated: &v2::Terminated) -> Hardware {
    match &terminated.cause {
        v2::Cause::Context(fault, _) => context_fault(fault.bank, fault.kind),
        v2::Cause::Global(fault, _) => global_fault(fault.kind),
        v2::Cause::Outstanding { bank } => smmu(
            format!("terminated behind a fault of bank {bank}"),
            "fault-outstanding",
            "No earlier fault of the bank is outstanding, or SCTLR.HUPCF lets hits pass.",
            "IHI 0062 D.c 3.7.3",
        ),
        v2::Cause::EndedBySoftware => smmu(
            "ended",
            "ended-by-software",
            "A transaction that had stalled ends as SMMU_CBn_RESUME says.",
            "IHI 0062 D.c 3.7.3",
        ),
    }
}

fn context_fault(bank: u8, kind: v2::ContextFaultKind) -> Hardware {
    use v2::ContextFaultKind as Kind;
    let (bit, sentence) = match kind {
        Kind::Translation => ("TF", demand("F_TRANSLATION")),
        Kind::AccessFlag => ("AFF", demand("F_ACCESS")),
        Kind::Permission => ("PF", demand("F_PERMISSION")),
        Kind::External => ("EF", demand("F_WALK_EABT")),
        Kind::TlbConflict => ("TLBMCF", demand("F_TLB_CONFLICT")),
        Kind::AddressSize => ("ASF", demand("F_ADDR_SIZE")),
        Kind::UnsupportedUpstream => ("UUT", "The SMMU has wires for every bit of the address."),
    };
    let answer = format!("context fault: SMMU_CB{bank}_FSR.{bit}");
    smmu(answer, "context-fault", sentence, format!("IHI 0062 D.c 16.5.9 (SMMU_CBn_FSR.{bit})"))
}

fn global_fault(kind: v2::GlobalFaultKind) -> Hardware {
    use v2::GlobalFaultKind as Kind;
    let sentence = match kind {
        Kind::InvalidContext => "A stream is given a context that exists and is of a valid kind.",
        Kind::UnidentifiedStream => {
            "A stream match register matches, or sCR0.USFCFG lets others pass."
        }
        Kind::StreamMatchConflict => "At most one stream match register matches.",
        Kind::UnimplementedBank => "The context bank that is named exists.",
        Kind::UnimplementedInterrupt => "The context interrupt that is named exists.",
    };
    smmu("global fault", "global-fault", sentence, "IHI 0062 D.c 9.6.15 (SMMU_sGFSR)")
}
