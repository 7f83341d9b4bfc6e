//! ATS through the public interface.

use crate::v3::testkit::{
    BOTH_STAGES, Board, CD0, CDS, STAGE1, STAGE2, STE_STAGE1, STE_STAGE2, STREAM, event,
    implementation, pa, written,
};
use crate::v3::{Cause, Detail, IdRegisters, Outcome, Progress, SteFlaw, Transaction};
use passim_model::access::Privilege;
use passim_model::ats::{Completion, Grant, Invalidation, InvalidationEnd, TranslationRequest};
use passim_model::device::{Atc, Lookup};
use passim_model::{Access, DeviceId, Effect, Iova, Perms, Requester, StreamId, SubstreamId};

const RW: Perms = Perms::READ.union(Perms::WRITE);

/// ATS with split stage, REC_CFG_ATS, PRI-less, substreams of five bits.
fn ids() -> IdRegisters {
    let mut ids = BOTH_STAGES;
    ids.idr[0] |= 1 << 10 | 1 << 23;
    ids.idr[1] |= 5 << 6;
    ids
}

/// A board whose stream has EATS `eats`; CR0.ATSCHK is `checked`.
fn board_of(eats: u64, checked: bool) -> Board {
    let mut board = Board::with(implementation(ids()));
    board.stage1_tables();
    board.stage2_tables();
    board.stage1(CD0);
    board.ste(STREAM, &[STE_STAGE1, 0xd6 | eats << 28]);
    board.w32(0x20, 0xd | u32::from(checked) << 4);
    board.effects();
    board
}

fn requester(pasid: Option<u32>) -> Requester {
    Requester {
        stream: StreamId::new(STREAM),
        substream: pasid.map(SubstreamId::new),
        device: DeviceId::new(STREAM),
    }
}

fn ask(board: &mut Board, iova: u64, no_write: bool) -> Completion {
    let request = TranslationRequest {
        requester: requester(None),
        iova: Iova::new(iova),
        no_write,
        execute: false,
        privileged: false,
    };
    board.smmu.translation_request(&mut board.memory, &request)
}

fn translated(board: &mut Board, address: u64, access: Access) -> Outcome {
    let txn = Transaction { requester: requester(None), iova: Iova::new(address), access };
    board.smmu.translated(&mut board.memory, &txn)
}

fn grant(address: u64, lg2: u32, perms: Perms) -> Completion {
    Completion::Success(Grant { address, lg2, perms, privileged: false })
}

#[test]
fn permissions_are_granted_as_asked() {
    let mut board = board_of(1, false);
    assert_eq!(ask(&mut board, 0x10_123, false), grant(0x4800_0000, 12, RW));
    assert_eq!(ask(&mut board, 0x10_123, true), grant(0x4800_0000, 12, RW));
    // Read-only, and a block.
    assert_eq!(ask(&mut board, 0x11_000, false), grant(0x4800_1000, 12, Perms::READ));
    assert_eq!(ask(&mut board, 0x2f_0000, true).clone(), grant(0x4820_0000, 21, RW));
    // Faults are answered, not recorded.
    assert_eq!(ask(&mut board, 0x12_000, false), grant(0, 12, Perms::empty()));
    assert_eq!(ask(&mut board, 1 << 50, true), grant(0, 12, Perms::empty()));
    assert_eq!(board.drain_events(), 0);
}

/// What is refused, and what nothing translates, has the size of the smallest translation unit.
#[test]
fn the_least_answer_is_the_smallest_granule() {
    // TG0 of the CD beside the granules in IDR5: 4K, 16K, 64K.
    for (granules, tg0, lg2) in [(0x70, 0, 12), (0x60, 2, 14), (0x40, 1, 16)] {
        let mut ids = ids();
        ids.idr[5] = ids.idr[5] & !0x70 | granules;
        let mut board = Board::with(implementation(ids));
        board.stage1_tables();
        board.stage1(CD0 | tg0 << 6);
        board.ste(STREAM, &[STE_STAGE1, 0xd6 | 1 << 28]);
        assert_eq!(ask(&mut board, 1 << 47, true), grant(0, lg2, Perms::empty()));
        assert_eq!(board.drain_events(), 0);
        // S1DSS = 1: no PASID, no stage 1.
        board.ste(STREAM, &[1 << 59 | STE_STAGE1, 1 | 1 << 28]);
        board.command(0x8_0000_0003, 1);
        let first = 0x1234_5678_u64 >> lg2 << lg2;
        assert_eq!(ask(&mut board, 0x1234_5678, false), grant(first, lg2, RW));
    }
}

/// The examples of IHI 0070 G.b 13.7.
#[test]
fn a_pasid_brings_privilege_and_execution() {
    let mut board = Board::with(implementation(ids()));
    board.stage1_tables();
    board.stage1(CD0);
    board.ste(STREAM, &[1 << 59 | STE_STAGE1, 1 << 28]);
    board.put(CDS + 64, &[CD0, STAGE1, 0, 0xff]);
    let page = STAGE1 + 0x3000 + 0x12 * 8;
    let mut case = |descriptor: u64, no_write, execute, privileged| {
        board.put(page, &[descriptor]);
        board.command(0x30, 0);
        let (requester, iova) = (requester(Some(1)), Iova::new(0x12_000));
        let request = TranslationRequest { requester, iova, no_write, execute, privileged };
        match board.smmu.translation_request(&mut board.memory, &request) {
            Completion::Success(grant) => {
                assert_eq!(grant.privileged, privileged);
                grant.perms
            }
            other => panic!("{other:?}"),
        }
    };
    let rwx = RW | Perms::EXEC;
    // User-RW, Priv-RW, executable without privilege.
    let open = 0x4800_0f43 | 1 << 6;
    assert_eq!(case(open, false, false, false), RW);
    assert_eq!(case(open, false, true, false), rwx);
    // XN.
    assert_eq!(case(open | 1 << 54, false, true, false), RW);
    // User-RO cannot be distinguished from Priv-RO; privileged only: nothing for users.
    let private = 0x4800_0f03;
    assert_eq!(case(private, false, false, false), Perms::empty());
    assert_eq!(case(private, false, false, true), RW);
    // User-X, Priv-RW: execute-only is no access.
    assert_eq!(case(private, true, true, false), Perms::empty());
}

#[test]
fn streams_without_ats_are_refused_and_told() {
    let mut board = board_of(0, false);
    assert_eq!(ask(&mut board, 0x10_fff, false), Completion::UnsupportedRequest);
    // F_BAD_ATS_TREQ: R 30, W 29, Span 1; the address of the page.
    assert_eq!(board.last_record(), [0x8_0000_0005, 0x6000_0001, 0x10000, 0]);
    // A bypassing stream; split stage without the check acts as 0.
    board.ste(STREAM, &[0x9, 1 << 28]);
    board.command(0x8_0000_0003, 1);
    assert_eq!(ask(&mut board, 0, true), Completion::UnsupportedRequest);
    assert_eq!(board.drain_events(), 2);
    // An aborting stream: silently.
    board.ste(STREAM, &[1]);
    board.command(0x8_0000_0003, 1);
    assert_eq!(ask(&mut board, 0, true), Completion::UnsupportedRequest);
    assert_eq!(board.drain_events(), 0);
    board.w32(0x20, 0xc);
    assert_eq!(ask(&mut board, 0, true), Completion::UnsupportedRequest);
    assert_eq!(board.drain_events(), 1);
}

#[test]
fn errors_of_configuration_are_recorded_only_if_asked() {
    for recorded in [false, true] {
        let mut board = board_of(1, false);
        board.reprogram(|board| board.w32(0x2c, u32::from(recorded) << 3));
        board.ste(STREAM, &[0]);
        board.command(0x8_0000_0003, 1);
        assert_eq!(ask(&mut board, 0, true), Completion::CompleterAbort);
        assert_eq!(board.drain_events(), u32::from(recorded));
        // C_BAD_STREAMID needs RECINVSID too.
        let mut other = requester(None);
        other.stream = StreamId::new(999);
        let iova = Iova::new(0);
        let request = TranslationRequest {
            requester: other,
            iova,
            no_write: true,
            execute: false,
            privileged: false,
        };
        let answer = board.smmu.translation_request(&mut board.memory, &request);
        assert_eq!((answer, board.drain_events()), (Completion::CompleterAbort, 0));
    }
}

#[test]
fn eats_that_does_not_fit_is_illegal_w2() {
    let mut board = board_of(2, true);
    // EATS 2 without both stages.
    assert_eq!(event(board.read(0)).0.detail, Detail::Ste(SteFlaw::Eats));
    // EATS 3 without DPT acts as 0, whatever else.
    let mut board = board_of(3, true);
    assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
    assert_eq!(ask(&mut board, 0x10_000, true), Completion::UnsupportedRequest);
}

#[test]
fn translated_transactions_pass_unless_checked() {
    let mut board = board_of(0, false);
    assert_eq!(pa(translated(&mut board, 0x1234_5678, Access::WRITE)), 0x1234_5678);
    let beyond = translated(&mut board, 1 << 44, Access::READ);
    assert!(matches!(beyond, Outcome::Terminated(ended) if ended.cause == Cause::BeyondOutputSize));
    board.w32(0x20, 0x1d);
    // ATSCHK may be cached with the STE; here nothing was cached yet.
    let (refused, _) = event(translated(&mut board, 0x1234_5678, Access::WRITE));
    assert_eq!(refused.kind.name(), "F_TRANSL_FORBIDDEN");
    assert_eq!(board.last_record(), [0x8_0000_0007, 0, 0x1234_5678, 0]);
    let mut allowed = board_of(1, true);
    assert_eq!(pa(translated(&mut allowed, 0x1234_5678, Access::READ)), 0x1234_5678);
    allowed.w32(0x20, 0xc);
    let (refused, _) = event(translated(&mut allowed, 0, Access::READ));
    assert_eq!(refused.kind.number(), 7);
}

/// S1DSS against a translated transaction, where the SMMU sees PASIDs in those (IDR3.PASIDTT) and
/// where it does not.
#[test]
fn a_translated_transaction_obeys_the_default_substream() {
    // S1DSS, PASID, and the event where PASIDs are visible.
    let cases = [
        (0, None, Some("F_STREAM_DISABLED")),
        // Its CD is read, and not valid.
        (0, Some(1), Some("C_BAD_CD")),
        (1, None, None),
        (2, None, None),
        (2, Some(0), Some("F_STREAM_DISABLED")),
        (3, None, Some("F_STREAM_DISABLED")),
        (0, Some(2), Some("C_BAD_SUBSTREAMID")),
    ];
    for (seen, checked) in [(false, true), (true, false), (true, true)] {
        let mut ids = ids();
        ids.idr[3] |= u32::from(seen) << 16;
        for (s1dss, pasid, expected) in cases {
            let mut board = Board::with(implementation(ids));
            board.reprogram(|board| board.w32(0x2c, 1 << 3));
            board.w32(0x20, 0xd | u32::from(checked) << 4);
            board.ste(STREAM, &[1 << 59 | STE_STAGE1, s1dss | 1 << 28]);
            let (requester, iova) = (requester(pasid), Iova::new(0x1234_5678));
            let txn = Transaction { requester, iova, access: Access::READ };
            let outcome = board.smmu.translated(&mut board.memory, &txn);
            match expected.filter(|_| seen && checked) {
                Some(name) => assert_eq!(written(outcome), name, "S1DSS {s1dss}, {pasid:?}"),
                None => assert_eq!(pa(outcome), 0x1234_5678, "S1DSS {s1dss}, {pasid:?}"),
            }
        }
    }
}

#[test]
fn split_stage_answers_intermediate_addresses() {
    let mut board = board_of(2, true);
    let [_, _, s2, ttb] = STE_STAGE2;
    board.ste(STREAM, &[STE_STAGE1 | 0x4, 0xd6 | 2 << 28, s2, ttb]);
    board.put(STAGE1 + 0x3000 + 0x12 * 8, &[0x1_0f47, 0x1_1f47]);
    // 0x12000 -> IPA 0x10000; permissions are those of both stages.
    assert_eq!(ask(&mut board, 0x12_345, false), grant(0x1_0000, 12, RW));
    assert_eq!(ask(&mut board, 0x13_345, false), grant(0x1_1000, 12, Perms::READ));
    assert_eq!(pa(translated(&mut board, 0x1_0345, Access::WRITE)), 0x4900_0345);
    let (refused, _) = event(translated(&mut board, 0x1_1345, Access::WRITE));
    assert_eq!(refused.kind.name(), "F_PERMISSION");
    assert_eq!(board.last_record()[3], 0x11000);
    let (refused, _) = event(translated(&mut board, 1 << 44, Access::WRITE));
    assert_eq!(refused.kind.name(), "F_ADDR_SIZE");
    board.put(STAGE2 + 0x3000 + 0x10 * 8, &[0]);
    assert_eq!(pa(translated(&mut board, 0x1_0345, Access::READ)), 0x4900_0345, "cached");
}

#[test]
fn sync_waits_for_invalidations() {
    let mut board = board_of(1, false);
    // CMD_ATC_INV: PASID 3, global, 64K around 0x1234_5000; then CMD_SYNC.
    board.submit(0x8_0000_3a40, 0x1234_5004);
    board.submit(0x46, 0);
    assert_eq!(board.run(), 1);
    let request = Invalidation {
        tag: 0,
        stream: StreamId::new(STREAM),
        substream: Some(SubstreamId::new(3)),
        global: true,
        first: 0x1234_0000,
        last: 0x1234_ffff,
    };
    assert_eq!(board.effects(), [Effect::InvalidateAtc(request)]);
    assert_eq!((board.r32(0x9c), board.smmu.invalidations_waiting()), (1, &[0][..]));
    assert_eq!(board.smmu.step(&mut board.memory), Progress::Idle);
    board.smmu.invalidation_ended(9, InvalidationEnd::TimedOut);
    assert_eq!(board.run(), 0, "nobody waits for tag 9");
    board.smmu.invalidation_ended(0, InvalidationEnd::Completed);
    assert_eq!((board.run(), board.r32(0x9c)), (1, 2));
    // Everything of a function without PASID; a refusal completes as well.
    board.submit(0x8_0000_0240, 52);
    board.submit(0x46, 0);
    board.run();
    let Some(&Effect::InvalidateAtc(all)) = board.effects().first() else { panic!("no request") };
    assert_eq!((all.first, all.last, all.substream, all.global), (0, u64::MAX, None, false));
    board.smmu.invalidation_ended(all.tag, InvalidationEnd::UnsupportedRequest);
    board.run();
    assert_eq!((board.r32(0x9c), board.r32(0x60)), (4, 0));
}

#[test]
fn a_time_out_stops_the_queue_at_the_sync() {
    let mut board = board_of(1, false);
    board.submit(0x8_0000_0040, 0);
    board.submit(0x46, 0);
    board.run();
    board.smmu.invalidation_ended(0, InvalidationEnd::TimedOut);
    board.run();
    // CERROR_ATC_INV_SYNC at the CMD_SYNC.
    assert_eq!((board.r32(0x9c), board.r32(0x60)), (0x300_0001, 1));
    board.w32(0x64, 1);
    assert_eq!((board.run(), board.r32(0x9c) & 0xf), (1, 2));
    // Size above 52 is illegal, and nothing is sent while SMMUEN is 0.
    board.w32(0x20, 0xc);
    board.command(0x8_0000_0040, 0);
    assert_eq!(board.smmu.invalidations_waiting(), []);
    board.command(0x8_0000_0040, 53);
    assert_eq!(board.r32(0x60), 0, "toggled back: active");
}

#[test]
fn an_untranslated_access_of_the_stream_is_as_ever() {
    let mut board = board_of(1, true);
    assert_eq!(pa(board.write(0x10_000)), 0x4800_0000);
    let privileged = Access { privilege: Privilege::Privileged, ..Access::READ };
    assert_eq!(pa(translated(&mut board, 0x10_000, privileged)), 0x10_000);
}

/// A read through the device's own cache: on a miss it requests a translation.
fn device_read(board: &mut Board, atc: &mut Atc, iova: u64) -> Option<u64> {
    let iova = Iova::new(iova);
    if atc.lookup(None, iova, Access::READ) == Lookup::Unknown {
        let requester = requester(None);
        let request = TranslationRequest {
            requester,
            iova,
            no_write: true,
            execute: false,
            privileged: false,
        };
        let answer = board.smmu.translation_request(&mut board.memory, &request);
        atc.fill(&request, &answer);
    }
    match atc.lookup(None, iova, Access::READ) {
        Lookup::Translated(address) => {
            let txn = Transaction {
                requester: requester(None),
                iova: Iova::new(address),
                access: Access::READ,
            };
            Some(pa(board.smmu.translated(&mut board.memory, &txn)))
        }
        Lookup::Refused | Lookup::Unknown => None,
    }
}

/// Sends a command and carries its ATS Invalidate Requests to the device.
fn command(board: &mut Board, atc: &mut Atc, w0: u64, w1: u64) {
    board.command(w0, w1);
    for effect in board.effects() {
        if let Effect::InvalidateAtc(request) = effect {
            let end = atc.invalidate(&request);
            board.smmu.invalidation_ended(request.tag, end);
        }
    }
    board.run();
}

const PAGE: u64 = STAGE1 + 0x3000 + 0x10 * 8;
const TLBI: (u64, u64) = (0x7_0000_0000_0012, 0x1_0001);
const ATC_INV: (u64, u64) = (0x8_0000_0040, 0x1_0000);
const SYNC: (u64, u64) = (0x46, 0);

#[test]
fn a_device_reaches_a_page_until_its_own_cache_is_told() {
    let mut board = board_of(1, true);
    let mut atc = Atc::new();
    assert_eq!(device_read(&mut board, &mut atc, 0x10_008), Some(0x4800_0008));
    board.put(PAGE, &[0]);
    for (w0, w1) in [TLBI, SYNC] {
        command(&mut board, &mut atc, w0, w1);
    }
    assert_eq!(device_read(&mut board, &mut atc, 0x10_008), Some(0x4800_0008), "no ATC_INV");
    for (w0, w1) in [ATC_INV, SYNC] {
        command(&mut board, &mut atc, w0, w1);
    }
    assert_eq!(device_read(&mut board, &mut atc, 0x10_008), None);
    assert_eq!(board.r32(0x60), 0);
}

/// IHI 0070 G.b 4.5.1: the SMMU's caches first, then the device's. In the opposite order, a device
/// that requests a translation in between gets a stale answer.
#[test]
fn the_wrong_order_leaves_a_stale_translation() {
    for (order, expected) in
        [([TLBI, SYNC, ATC_INV, SYNC], None), ([ATC_INV, SYNC, TLBI, SYNC], Some(0x4800_0008))]
    {
        let mut board = board_of(1, true);
        let mut atc = Atc::new();
        device_read(&mut board, &mut atc, 0x10_008);
        board.put(PAGE, &[0]);
        for (w0, w1) in order {
            command(&mut board, &mut atc, w0, w1);
            device_read(&mut board, &mut atc, 0x10_008);
        }
        assert_eq!(device_read(&mut board, &mut atc, 0x10_008), expected);
    }
}

#[test]
fn a_device_that_does_not_answer_is_told_of_at_the_sync() {
    let mut board = board_of(1, true);
    let mut atc = Atc::new();
    atc.set_silent(true);
    for (w0, w1) in [ATC_INV, SYNC] {
        command(&mut board, &mut atc, w0, w1);
    }
    assert_eq!((board.r32(0x9c) >> 24, board.r32(0x60)), (3, 1));
}
