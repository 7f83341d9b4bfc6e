//! A progress bar for work that takes longer than a second.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long work runs before the bar appears.
const PATIENCE: Duration = Duration::from_secs(1);

/// Progress on standard error; nothing where that is no terminal.
pub(super) struct Bar {
    bar: ProgressBar,
    begun: Instant,
}

impl Bar {
    /// A bar that is not drawn yet.
    pub(super) fn new() -> Self {
        let style = ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len}")
            .expect("the template is well formed")
            .progress_chars("=> ");
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        Self { bar: bar.with_style(style), begun: Instant::now() }
    }

    /// Shows that `done` of `all` steps of `what` are complete.
    pub(super) fn at(&mut self, what: &str, done: u64, all: u64) {
        if self.bar.is_hidden() && self.begun.elapsed() > PATIENCE {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_length(all);
        self.bar.set_message(what.to_owned());
        self.bar.set_position(done);
    }

    /// Removes the bar, so that output does not mix with it.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
