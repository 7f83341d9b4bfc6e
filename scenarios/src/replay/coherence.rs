//! Consistency of a recording: calls are numbered without gaps, and a call's return value fits its
//! errno. A recording that fails here was changed after it was made.

use passim_model::Errno;

use super::compare::Place;
use super::report::Difference;
use crate::recording::Line;
use crate::recording::step::{Lock, Step, Transfer};

/// The numbers of calls so far.
///
/// A process numbers its calls from 0 and a child continues its parent's numbers, so a number
/// exceeds the largest before it by at most one.
#[derive(Default)]
pub(super) struct Coherence {
    /// The largest valid number of the next named call.
    call: u64,
    /// The same for operations of a random trace.
    random: u64,
    /// Lines of unknown operations, which may have used a number.
    unknown: u64,
}

impl Coherence {
    /// An inconsistency of the line, found from the recording alone.
    pub(super) fn flaw(&mut self, line: u64, content: &Line) -> Option<Difference> {
        let missing = self.missing(line, content);
        missing.or_else(|| contradiction(line, content))
    }

    fn missing(&mut self, line: u64, content: &Line) -> Option<Difference> {
        let unknown = self.unknown;
        let (next, number) = match content {
            Line::Ioctl(ioctl) => (&mut self.call, ioctl.number?),
            Line::Map(map) => (&mut self.call, map.number?),
            Line::Unmap(unmap) => (&mut self.call, unmap.number?),
            Line::RandomMap(map) => (&mut self.random, map.k),
            Line::RandomUnmap(unmap) => (&mut self.random, unmap.k),
            Line::Unknown(kind) if kind.starts_with("op ") => {
                self.unknown += 1;
                return None;
            }
            _ => return None,
        };
        let before = *next;
        *next = before.max(number.saturating_add(1));
        if number <= before.saturating_add(unknown) {
            return None;
        }
        let place = Place { line, call: format!("call number {number}") };
        let mut difference = place.differs(
            format!("{number} calls came before it"),
            format!("{before} calls came before it"),
        );
        difference.hint = Some("a line before this one is missing from the recording".to_owned());
        Some(difference)
    }
}

/// A call that succeeded and set errno, or one that failed without returning -1.
fn contradiction(line: u64, content: &Line) -> Option<Difference> {
    let (ret, errno) = match content {
        Line::Ioctl(ioctl) => (i64::from(ioctl.ret), ioctl.errno),
        Line::Map(map) => (i64::from(map.ret), map.errno),
        Line::Unmap(unmap) => (i64::from(unmap.ret), unmap.errno),
        Line::RandomMap(map) => (i64::from(map.ret), map.errno),
        Line::RandomUnmap(unmap) => (i64::from(unmap.ret), unmap.errno),
        Line::Step(Step::Open(open)) => (i64::from(open.fd), open.errno),
        Line::Step(
            Step::Mlock(Lock { ret, errno, .. }) | Step::Munlock(Lock { ret, errno, .. }),
        ) => (i64::from(*ret), *errno),
        Line::Step(
            Step::Pread(Transfer { ret, errno, .. }) | Step::Pwrite(Transfer { ret, errno, .. }),
        ) => (*ret, *errno),
        _ => return None,
    };
    if ret == -1 || (ret >= 0 && errno == 0) {
        return None;
    }
    let errno = match Errno::from_number(errno) {
        Some(known) => known.to_string(),
        None => errno.to_string(),
    };
    let place = Place { line, call: "a call's answer".to_owned() };
    let mut difference = place.differs(
        format!("returned {ret} with errno {errno}"),
        "a call returns -1 and an errno, or 0 and more and none",
    );
    difference.hint = Some("no kernel answers so: the line was changed".to_owned());
    Some(difference)
}
