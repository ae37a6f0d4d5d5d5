//! L4: regions that hear each other again have one order soon. After the end of the last cut
//! between them every node's watermark passes the stamp of every submission that was committed
//! before, within 2 s and a fifth of the length of the cut. At the end of a run nothing that is
//! logged is without its final disposition, but what a region that is gone for good had logged
//! behind its sealed end, and nobody anywhere else.
//!
//! Judged where the cut was the only thing that was wrong, and nothing goes wrong until the limit:
//! else nothing is compared. A region that is gone and not sealed holds up everything.

use crate::catalogue::Promise;
use crate::evidence::Reunion;
use crate::facts::Facts;
use crate::verdicts::Verdicts;
use crate::words;
use billing_wire::{Hlc, Incarnation, NodeId, OpId, Term};
use std::collections::BTreeSet;

pub(crate) const WORDS: &str =
    "after a cut the watermark catches up within 2 s and a fifth of its length";

/// What catching up may take beside its share of the cut, in nanoseconds.
const BASE: u64 = 2_000_000_000;
/// The share of the cut's length that it may take: one so manyth.
const SHARE: u64 = 5;

/// Nodes that have not caught up after the last cut.
#[derive(Debug, Default)]
pub(crate) struct CatchingUp {
    behind: BTreeSet<NodeId>,
    /// The last stamp that was committed before the heal.
    wanted: Hlc,
    limit: u64,
    /// When the cut was over, and how long it had been.
    since: u64,
    apart_ns: u64,
    /// Who led what before the cut.
    leaders: Vec<(Incarnation, Term)>,
    reunions: Vec<Reunion>,
}

impl CatchingUp {
    /// The regions hear each other no longer.
    pub(crate) fn parted(&mut self, leaders: Vec<(Incarnation, Term)>) {
        self.leaders = leaders;
    }

    /// How long each cut was, and catching up after it.
    pub(crate) fn into_reunions(self) -> Vec<Reunion> {
        self.reunions
    }

    /// The regions hear each other again after so long.
    pub(crate) fn begins(&mut self, facts: &Facts, at: u64, apart_ns: u64) {
        self.behind = facts.genesis.nodes().collect();
        self.wanted = facts.last_submissions();
        self.limit = at + BASE + apart_ns / SHARE;
        (self.since, self.apart_ns) = (at, apart_ns);
    }

    /// A node's watermark is here.
    pub(crate) fn folded(
        &mut self,
        facts: &Facts,
        verdicts: &mut Verdicts,
        at: u64,
        (node, watermark): (NodeId, Hlc),
    ) {
        if self.behind.is_empty() {
            return;
        }
        self.overdue(verdicts, at);
        if watermark >= self.wanted && self.behind.remove(&node) {
            verdicts.check(Promise::L4, at, None, true, || (String::new(), String::new()));
            if self.behind.is_empty() {
                let leaders_stand = self.leaders == facts.leaders();
                let (apart_ns, caught_up_ns) = (self.apart_ns, at - self.since);
                self.reunions.push(Reunion { apart_ns, caught_up_ns, leaders_stand });
            }
        }
    }

    /// Something is wrong again.
    pub(crate) fn disturbed(&mut self, verdicts: &mut Verdicts, at: u64) {
        self.overdue(verdicts, at);
        self.behind.clear();
    }

    /// Whoever is still behind after the limit is late.
    fn overdue(&mut self, verdicts: &mut Verdicts, at: u64) {
        if at <= self.limit {
            return;
        }
        let (limit, wanted) = (self.limit, self.wanted);
        for node in std::mem::take(&mut self.behind) {
            verdicts.check(Promise::L4, limit, None, false, || {
                let shape = "the watermark did not catch up after a cut".to_owned();
                let seconds = words::seconds(limit);
                (shape, format!("node {node} has not passed {wanted} at {seconds}"))
            });
        }
    }
}

/// The end: everything that is logged has its final disposition. One comparison a run, so that
/// the count says how often nodes caught up.
pub(crate) fn settled(facts: &Facts, verdicts: &mut Verdicts, at: u64) {
    let mut logged = facts.operations.iter().filter(|(_, known)| known.is_logged).peekable();
    if facts.has_unsealed_loss() || logged.peek().is_none() {
        return;
    }
    let lost = facts.lost_behind_seals();
    let waits = logged
        .find(|(op_id, _)| facts.model.operation(**op_id).is_none() && !lost.contains(*op_id));
    let op_id = waits.map(|(op_id, _)| *op_id);
    verdicts.check(Promise::L4, at, op_id, waits.is_none(), || {
        let shape = "a logged command never became final".to_owned();
        let which = op_id.map(|op_id| op_id.to_string()).unwrap_or_default();
        (shape, format!("{which} is in the log of a region, and nothing became of it"))
    });
}

/// The end: the customer of every invoice that counts was told. One comparison a run.
pub(crate) fn mailed(facts: &Facts, verdicts: &mut Verdicts, at: u64, mailed: &BTreeSet<OpId>) {
    if facts.has_unsealed_loss() {
        return;
    }
    let untold = facts.model.counted_invoices().find(|invoice| !mailed.contains(&invoice.op_id));
    let op_id = untold.map(|invoice| invoice.op_id);
    verdicts.check(Promise::L4, at, op_id, untold.is_none(), || {
        let shape = "a customer was never told of an invoice".to_owned();
        let which = untold.map(|i| format!("over {} of account {}", i.total, i.account));
        (shape, format!("the invoice {} counts for good", which.unwrap_or_default()))
    });
}
