//! STE.CONT that software sets by the rules has no visible effect.

use crate::choice::{Choices, ContiguousStes};
use crate::tlb::{Geometry, Retention};
use crate::v3::testkit::{BOTH_STAGES, Board, CD0, STE_STAGE1, STREAM, implementation};
use crate::v3::{Caches, Implementation};
use passim_model::access::Access;
use proptest::prelude::*;

/// Spans of the first 32 streams: the first of each and log2 of its size.
const SPANS: [(u32, u32); 8] =
    [(0, 3), (8, 2), (12, 1), (14, 0), (15, 0), (16, 2), (20, 2), (24, 3)];

/// Doublewords 0 and 1 of an STE: not valid, aborts, bypasses in two ways, stage 1.
const STES: [[u64; 2]; 5] = [[0, 0], [1, 0], [9, 1 << 44], [9, 2 << 44], [STE_STAGE1, 0xd6]];

#[derive(Clone, Debug)]
enum Happening {
    /// Every STE of a span becomes this one; then they are invalidated, one by one or together.
    Rewrite {
        span: usize,
        ste: usize,
        together: bool,
    },
    Ask {
        stream: u32,
        write: bool,
    },
}

fn happening() -> impl Strategy<Value = Happening> {
    let (span, ste) = (0..SPANS.len(), 0..STES.len());
    prop_oneof![
        1 => (span, ste, any::<bool>())
            .prop_map(|(span, ste, together)| Happening::Rewrite { span, ste, together }),
        3 => (0..32u32, any::<bool>()).prop_map(|(stream, write)| Happening::Ask { stream, write }),
    ]
}

fn board(choice: ContiguousStes, retention: Retention) -> Board {
    let built = Implementation {
        choices: Choices { contiguous_stes: choice, ..Choices::default() },
        caches: Caches { stes: Geometry::new(3, 1), cds: Geometry::new(3, 1), ..Caches::VIRT },
        retention,
        ..implementation(BOTH_STAGES)
    };
    let mut board = Board::with(built);
    board.stage1_tables();
    board.stage1(CD0);
    board.ste(STREAM, &[0, 0]);
    board
}

fn rewrite(board: &mut Board, (first, lg2): (u32, u32), [w0, w1]: [u64; 2], together: bool) {
    let streams = first..first + (1 << lg2);
    for stream in streams.clone() {
        board.ste(stream, &[w0, w1 | u64::from(lg2) << 13]);
    }
    if together && lg2 != 0 {
        // CMD_CFGI_STE_RANGE.
        return board.command(0x4 | u64::from(first) << 32, u64::from(lg2 - 1));
    }
    for stream in streams {
        // CMD_CFGI_STE, a leaf.
        board.command(0x3 | u64::from(stream) << 32, 1);
    }
}

proptest! {
    #[test]
    fn spans_that_are_as_they_say_change_no_answer(
        happenings in prop::collection::vec(happening(), 1..60),
        everything in any::<bool>(),
    ) {
        let retention = if everything { Retention::Everything } else { Retention::Sized };
        let choices = [ContiguousStes::Apart, ContiguousStes::Shared, ContiguousStes::Detected];
        let mut boards = choices.map(|choice| board(choice, retention));
        for happening in happenings {
            match happening {
                Happening::Rewrite { span, ste, together } => {
                    for board in &mut boards {
                        rewrite(board, SPANS[span], STES[ste], together);
                    }
                }
                Happening::Ask { stream, write } => {
                    let access = if write { Access::WRITE } else { Access::READ };
                    let answers = boards.each_mut().map(|board| {
                        let answer = board.ask(stream, 0x1_0000, access);
                        board.drain_events();
                        answer
                    });
                    prop_assert_eq!(answers[0], answers[1]);
                    prop_assert_eq!(answers[0], answers[2]);
                }
            }
        }
    }
}

/// Dropping an STE drops the streams that use it; a stream whose own STE was never read has none.
#[test]
fn an_ste_goes_for_all_it_stands_for() {
    let mut board = board(ContiguousStes::Shared, Retention::Everything);
    board.ste(16, &[9, 1 << 44 | 2 << 13]);
    for stream in 16..20 {
        assert_eq!(board.ask(stream, 0x1000, Access::READ), board.ask(16, 0x1000, Access::READ));
    }
    assert_eq!(board.smmu.counters().ste_fetches, 1);
    assert_eq!(board.smmu.cached_streams().len(), 4);
    board.command(0x3 | 17 << 32, 1);
    assert_eq!(board.smmu.cached_streams().len(), 3);
    board.command(0x3 | 16 << 32, 1);
    assert_eq!(board.smmu.cached_streams(), []);
}
