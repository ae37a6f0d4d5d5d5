//! D8: a vote that leaves is on the disk, no node votes twice, and one that lost its disk does not
//! vote, and is not counted, before it was let in again.

use crate::catalogue::Promise;
use crate::verdicts::Verdicts;
use crate::words;
use billing_wire::{LogIndex, NodeId, RegionId, Term};
use std::collections::BTreeMap;

pub(crate) const WORDS: &str =
    "a node that forgot its vote casts no other: votes are durable before they are sent";

/// The latest vote of each node in each group, over all of its restarts. Another incarnation of a
/// region log is another group: nobody votes in the old one any more, and where all of its nodes
/// lost their disks the terms of the new one begin where the sealed log ended, below those of
/// elections that came to nothing.
#[derive(Debug, Default)]
pub(crate) struct Votes {
    latest: BTreeMap<(NodeId, Group), (Term, NodeId)>,
}

/// A region log, and the low half of its incarnation.
pub(crate) type Group = (RegionId, u16);

impl Votes {
    pub(crate) fn leaves(
        &mut self,
        verdicts: &mut Verdicts,
        at: u64,
        voter: (NodeId, Group),
        granted: (Term, NodeId),
        durable: Option<(Term, NodeId)>,
    ) {
        let (term, candidate) = granted;
        // A later durable term forbids any other vote in this one just as well.
        let safe = durable.is_some_and(|disk| disk.0 > term || disk == granted);
        verdicts.check(Promise::D8, at, None, safe, || {
            let shape = "vote sent before it was durable".to_owned();
            let node = voter.0;
            let durable = durable.as_ref().map_or_else(|| "no vote".to_owned(), words::vote);
            let detail =
                format!("node {node} votes for {candidate} in term {term}, its disk has {durable}");
            (shape, detail)
        });
        let latest = *self.latest.entry(voter).or_insert(granted);
        let once = term > latest.0 || granted == latest;
        verdicts.check(Promise::D8, at, None, once, || {
            let shape =
                if term == latest.0 { "two votes in a term" } else { "vote of an old term" };
            let (before, now) = (words::vote(&latest), words::vote(&granted));
            let detail = format!("node {} voted for {before}, and now for {now}", voter.0);
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

/// A leader that was told that a node lost its disk, which was not let in again since, counts its
/// copy of a log up to an index.
pub(crate) fn counted(
    verdicts: &mut Verdicts,
    at: u64,
    leader: NodeId,
    (lost, region): (NodeId, RegionId),
    index: LogIndex,
) {
    verdicts.check(Promise::D8, at, None, index == 0, || {
        let shape = "a leader counts what was on a lost disk".to_owned();
        let what = format!("node {lost}'s copy of region {region} up to {index}");
        (shape, format!("leader {leader} counts {what}, and knows that it is gone"))
    });
}
