//! L2: behind an edge, a client whose region is gone gets its write through another one. While a
//! healthy majority of *some* region is connected, no write that goes through an edge waits longer
//! than the hard limit; and of the clients whose region went, 99 of 100 are served again within the
//! soft one. Times of the latter are kept, where some region was well all the while: they are the
//! measured recovery time.

use crate::catalogue::Promise;
use crate::facts::{Ask, Call};
use crate::history::{Answer, Endpoint};
use crate::verdicts::Verdicts;
use billing_wire::{OpId, RegionId, WriteAnswer};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const WORDS: &str =
    "when a region is gone, its clients' writes succeed elsewhere within 15 s";

/// Longest that a write waits, in nanoseconds.
const WAITS_MAX: u64 = 15_000_000_000;
/// What 99 of 100 stay below, in nanoseconds.
const WAITS_P99: u64 = 10_000_000_000;
/// Of so many clients one may wait longer; of fewer, none.
const ONE_SLOW_PER: usize = 100;

#[derive(Debug, Clone, Copy)]
struct Write {
    op_id: OpId,
    began: u64,
    home: RegionId,
}

/// Writes through edges, and the regions that went.
#[derive(Debug, Default)]
pub(crate) struct Reroutes {
    /// What each session is at.
    open: BTreeMap<u32, Write>,
    /// Writes that took longer than the limit, with their end if they had one.
    slow: Vec<(u64, Option<u64>)>,
    gone: Vec<(RegionId, u64)>,
    /// Sessions that have succeeded since a region went, by its place above.
    served: BTreeSet<(usize, u32)>,
    /// From when to when they waited. Whether somebody could have served them is not known yet.
    waits: Vec<(u64, u64)>,
    /// How long those waited that somebody could have served all the time, in nanoseconds.
    waited: Vec<u64>,
}

impl Reroutes {
    /// A client sends a write.
    pub(crate) fn invoked(&mut self, at: u64, session: u32, to: Endpoint, op_id: OpId) {
        let Endpoint::Edge(home) = to else { return };
        let write = Write { op_id, began: at, home };
        let known = self.open.entry(session).or_insert(write);
        if known.op_id != op_id {
            self.slow.push((known.began, None));
            *known = write;
        }
    }

    /// A call returned.
    pub(crate) fn returned(
        &mut self,
        verdicts: &mut Verdicts,
        at: u64,
        call: &Call,
        answer: &Answer,
    ) {
        let Ask::Write { op_id, .. } = call.ask else { return };
        let is_done = match answer {
            Answer::Write(WriteAnswer::Done(_)) => true,
            Answer::Write(WriteAnswer::Refused(_) | WriteAnswer::Conflict { .. }) => false,
            answer if answer.is_refused_for_its_grade() => false,
            _ => return,
        };
        let ours = self.open.get(&call.session).is_some_and(|write| write.op_id == op_id);
        let Some(write) = ours.then(|| self.open.remove(&call.session)).flatten() else { return };
        if !is_done {
            // Nothing is owed to a write that no cluster would log.
            return;
        }
        if at - write.began <= WAITS_MAX {
            verdicts.check(Promise::L2, at, Some(op_id), true, || (String::new(), String::new()));
        } else {
            self.slow.push((write.began, Some(at)));
        }
        self.note_served(at, call.session, write);
    }

    /// The first success of a session since its region went.
    fn note_served(&mut self, at: u64, session: u32, write: Write) {
        for (place, (region, gone_at)) in self.gone.iter().enumerate() {
            let is_first = *region == write.home && self.served.insert((place, session));
            // A write that began much later says nothing of that loss.
            if is_first && write.began <= gone_at + WAITS_MAX {
                self.waits.push((write.began.max(*gone_at), at));
            }
        }
    }

    /// A region is gone, for good or for a while.
    pub(crate) fn gone(&mut self, at: u64, region: RegionId) {
        self.gone.push((region, at));
    }

    /// From `from` to `to` a healthy majority of some region was connected.
    pub(crate) fn window(&mut self, verdicts: &mut Verdicts, (from, to): (u64, u64)) {
        for (since, until) in self.waits.extract_if(.., |(a, b)| from <= *a && *b <= to) {
            self.waited.push(until - since);
        }
        let open = self.open.values().map(|write| (write.began, None));
        for (began, ended) in self.slow.iter().copied().chain(open) {
            let limit = began.max(from).saturating_add(WAITS_MAX);
            if limit > to || ended.is_some_and(|ended| ended < from) {
                continue;
            }
            verdicts.check(Promise::L2, limit, None, ended.is_some_and(|at| at <= limit), || {
                let shape = "a write through an edge waited for more than 15 s".to_owned();
                let end = ended.map_or("never".to_owned(), |at| format!("at {at} ns"));
                let window = format!("a region could have served it from {from} ns on");
                (shape, format!("it began at {began} ns and succeeded {end}; {window}"))
            });
        }
    }

    /// The end: what 99 of 100 waited.
    pub(crate) fn settled(&self, verdicts: &mut Verdicts, at: u64) {
        if self.waited.is_empty() {
            return;
        }
        let clients = self.waited.len();
        let slow = self.waited.iter().filter(|waited| **waited > WAITS_P99).count();
        verdicts.check(Promise::L2, at, None, slow * ONE_SLOW_PER <= clients, || {
            let shape = "the clients of a region that went waited too long".to_owned();
            (shape, format!("{slow} of {clients} waited for more than {WAITS_P99} ns"))
        });
    }

    /// How long each client of a region that went waited, in nanoseconds.
    pub(crate) fn into_waited(self) -> Vec<u64> {
        self.waited
    }
}
