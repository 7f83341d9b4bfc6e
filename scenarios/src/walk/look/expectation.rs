//! Translates what recordings expect of a dump.

use passim_model::{Access, StreamId};
use passim_oracle::Stage;
use passim_oracle::walk::Privilege;
use passim_smmu::v3::EventKind;

use super::Look;
use crate::recording::dump::Stream;
use crate::walk::answer::{Answer, access_text};
use crate::walk::dumped_smmu::Who;
use crate::walk::expected::Expectation;
use crate::walk::second::{Reading, Registers, Tables, read_stream};

impl Look<'_> {
    /// Checks an `expect` line: the page has its physical address, and the permissions of its
    /// flags.
    pub(super) fn expectation(
        &mut self,
        registers: &Registers,
        streams: &[Stream],
        it: &Expectation,
    ) {
        self.report.expectations += 1;
        let (expect, before) = (&it.expect, self.report.differences.len());
        let of_device: Vec<_> =
            streams.iter().filter(|stream| stream.dev == expect.dev).map(|it| it.stream).collect();
        if of_device.is_empty() {
            let what = format!("{} of {}", expect.iova, expect.dev);
            self.report.differs(what, "a stream of that device", "none is in the dump");
        }
        for stream in of_device {
            if self.stand.is_off() {
                // Whichever stage the mapping was made in, an SMMU that is disabled uses neither.
                self.page(stream, it, allowed(Stage::One, expect.flags));
                continue;
            }
            match read_stream(registers, stream, None, &|at| self.stand.word(at)) {
                Reading::Tables(tables) => {
                    let allowed = self.allowed(&tables, expect.iova.get(), expect.flags);
                    self.page(stream, it, allowed);
                }
                Reading::Unread(reason) => {
                    self.report.skip(reason);
                    let what = format!("{} of {}", expect.iova, expect.dev);
                    self.report.differs(what, expect.pa.to_string(), not_compared(reason));
                }
                other => {
                    let what = format!("{} of {}", expect.iova, expect.dev);
                    self.report.differs(what, expect.pa.to_string(), format!("{other:?}"));
                }
            }
        }
        for difference in &mut self.report.differences[before..] {
            difference.line = Some((it.file.clone(), it.line));
        }
    }

    /// The permissions of a line to read and to write. With two stages mappings are made in the
    /// second; the permissions of the first are read from its tables.
    fn allowed(&self, tables: &Tables, iova: u64, flags: u32) -> (bool, bool) {
        if !tables.are_nested() {
            return allowed(tables.first_stage(), flags);
        }
        let (read, write) = allowed(Stage::Two, flags);
        let word = |at| self.stand.word(at);
        let first = tables.first_rights(iova, Privilege::Unprivileged, &word).unwrap_or_default();
        (read && first.read, write && first.write)
    }

    fn page(&mut self, stream: StreamId, it: &Expectation, (read, write): (bool, bool)) {
        let (iova, pa) = (it.expect.iova.get(), it.expect.pa.get());
        for offset in [0, it.expect.size.saturating_sub(8)] {
            for (access, is_allowed) in [(Access::READ, read), (Access::WRITE, write)] {
                let (Some(iova), Some(pa)) = (iova.checked_add(offset), pa.checked_add(offset))
                else {
                    let what = format!("{} of {}", it.expect.iova, it.expect.dev);
                    let found = not_compared("the page ends beyond every address");
                    self.report.differs(what, it.expect.pa.to_string(), found);
                    return;
                };
                let found = self.ask(Who::of(stream), iova, access);
                let agrees = match found {
                    Answer::Reaches { pa: found, .. } => is_allowed && found == pa,
                    Answer::Faults { kind, .. } => !is_allowed && kind == EventKind::Permission,
                    Answer::Silent => false,
                };
                if !agrees {
                    let what = format!("{} at {iova:#x} of {}", access_text(access), it.expect.dev);
                    let expected =
                        if is_allowed { format!("{pa:#x}") } else { "F_PERMISSION".to_owned() };
                    self.report.differs(what, expected, found.text());
                }
            }
        }
    }
}

/// A line that could not be compared must not count as agreeing.
fn not_compared(reason: &str) -> String {
    format!("could not be compared: {reason}")
}

/// The permissions to read and to write of a mapping with these flags. Measured on 6.1 and 6.12:
/// stage 1 cannot forbid reading alone, stage 2 can.
fn allowed(stage: Stage, flags: u32) -> (bool, bool) {
    /// VFIO_DMA_MAP_FLAG_READ and VFIO_DMA_MAP_FLAG_WRITE.
    const READ: u32 = 1 << 0;
    const WRITE: u32 = 1 << 1;
    (stage == Stage::One || flags & READ != 0, flags & WRITE != 0)
}
