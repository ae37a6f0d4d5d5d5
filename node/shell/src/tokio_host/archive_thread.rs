//! The work of a thread that archives a running node's files, once in each period. What it does is
//! counted; what it fails to do shows in how long ago the archive had everything, which is read
//! back from the archive each time.

use super::archive_directory::ArchiveDirectory;
use super::clock::Clock;
use super::counters::Counters;
use super::directory::DiskDirectory;
use super::side_thread::{SideThread, Stop};
use crate::archive::{Catalog, Source, Taken, archive};
use billing_core::Status;
use billing_wire::{Genesis, NodeId};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The first archive is not taken before the node had so long to find its place.
const FIRST_AFTER: Duration = Duration::from_secs(2);

/// Where a node archives to, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivePlan {
    /// The archive's directory, for this cluster alone.
    pub to: PathBuf,
    /// Time between two archives; above zero.
    pub period: Duration,
    /// The archive is late when it has not had everything for so long.
    pub late_after: Duration,
}

/// What the thread works on and where it reports.
pub(super) struct Archiving {
    pub(super) plan: ArchivePlan,
    pub(super) genesis: Arc<Genesis>,
    pub(super) node: NodeId,
    pub(super) directory: Arc<DiskDirectory>,
    pub(super) status: watch::Receiver<Option<Status>>,
    pub(super) counters: Arc<Counters>,
    pub(super) clock: Clock,
}

impl Archiving {
    /// Starts it.
    pub(super) fn start(self) -> io::Result<SideThread> {
        SideThread::start("archive", move |stop| self.run(stop))
    }

    fn run(self, stop: &Stop) {
        let mut due = Instant::now() + FIRST_AFTER.min(self.plan.period);
        while stop.wait_until(due) {
            due = Instant::now() + self.plan.period;
            self.counters.archive_runs.fetch_add(1, Relaxed);
            match self.take() {
                Ok(taken) => self.note(&taken),
                Err(error) => {
                    tracing::error!(%error, "the node is not archived");
                    self.counters.archive_failures.fetch_add(1, Relaxed);
                }
            }
        }
    }

    fn take(&self) -> Result<Taken, Box<dyn std::error::Error>> {
        let store = ArchiveDirectory::lock(&self.plan.to)?;
        let known = self.status.borrow().as_ref().map(|status| status.committed);
        let source = Source {
            directory: &*self.directory,
            genesis: &self.genesis,
            node: self.node,
            committed: known.unwrap_or_default(),
            refresh_ms: (self.plan.late_after / 2).as_millis() as u64,
        };
        let taken = archive(&source, &store, self.clock.now().wall.ms())?;
        let catalog = Catalog::read(&store, Some(self.genesis.cluster))?;
        if let Some((manifest, _)) = catalog.newest {
            self.counters.archive_complete_ms.store(manifest.complete_ms, Relaxed);
            self.counters.archive_watermark_ms.store(manifest.watermark.ms(), Relaxed);
        }
        Ok(taken)
    }

    fn note(&self, taken: &Taken) {
        self.counters.archived_bytes.fetch_add(taken.bytes, Relaxed);
        if !taken.problems.is_empty() {
            self.counters.archive_failures.fetch_add(1, Relaxed);
        }
        for problem in &taken.problems {
            tracing::error!(%problem, "the archive is not complete");
        }
    }
}
