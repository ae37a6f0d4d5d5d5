//! D3: what a node says that its region would lose if it went now is exactly that: the committed
//! entries behind the last one that is known to be geo-durable. A follower knows that from its log
//! alone; a leader may know more, and what it knows must be so on the disks.

use crate::catalogue::Promise;
use crate::evidence::DurableLogs;
use crate::facts::Facts;
use crate::region_loss::lies_elsewhere;
use crate::verdicts::Verdicts;
use billing_wire::{LogIndex, NodeId, RegionId, Term};

pub(crate) const WORDS: &str =
    "a region says exactly how much it would lose, and nothing when the others have it all";

/// After so long without a return of a region the others have caught up, in nanoseconds.
const AT_REST: u64 = 1_000_000_000;

/// What a node says of its own region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exposed {
    /// The region.
    pub region: RegionId,
    /// Entries that the node knows to be committed.
    pub committed: LogIndex,
    /// So many of them may be lost with the region.
    pub exposure: u64,
    /// The node's word for how far its log is geo-durable.
    pub geo_index: LogIndex,
    /// The term in which the node leads the region's log; `None`: it does not.
    pub leads: Option<Term>,
}

impl Exposed {
    /// The lowest entry that is not among those that may be lost.
    pub(crate) fn safe_up_to(&self) -> LogIndex {
        self.committed.saturating_sub(self.exposure)
    }
}

pub(crate) fn said(
    facts: &Facts,
    verdicts: &mut Verdicts,
    at: u64,
    node: NodeId,
    word: &Exposed,
    disks: &dyn DurableLogs,
) {
    if !facts.has_present_log(node, word.region) {
        // Until the node has heard of the seal its log is not the one that is known here.
        return;
    }
    let said = word.geo_index;
    let logged = facts.log(word.region).logged_geo(word.committed);
    let told = || format!("node {node}: {} of {} exposed", word.exposure, word.committed);
    let is_exact = word.exposure == word.committed.saturating_sub(said);
    verdicts.check(Promise::D3, at, None, is_exact, || {
        let shape = "exposure is not what lies behind the geo index".to_owned();
        (shape, format!("{}, geo index {said}", told()))
    });
    // What a seal ended is settled by the seal, whoever led then; a node may have read that in an
    // entry that the seal left out.
    let is_of_chain = facts.is_of_sealed_chain(word.region, said);
    let knows_more = word.leads.is_some() || is_of_chain;
    let is_of_log = if knows_more { said >= logged } else { said == logged };
    verdicts.check(Promise::D3, at, None, is_of_log, || {
        let shape = "exposure is not what the log says".to_owned();
        (shape, format!("{}, the log has geo index {logged}", told()))
    });
    if said > logged {
        // Raft's commit rule applied to learners (billing.md §3): an entry of an earlier term may
        // lie on any number of disks and be replaced all the same.
        // A leader with a slow disk knows that its others have committed more than it shows yet.
        let Some(found) = facts.log(word.region).term(said) else { return };
        verdicts.check(Promise::D3, at, None, is_of_chain || Some(found) == word.leads, || {
            let leads = match word.leads {
                Some(term) => format!("it leads in term {term}"),
                None => "it does not lead".to_owned(),
            };
            let shape = "geo-durable without an entry of the leader's own term".to_owned();
            (shape, format!("{}, entry {said} is of term {found}, and {leads}", told()))
        });
        let holds = lies_elsewhere(facts, word.region, said, disks);
        verdicts.check(Promise::D3, at, None, holds, || {
            let shape = "exposure leaves out what no other region holds".to_owned();
            (shape, format!("{}, but entry {said} lies on no other majority", told()))
        });
    }
}

/// A leader whose region has committed nothing for long, while the others could hear it.
/// Those that a seal keeps out do not count until they have been back for a second.
pub(crate) fn at_rest(
    facts: &Facts,
    verdicts: &mut Verdicts,
    at: u64,
    node: NodeId,
    exposure: u64,
) {
    let mut regions = facts.genesis.regions.iter().map(|members| members.region);
    let is_without = regions.any(|region| facts.finality.sealed(region).is_some());
    if is_without || at < facts.returned_at + AT_REST {
        return;
    }
    verdicts.check(Promise::D3, at, None, exposure == 0, || {
        let shape = "exposure of a region that the others have caught up with".to_owned();
        (shape, format!("node {node}: {exposure} entries exposed at rest"))
    });
}
