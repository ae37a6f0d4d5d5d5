//! Two threads that may wait for the disk: one for persists, one for ledger commits. Neither
//! knows what the bytes mean; each answers every job, in order.

use super::clock::Clock;
use super::counters::{Counters, Histogram};
use super::directory::DiskDirectory;
use crate::ledger_database::LedgerDatabase;
use billing_core::ledger::store::LedgerBatch;
use billing_core::{DiskStep, Input, PersistToken};
use std::io;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// Steps of one persist.
type Persist = (PersistToken, Vec<DiskStep>);
/// A database and the rows to commit to it.
type Commit = (Arc<LedgerDatabase>, LedgerBatch);

/// Both threads of one opening of a node. At most one job of each kind is open, so the channels
/// need no bound.
#[derive(Debug)]
pub(super) struct DiskThreads {
    persists: Worker<Persist>,
    commits: Worker<Commit>,
}

impl DiskThreads {
    /// Starts both threads; results go to `done`.
    pub(super) fn start(
        directory: &Arc<DiskDirectory>,
        counters: &Arc<Counters>,
        done: &UnboundedSender<Input>,
    ) -> io::Result<Self> {
        let directory = Arc::clone(directory);
        let persists = Worker::start("persist", done.clone(), {
            let counters = Arc::clone(counters);
            move |(token, steps): Persist| {
                let result = timed(&counters.persist, || directory.persist(&steps));
                Input::DiskDone { token, result }
            }
        })?;
        let commits = Worker::start("ledger", done.clone(), {
            let counters = Arc::clone(counters);
            move |(database, batch): Commit| {
                let result = timed(&counters.ledger_commit, || database.commit(&batch));
                Input::LedgerDone { result }
            }
        })?;
        Ok(Self { persists, commits })
    }

    pub(super) fn persist(&self, token: PersistToken, steps: Vec<DiskStep>) {
        self.persists.push((token, steps));
    }

    pub(super) fn commit(&self, database: Arc<LedgerDatabase>, batch: LedgerBatch) {
        self.commits.push((database, batch));
    }

    /// Waits until both have done what they were given: the directory is then untouched until
    /// somebody opens it again. Blocks.
    pub(super) fn join(self) {
        self.persists.join();
        self.commits.join();
    }
}

#[derive(Debug)]
struct Worker<J> {
    jobs: mpsc::Sender<J>,
    thread: JoinHandle<()>,
}

impl<J: Send + 'static> Worker<J> {
    fn start(
        name: &str,
        done: UnboundedSender<Input>,
        mut work: impl FnMut(J) -> Input + Send + 'static,
    ) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            for job in queue {
                if done.send(work(job)).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { jobs, thread })
    }

    fn push(&self, job: J) {
        // A dead thread means that it panicked; `join` says so. Nothing is acknowledged without
        // its answer.
        if self.jobs.send(job).is_err() {
            tracing::error!("a disk thread is gone");
        }
    }

    fn join(self) {
        drop(self.jobs);
        if self.thread.join().is_err() {
            tracing::error!("a disk thread panicked");
        }
    }
}

fn timed<T>(histogram: &Histogram, work: impl FnOnce() -> T) -> T {
    let clock = Clock::new();
    let result = work();
    histogram.observe(Duration::from_nanos(clock.now().monotonic.0));
    result
}
