//! The work of a thread that scrubs a running node's files, slowly: so many bytes each second,
//! everything once in each period.

use super::counters::Counters;
use super::directory::DiskDirectory;
use super::side_thread::{SideThread, Stop};
use crate::ledger_database::LedgerDatabase;
use crate::scrubber::{ScrubClock, ScrubPace, Scrubber};
use billing_core::Input;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

/// What the thread works on and where it reports.
pub(super) struct Scrubbing {
    pub(super) scrubber: Scrubber,
    pub(super) directory: Arc<DiskDirectory>,
    pub(super) database: Arc<LedgerDatabase>,
    pub(super) pace: ScrubPace,
    pub(super) counters: Arc<Counters>,
    pub(super) done: UnboundedSender<Input>,
}

impl Scrubbing {
    /// Starts it; the first pass begins after one period.
    pub(super) fn start(self) -> io::Result<SideThread> {
        SideThread::start("scrub", move |stop| self.run(stop))
    }

    fn run(mut self, stop: &Stop) {
        let started = Instant::now();
        let Some(mut clock) = ScrubClock::new(self.pace, Duration::ZERO) else { return };
        while stop.wait_until(started + clock.due()) {
            let scrubbed = match self.scrubber.step(&*self.directory, &self.database) {
                Ok(scrubbed) => scrubbed,
                Err(error) => {
                    tracing::warn!(%error, "the data directory cannot be scrubbed");
                    clock.failed(started.elapsed());
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
            clock.stepped(started.elapsed(), &scrubbed);
            self.counters.scrub_passes.fetch_add(u64::from(scrubbed.ends_pass), Relaxed);
        }
    }
}
