//! Commands that did nothing, writes that are no message, and what else hardware answered for which no
//! rule was told.

use super::{Explanation, Nearest, at};
use crate::chosen::Chosen;
use crate::explain::{explain, hardware_rules};
use crate::input_error::SourceText;
use crate::op::Op;
use crate::run::{Runner, files};
use crate::script::Script;
use passim_gic::choice::Preset;
use std::collections::BTreeSet;
use std::path::Path;

const LATE: &str = "bare plain-its\nits-on queue=0x40100000 devices=0x40200000 \
    collections=0x40300000\nits-command MAPD device=1 itt=0x40400000 bits=3\n\
    its-command MAPC icid=0 cpu=0\nits-command MAPTI device=1 event=0 intid=8192 icid=0\n\
    lpis-on cpu=0 config=0x40500000 pending=0x40600000\nlpi intid=8192 value=0xa1\n\
    message device=1 event=0\n";

fn under(chosen: Chosen) -> Explanation {
    let script = Script::parse(SourceText::new("t.scn", LATE)).unwrap();
    explain(&script, 8, &chosen).unwrap()
}

fn accepted(explanation: &Explanation) -> String {
    match &explanation.nearest {
        Some(Nearest::Accepted { lines, .. }) => lines.join("; "),
        other => panic!("{explanation}\n{other:?}"),
    }
}

/// KVM refuses a MAPTI of an LPI while none are on; one that is lost does nothing either. Sent again it
/// is what was missing.
#[test]
fn a_command_that_did_nothing_is_told_as_that_and_sent_again() {
    let refused = under(Chosen { gic: Some(Preset::KvmAbi0), ..Chosen::default() });
    let lost = under(Chosen { lost: "MAPTI:1".parse().ok(), ..Chosen::default() });
    for (explanation, why) in [(&refused, "0x010a06"), (&lost, "the ITS never saw it")] {
        let [undone] = &explanation.not_performed[..] else { panic!("{explanation}") };
        assert_eq!(undone.line, 5);
        assert!(undone.because.contains(why), "{explanation}");
        assert!(explanation.not_synchronised.iter().all(|it| it.line != 5), "{explanation}");
        let wanted = "its-command MAPTI device=1 event=0 intid=8192 icid=0; its-command SYNC cpu=0; \
            message device=1 event=0x0";
        assert_eq!(accepted(explanation), wanted);
    }
    assert!(lost.lost && !refused.lost);
}

#[test]
fn a_write_beside_the_register_for_messages_is_no_message() {
    let text = "machine virt-its profile=linux-6.12\nattach dev=00:01.0\narea A size=16K\n\
        write dev=00:01.0 iova=0x8000040 value=0 size=4\n\
        enable dev=00:01.0 vectors=1 index=msi\n\
        write dev=00:01.0 iova=0x8000044 value=0 size=4\n";
    let beside = at(text, 6).unwrap();
    assert_eq!((beside.hardware[0].by, beside.hardware[0].rule), ("its", "its-doorbell-write"));
    assert!(!beside.to_string().contains("EventID 0"), "{beside}");
    assert_eq!(accepted(&beside), "write dev=00:01.0 iova=0x8000040 value=0x0 size=0x4");
    // Before interrupts are on nothing is mapped there, and nothing else can be.
    let wanted = "enable dev=00:01.0 vectors=1 index=msi; \
        write dev=00:01.0 iova=0x8000040 value=0x0 size=0x4";
    assert_eq!(accepted(&at(text, 4).unwrap()), wanted);
}

#[test]
fn a_mapping_beyond_what_tables_index_is_told_where_it_lies() {
    let text = "machine virt-its profile=linux-4.11\narea A size=16K\nattach dev=00:01.0\n\
        map iova=0x1000000000000 va=A size=4K prot=r\nmap iova=0 va=A size=4K prot=r\n";
    let told = at(text, 4).unwrap().to_string();
    assert!(told.contains("0x1000000000000 is where 0x0 is: beyond-input = alias"), "{told}");
    let met = at(text, 5).unwrap().refusals[0].ran_into.clone().unwrap();
    assert!(met.contains("of A, r, made in line 4"), "{met}");
}

/// Every rule that an explanation may name is one that can be asked for, and what hardware does not
/// simply do has one.
#[test]
fn whatever_hardware_answers_has_a_rule_that_is_listed() {
    let known: BTreeSet<_> = hardware_rules().iter().map(|rule| rule.rule).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("files");
    let mut met = BTreeSet::new();
    for part in ["smmu", "its", "smmu2", "interrupts"] {
        for path in files::find(&[folder.join(part)]).unwrap() {
            let script = Script::parse(SourceText::read(&path).unwrap()).unwrap();
            let mut runner = Runner::new();
            for block in script.blocks() {
                let op = Op::read(script.source(), &block.invocation).unwrap();
                let outcome = runner.perform(&op).unwrap();
                let account = runner.account().hardware;
                let told = crate::explain::hardware::told(&op, &outcome, &account);
                let undone = account.iter().filter(|it| !it.is_done()).count();
                assert!(told.len() >= undone, "{}: {op}", path.display());
                met.extend(told.into_iter().map(|it| it.rule));
            }
        }
    }
    assert!(met.is_subset(&known), "{:?}", met.difference(&known));
    for rule in ["F_UUT", "CERROR_ATC_INV_SYNC", "message-answered", "its-doorbell-write"] {
        assert!(met.contains(rule), "{rule}");
    }
}

#[test]
fn a_trial_of_a_domain_that_is_refused_has_its_rule() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("files");
    let path = folder.join("smmu2/another-smmus-domain.scn");
    let script = Script::parse(SourceText::read(&path).unwrap()).unwrap();
    let other = explain(&script, 13, &Chosen::default()).unwrap();
    assert_eq!(other.refusals[0].rule, "iommu-attach-other-smmu");
    let place = other.refusals[0].known.as_ref().unwrap().place.as_deref().unwrap_or_default();
    assert!(place.starts_with("drivers/iommu/arm/"), "{place}");
}
