//! What is final, computed from the committed records alone and without a look at the node's own
//! rules: a record has its final place when every region that takes part has logged that it is
//! geo-durable beyond it (billing.md §3), and a seal or a return counts from its own final place on
//! (§7). With one region everything is final at once.

use crate::facts::Log;
use billing_wire::{
    Control, Genesis, Hlc, Incarnation, LogIndex, Position, RecordHeader, RecordView, RegionId,
    SealedChain,
};
use std::collections::{BTreeMap, BTreeSet};

/// Place of an entry in the merged order.
pub(crate) type Place = (Hlc, RegionId, LogIndex);

/// A region as its log and the seals of the others have it.
#[derive(Debug, Clone, Default)]
struct Region {
    incarnation: Incarnation,
    /// Last committed entry, and the last one that the log says is geo-durable.
    end: Hlc,
    geo_index: LogIndex,
    geo: Hlc,
    /// Nothing of the incarnation comes at or below this.
    floor: Hlc,
    sealed: Option<Sealed>,
    /// Place of its last seal that counted.
    sealed_at: Hlc,
    /// Up to here it was final while no other region took part.
    alone_end: Hlc,
}

/// A seal that counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sealed {
    /// Where the log ends.
    pub(crate) chain: SealedChain,
    /// Every record up to there is known.
    pub(crate) is_whole: bool,
}

/// The final order so far.
#[derive(Debug)]
pub(crate) struct Finality {
    regions: Vec<Region>,
    /// Committed entries without their final place.
    waiting: BTreeSet<Place>,
    /// Seals and returns that do not count yet.
    controls: BTreeMap<Place, Control>,
    /// Places of entries that let a region in, which end the time alone of the one that logged it.
    returns: BTreeSet<Place>,
    /// Since this entry of its log the only region that takes part is the only one.
    alone_from: LogIndex,
}

impl Finality {
    pub(crate) fn new(genesis: &Genesis) -> Self {
        let region = |members: &billing_wire::RegionMembers| Region {
            incarnation: members.incarnation,
            ..Region::default()
        };
        Self {
            regions: genesis.regions.iter().map(region).collect(),
            waiting: BTreeSet::new(),
            controls: BTreeMap::new(),
            returns: BTreeSet::new(),
            alone_from: 0,
        }
    }

    /// The seal of a region that counts and was not followed by its return.
    pub(crate) fn sealed(&self, region: RegionId) -> Option<&Sealed> {
        self.regions.get(usize::from(region.0))?.sealed.as_ref()
    }

    /// Whether a region is sealed, or was let in again and has committed nothing since.
    pub(crate) fn is_out(&self, region: RegionId) -> bool {
        let known = self.regions.get(usize::from(region.0));
        known.is_some_and(|r| r.sealed.is_some() || (r.floor > Hlc::ZERO && r.end <= r.floor))
    }

    /// The incarnation that a region is in, or was in when it was sealed.
    pub(crate) fn incarnation(&self, region: RegionId) -> Incarnation {
        self.regions.get(usize::from(region.0)).map_or_else(Incarnation::default, |r| r.incarnation)
    }

    /// Whether a region is sealed, or ever was.
    pub(crate) fn has_sealed(&self, region: RegionId) -> bool {
        self.sealed_at(region) > Hlc::ZERO
    }

    /// Whether an entry may be final on the word of one region (billing.md §7): its region was the
    /// only one that took part, or was sealed and has not logged it since it is back.
    pub(crate) fn is_of_one_region(&self, region: RegionId, hlc: Hlc) -> bool {
        let place = usize::from(region.0);
        let was_alone = self.regions.get(place).is_some_and(|region| hlc <= region.alone_end);
        let is_of_chain = self.has_sealed(region)
            && self.regions.get(place).is_some_and(|r| r.sealed.is_some() || hlc <= r.floor);
        is_of_chain || was_alone || self.alone(&[]) == Some(place)
    }

    /// Whether a committed entry has its final place.
    pub(crate) fn has_place(&self, position: &Position) -> bool {
        self.regions.len() == 1
            || !self.waiting.contains(&(position.hlc, position.region, position.index))
            || position.hlc <= self.watermark(&[], 0)
    }

    /// Whether any region is sealed, or ever was.
    pub(crate) fn has_ever_sealed(&self) -> bool {
        self.regions.iter().any(|region| region.sealed_at > Hlc::ZERO)
    }

    /// Stamp of the last seal of a region; zero when it never was sealed.
    pub(crate) fn sealed_at(&self, region: RegionId) -> Hlc {
        self.regions.get(usize::from(region.0)).map_or(Hlc::ZERO, |region| region.sealed_at)
    }

    /// Takes the next committed record of a region log.
    pub(crate) fn note(&mut self, record: &RecordView<'_>, log: &Log) {
        let header = &record.header;
        let place = place_of(header);
        let region = &mut self.regions[usize::from(header.region.0)];
        region.end = header.hlc;
        if header.geo_index > region.geo_index && header.geo_index < header.index {
            region.geo_index = header.geo_index;
            region.geo = region.geo.max(log.stamp(header.geo_index));
        }
        self.waiting.insert(place);
        match record.control() {
            Control::None | Control::Readmitted(_) | Control::ChainPart(_) => {}
            control => {
                if let Control::Restored { .. } = control {
                    self.returns.insert(place);
                }
                self.controls.insert(place, control);
            }
        }
    }

    /// A committed entry turned out to lie outside the sealed chain of its region. `false` when it
    /// was final.
    pub(crate) fn forget(&mut self, header: &RecordHeader, end: Hlc) -> bool {
        let place = place_of(header);
        let was_waiting = self.waiting.remove(&place);
        self.controls.remove(&place);
        self.returns.remove(&place);
        self.regions[usize::from(header.region.0)].end = end;
        was_waiting
    }

    /// All of a sealed chain is known.
    pub(crate) fn chain_is_whole(&mut self, region: RegionId) {
        if let Some(sealed) = &mut self.regions[usize::from(region.0)].sealed {
            sealed.is_whole = true;
        }
    }

    /// Takes out the next entry that has its final place.
    pub(crate) fn next_final(&mut self) -> Option<Place> {
        let first = *self.waiting.first()?;
        if self.regions.len() > 1 && first.0 > self.watermark(&[], 0) {
            return None;
        }
        self.waiting.pop_first()
    }

    /// The region that takes part alone, if these were sealed too.
    fn alone(&self, closed: &[SealedChain]) -> Option<usize> {
        let takes_part =
            |place: &usize| self.regions[*place].sealed.is_none() && !is_among(closed, *place);
        let mut open = (0..self.regions.len()).filter(takes_part);
        let first = open.next()?;
        open.next().is_none().then_some(first)
    }

    /// Up to here the log of the only region is final: to its end or its first return since.
    fn end_alone(&self, place: usize, since: LogIndex) -> Hlc {
        let is_its_own =
            |(_, region, index): &&Place| usize::from(region.0) == place && *index > since;
        let returned = self.returns.iter().find(is_its_own).map(|(hlc, ..)| *hlc);
        returned.unwrap_or(self.regions[place].end)
    }

    fn watermark(&self, closed: &[SealedChain], sealed_by: LogIndex) -> Hlc {
        let alone = if self.regions.len() > 1 { self.alone(closed) } else { None };
        let since = if closed.is_empty() { self.alone_from } else { sealed_by };
        let mut lowest: Option<Hlc> = None;
        for (place, region) in self.regions.iter().enumerate() {
            let of_region = match &region.sealed {
                _ if is_among(closed, place) => continue,
                Some(sealed) if !sealed.is_whole => region.geo,
                // A seal waits for nobody who is still to be let in.
                Some(_) if !closed.is_empty() => continue,
                Some(sealed) => match self.return_of(place, &sealed.chain) {
                    Some(at) => at,
                    None => continue,
                },
                None if alone == Some(place) => {
                    self.end_alone(place, since).max(region.geo).max(region.floor)
                }
                None => region.geo.max(region.floor),
            };
            lowest = Some(lowest.map_or(of_region, |lowest| lowest.min(of_region)));
        }
        lowest.unwrap_or(Hlc::ZERO)
    }

    /// Stamp of the first entry that lets a sealed region in again.
    fn return_of(&self, place: usize, chain: &SealedChain) -> Option<Hlc> {
        self.controls.iter().find_map(|((hlc, ..), control)| match control {
            Control::Restored { region, incarnation } => {
                let is_it =
                    usize::from(region.0) == place && incarnation.0 == chain.incarnation.0 + 1;
                is_it.then_some(*hlc)
            }
            _ => None,
        })
    }

    /// Lets the first seal or return count whose place is final. The regions that it seals.
    pub(crate) fn advance(&mut self) -> Option<Vec<SealedChain>> {
        if self.controls.is_empty() {
            return None;
        }
        self.keep_what_is_alone();
        let place = *self.controls.iter().find(|(place, control)| self.counts(place, control))?.0;
        let control = self.controls.remove(&place)?;
        let sealed = match control {
            Control::Sealed(chains) => {
                let chains: Vec<SealedChain> =
                    chains.into_iter().filter(|chain| self.ends(chain, place.1)).collect();
                for chain in &chains {
                    let region = &mut self.regions[usize::from(chain.region.0)];
                    region.sealed = Some(Sealed { chain: *chain, is_whole: false });
                    region.sealed_at = place.0;
                }
                self.alone_from = place.2;
                chains
            }
            Control::Restored { region, incarnation } => {
                let region = &mut self.regions[usize::from(region.0)];
                region.sealed = None;
                (region.incarnation, region.floor) = (incarnation, place.0);
                Vec::new()
            }
            Control::None | Control::Readmitted(_) | Control::ChainPart(_) => Vec::new(),
        };
        self.keep_what_is_alone();
        Some(sealed)
    }

    /// What is final while a region is the only one stays so.
    fn keep_what_is_alone(&mut self) {
        if self.regions.len() > 1
            && let Some(alone) = self.alone(&[])
        {
            // A sealed log may let a region in whose entries come before: up to the watermark.
            let end = self.end_alone(alone, self.alone_from).min(self.watermark(&[], 0));
            let region = &mut self.regions[alone];
            region.geo = region.geo.max(end);
            region.alone_end = region.alone_end.max(end);
        }
    }

    fn ends(&self, chain: &SealedChain, logged_by: RegionId) -> bool {
        let known = self.regions.get(usize::from(chain.region.0));
        chain.region != logged_by
            && known.is_some_and(|r| r.sealed.is_none() && r.incarnation == chain.incarnation)
    }

    fn counts(&self, (hlc, region, index): &Place, control: &Control) -> bool {
        match control {
            Control::Sealed(chains) => {
                let ends = chains.iter().filter(|chain| self.ends(chain, *region));
                let closed: Vec<SealedChain> = ends.copied().collect();
                !closed.is_empty() && *hlc <= self.watermark(&closed, *index)
            }
            Control::Restored { region, incarnation } => {
                let sealed = self.regions.get(usize::from(region.0)).and_then(|r| r.sealed);
                let follows = |s: Sealed| s.chain.incarnation.0 + 1 == incarnation.0 && s.is_whole;
                sealed.is_some_and(follows) && *hlc <= self.watermark(&[], 0)
            }
            Control::None | Control::Readmitted(_) | Control::ChainPart(_) => false,
        }
    }
}

/// Whether one of these chains is the end of a region's log.
fn is_among(closed: &[SealedChain], place: usize) -> bool {
    closed.iter().any(|chain| usize::from(chain.region.0) == place)
}

/// Place of an entry.
pub(crate) fn place_of(header: &RecordHeader) -> Place {
    (header.hlc, header.region, header.index)
}
