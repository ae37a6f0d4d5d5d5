//! Which regions are sealed, as the logs say (billing.md §7). A seal and a return take effect at
//! their place in the final order of the regions that are left, so every node that holds the same
//! logs says the same, whatever came first.

use super::{ChainParts, Custody};
use crate::canary;
use billing_wire::{Control, Genesis, Hash, Hlc, Incarnation, LogIndex, RegionId, SealedChain};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// Whether a region takes part in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does, and nothing of this incarnation is stamped at or below the floor.
    Open {
        /// Its incarnation.
        incarnation: Incarnation,
        /// Stamp of the entry that let it in; zero for the first incarnation.
        floor: Hlc,
    },
    /// Its log ends here.
    Sealed(SealedChain),
}

/// An entry that waits for its effect.
#[derive(Debug)]
struct Waiting {
    index: LogIndex,
    /// Of its own region, when it was logged.
    incarnation: Incarnation,
    control: Control,
}

/// What the logs say of lost regions.
#[derive(Debug)]
pub struct Seals {
    standings: Vec<Standing>,
    waiting: BTreeMap<(Hlc, RegionId), Waiting>,
    /// Since which entry of its own log the only open region is the only one.
    alone_from: LogIndex,
    /// Hashes of the records that were appended again.
    readmitted: BTreeSet<Hash>,
    /// Ends of lost logs that were logged before their seals.
    parts: ChainParts,
    /// How the incarnations that were sealed so far ended.
    ended: BTreeMap<(RegionId, Incarnation), SealedChain>,
}

impl Seals {
    /// Every region of genesis is open.
    pub fn new(genesis: &Genesis) -> Self {
        let open = |incarnation| Standing::Open { incarnation, floor: Hlc::ZERO };
        Self {
            standings: genesis.regions.iter().map(|members| open(members.incarnation)).collect(),
            waiting: BTreeMap::new(),
            alone_from: 0,
            readmitted: BTreeSet::new(),
            parts: ChainParts::default(),
            ended: BTreeMap::new(),
        }
    }

    /// Takes the control part of a committed entry.
    pub fn note(
        &mut self,
        place: (Hlc, RegionId),
        (incarnation, index): (Incarnation, LogIndex),
        control: Control,
    ) {
        match control {
            Control::None => {}
            Control::Readmitted(origin) => {
                self.readmitted.insert(origin.hash);
            }
            Control::ChainPart(part) => self.parts.note(&part),
            Control::Sealed(_) | Control::Restored { .. } => {
                self.waiting.insert(place, Waiting { index, incarnation, control });
            }
        }
    }

    /// An entry that was noted turned out to lie outside a sealed chain.
    pub fn forget(&mut self, place: (Hlc, RegionId), control: &Control) {
        self.waiting.remove(&place);
        if let Control::Readmitted(origin) = control {
            self.readmitted.remove(&origin.hash);
        }
    }

    /// Whether a record of this hash was appended again.
    pub fn is_readmitted(&self, hash: &Hash) -> bool {
        self.readmitted.contains(hash)
    }

    /// The ends of a chain that were logged before its seal: how many records are before each, and
    /// its bytes.
    pub fn ends_of(&self, chain: &SealedChain) -> impl Iterator<Item = (LogIndex, Bytes)> {
        self.parts.of(chain)
    }

    /// Whether a region takes part.
    pub fn standing(&self, region: RegionId) -> Standing {
        self.standings[usize::from(region.0)]
    }

    /// Whether a region takes part in the order.
    pub fn is_open(&self, region: RegionId) -> bool {
        matches!(self.standing(region), Standing::Open { .. })
    }

    /// Whether this incarnation of a region takes part in the order.
    pub fn is_open_in(&self, region: RegionId, this: Incarnation) -> bool {
        matches!(self.standing(region), Standing::Open { incarnation, .. } if incarnation == this)
    }

    /// The chain of a sealed region.
    pub fn chain(&self, region: RegionId) -> Option<SealedChain> {
        match self.standing(region) {
            Standing::Sealed(chain) => Some(chain),
            Standing::Open { .. } => None,
        }
    }

    /// Regions that take part, in order.
    pub fn open(&self) -> impl Iterator<Item = RegionId> + '_ {
        (0..self.standings.len() as u8).map(RegionId).filter(|region| self.is_open(*region))
    }

    /// How far each region's life has come: every seal and every return that counts is a step.
    pub fn stages(&self) -> impl Iterator<Item = u32> + '_ {
        self.standings.iter().map(|standing| match standing {
            Standing::Open { incarnation, .. } => incarnation.0 * 2,
            Standing::Sealed(chain) => chain.incarnation.0 * 2 + 1,
        })
    }

    /// Whether another node that says this of [`Self::stages`] knows of the same seals and returns
    /// of the regions that are left when these are lost.
    pub fn agree_without(&self, lost: &[RegionId], told: &[u32]) -> bool {
        let is_left = |(_, region): &(_, RegionId)| !lost.contains(region);
        let mut left = self.stages().zip(told).zip((0..).map(RegionId)).filter(is_left);
        left.all(|((here, there), _)| here == *there)
    }

    /// The only region that takes part in a cluster of several: what it holds is final, and lies
    /// in one region only.
    pub fn alone(&self) -> Option<RegionId> {
        self.alone_without(&[])
    }

    fn alone_without(&self, closed: &[SealedChain]) -> Option<RegionId> {
        let mut open = self.open().filter(|region| !ends(closed, *region));
        let first = open.next()?;
        (self.standings.len() > 1 && open.next().is_none()).then_some(first)
    }

    /// How an incarnation of a region ended, once that is final here.
    pub fn ended(&self, region: RegionId, incarnation: Incarnation) -> Option<SealedChain> {
        self.ended.get(&(region, incarnation)).copied()
    }

    /// Whether a seal of this incarnation of a region is logged and waits for its effect.
    pub fn awaits_end(&self, region: RegionId, incarnation: Incarnation) -> bool {
        self.waiting.values().any(|waiting| match &waiting.control {
            Control::Sealed(chains) => chains
                .iter()
                .any(|chain| chain.region == region && chain.incarnation == incarnation),
            _ => false,
        })
    }

    /// Stamp of the last seal or return that still waits for its effect: until the others say that
    /// their logs are durable beyond it, it has none.
    pub fn waits_up_to(&self) -> Option<Hlc> {
        let may_count = |((hlc, from), waiting): (&(Hlc, RegionId), &Waiting)| {
            let may_count = match &waiting.control {
                Control::Sealed(chains) => self.closed_by(*from, chains).next().is_some(),
                Control::Restored { region, incarnation } => self.is_next(*region, *incarnation),
                Control::None | Control::Readmitted(_) | Control::ChainPart(_) => false,
            };
            may_count.then_some(*hlc)
        };
        self.waiting.iter().rev().find_map(may_count)
    }

    /// Whether an entry that lets this region in waits for its effect.
    pub fn returns(&self, region: RegionId) -> bool {
        self.return_floor(region).is_some()
    }

    /// The incarnation that takes part, or the one that was sealed.
    fn incarnation(&self, region: RegionId) -> Incarnation {
        match self.standing(region) {
            Standing::Open { incarnation, .. } => incarnation,
            Standing::Sealed(chain) => chain.incarnation,
        }
    }

    /// The latest incarnation of a region that the logs speak of, whether that has its effect yet
    /// or not.
    pub fn latest(&self, region: RegionId) -> Incarnation {
        let mut latest = self.incarnation(region);
        for waiting in self.waiting.values() {
            match &waiting.control {
                Control::Sealed(chains) => {
                    let of_region = chains.iter().filter(|chain| chain.region == region);
                    latest = of_region.map(|chain| chain.incarnation).fold(latest, Ord::max);
                }
                Control::Restored { region: of, incarnation } if *of == region => {
                    latest = latest.max(*incarnation);
                }
                _ => {}
            }
        }
        latest
    }

    /// Stamp of the first entry that lets a sealed region in again: nothing of its next
    /// incarnation comes before it.
    fn return_floor(&self, region: RegionId) -> Option<Hlc> {
        self.waiting.iter().find_map(|((hlc, _), waiting)| match waiting.control {
            Control::Restored { region: of, incarnation } => {
                (of == region && self.is_next(region, incarnation)).then_some(*hlc)
            }
            _ => None,
        })
    }

    /// The finality watermark: the lowest stamp up to which every log that takes part is
    /// geo-durable and says so (billing.md §3).
    pub fn watermark(&self, custodies: &[Custody]) -> Hlc {
        self.watermark_without(&[], self.alone_from, custodies)
    }

    /// As if these logs were sealed by the entry at `sealed_by` of the log of the only region that
    /// is then left. A region that waits to be let in does not hold up a seal: its return may wait
    /// for the word of the very log that is to end, and the region says nothing before its return.
    fn watermark_without(
        &self,
        closed: &[SealedChain],
        sealed_by: LogIndex,
        custodies: &[Custody],
    ) -> Hlc {
        let alone = self.alone_without(closed);
        let stamps = custodies.iter().zip(0..).filter_map(|(custody, place)| {
            let region = RegionId(place);
            if ends(closed, region) {
                return None;
            }
            match self.standing(region) {
                Standing::Open { floor, .. } if alone == Some(region) => {
                    Some(custody.settled_alone(sealed_by).max(custody.geo_hlc).max(floor))
                }
                Standing::Open { floor, .. } => Some(custody.geo_hlc.max(floor)),
                // Its chain is still to be adopted, or to be known as committed.
                Standing::Sealed(chain) if !custody.has_left(&chain) => Some(custody.geo_hlc),
                Standing::Sealed(_) => {
                    let counts = closed.is_empty() || canary!("seal-waits-for-a-return");
                    self.return_floor(region).filter(|_| counts)
                }
            }
        });
        let watermark = if canary!("watermark-max") { stamps.max() } else { stamps.min() };
        watermark.unwrap_or(Hlc::ZERO)
    }

    /// Lets take effect what is final by now. Whether anything did.
    pub fn advance(&mut self, custodies: &mut [Custody]) -> bool {
        let mut changed = false;
        self.settle_alone(custodies);
        while let Some(place) = self.next_effective(custodies) {
            let waiting = self.waiting.remove(&place).expect("it was just found");
            match waiting.control {
                Control::Sealed(chains) => self.seal(&chains, waiting.index),
                Control::Restored { region, incarnation } => {
                    let floor = place.0;
                    self.standings[usize::from(region.0)] = Standing::Open { incarnation, floor };
                }
                Control::None | Control::Readmitted(_) | Control::ChainPart(_) => {}
            }
            changed = true;
            self.settle_alone(custodies);
        }
        changed
    }

    /// What is final while one region is the only one stays final when another is let in. Nothing
    /// beyond the watermark is: a sealed log that is not adopted yet may let one in.
    fn settle_alone(&self, custodies: &mut [Custody]) {
        if let Some(alone) = self.alone() {
            let watermark = self.watermark(custodies);
            custodies[usize::from(alone.0)].settle_alone(self.alone_from, watermark);
        }
    }

    fn seal(&mut self, chains: &[SealedChain], index: LogIndex) {
        for chain in chains {
            if self.is_sealable(chain) {
                self.standings[usize::from(chain.region.0)] = Standing::Sealed(*chain);
                self.ended.insert((chain.region, chain.incarnation), *chain);
            }
        }
        self.alone_from = index;
    }

    /// Whether a chain ends the incarnation that takes part.
    fn is_sealable(&self, chain: &SealedChain) -> bool {
        matches!(
            self.standings.get(usize::from(chain.region.0)),
            Some(Standing::Open { incarnation, .. }) if *incarnation == chain.incarnation
        )
    }

    /// Which of these chains a seal in the log of `from` would end.
    fn closed_by<'a>(
        &'a self,
        from: RegionId,
        chains: &'a [SealedChain],
    ) -> impl Iterator<Item = &'a SealedChain> {
        chains.iter().filter(move |chain| self.is_sealable(chain) && chain.region != from)
    }

    /// Whether this is the incarnation in which a sealed region comes back.
    fn is_next(&self, region: RegionId, incarnation: Incarnation) -> bool {
        self.chain(region).is_some_and(|chain| chain.incarnation.0 + 1 == incarnation.0)
    }

    fn next_effective(&self, custodies: &[Custody]) -> Option<(Hlc, RegionId)> {
        let is_final = |((hlc, from), waiting): (&(Hlc, RegionId), &Waiting)| {
            // A node that lost its disk may have a log whose incarnation was not let in here yet:
            // what let it in comes first.
            if waiting.incarnation > self.incarnation(*from) {
                return false;
            }
            let watermark = match &waiting.control {
                Control::Sealed(chains) => {
                    let closed: Vec<SealedChain> = self.closed_by(*from, chains).copied().collect();
                    if closed.is_empty() {
                        return false;
                    }
                    self.watermark_without(&closed, waiting.index, custodies)
                }
                Control::Restored { region, incarnation } => {
                    // Not before the chain is adopted here, too; a node that was started again may
                    // have adopted a later one.
                    let custody = &custodies[usize::from(region.0)];
                    let has_left =
                        self.chain(*region).is_some_and(|chain| custody.has_left(&chain));
                    if !self.is_next(*region, *incarnation) || !has_left {
                        return false;
                    }
                    self.watermark(custodies)
                }
                Control::None | Control::Readmitted(_) | Control::ChainPart(_) => return false,
            };
            *hlc <= watermark
        };
        self.waiting.iter().find(|entry| is_final(*entry)).map(|(place, _)| *place)
    }
}

/// Whether one of these chains is where a region's log ends.
fn ends(closed: &[SealedChain], region: RegionId) -> bool {
    closed.iter().any(|chain| chain.region == region)
}

#[cfg(test)]
mod tests {
    use super::{Seals, Standing};
    use billing_wire::{ClusterId, Genesis, Hlc, Incarnation, NodeId, RegionId, RegionMembers};

    fn of_three_regions() -> Seals {
        let members = |region: u8| RegionMembers {
            region: RegionId(region),
            name: region.to_string(),
            incarnation: Incarnation(0),
            nodes: vec![NodeId(1 + u16::from(region))],
        };
        let regions = (0..3).map(members).collect();
        Seals::new(&Genesis { cluster: ClusterId(1), currency: *b"EUR", secret: [0; 32], regions })
    }

    #[test]
    fn who_let_a_region_in_and_who_did_not_disagree_unless_that_one_is_lost() {
        let (here, mut there) = (of_three_regions(), of_three_regions());
        there.standings[2] = Standing::Open { incarnation: Incarnation(1), floor: Hlc::ZERO };
        let told: Vec<u32> = there.stages().collect();
        assert_eq!(told, [0, 0, 2]);
        assert!(!here.agree_without(&[RegionId(0)], &told));
        assert!(here.agree_without(&[RegionId(2)], &told));
        assert!(there.agree_without(&[RegionId(0)], &told));
    }
}
