//! D11: an archive is restored, and what comes out is compared with the reference fold at the same
//! place. An archive that nobody harmed must be restored as far as it claims; one that lacks what
//! its node knew for longer than the bound must be called late.

use crate::catalogue::Promise;
use crate::evidence::Restoration;
use crate::facts::Facts;
use crate::verdicts::Verdicts;
use crate::words;
use billing_wire::RegionId;

pub(crate) const WORDS: &str =
    "a restore gives exactly what its archive claims, and an archive that falls behind says so";

pub(crate) fn restored(facts: &Facts, verdicts: &mut Verdicts, at: u64, found: &Restoration) {
    let frontier = words::frontier(&found.frontier);
    let up_to_there = (0_u8..).zip(&facts.genesis.regions).all(|(place, _)| {
        let (log, index) = (facts.log(RegionId(place)), found.frontier.of(RegionId(place)));
        log.stamp(index) <= found.claimed
            && (index >= log.last_index() || log.stamp(index + 1) > found.claimed)
    });
    verdicts.check(Promise::D11, at, None, up_to_there, || {
        let detail = format!("claimed up to {}, restored {frontier}", found.claimed);
        ("another prefix than the archive claims".to_owned(), detail)
    });
    let expected = facts.model.step_at(&found.frontier);
    let expected = expected.and_then(|step| facts.model.chain_at(step));
    verdicts.check(Promise::D11, at, None, expected == Some(found.outcome_chain), || {
        let detail = format!(
            "restored {frontier}: {}",
            match expected {
                None => "the merged order was never there",
                Some(_) => "decisions or bookings differ from the billing rules",
            }
        );
        ("restored books differ".to_owned(), detail)
    });
    verdicts.check(Promise::D11, at, None, found.balance == 0, || {
        let detail = format!("restored {frontier}: the books sum to {}", found.balance);
        ("restored books do not balance".to_owned(), detail)
    });
    let is_same = (found.opened.state_hash, found.opened.outcome_chain)
        == (found.state_hash, found.outcome_chain);
    verdicts.check(Promise::D11, at, None, is_same, || {
        let detail = format!("restored {frontier}: the node that opens there has other books");
        ("a restored node differs".to_owned(), detail)
    });
}

/// What was whole could not be restored.
pub(crate) fn failed(verdicts: &mut Verdicts, at: u64, error: &str) {
    verdicts.check(Promise::D11, at, None, false, || {
        ("what is whole cannot be restored".to_owned(), error.to_owned())
    });
}

/// An archive was read; `refused` is the first thing that is wrong with it.
pub(crate) fn read(verdicts: &mut Verdicts, at: u64, is_harmed: bool, refused: Option<&str>) {
    let holds = is_harmed || refused.is_none();
    verdicts.check(Promise::D11, at, None, holds, || {
        let detail = refused.unwrap_or_default().to_owned();
        ("an archive that nobody harmed is not what it claims".to_owned(), detail)
    });
}

/// Whether an archive lacks what its node knew before the bound, and is called late.
pub(crate) fn age(verdicts: &mut Verdicts, at: u64, is_behind: bool, says_late: bool) {
    verdicts.check(Promise::D11, at, None, says_late || !is_behind, || {
        let detail = "it lacks what its node knew before the bound, and counts as complete";
        ("an archive is behind and does not say so".to_owned(), detail.to_owned())
    });
}

/// State hashes of a restore and of a live node at the same frontier.
pub(crate) fn beside(verdicts: &mut Verdicts, at: u64, restored: u128, live: u128) {
    verdicts.check(Promise::D11, at, None, restored == live, || {
        let detail = format!("{restored:032x} restored, {live:032x} live");
        ("restored state differs from a live node's".to_owned(), detail)
    });
}
