//! Known bugs of other ITSs and of their drivers, and the tests that would have caught them here.

use super::table;

/// A defect found elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bug {
    /// Its number in the list.
    pub number: u8,
    /// The implementation that had it.
    pub found_in: &'static str,
    /// The defect.
    pub what: &'static str,
    /// The change to the model that introduces the same defect.
    pub mutant: &'static str,
    /// Tests that detect it, each a file below the root of the project and a name.
    pub tests: &'static [(&'static str, &'static str)],
    /// Why no test detects it, where none does.
    pub why_not: &'static str,
}

macro_rules! bugs {
    ($($number:literal $found_in:literal $what:literal
        [$($file:ident $test:ident),*] $mutant:literal $why_not:literal)*) => {
        /// All bugs, by number.
        pub static BUGS: &[Bug] = &[$(Bug {
            number: $number,
            found_in: $found_in,
            what: $what,
            mutant: $mutant,
            tests: &[$((files::$file, stringify!($test))),*],
            why_not: $why_not,
        }),*];
    };
}

/// The files of the tests.
#[allow(non_upper_case_globals, reason = "they are named as in the list below")]
mod files {
    pub(super) const commands: &str = "gic/src/its/tests/commands.rs";
    pub(super) const known: &str = "gic/src/its/tests/known_tests.rs";
    pub(super) const errors: &str = "gic/src/its/tests/errors.rs";
    pub(super) const choices: &str = "gic/src/its/tests/choices.rs";
    pub(super) const registers: &str = "gic/src/its/tests/registers.rs";
    pub(super) const migration: &str = "gic/src/its/tests/migration.rs";
    pub(super) const selftest: &str = "gic/src/its/tests/kvm_selftest.rs";
    pub(super) const oracle: &str = "gic/src/its/tests/oracle.rs";
    pub(super) const robust: &str = "gic/src/its/tests/robust.rs";
    pub(super) const isolation: &str = "gic/src/its/tests/isolation.rs";
    pub(super) const lpis: &str = "gic/src/v3/tests/lpis.rs";
    pub(super) const v3: &str = "gic/src/v3/tests.rs";
    pub(super) const recorded: &str = "gic/src/its/tests/recorded.rs";
    pub(super) const queue: &str = "vfio/src/msi/its/tests.rs";
    pub(super) const numbers: &str = "vfio/src/msi/tests/numbers.rs";
}

bugs! {
    1 "KVM, CVE-2026-46316" "a reference of the wrong cache entry is dropped"
        [choices a_cache_forgets_what_every_command_changes]
        "forgetting an event forgets its neighbour" ""
    2 "KVM, CVE-2024-26598" "a hit of the cache takes no reference"
        [choices a_cache_forgets_what_every_command_changes]
        "what is remembered of a device or a collection outlives it" ""
    3 "KVM" "MOVALL moves every LPI of the machine"
        [commands movall_moves_what_is_pending_at_one_place_and_no_mapping]
        "MOVALL empties every redistributor" ""
    4 "KVM" "MOVALL changes a target that tables do not say, so that saving reverts it"
        [commands movall_moves_what_is_pending_at_one_place_and_no_mapping,
         oracle does_what_the_obvious_one_does]
        "MOVALL turns messages too, in no table" ""
    5 "KVM" "saving an event of an unmapped collection crashes"
        [migration migration_with_an_unmapped_collection_14_to_16, oracle and_migrates_in_between]
        "saving looks up the CPU of every event" ""
    6 "KVM" "MAPD without V, and DISCARD, leave their entries in memory"
        [commands an_unmapped_device_is_gone_from_memory_too,
         commands discard_takes_the_mapping_and_what_is_pending]
        "the entry is not written" ""
    7 "KVM" "reading tables underflows where DeviceIDs are sparse"
        [migration a_distance_leads_from_page_to_page]
        "distances are followed within a page of level 2" ""
    8 "KVM" "the size in a restored device entry is believed"
        [errors a_table_that_lies_about_its_size_is_believed_where_chosen]
        "the size in memory is taken as it is" ""
    9 "KVM" "a level 1 entry that software clears makes saving fail"
        [migration a_cleared_level_1_entry_does_not_hinder_saving]
        "a missing page is an error" ""
    10 "KVM" "unmapped collections are not restored"
        [migration migration_with_an_unmapped_collection_14_to_16]
        "events of unmapped collections are not read back" ""
    11 "KVM" "two events share a key of the cache"
        [choices a_cache_tells_events_and_devices_apart]
        "the DeviceID is no part of the key" ""
    12 "KVM" "LPIs stay pending where LPIs are turned off"
        [lpis off_means_dropped_and_the_table_says_what_was_pending,
         lpis what_is_cleared_while_lpis_are_off_is_gone]
        "pending LPIs are delivered while LPIs are off; they are kept until LPIs are on" ""
    13 "QEMU" "RDbase is compared with one too many"
        [errors every_error_has_its_syndrome] "RDbase may be the number of CPUs" ""
    14 "QEMU" "MAPTI takes INTID 1023; INV does nothing"
        [errors every_error_has_its_syndrome, known invalidate_8_to_10]
        "1023 is an LPI; INV and INVALL do nothing" ""
    15 "QEMU" "the mask of a level 1 entry keeps bits 11 to 0 and drops bit 51"
        [commands entries_of_level_1_have_an_address_and_nothing_else]
        "the mask is QEMU's" ""
    16 "QEMU" "moving an LPI compares bytes with bits"
        [lpis numbers_that_are_no_lpi, lpis few_id_bits_leave_few_lpis_or_none]
        "an eighth of the INTID is compared" ""
    17 "QEMU" "Stalled stays and Retry is ignored; MAPD without V is refused for its Size; MAPC's RDbase is cut to 16 bits"
        [errors a_queue_stops_and_goes_on_with_retry, errors the_size_of_an_unmapping_is_looked_at_where_chosen,
         commands a_redistributor_has_all_bits_of_its_number]
        "each of the four" ""
    18 "QEMU" "a vLPI's number is passed as its level"
        [lpis moves_carry_what_is_pending_and_nothing_else, oracle does_what_the_obvious_one_does]
        "an LPI's number is taken for whether it is pending when it is moved" ""
    19 "QEMU" "Quiescent never drops to 0"
        [registers quiescent] "Quiescent is always 1" ""
    20 "Xen" "INVALL of an unmapped collection crashes; MOVI loses pending; MAPC without V looks at RDbase"
        [errors every_error_has_its_syndrome, commands movi_carries_what_is_pending_and_leads_messages,
         commands an_unmapped_collection_needs_no_redistributor]
        "each of the three" ""
    21 "gem5" "half of a table's events are dropped; an LPI has 14 bits; BASER is OR'ed; MOVALL overwrites"
        [commands every_event_of_a_table_can_be_mapped_and_none_beyond,
         commands an_lpi_keeps_all_its_bits, registers registers_of_tables,
         commands movall_moves_what_is_pending_at_one_place_and_no_mapping]
        "each of the four; the event after the last is taken" ""
    22 "hvisor" "unwraps what software wrote; devices are not told apart"
        [robust nothing_is_too_strange, isolation a_device_raises_only_what_is_its_own]
        "every message is device 2's" ""
    23 "arm_vgic, axvisor" "a queue that wraps underflows"
        [registers the_queue_wraps] "CREADR does not wrap" ""
    24 "arm_vgic" "an error ends the batch; DISCARD and MOVI forget what is pending"
        [errors errors_are_passed_over_where_chosen, commands discard_takes_the_mapping_and_what_is_pending,
         commands movi_carries_what_is_pending_and_leads_messages]
        "the queue halts; pending stays" ""
    25 "cloud-hypervisor" "every CPU is saved with the pending table of CPU 0"
        [migration pending_lpis_travel] "GICR_PENDBASER of CPU 0 is saved for all" ""
    26 "Firecracker" "tables are missing from snapshots of what changed"
        [migration migration_12_and_13]
        "tables are saved as they were before saving wrote them" ""
    27 "Linux" "an ITT for more events than an EventID has bits; a time-out without a cause"
        [errors every_error_has_its_syndrome, queue a_queue_that_has_stopped_is_not_waited_for]
        "MAPD takes any Size; the driver looks until time is up" ""
    28 "Linux's selftests" "MAPC's RDbase is in the wrong place, and KVM takes it"
        [recorded the_recorded_queue_leaves_the_recorded_tables] "RDbase is read one bit higher" ""
    29 "bhyve" "the end of an interrupt that was disabled meanwhile is dropped"
        [v3 an_interrupt_disabled_while_served_can_be_ended]
        "its end is dropped; GICD_ICENABLER enables" ""
    30 "Linux up to 5.1" "GITS_CREADR is compared as it is, so that a wait ends early where the queue wraps"
        [queue offsets_that_are_compared_as_they_are_end_waits_early]
        "a place beyond the command's end is its end" ""
    31 "Linux up to 5.3, and since 5.11" "of a block of messages of MSI only those are free again that were wanted"
        [numbers a_block_is_free_again_whole] "the rest of a block stays taken" ""
    32 "KVM" "a collection table that becomes smaller keeps collections without a place, and what was saved is refused"
        [selftest a_changed_register_drops_the_collections]
        "only a store without Valid drops what a table held" ""
}

/// The table of the documentation.
pub(super) fn page() -> String {
    let rows = BUGS.iter().map(|bug| {
        let test = |(file, name): &(&str, &str)| format!("[`{name}`](../{file})");
        let tests: Vec<_> = bug.tests.iter().map(test).collect();
        let tests = if tests.is_empty() { bug.why_not.to_owned() } else { tests.join("<br>") };
        let cells = [bug.found_in, bug.what, bug.mutant].map(str::to_owned);
        let [found_in, what, mutant] = cells;
        vec![bug.number.to_string(), found_in, what, tests, mutant]
    });
    table(&["no.", "found in", "what was wrong", "test", "mutant"], rows)
}
