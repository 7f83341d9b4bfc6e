//! Where pages will lie, when somebody knows better than the page allocator.

use std::collections::BTreeMap;

/// Consecutive pages that will lie in consecutive frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Run {
    pages: u64,
    /// Number of the first frame.
    frame: u64,
}

/// The places of pages that are not present yet, by virtual page number. Each is used once.
#[derive(Clone, Default, Debug)]
pub(super) struct Plan {
    runs: BTreeMap<u64, Run>,
}

impl Plan {
    /// The `pages` pages from `first` on will lie in the frames from number `frame` on. What was
    /// planned for them before is forgotten.
    pub(super) fn add(&mut self, first: u64, pages: u64, frame: u64) {
        let room = (u64::MAX - first).min(u64::MAX - frame);
        let pages = pages.min(room);
        if pages == 0 {
            return;
        }
        self.forget(first, pages);
        self.runs.insert(first, Run { pages, frame });
    }

    /// Nothing is planned for the `pages` pages from `first` on.
    pub(super) fn forget(&mut self, first: u64, pages: u64) {
        let end = first.saturating_add(pages);
        self.cut(first);
        self.cut(end);
        let inside: Vec<u64> = self.runs.range(first..end).map(|(&start, _)| start).collect();
        for start in inside {
            self.runs.remove(&start);
        }
    }

    /// No run reaches across the border in front of `page`.
    fn cut(&mut self, page: u64) {
        let Some((&start, run)) = self.runs.range_mut(..page).next_back() else { return };
        let below = page - start;
        if below < run.pages {
            let above = Run { pages: run.pages - below, frame: run.frame + below };
            run.pages = below;
            self.runs.insert(page, above);
        }
    }

    /// The frame number planned for one page, which is used up by that.
    pub(super) fn take(&mut self, page: u64) -> Option<u64> {
        self.take_run(page, 1)
    }

    /// The first of `pages` consecutive frame numbers planned for as many pages from `first` on;
    /// they are used up by that. Nothing changes if they are planned in any other way.
    pub(super) fn take_run(&mut self, first: u64, pages: u64) -> Option<u64> {
        let (&start, &run) = self.runs.range(..=first).next_back()?;
        let below = first - start;
        if run.pages.saturating_sub(below) < pages {
            return None;
        }
        if below == 0 {
            // The common case: pages appear in ascending order.
            self.runs.remove(&start);
            if run.pages > pages {
                let rest = Run { pages: run.pages - pages, frame: run.frame + pages };
                self.runs.insert(start + pages, rest);
            }
        } else {
            self.forget(first, pages);
        }
        Some(run.frame + below)
    }
}
