//! What the rest of the process holds of a running node: submit, read, look, stop.

use super::counters::Counters;
use billing_core::{Probe, Status};
use billing_wire::{
    Read, ReadAnswer, RegionId, SealAnswer, Submission, Token, WriteAnswer, WriteOptions,
};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

/// Why there is no answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unanswered {
    /// It never reached the node: too many requests wait, or the node is stopping.
    #[error("the node takes no request now")]
    NotTaken,
    /// It reached the node, which then stopped or was opened anew: the outcome is unknown.
    #[error("the node went away before it answered")]
    Lost,
}

/// A request on its way to the node.
#[derive(Debug)]
pub(super) enum Request {
    Write {
        submission: Submission,
        options: WriteOptions,
        token: Option<Token>,
        answer: oneshot::Sender<WriteAnswer>,
    },
    Probe {
        answer: oneshot::Sender<Probe>,
    },
    Seal {
        regions: Vec<RegionId>,
        force: bool,
        answer: oneshot::Sender<SealAnswer>,
    },
    Read {
        read: Read,
        answer: oneshot::Sender<ReadAnswer>,
    },
}

/// Talks to a running node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) status: watch::Receiver<Option<Status>>,
    pub(super) stop: Arc<watch::Sender<bool>>,
    pub(super) counters: Arc<Counters>,
}

impl Handle {
    /// Submits a command with what its session has seen, and waits for its answer.
    ///
    /// # Errors
    /// See [`Unanswered`]; after `Lost` the command may be in the log.
    pub async fn write(
        &self,
        submission: Submission,
        options: WriteOptions,
        token: Option<Token>,
    ) -> Result<WriteAnswer, Unanswered> {
        let (answer, answered) = oneshot::channel();
        self.push(Request::Write { submission, options, token, answer })?;
        let _open = self.open_request();
        answered.await.map_err(|_| Unanswered::Lost)
    }

    /// Reads.
    ///
    /// # Errors
    /// See [`Unanswered`].
    pub async fn read(&self, read: Read) -> Result<ReadAnswer, Unanswered> {
        let (answer, answered) = oneshot::channel();
        self.push(Request::Read { read, answer })?;
        let _open = self.open_request();
        answered.await.map_err(|_| Unanswered::Lost)
    }

    /// Asks the run loop whether the node can serve: an answer proves that the loop goes round.
    ///
    /// # Errors
    /// See [`Unanswered`].
    pub async fn probe(&self) -> Result<Probe, Unanswered> {
        let (answer, answered) = oneshot::channel();
        self.push(Request::Probe { answer })?;
        answered.await.map_err(|_| Unanswered::Lost)
    }

    /// Declares regions lost (billing.md §7); takes seconds.
    ///
    /// # Errors
    /// See [`Unanswered`]; after `Lost` the seal may be in the log.
    pub async fn seal(
        &self,
        regions: Vec<RegionId>,
        force: bool,
    ) -> Result<SealAnswer, Unanswered> {
        let (answer, answered) = oneshot::channel();
        self.push(Request::Seal { regions, force, answer })?;
        answered.await.map_err(|_| Unanswered::Lost)
    }

    /// What the node said of itself at its last tick or when it was last probed, whichever came
    /// later; `None` while it opens.
    pub fn status(&self) -> Option<Status> {
        *self.status.borrow()
    }

    /// What the host counts.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Refuses new writes, finishes what is in flight, then ends the run loop.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Whether [`Handle::stop`] was called.
    pub fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Ends when [`Handle::stop`] was called, or the node has ended by itself.
    pub async fn stopping(&self) {
        let mut stop = self.stop.subscribe();
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            () = self.requests.closed() => {}
        }
    }

    fn push(&self, request: Request) -> Result<(), Unanswered> {
        self.requests.try_send(request).map_err(|_| Unanswered::NotTaken)
    }

    fn open_request(&self) -> OpenRequest<'_> {
        self.counters.requests_open.fetch_add(1, Relaxed);
        OpenRequest(&self.counters)
    }
}

/// Counts a request until its caller has the answer or stops waiting.
struct OpenRequest<'a>(&'a Counters);

impl Drop for OpenRequest<'_> {
    fn drop(&mut self) {
        self.0.requests_open.fetch_sub(1, Relaxed);
    }
}
