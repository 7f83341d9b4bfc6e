//! The cause of a refusal, where that is not the conflict itself.

use super::{at, of};
use crate::chosen::Chosen;
use crate::explain::explain;
use crate::input_error::SourceText;
use crate::script::Script;

fn ran_into(op: &str) -> String {
    let explanation = of(op);
    explanation.refusals[0].ran_into.clone().unwrap_or_else(|| panic!("{explanation}"))
}

#[test]
fn what_is_valid_for_no_mapping_is_named() {
    let window = ran_into("map iova=0x8000000 va=A size=4K prot=r");
    assert!(window.starts_with("reserved region [0x8000000, 0x80fffff], msi"), "{window}");
    let end = ran_into("map iova=0x1000000000000 va=A size=4K prot=r");
    assert!(end.starts_with("beyond 0xffffffffffff"), "{end}");
    // Where valid ranges are not checked, the region plays no part.
    let text = "machine virt-its profile=linux-6.12\narea A size=64K\nattach dev=00:01.0\n\
        map iova=0x1000000000000 va=A size=4K prot=r\n";
    let script = Script::parse(SourceText::new("t.scn", text)).unwrap();
    let set = vec![("valid-ranges".to_owned(), "unchecked".to_owned())];
    let explanation = explain(&script, 4, &Chosen { set, ..Chosen::default() }).unwrap();
    let tables = explanation.refusals[0].ran_into.clone().unwrap();
    assert!(tables.ends_with("which is what the tables take"), "{tables}");
}

#[test]
fn what_runs_past_the_end_is_named() {
    let iova = ran_into("map iova=0xfffffffffffff000 va=A size=8K prot=r");
    assert!(iova.starts_with("iova 0xfffffffffffff000"), "{iova}");
    let vaddr = ran_into("map iova=0x20000 va=0xfffffffffffff000 size=8K prot=r");
    assert!(vaddr.starts_with("vaddr"), "{vaddr}");
}

#[test]
fn an_unmap_that_takes_nothing_is_told_why() {
    let text = "machine virt-its profile=linux-6.12\narea A size=64K\nattach dev=00:01.0 type=v1\n\
        map iova=0 va=A size=16K prot=r|w\nunmap iova=0x1000 size=4K\nunmap iova=0x100000 size=4K\n";
    let notes = at(text, 5).unwrap().notes;
    assert!(notes[0].ends_with("of A, r|w, made in line 4"), "{notes:?}");
    assert!(notes[2].ends_with("unmap iova=0x0 size=0x4000"), "{notes:?}");
    assert!(at(text, 6).unwrap().notes[0].starts_with("nothing is mapped in"));
}

/// A mapping is attributed to the line that made it last, whichever line mapped there before; a
/// mapping made by a raw ioctl is attributed to its line too.
#[test]
fn a_mapping_is_of_the_line_that_made_it() {
    // argsz, flags, vaddr, iova, size of `struct vfio_iommu_type1_dma_map`.
    let bytes = "2000000003000000000000000010000000000200000000000010000000000000";
    let text = format!(
        "machine virt-its profile=linux-6.12\narea A size=64K\nattach dev=00:01.0\n\
         map iova=0x10000 va=A size=16K prot=r\nunmap iova=0x10000 size=16K\n\
         map iova=0x10000 va=A size=16K prot=r\nmap iova=0x10000 va=A size=4K prot=r\n\
         ioctl fd=3 nr=0x3b71 bytes={bytes}\nmap iova=0x20000 va=A size=4K prot=r\n"
    );
    let text = text.as_str();
    let ran_into = |line| at(text, line).unwrap().refusals[0].ran_into.clone().unwrap();
    assert!(ran_into(7).ends_with("made in line 6"), "{}", ran_into(7));
    assert!(ran_into(9).ends_with("made in line 8"), "{}", ran_into(9));
}
