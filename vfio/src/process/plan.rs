//! Planned frames of pages, which override the page allocator.

use std::collections::BTreeMap;

/// Consecutive pages planned for consecutive frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Run {
    pages: u64,
    /// Number of the first frame.
    frame: u64,
}

/// The planned frames of pages that are not present, by virtual page number. Each plan is used
/// once.
#[derive(Clone, Default, Debug)]
pub(super) struct Plan {
    runs: BTreeMap<u64, Run>,
}

impl Plan {
    /// Plans that the `pages` pages from `first` on are placed in the frames from number `frame`
    /// on. Replaces earlier plans.
    pub(super) fn add(&mut self, first: u64, pages: u64, frame: u64) {
        let room = (u64::MAX - first).min(u64::MAX - frame);
        let pages = pages.min(room);
        if pages == 0 {
            return;
        }
        self.forget(first, pages);
        self.runs.insert(first, Run { pages, frame });
    }

    /// Removes the plans of the `pages` pages from `first` on.
    pub(super) fn forget(&mut self, first: u64, pages: u64) {
        let end = first.saturating_add(pages);
        self.cut(first);
        self.cut(end);
        let inside: Vec<u64> = self.runs.range(first..end).map(|(&start, _)| start).collect();
        for start in inside {
            self.runs.remove(&start);
        }
    }

    /// Splits the run that extends across `page`, if any.
    fn cut(&mut self, page: u64) {
        let Some((&start, run)) = self.runs.range_mut(..page).next_back() else { return };
        let below = page - start;
        if below < run.pages {
            let above = Run { pages: run.pages - below, frame: run.frame + below };
            run.pages = below;
            self.runs.insert(page, above);
        }
    }

    /// Takes the frame number planned for one page.
    pub(super) fn take(&mut self, page: u64) -> Option<u64> {
        self.take_run(page, 1)
    }

    /// Takes `pages` consecutive frame numbers planned for as many pages from `first` on, and
    /// returns the first. Does nothing if they are planned in any other way.
    pub(super) fn take_run(&mut self, first: u64, pages: u64) -> Option<u64> {
        let (&start, &run) = self.runs.range(..=first).next_back()?;
        let below = first - start;
        if run.pages.saturating_sub(below) < pages {
            return None;
        }
        if below == 0 {
            // The common case: pages are populated in ascending order.
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
