//! The calls of a history: each request with the answer to it.

use billing_wire::{OpId, Read, ReadAnswer, Receipt, WriteAnswer};
use billsim_history::{Answer, CallId, Event, Request};
use std::collections::BTreeMap;

/// A receipt that a client got.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Acknowledged {
    /// The operation that it asked for.
    pub(crate) op_id: OpId,
    /// When its operation was first sent, by anyone.
    pub(crate) began: u64,
    /// When the receipt came.
    pub(crate) at: u64,
    pub(crate) receipt: Receipt,
}

/// An answer to a read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub(crate) session: u32,
    pub(crate) at: u64,
    pub(crate) read: Read,
    pub(crate) answer: &'a ReadAnswer,
}

/// What clients were told, in order of time.
#[derive(Debug, Default)]
pub(crate) struct Calls<'a> {
    pub(crate) acknowledged: Vec<Acknowledged>,
    pub(crate) shown: Vec<Shown<'a>>,
}

/// Pairs requests with answers. A call that nothing came back for says nothing.
pub(crate) fn pair(history: &[Event]) -> Calls<'_> {
    let mut began: BTreeMap<OpId, u64> = BTreeMap::new();
    let mut open: BTreeMap<CallId, (u32, &Request)> = BTreeMap::new();
    let mut calls = Calls::default();
    for event in history {
        match event {
            Event::Invoke { at, call, session, request, .. } => {
                if let Request::Write(submission, ..) = request {
                    began.entry(submission.op_id).or_insert(*at);
                }
                open.insert(*call, (*session, request));
            }
            Event::Return { at, call, answer } => match (open.remove(call), answer) {
                (
                    Some((_, Request::Write(submission, ..))),
                    Answer::Write(WriteAnswer::Done(receipt)),
                ) => {
                    let (op_id, receipt) = (submission.op_id, *receipt);
                    let began = began[&op_id];
                    calls.acknowledged.push(Acknowledged { op_id, began, at: *at, receipt });
                }
                (Some((session, Request::Read(read))), Answer::Read(answer)) => {
                    calls.shown.push(Shown { session, at: *at, read: *read, answer });
                }
                _ => {}
            },
        }
    }
    calls
}
