//! An ITS driven through its registers, commands and tables in raw words, as a driver writes them.
//!
//! Bugs that other implementations have or had, and the test that would find each of them here:
//!
//! | bug | found by |
//! | --- | --- |
//! | MOVALL moves every LPI of the machine (KVM) | `commands::movall_moves_what_is_pending_at_one_place_and_no_mapping` |
//! | an unmapped collection breaks saving, or is not restored (KVM) | `migration::migration_with_an_unmapped_collection_14_to_16` |
//! | what was unmapped comes back after a restore (KVM) | `migration::what_was_unmapped_stays_unmapped` |
//! | sparse DeviceIDs break a restore (KVM) | `migration::a_distance_leads_from_page_to_page` |
//! | the size in a device table entry is trusted (KVM) | `errors::a_table_that_lies_about_its_size_is_believed_where_chosen` |
//! | cached translations mix up events (KVM) | `choices::a_cache_tells_events_and_devices_apart` |
//! | LPIs are delivered after they were turned off (KVM) | `v3::tests::lpis::off_means_dropped_and_the_table_says_what_was_pending` |
//! | processor numbers off by one, or cut (QEMU) | `errors::every_error_has_its_syndrome` |
//! | 1023 accepted as an LPI (QEMU) | `errors::every_error_has_its_syndrome` |
//! | low bits of a level-1 entry used as address bits (QEMU) | `commands::tables_of_every_page_size_flat_and_two_level` |
//! | a stalled queue restarts without Retry, or never (QEMU) | `errors::a_queue_stops_and_goes_on_with_retry` |
//! | an unmapping MAPD is refused for its Size (QEMU) | `errors::the_size_of_an_unmapping_is_looked_at_where_chosen` |
//! | Quiescent never changes (QEMU) | `registers::quiescent` |
//! | INVALL of an unmapped collection has no target (Xen) | `errors::every_error_has_its_syndrome` |
//! | an unmapping MAPC is refused for its RDbase (Xen) | `commands::an_unmapped_collection_needs_no_redistributor` |
//! | MOVI loses the pending LPI (Xen, arm_vgic) | `commands::movi_carries_what_is_pending_and_leads_messages` |
//! | half of the events cannot be mapped (gem5) | `commands::every_event_of_a_table_can_be_mapped_and_none_beyond` |
//! | LPIs cut to 14 bits (gem5) | `commands::an_lpi_keeps_all_its_bits` |
//! | a store to GITS_BASER adds bits (gem5) | `registers::registers_of_tables` |
//! | MOVALL clears the target's pending LPIs (gem5) | `commands::movall_moves_what_is_pending_at_one_place_and_no_mapping` |
//! | malformed commands, numbers or tables end the program (gem5, hvisor) | `robust::nothing_is_too_strange` |
//! | a device raises another device's LPI (hvisor) | `isolation::a_device_raises_only_what_is_its_own` |
//! | the queue does not wrap (arm_vgic) | `registers::the_queue_wraps` |
//! | an error stops the queue for good (arm_vgic) | `errors::errors_are_passed_over_where_chosen` |
//! | DISCARD leaves the LPI pending (arm_vgic) | `commands::discard_takes_the_mapping_and_what_is_pending` |
//! | a cached translation outlives DISCARD | `choices::a_cache_forgets_what_every_command_changes` |
//! | pending LPIs of one CPU are restored to all (cloud-hypervisor) | `migration::pending_lpis_travel` |
//! | ICENABLER enables; an interrupt disabled while served is never ended (bhyve) | `v3::tests::an_interrupt_disabled_while_served_can_be_ended` |

mod choices;
mod commands;
mod convert;
mod errors;
mod gic600;
mod identity;
mod isolation;
mod known_tests;
mod kvm_selftest;
mod late;
mod listed;
mod migration;
mod moved;
mod one_cache;
mod oracle;
mod per_lpi;
mod recorded;
mod registers;
mod restored;
mod robust;
mod spelled;
mod strict;

use super::testkit::Board;
use super::{Arrival, Untranslated};
use crate::Size;
use crate::choice::Preset;

/// Runs a test on a new board for every preset, the adversarial one with several seeds.
fn every_preset(test: impl Fn(Board, Preset)) {
    let fixed = Preset::ALL.into_iter().take(4);
    let seeds = (0..8).map(Preset::Adversarial);
    for preset in fixed.chain(seeds) {
        test(Board::new(preset), preset);
    }
}

#[test]
fn a_message_becomes_an_lpi() {
    every_preset(|mut board, preset| {
        board.map(2, 20, 8195, 3);
        assert!(matches!(board.message(2, 20), Arrival::Raised { .. }), "{preset:?}");
        board.only(3, 8195);
        board.device_write(2, 0x1_0040, Size::Half, 20);
        board.only(3, 8195);
        assert!(board.reports().is_empty());
    });
}

#[test]
fn messages_that_raise_nothing() {
    every_preset(|mut board, preset| {
        board.map(2, 20, 8195, 3);
        let unmapped = [(3, 20), (2, 21), (0x1_0002, 20), (8193, 20)];
        for (device, event) in unmapped {
            assert!(matches!(board.message(device, event), Arrival::Untranslated(_)));
        }
        for (at, size) in [
            (0x1_0040, Size::Byte),
            (0x1_0040, Size::Double),
            (0x1_0044, Size::Word),
            (0, Size::Word),
        ] {
            assert_eq!(board.device_write(2, at, size, 20), Arrival::Ignored);
        }
        board.w32(super::testkit::ITS, 0x1_0040, 20);
        board.nothing();
        let beyond = board.message(2, 0x114);
        let cut = matches!(preset, Preset::Adversarial(seed) if seed % 2 == 1);
        match cut {
            true => board.only(3, 8195),
            false => assert_eq!(beyond, Arrival::Untranslated(Untranslated::EventOutOfRange)),
        }
        board.w32(super::testkit::ITS, 0x00, 0);
        assert_eq!(board.message(2, 20), Arrival::Untranslated(Untranslated::Disabled));
        board.nothing();
    });
}
