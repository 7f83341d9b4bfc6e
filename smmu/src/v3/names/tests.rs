use super::{
    CD, COMMANDS, L1CD, L1STD, PAGE_REQUEST, REGISTERS, Register, STE, Structure, record_fields,
};
use crate::v3::wire::command::COMMAND_WORDS;
use crate::v3::wire::event::{EVENT_WORDS, Event0};
use crate::v3::{Class, EventKind};
use std::collections::BTreeSet;

/// No two fields of a structure have one name or share a bit.
fn is_told_apart(structure: &Structure) {
    let mut names = BTreeSet::new();
    let mut taken = vec![0; structure.words];
    for field in structure.fields() {
        assert!(names.insert(field.name), "{} has two {}", structure.name, field.name);
        let mask = field.field.mask();
        assert_eq!(taken[field.word] & mask, 0, "{} of {}", field.name, structure.name);
        taken[field.word] |= mask;
    }
}

#[test]
fn fields_are_told_apart() {
    for structure in [L1STD, STE, L1CD, CD, PAGE_REQUEST] {
        is_told_apart(&structure);
    }
    for command in COMMANDS {
        is_told_apart(&command.structure);
        assert!(command.structure.fields().all(|field| field.word < COMMAND_WORDS));
    }
    assert!(COMMANDS.is_sorted_by_key(|command| command.opcode));
}

#[test]
fn registers_are_found_by_name() {
    assert!(REGISTERS.is_sorted_by_key(|register| register.offset));
    assert_eq!(Register::named("SMMU_EVENTQ_PROD").map(|it| it.offset), Some(0x100a8));
    assert!(Register::named("EVENTQ").is_none());
}

#[test]
fn fields_of_a_record_lie_apart_and_cover_what_is_written() {
    for kind in EventKind::ALL {
        let mut taken = [0u64; EVENT_WORDS];
        taken[0] = Event0::ID.mask();
        for field in record_fields(kind) {
            assert_eq!(taken[field.word] & field.field.mask(), 0, "{}", field.name);
            taken[field.word] |= field.field.mask();
        }
    }
    assert_eq!(Class::ALL.map(|class| class as u64), [0, 1, 2]);
}
