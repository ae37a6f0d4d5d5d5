//! When a voter stands for election.
//!
//! Timeouts are drawn (Raft, §5.2), in whole ticks, and the ticks of two nodes may fall together
//! for as long as both live: then every tenth election splits the votes, and now and then four do
//! in a row. So whoever stood and was not elected waits in a stretch of its own, as with ranks
//! (Ongaro's dissertation, §3.4). The stretches go round with the term: nobody who stands first in
//! one term does in the next, and no rank waits for another one that is not there.

use crate::canary;
use billing_wire::{NodeId, RegionId, Term};

/// The election timeouts of a voter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stagger {
    /// Of its draws.
    seed: u64,
    /// Least ticks of silence.
    base: u32,
    /// Its place among the voters, from 0.
    place: u32,
    voters: u32,
}

impl Stagger {
    /// Timeouts of a node that is one of these voters, or none: from `base` ticks to less than
    /// twice as many. With more voters than ticks the last ones share theirs.
    pub(super) fn new(
        (seed, base): (u64, u32),
        region: RegionId,
        node: NodeId,
        voters: &[NodeId],
    ) -> Self {
        let place = voters.iter().position(|voter| *voter == node).unwrap_or(0);
        let seed = seed ^ u64::from(node.0) << 48 ^ u64::from(region.0) << 40;
        Self { seed, base, place: place as u32, voters: voters.len().max(1) as u32 }
    }

    /// Ticks of silence after which it stands. `turn` tells the timeouts of one term apart.
    pub(super) fn first(&self, term: Term, turn: u64) -> u32 {
        self.base + self.draw(term, turn, self.base)
    }

    /// Ticks after which it stands again when its election was in vain.
    pub(super) fn again(&self, term: Term, turn: u64) -> u32 {
        if canary!("timeouts-only-drawn") {
            return self.first(term, turn);
        }
        let stretch = (self.base / self.voters).max(1);
        let rank = ((u64::from(self.place) + term) % u64::from(self.voters)) as u32;
        // One tick is left free between two stretches.
        let draw = self.draw(term, turn, stretch.max(2) - 1);
        (self.base + rank * stretch + draw).min(2 * self.base - 1)
    }

    fn draw(&self, term: Term, turn: u64, below: u32) -> u32 {
        (mix(self.seed ^ term << 16 ^ turn) % u64::from(below)) as u32
    }
}

/// A finaliser that spreads every bit (D. Stafford, "Better Bit Mixing", variant 13).
pub(crate) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::{Stagger, mix};
    use billing_wire::{NodeId, RegionId};
    use std::collections::BTreeSet;

    const VOTERS: [NodeId; 3] = [NodeId(4), NodeId(5), NodeId(6)];

    fn all(base: u32) -> [Stagger; 3] {
        VOTERS.map(|node| Stagger::new((7, base), RegionId(1), node, &VOTERS))
    }

    #[test]
    fn after_one_election_no_two_voters_stand_within_a_tick_of_each_other() {
        for base in 6..40 {
            for term in 0..30 {
                let mut ticks = all(base).map(|voter| voter.again(term, term / 2));
                ticks.sort_unstable();
                assert!(ticks.windows(2).all(|two| two[1] - two[0] >= 2), "{base} {ticks:?}");
                assert!(ticks.iter().all(|ticks| (base..2 * base).contains(ticks)), "{ticks:?}");
            }
        }
        // The least that a configuration may ask for.
        assert_eq!(all(3).map(|voter| voter.again(0, 0)), [3, 4, 5]);
    }

    #[test]
    fn whoever_stands_again_first_does_not_in_the_next_term() {
        let first = |term| (0..3).min_by_key(|place| all(10)[*place].again(term, 0));
        assert_eq!(BTreeSet::from([first(1), first(2), first(3)]).len(), 3);
    }

    #[test]
    fn a_voter_draws_anew() {
        let again: BTreeSet<u32> = (0..20).map(|turn| all(10)[0].again(3, turn)).collect();
        assert_eq!(again.into_iter().collect::<Vec<_>>(), [10, 11]);
        let first: BTreeSet<u32> = (0..99).map(|turn| all(10)[0].first(3, turn)).collect();
        assert_eq!(first.into_iter().collect::<Vec<_>>(), (10..20).collect::<Vec<_>>());
    }

    #[test]
    fn the_mixer_is_the_published_one() {
        // The first number of SplitMix64 from 0, which ends with this finaliser.
        assert_eq!(mix(0x9e37_79b9_7f4a_7c15), 0xe220_a839_7b1d_cdaf);
    }
}
