//! Progress of a shrinking, on stderr only: one line that changes on a terminal, a line now and
//! then elsewhere.

use crate::arguments::ShowProgress;
use crate::context::warn;
use crate::wall_clock;
use billsim_shrink::Step;
use indicatif::{ProgressBar, ProgressDrawTarget};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// What is shown.
pub(crate) enum ShrinkProgress {
    /// One line that changes.
    Bar(ProgressBar),
    /// A line now and then.
    Counter { last: Instant },
    /// Nothing.
    None,
}

impl ShrinkProgress {
    pub(crate) fn new(show: ShowProgress) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        match show {
            ShowProgress::Auto if !is_terminal => Self::Counter { last: wall_clock::now() },
            ShowProgress::Auto | ShowProgress::Bar => {
                let target = ProgressDrawTarget::stderr();
                Self::Bar(ProgressBar::with_draw_target(None, target))
            }
            ShowProgress::Counter => Self::Counter { last: wall_clock::now() },
            ShowProgress::None => Self::None,
        }
    }

    /// Something was tried.
    pub(crate) fn update(&mut self, step: Step) {
        match self {
            Self::Bar(bar) => bar.set_message(words(step)),
            Self::Counter { last } if last.elapsed() >= LINE_EVERY => {
                *last = wall_clock::now();
                warn(&words(step));
            }
            Self::Counter { .. } | Self::None => {}
        }
    }

    pub(crate) fn finish(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn words(step: Step) -> String {
    let Step { pass, trials, faults, operations } = step;
    format!("shrinking {pass}: {faults} faults, {operations} operations after {trials} trials")
}
