//! A thread that scrubs a running node's files, slowly: so many bytes each second, everything once
//! in each period.

use super::counters::Counters;
use super::directory::DiskDirectory;
use crate::ledger_database::LedgerDatabase;
use crate::scrubber::Scrubber;
use billing_core::Input;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

/// How fast a node reads its files in order to find damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrubPace {
    /// Everything is read once in so long; zero: never.
    pub period: Duration,
    /// Bytes per second, at most; above 0.
    pub bytes_per_s: u64,
}

/// The thread, of one opening of a node.
#[derive(Debug)]
pub(super) struct ScrubThread {
    thread: JoinHandle<()>,
    stop: Arc<AtomicBool>,
}

/// What the thread works on and where it reports.
pub(super) struct Scrubbing {
    pub(super) scrubber: Scrubber,
    pub(super) directory: Arc<DiskDirectory>,
    pub(super) database: Arc<LedgerDatabase>,
    pub(super) pace: ScrubPace,
    pub(super) counters: Arc<Counters>,
    pub(super) done: UnboundedSender<Input>,
}

impl ScrubThread {
    /// Starts it; the first pass begins after one period.
    pub(super) fn start(scrubbing: Scrubbing) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::Builder::new().name("scrub".to_owned()).spawn({
            let stop = Arc::clone(&stop);
            move || scrubbing.run(&stop)
        })?;
        Ok(Self { thread, stop })
    }

    /// Ends it after the part that it reads. Blocks.
    pub(super) fn join(self) {
        self.stop.store(true, Relaxed);
        self.thread.thread().unpark();
        if self.thread.join().is_err() {
            tracing::error!("the scrub thread panicked");
        }
    }
}

impl Scrubbing {
    fn run(mut self, stop: &AtomicBool) {
        if self.pace.period.is_zero() {
            return;
        }
        let mut next_pass = Instant::now() + self.pace.period;
        let mut due = next_pass;
        while wait_until(due, stop) {
            let scrubbed = match self.scrubber.step(&*self.directory, &self.database) {
                Ok(scrubbed) => scrubbed,
                Err(error) => {
                    tracing::warn!(%error, "the data directory cannot be scrubbed");
                    due = Instant::now() + self.pace.period;
                    continue;
                }
            };
            self.counters.scrubbed_bytes.fetch_add(scrubbed.bytes, Relaxed);
            if let Some(file) = scrubbed.damaged {
                tracing::error!(%file, "damage was found");
                self.counters.scrub_findings.fetch_add(1, Relaxed);
                if self.done.send(Input::Damaged { file }).is_err() {
                    return;
                }
            }
            due = Instant::now()
                + Duration::from_secs_f64(scrubbed.bytes as f64 / self.pace.bytes_per_s as f64);
            if scrubbed.ends_pass {
                self.counters.scrub_passes.fetch_add(1, Relaxed);
                due = due.max(next_pass);
                next_pass = due + self.pace.period;
            }
        }
    }
}

/// `false`: asked to stop before.
fn wait_until(due: Instant, stop: &AtomicBool) -> bool {
    while !stop.load(Relaxed) {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        thread::park_timeout(left);
    }
    false
}
