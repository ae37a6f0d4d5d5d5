//! Nothing is lost by a seal (billing.md §7): a sealed region that is back asks to be let in under
//! its next incarnation, and every record that the seal left out is appended again, once, known by
//! its hash. Its submissions keep their operation ids, so whatever was submitted elsewhere in the
//! meantime has no second effect.

use super::Node;
use crate::canary;
use crate::consensus::Consensus;
use crate::io::{Outputs, Role};
use crate::sometimes;
use crate::time::{Monotonic, Now};
use billing_wire::codec::Reader;
use billing_wire::{
    Control, FrameKind, Hash, Incarnation, LogIndex, NodeId, RecordKind, RecordView, RegionId,
};
use bytes::Bytes;
use std::collections::BTreeMap;

/// A sealed region asks, and orphans are offered again, every so many milliseconds.
const ASK_AGAIN_MS: u64 = 500;
/// A question to be let in counts for so many milliseconds.
const ASKED_FOR_MS: u64 = 3_000;
/// Orphans offered at once.
const OFFERED_MAX: usize = 16;

/// A record outside its sealed chain.
#[derive(Debug)]
pub(super) struct Orphan {
    /// What it is known by: its first hash.
    hash: Hash,
    /// The region whose log it stood in first.
    region: RegionId,
    /// Where it lies outside the chain, and its hash there.
    outside: (RegionId, LogIndex, Hash),
    bytes: Bytes,
}

/// What is under way for regions that come back.
#[derive(Debug, Default)]
pub(super) struct Returning {
    /// When this node last asked to be let in, or offered orphans.
    asked: Option<Monotonic>,
    /// The orphans that it offered last, by what they are known by.
    offered: Vec<Hash>,
    /// When nodes of sealed regions last asked to be let in.
    asked_by: BTreeMap<NodeId, Monotonic>,
}

/// What a record is known by, and where it stood first.
fn identity(view: &RecordView<'_>) -> (Hash, RegionId) {
    match view.control() {
        Control::Readmitted(origin) => (origin.hash, origin.region),
        _ => (view.header.hash, view.header.region),
    }
}

impl Node {
    /// A record was left out by a seal.
    pub(super) fn orphaned(&mut self, bytes: Bytes) {
        let Ok(view) = RecordView::decode(&bytes) else { return };
        let header = view.header;
        self.seals.forget((header.hlc, header.region), &view.control());
        if header.kind.has_submissions() && view.count > 0 && !canary!("orphans-forgotten") {
            let (hash, region) = identity(&view);
            let outside = (header.region, header.index, header.hash);
            self.orphans.push(Orphan { hash, region, outside, bytes });
        }
    }

    /// Asks to be let in, and offers orphans; called at each tick.
    pub(super) fn work_at_return(&mut self, now: Now, out: &mut Outputs) {
        let has_work = !self.orphans.is_empty() || self.own_log().is_dormant();
        if self.logs.len() == 1 || !has_work {
            return;
        }
        let is_due =
            self.returning.asked.is_none_or(|at| now.monotonic.ms_since(at) >= ASK_AGAIN_MS);
        if !is_due {
            if self.most_offered_are_readmitted() {
                self.offer_orphans(now, out);
            }
            return;
        }
        self.returning.asked = Some(now.monotonic);
        let own = self.own_log();
        if own.is_dormant() && !own.is_adopting() && !self.seals.is_open(self.region) {
            let incarnation = own.incarnation().0.to_le_bytes();
            self.broadcast(now, FrameKind::RestoreRequest, &incarnation, out);
        }
        self.offer_orphans(now, out);
    }

    /// Whether the next orphans can follow at once. One that nobody takes must not hold up the
    /// others, so not all need be.
    fn most_offered_are_readmitted(&self) -> bool {
        let is_readmitted = |hash: &&Hash| self.seals.is_readmitted(hash);
        let readmitted = self.returning.offered.iter().filter(is_readmitted).count();
        readmitted * 2 > self.returning.offered.len()
    }

    fn offer_orphans(&mut self, now: Now, out: &mut Outputs) {
        let (seals, logs) = (&self.seals, &self.logs);
        // A copy of what was missing in the log when this node was opened is no orphan: the log has
        // that again.
        let is_in_log = |(region, index, hash): (RegionId, LogIndex, Hash)| {
            let slot = logs[usize::from(region.0)].window().get(index);
            slot.is_some_and(|slot| slot.header.hash == hash)
        };
        self.orphans.retain(|orphan| {
            let is_copy = is_in_log(orphan.outside) && !canary!("copies-taken-for-orphans");
            !seals.is_readmitted(&orphan.hash) && !is_copy
        });
        let offered: Vec<(RegionId, Hash, Bytes)> = self
            .orphans
            .iter()
            .filter_map(|orphan| {
                Some((self.home(orphan.region)?, orphan.hash, orphan.bytes.clone()))
            })
            .take(OFFERED_MAX)
            .collect();
        self.returning.offered.clear();
        for (home, hash, bytes) in offered {
            self.returning.offered.push(hash);
            let log = &self.logs[usize::from(home.0)];
            match log.leader() {
                _ if home == self.region && log.role() == Role::Leader => {
                    let _refused = self.take_orphan(&bytes);
                }
                Some(leader) => self.send(now, FrameKind::Orphan, leader, home, &bytes, out),
                None => {}
            }
        }
    }

    /// Where orphans of a region are appended again: in its next incarnation, or while it is gone
    /// in the first region that is left. A region that is back waits until it is let in.
    fn home(&self, region: RegionId) -> Option<RegionId> {
        if self.seals.is_open(region) {
            return Some(region);
        }
        if region == self.region || self.seals.returns(region) {
            return None;
        }
        self.seals.open().next()
    }

    /// An orphan is offered to the leader of its home. `None`: refused.
    pub(super) fn take_orphan(&mut self, bytes: &Bytes) -> Option<()> {
        let view = RecordView::decode(bytes).ok()?;
        let (hash, origin) = identity(&view);
        let header = view.header;
        let is_orphan = self
            .logs
            .get(usize::from(header.region.0))
            .filter(|log| log.incarnation() > header.incarnation)
            .filter(|log| !log.is_adopting() && !log.is_damaged())
            .map(|log| log.window().get(header.index))
            .is_some_and(|slot| slot.is_none_or(|slot| slot.header.hash != header.hash));
        let is_ours = view.verify_hash()
            && header.kind.has_submissions()
            && is_orphan
            && self.home(origin) == Some(self.region)
            && self.own_log().role() == Role::Leader;
        if !is_ours {
            return None;
        }
        let again = self.seals.is_readmitted(&hash) || self.is_being_readmitted(&hash);
        if again && !canary!("orphan-readmitted-twice") {
            return Some(());
        }
        self.orphans_to_log.push_back((hash, bytes.clone()));
        Some(())
    }

    /// Whether a record of this hash is in the own log and not committed, or about to be.
    fn is_being_readmitted(&self, hash: &Hash) -> bool {
        let is_it =
            |bytes: &Bytes| RecordView::decode(bytes).is_ok_and(|view| identity(&view).0 == *hash);
        self.orphans_to_log.iter().any(|(queued, _)| queued == hash)
            || self.uncommitted_of(RecordKind::Readmitted).any(is_it)
    }

    /// Own entries of a kind that were appended and are not known to be committed.
    fn uncommitted_of(&self, kind: RecordKind) -> impl Iterator<Item = &Bytes> {
        let own = self.own_log();
        let ends: (LogIndex, LogIndex) = (own.committed() + 1, own.window().last_index());
        let slots = (ends.0..=ends.1).filter_map(|index| own.window().get(index));
        slots.filter(move |slot| slot.header.kind == kind).map(|slot| &slot.bytes)
    }

    /// A node of a sealed region asks to be let in. `None`: refused.
    pub(super) fn take_restore_request(
        &mut self,
        now: Monotonic,
        from: NodeId,
        body: &[u8],
    ) -> Option<()> {
        let mut r = Reader::new("question to be let in", body);
        let incarnation = Incarnation(r.u32().ok()?);
        r.finish().ok()?;
        let region = self.config.genesis.region_of(from)?;
        let chain = self.seals.chain(region)?;
        if chain.incarnation.0 + 1 != incarnation.0 || self.own_log().role() != Role::Leader {
            return None;
        }
        self.returning.asked_by.insert(from, now);
        let members = &self.config.genesis.regions[usize::from(region.0)].nodes;
        let asks = |node: &&NodeId| {
            self.returning.asked_by.get(node).is_some_and(|at| now.ms_since(*at) < ASKED_FOR_MS)
        };
        let has_majority = members.iter().filter(asks).count() > members.len() / 2;
        let restored = Control::Restored { region, incarnation };
        let is_logged = self.seals.returns(region)
            || self.to_log.contains(&restored)
            || self.uncommitted_of(RecordKind::RegionRestored).next().is_some();
        if has_majority && !is_logged {
            sometimes!("sealed-region-asks-to-return");
            self.to_log.push_back(restored);
        }
        Some(())
    }
}
