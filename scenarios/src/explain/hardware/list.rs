//! Every rule of hardware that an explanation may name.

use passim_gic::its::{Reason, Untranslated};
use passim_model::PhysAddr;
use passim_smmu::regime::Response;
use passim_smmu::v3::EventKind;
use passim_smmu::{v2, v3};

use super::{
    Hardware, context_fault, global_fault, its, of_kind, of_queue, terminated_v2, terminated_v3,
    translated_unsupported, waits_behind, write_lost,
};
use crate::run;

const MESSAGES: [Untranslated; 8] = [
    Untranslated::Disabled,
    Untranslated::DeviceOutOfRange,
    Untranslated::UnmappedDevice,
    Untranslated::NoDevicePage,
    Untranslated::EventOutOfRange,
    Untranslated::UnmappedEvent,
    Untranslated::UnmappedCollection,
    Untranslated::Abort(PhysAddr::new(0)),
];

const COMMANDS: [Reason; 21] = [
    Reason::DeviceOutOfRange,
    Reason::SizeOrTargetOutOfRange,
    Reason::ProcessorOutOfRange,
    Reason::CollectionOutOfRange,
    Reason::UnmappedDevice,
    Reason::EventOutOfRange,
    Reason::PhysicalIdOutOfRange,
    Reason::UnmappedInterrupt,
    Reason::UnmappedCollection,
    Reason::IteInvalid,
    Reason::Unsupported,
    Reason::ReservedBits,
    Reason::MappedDevice,
    Reason::MappedInterrupt,
    Reason::NoTarget,
    Reason::NoDestination,
    Reason::ChipOffline,
    Reason::LpisOff,
    Reason::DestinationLpisOff,
    Reason::BeyondTarget,
    Reason::NoDevicePage,
];

const QUEUE: [run::CommandError; 3] =
    [run::CommandError::Illegal, run::CommandError::Abort, run::CommandError::AtcTimeout];

const CAUSES_V3: [v3::Cause; 5] = [
    v3::Cause::GlobalAbort,
    v3::Cause::BeyondOutputSize,
    v3::Cause::StreamAborts,
    v3::Cause::ServiceFailure,
    v3::Cause::EndedBySoftware,
];

const CONTEXT_FAULTS: [v2::ContextFaultKind; 7] = [
    v2::ContextFaultKind::Translation,
    v2::ContextFaultKind::AccessFlag,
    v2::ContextFaultKind::Permission,
    v2::ContextFaultKind::External,
    v2::ContextFaultKind::TlbConflict,
    v2::ContextFaultKind::AddressSize,
    v2::ContextFaultKind::UnsupportedUpstream,
];

const GLOBAL_FAULTS: [v2::GlobalFaultKind; 5] = [
    v2::GlobalFaultKind::InvalidContext,
    v2::GlobalFaultKind::UnidentifiedStream,
    v2::GlobalFaultKind::StreamMatchConflict,
    v2::GlobalFaultKind::UnimplementedBank,
    v2::GlobalFaultKind::UnimplementedInterrupt,
];

/// Every reason for which an ITS does not perform a command, with its rule.
pub fn command_rules() -> Vec<(Reason, Hardware)> {
    COMMANDS.into_iter().map(|reason| (reason, its::of_reason(reason))).collect()
}

/// Every rule, those of ITSs first. One name stands for several where what it demands depends on who
/// asks: then it comes several times.
pub fn rules() -> Vec<Hardware> {
    let mut rules: Vec<Hardware> = MESSAGES.into_iter().map(its::of_message).collect();
    rules.extend(COMMANDS.map(its::of_reason));
    rules.extend([its::still_stopped(), its::ignored_by_its(), its::memory(String::new())]);
    rules.push(its::ignored_by_frame());
    // A hint to software refuses nothing. IHI 0070 G.b 7.3.19.
    let is_refusal = |kind: &EventKind| kind.name() != "E_PAGE_REQUEST";
    rules.extend(EventKind::ALL.into_iter().filter(is_refusal).map(of_kind));
    rules.extend(QUEUE.map(of_queue));
    let response = Response::Abort;
    rules.extend(CAUSES_V3.map(|cause| terminated_v3(&v3::Terminated { cause, response })));
    rules.extend([translated_unsupported(), write_lost()]);
    rules.extend(CONTEXT_FAULTS.map(|kind| context_fault(0, kind)));
    rules.extend(GLOBAL_FAULTS.map(global_fault));
    let causes = [v2::Cause::Outstanding { bank: 0 }, v2::Cause::EndedBySoftware];
    rules.extend(causes.map(|cause| terminated_v2(&v2::Terminated { cause, response })));
    rules.push(waits_behind(0));
    let mut seen = Vec::new();
    rules.retain(|rule| {
        let words = (rule.rule, rule.sentence.clone(), rule.source.clone());
        let is_new = !seen.contains(&words);
        seen.push(words);
        is_new
    });
    rules
}
