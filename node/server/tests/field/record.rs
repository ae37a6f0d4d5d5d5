//! Turns what clients did into the history that the oracles judge: one list of events in the
//! order of one clock. A call is noted before it is sent and its answer after it came, so that
//! what truly happened lies between the two.

use crate::stopwatch::Stopwatch;
use billing_wire::{LogIndex, WriteAnswer};
use billsim_oracle::{Answer, CallId, Endpoint, Event, History, Request};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Shared by all clients of a run.
#[derive(Debug)]
pub(crate) struct Recorder {
    clock: Stopwatch,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    history: History,
    next_call: u64,
    /// When each open call began.
    open: BTreeMap<CallId, u64>,
    acknowledged: u64,
    /// When the latest call began that was acknowledged.
    acknowledged_call_at: u64,
    /// Highest index of the region log that a receipt named.
    acknowledged_index: LogIndex,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self { clock: Stopwatch::start(), notes: Mutex::default() }
    }

    /// Nanoseconds since the run began.
    pub(crate) fn now(&self) -> u64 {
        self.clock.nanoseconds()
    }

    /// A client is about to send.
    pub(crate) fn invoke(
        &self,
        session: u32,
        to: Endpoint,
        request: Request,
        retry: bool,
    ) -> CallId {
        let mut notes = self.notes();
        let (at, call) = (self.now(), CallId(notes.next_call));
        notes.next_call += 1;
        notes.open.insert(call, at);
        notes.history.push(Event::Invoke { at, call, session, to, request, retry });
        call
    }

    /// A client has its answer, or gave up.
    pub(crate) fn returned(&self, call: CallId, answer: Answer) {
        let mut notes = self.notes();
        let at = self.now();
        let began = notes.open.remove(&call).unwrap_or(at);
        if let Answer::Write(WriteAnswer::Done(receipt)) = &answer {
            notes.acknowledged += 1;
            notes.acknowledged_call_at = notes.acknowledged_call_at.max(began);
            notes.acknowledged_index = notes.acknowledged_index.max(receipt.position.index);
        }
        notes.history.push(Event::Return { at, call, answer });
    }

    /// Writes with a receipt so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.notes().acknowledged
    }

    /// Highest index of the region log that a receipt named.
    pub(crate) fn acknowledged_index(&self) -> LogIndex {
        self.notes().acknowledged_index
    }

    /// Whether a write that began after `at` was acknowledged.
    pub(crate) fn has_acknowledged_since(&self, at: u64) -> bool {
        self.notes().acknowledged_call_at > at
    }

    pub(crate) fn into_history(self) -> History {
        self.notes.into_inner().unwrap_or_else(PoisonError::into_inner).history
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
