//! D8: a vote that leaves is on the disk, no node votes twice, and one that lost its disk does not
//! vote before it was let in again.

use crate::catalogue::Promise;
use crate::verdicts::Verdicts;
use billing_wire::{NodeId, RegionId, Term};
use std::collections::BTreeMap;

pub(crate) const WORDS: &str =
    "a node that forgot its vote casts no other: votes are durable before they are sent";

/// The latest vote of each node in each region log, over all of its restarts.
#[derive(Debug, Default)]
pub(crate) struct Votes {
    latest: BTreeMap<(NodeId, RegionId), (Term, NodeId)>,
}

impl Votes {
    pub(crate) fn leaves(
        &mut self,
        verdicts: &mut Verdicts,
        at: u64,
        voter: (NodeId, RegionId),
        granted: (Term, NodeId),
        durable: Option<(Term, NodeId)>,
    ) {
        let (term, candidate) = granted;
        // A later durable term forbids any other vote in this one just as well.
        let safe = durable.is_some_and(|disk| disk.0 > term || disk == granted);
        verdicts.check(Promise::D8, at, None, safe, || {
            let shape = "vote sent before it was durable".to_owned();
            let node = voter.0;
            (shape, format!("node {node} votes for {candidate} in term {term}, disk: {durable:?}"))
        });
        let latest = *self.latest.entry(voter).or_insert(granted);
        let once = term > latest.0 || granted == latest;
        verdicts.check(Promise::D8, at, None, once, || {
            let shape =
                if term == latest.0 { "two votes in a term" } else { "vote of an old term" };
            let detail = format!("node {}: {latest:?} before, {granted:?} now", voter.0);
            (shape.to_owned(), detail)
        });
        if term > latest.0 {
            self.latest.insert(voter, granted);
        }
    }
}

/// A node that does not know what it voted before must not vote before it was let in again.
pub(crate) fn of_forgotten(verdicts: &mut Verdicts, at: u64, node: NodeId) {
    verdicts.check(Promise::D8, at, None, false, || {
        let shape = "vote of a node that lost its disk".to_owned();
        (shape, format!("node {node} votes and was not let in again"))
    });
}
