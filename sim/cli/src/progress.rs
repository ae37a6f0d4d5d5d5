//! Progress of many runs, on stderr only: a bar on a terminal, a line now and then elsewhere.

use crate::arguments::ShowProgress;
use crate::wall_clock;
use billsim_reports::Tally;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// What is shown.
pub(crate) enum Progress {
    /// A bar.
    Bar(ProgressBar),
    /// A line every 30 s.
    Counter { last: Instant, started: Instant, count: u64, unit: &'static str },
    /// Nothing.
    None,
}

impl Progress {
    /// Progress over so many seeds.
    pub(crate) fn new(show: ShowProgress, seeds: u64) -> Self {
        Self::of(show, seeds, "seeds")
    }

    /// Progress over so many runs, which are called so.
    pub(crate) fn of(show: ShowProgress, count: u64, unit: &'static str) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        match show {
            ShowProgress::Bar => Self::bar(count, unit),
            ShowProgress::Auto if is_terminal => Self::bar(count, unit),
            ShowProgress::Auto | ShowProgress::Counter => {
                let now = wall_clock::now();
                Self::Counter { last: now, started: now, count, unit }
            }
            ShowProgress::None => Self::None,
        }
    }

    fn bar(count: u64, unit: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(count), ProgressDrawTarget::stderr());
        let template =
            format!("{{bar:30}} {{pos}}/{{len}} {unit}  {{per_sec}}  {{msg}}  ETA {{eta}}");
        let style = ProgressStyle::with_template(&template);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self::Bar(bar)
    }

    /// A seed ended, or time passed.
    pub(crate) fn update(&mut self, tally: &Tally) {
        match self {
            Self::Bar(bar) => {
                bar.set_position(tally.seeds());
                bar.set_message(words(tally, bar.elapsed()));
            }
            Self::Counter { last, started, count, unit } if last.elapsed() >= LINE_EVERY => {
                *last = wall_clock::now();
                let (done, words) = (tally.seeds(), words(tally, started.elapsed()));
                let _ = writeln!(std::io::stderr(), "{done}/{count} {unit}, {words}");
            }
            Self::Counter { .. } | Self::None => {}
        }
    }

    /// Somebody asked how far it is.
    pub(crate) fn tell(&self, tally: &Tally, asked: u64, elapsed: Duration) {
        let (done, words) = (tally.seeds(), words(tally, elapsed));
        let line = format!("{done}/{asked} seeds in {} s, {words}", elapsed.as_secs());
        match self {
            Self::Bar(bar) => bar.println(line),
            Self::Counter { .. } | Self::None => {
                let _ = writeln!(std::io::stderr(), "{line}");
            }
        }
    }

    /// The sweep is over.
    pub(crate) fn finish(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn words(tally: &Tally, elapsed: Duration) -> String {
    let ratio = tally.simulated_seconds() / elapsed.as_secs_f64().max(0.001);
    let (failures, causes) = (tally.failures(), tally.causes.len());
    format!("{ratio:.0}x real time  {failures} failed, {causes} causes")
}
