//! The PRI queue through the public interface.

use crate::v3::PageOutcome;
use crate::v3::testkit::{BOTH_STAGES, Board, CD0, STE_STAGE1, STREAM, implementation};
use passim_model::ats::{PageRequest, PageResponse, ResponseCode};
use passim_model::{
    DeviceId, Effect, IntId, Iova, Perms, PhysAddr, Requester, StreamId, SubstreamId,
};

/// PRI queue of 4 records.
const QUEUE: u64 = 0x4310_0000;

/// PRI with substreams of five bits; messages too, if `msi`.
fn board_of(pps: bool, msi: bool) -> Board {
    board_with(5, pps, msi)
}

/// The same with substreams of so many bits.
fn board_with(substream_bits: u32, pps: bool, msi: bool) -> Board {
    let mut ids = BOTH_STAGES;
    ids.idr[0] |= 1 << 16 | 1 << 10 | u32::from(msi) << 13 | 1 << 23;
    ids.idr[1] |= substream_bits << 6 | 8 << 11;
    ids.idr[3] |= u32::from(pps) << 5;
    let mut board = Board::cold(implementation(ids));
    board.w64(0xc0, 1 << 62 | QUEUE | 2);
    board.boot();
    board.w32(0x50, 0b111);
    board.w32(0x20, 0xf);
    board.stage1_tables();
    board.stage1(CD0);
    board.effects();
    board
}

fn board() -> Board {
    board_of(false, false)
}

fn request(pasid: Option<u32>, page: u64, last: bool, group: u16) -> PageRequest {
    let requester = Requester {
        stream: StreamId::new(STREAM),
        substream: pasid.map(SubstreamId::new),
        device: DeviceId::new(STREAM),
    };
    let perms = Perms::READ | Perms::WRITE;
    PageRequest { requester, page: Iova::new(page), perms, privileged: false, last, group }
}

fn ask(board: &mut Board, request: &PageRequest) -> PageOutcome {
    board.smmu.page_request(&mut board.memory, request)
}

fn answer(substream: Option<u32>, group: u16, code: ResponseCode) -> PageOutcome {
    let stream = StreamId::new(STREAM);
    let substream = substream.map(SubstreamId::new);
    PageOutcome::Answered(PageResponse { stream, substream, group, code })
}

#[test]
fn a_request_is_written_as_it_came() {
    let mut board = board();
    let mut asked = request(Some(5), 0x1234_5fff, true, 0x1ab);
    asked.perms = Perms::READ | Perms::EXEC;
    asked.privileged = true;
    assert_eq!(ask(&mut board, &asked), PageOutcome::Queued);
    // StreamID 8, PASID 5; Priv 58, X 59, R 60, W 61, Last 62, SSV 63.
    assert_eq!(board.get(QUEUE), 0xdc00_0005_0000_0008);
    assert_eq!(board.get(QUEUE + 8), 0x1234_51ab);
    assert_eq!((board.r32(0x100c8), board.effects()), (1, vec![Effect::Wire(IntId::new(107))]));
    // Without a PASID there is neither privilege nor execution.
    asked.requester.substream = None;
    ask(&mut board, &asked);
    assert_eq!(board.get(QUEUE + 16), 0x5000_0000_0000_0008);
    assert_eq!(board.effects(), [], "the queue was not empty");
}

#[test]
fn without_substreams_no_record_has_a_pasid() {
    let mut board = board_with(0, false, false);
    let mut asked = request(Some(5), 0x1234_5fff, true, 0x1ab);
    asked.perms = Perms::READ | Perms::EXEC;
    asked.privileged = true;
    assert_eq!(ask(&mut board, &asked), PageOutcome::Queued);
    assert_eq!((board.get(QUEUE), board.get(QUEUE + 8)), (0x5000_0000_0000_0008, 0x1234_51ab));
}

#[test]
fn the_interrupt_may_mark_the_last_of_a_group() {
    let wire = Effect::Wire(IntId::new(107));
    let mut board = board();
    board.w32(0x50, 0b101);
    board.w32(0xdc, 1 << 31);
    board.w32(0x50, 0b111);
    assert_eq!(board.r32(0xdc), 1 << 31);
    ask(&mut board, &request(None, 0, false, 1));
    assert_eq!(board.effects(), []);
    ask(&mut board, &request(None, 0, true, 1));
    assert_eq!(board.effects(), [wire]);
    // Also where the queue has no room for it.
    for _ in 0..3 {
        ask(&mut board, &request(None, 0, false, 1));
    }
    assert_eq!(board.effects(), []);
    ask(&mut board, &request(None, 0, true, 2));
    assert_eq!((board.r32(0x100c8), board.effects()), (0x8000_0004, vec![wire]));
    let mut board = board_of(false, true);
    board.w32(0x50, 0b101);
    board.w64(0xd0, 0x4444_0000);
    board.w32(0xd8, 77);
    board.w32(0x50, 0b111);
    ask(&mut board, &request(None, 0, false, 1));
    let message = Effect::Write { at: PhysAddr::new(0x4444_0000), data: 77, tag: 2 };
    assert_eq!(board.effects(), [message, Effect::Wire(IntId::new(107))]);
    board.smmu.message_aborted(2);
    assert_eq!(board.r32(0x60), 1 << 6);
}

#[test]
fn an_overflow_answers_until_it_is_acknowledged() {
    let mut board = board();
    for n in 0..4 {
        assert_eq!(ask(&mut board, &request(None, n << 12, false, 1)), PageOutcome::Queued);
    }
    assert_eq!(ask(&mut board, &request(None, 0, false, 1)), PageOutcome::Discarded);
    assert_eq!(board.r32(0x100c8), 0x8000_0004);
    let success = answer(None, 1, ResponseCode::Success);
    assert_eq!(ask(&mut board, &request(None, 0, true, 1)), success);
    // Room alone does not help, unlike the Event queue.
    board.w32(0x100cc, 2);
    assert_eq!(ask(&mut board, &request(None, 0, true, 2)), answer(None, 2, ResponseCode::Success));
    board.w32(0x100cc, 0x8000_0002);
    assert_eq!(ask(&mut board, &request(None, 0, true, 2)), PageOutcome::Queued);
}

#[test]
fn the_pasid_of_an_overflow_answer_follows_ppar() {
    let full = |board: &mut Board| {
        for _ in 0..4 {
            ask(board, &request(None, 0, false, 0));
        }
    };
    let last = request(Some(3), 0, true, 7);
    let mut with_pps = board_of(true, false);
    full(&mut with_pps);
    assert_eq!(ask(&mut with_pps, &last), answer(Some(3), 7, ResponseCode::Success));
    let mut board = board();
    full(&mut board);
    assert_eq!(ask(&mut board, &last), answer(None, 7, ResponseCode::Success));
    board.ste(STREAM, &[STE_STAGE1, 0xd6 | 1 << 18]);
    board.command(0x8_0000_0003, 1);
    assert_eq!(ask(&mut board, &last), answer(Some(3), 7, ResponseCode::Success));
    board.ste(STREAM, &[0]);
    board.command(0x8_0000_0003, 1);
    assert_eq!(ask(&mut board, &last), answer(None, 7, ResponseCode::Failure));
    assert_eq!(board.drain_events(), 0, "CR2.REC_CFG_ATS is clear");
    // A Stop Marker is never answered.
    let mut marker = last;
    marker.perms = Perms::empty();
    assert_eq!(ask(&mut board, &marker), PageOutcome::Discarded);
}

#[test]
fn without_a_queue_every_request_fails() {
    let mut board = board();
    let failure = answer(None, 4, ResponseCode::Failure);
    for cr0 in [0xd, 0xe] {
        board.w32(0x20, cr0);
        assert_eq!(ask(&mut board, &request(Some(1), 0, false, 4)), failure);
    }
    board.w32(0x20, 0xd);
    board.w64(0xc0, 0x1_0000_0002);
    board.w32(0x20, 0xf);
    assert_eq!(ask(&mut board, &request(None, 0, true, 4)), failure);
    assert_eq!((board.r32(0x60), board.r32(0x100c8)), (8, 0));
    // Until the error is acknowledged nothing is tried.
    board.w32(0x20, 0xd);
    board.w64(0xc0, QUEUE | 2);
    board.w32(0x20, 0xf);
    assert_eq!(ask(&mut board, &request(None, 0, true, 4)), failure);
    board.w32(0x64, 8);
    assert_eq!(ask(&mut board, &request(None, 0, true, 4)), PageOutcome::Queued);
}

#[test]
fn software_answers_by_command() {
    let mut board = board();
    // CMD_PRI_RESP: PASID 5, group 0x1ab, each code.
    for (resp, code) in
        [(0, ResponseCode::Failure), (1, ResponseCode::InvalidRequest), (2, ResponseCode::Success)]
    {
        board.command(0x8_0000_5841, resp << 12 | 0x1ab);
        let stream = StreamId::new(STREAM);
        let substream = Some(SubstreamId::new(5));
        let response = PageResponse { stream, substream, group: 0x1ab, code };
        assert_eq!(board.effects(), [Effect::RespondToPages(response)]);
    }
    // Ignored while SMMUEN is 0.
    board.w32(0x20, 0xe);
    board.command(0x8_0000_0041, 2 << 12);
    assert_eq!(board.effects(), []);
}

#[test]
fn registers_without_pri_are_res0() {
    let mut board = Board::new();
    board.w64(0xc0, !0);
    board.w32(0x100cc, !0);
    assert_eq!((board.r64(0xc0), board.r32(0x100cc), board.r32(0x100c8)), (0, 0, 0));
    // With it, BASE and PROD are guarded by PRIQEN.
    let mut board = self::board();
    board.w64(0xc0, 0x4444_0003);
    board.w32(0x100c8, 3);
    assert_eq!((board.r64(0xc0), board.r32(0x100c8)), (1 << 62 | QUEUE | 2, 0));
}
