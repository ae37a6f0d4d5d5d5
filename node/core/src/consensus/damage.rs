//! A region log with holes (billing.md §8): records that were promised and are not readable any
//! more. Until they are fetched again by hash and are durable, the group takes no part in
//! consensus: it hears nothing, says nothing and stands for nothing. What is left of the log is
//! kept to serve others and to be written again behind what was fetched.

use super::region_log::{RegionLog, group};
use super::window::Slot;
use super::{Consensus, Sink};
use crate::canary;
use crate::journal::{Hole, RegionPromise};
use crate::sometimes;
use billing_wire::{Hash, Hlc, LogIndex, RecordView, Term};
use bytes::Bytes;
use raft::eraftpb::HardState;
use std::collections::BTreeMap;

/// What is left of a damaged region log behind its intact beginning.
#[derive(Debug)]
pub(super) struct Damage {
    /// Last promised index, and the hash of the record there.
    pub(super) last: (LogIndex, Hash),
    /// What is readable or was fetched.
    slots: BTreeMap<LogIndex, Slot>,
    /// State of the whole log in consensus.
    pub(super) hard_state: HardState,
    /// What was lost is nowhere: the log becomes the leader's, up to where that ended.
    pub(super) follows_leader: bool,
    /// What was promised is not known, so it is not known what is missing.
    pub(super) forgotten: bool,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Records are missing, or were just found.
    Incomplete,
    /// All of them wait for a persist.
    Written,
    /// That persist runs.
    Persisting,
}

impl Damage {
    pub(super) fn of(promise: &RegionPromise, behind: Vec<Bytes>, hard_state: HardState) -> Self {
        let slot = |bytes: Bytes| {
            let header = RecordView::decode(&bytes).expect("recovery verified it").header;
            (header.index, Slot { header, bytes })
        };
        Self {
            last: (promise.durable_index, promise.last_hash),
            slots: behind.into_iter().map(slot).collect(),
            hard_state,
            follows_leader: false,
            forgotten: promise.forgotten,
            stage: Stage::Incomplete,
        }
    }

    /// What is missing behind the first `held` records and is pinned for certain: the last hole.
    fn hole(&self, held: LogIndex) -> Option<Hole> {
        if self.forgotten {
            return None;
        }
        let (mut last, mut last_hash) = self.last;
        let mut later = self.slots.iter().rev();
        let next = later.find(|(index, slot)| {
            let is_next = **index == last;
            if is_next {
                (last, last_hash) = (last - 1, slot.header.prev_hash);
            }
            !is_next
        });
        let before = next.map_or(held, |(index, _)| *index);
        (last > before).then_some(Hole { first: before + 1, last, last_hash })
    }
}

impl RegionLog {
    /// Whether records that were promised are missing, or are not durable again yet.
    pub fn is_damaged(&self) -> bool {
        self.damage.is_some()
    }

    /// The missing stretch that is to be fetched next; `None`: nothing is missing.
    pub fn hole(&self) -> Option<Hole> {
        let damage = self.damage.as_ref().filter(|damage| damage.stage == Stage::Incomplete)?;
        damage.hole(self.window().last_index())
    }

    /// Records that are missing.
    pub fn missing(&self) -> u64 {
        self.damage
            .as_ref()
            .filter(|damage| damage.stage == Stage::Incomplete)
            .map_or(0, |damage| {
                damage.last.0 - self.window().last_index() - damage.slots.len() as u64
            })
    }

    /// A record of this log, of what is left of it if it is damaged.
    pub fn slot(&self, index: LogIndex) -> Option<&Slot> {
        let left = || self.damage.as_ref()?.slots.get(&index);
        self.window().get(index).or_else(left)
    }

    /// Highest stamp in the log, as far as it is readable.
    pub fn last_stamp(&self) -> Hlc {
        let last = self.window().last().map_or(Hlc::ZERO, |last| last.hlc);
        let left = self.damage.as_ref().and_then(|damage| damage.slots.values().next_back());
        left.map_or(last, |slot| slot.header.hlc.max(last))
    }

    /// Takes records that fill a hole; they may replace what stands before it, which was never
    /// certain.
    pub fn fill(&mut self, slots: Vec<Slot>) {
        let Some(damage) = &mut self.damage else { return };
        let first = slots.first().map_or(0, |slot| slot.header.index);
        if first > 0 && first <= self.raft.store().last_index() {
            self.committed = self.committed.min(first - 1);
            for slot in self.raft.mut_store().split_off(first - 1) {
                damage.slots.insert(slot.header.index, slot);
            }
        }
        damage.slots.extend(slots.into_iter().map(|slot| (slot.header.index, slot)));
    }

    /// What was lost is nowhere: the log is to become the leader's, whose last index and hash are
    /// known. `false`: it is not for this copy, or contradicts what was committed here.
    pub fn end_at(&mut self, term: Term, last: (LogIndex, Hash)) -> bool {
        let is_fenced = self.fenced;
        let Some(damage) = self.damage.as_mut().filter(|d| !d.forgotten) else { return false };
        let state = &damage.hard_state;
        let fits =
            damage.stage == Stage::Incomplete && term >= state.term && last.0 >= state.commit;
        if is_fenced || !fits {
            return false;
        }
        damage.last = last;
        // What is left stands or falls with what follows it, and is fetched anew where it does not
        // lead there. Until then it stays: another node may lack it.
        let leads_there =
            |index: LogIndex, slot: &Slot| index < last.0 || slot.header.hash == last.1;
        let stays =
            |index, slot: &Slot| leads_there(index, slot) && !canary!("what-is-left-is-dropped");
        damage.slots.retain(|index, slot| stays(*index, slot));
        damage.follows_leader = true;
        let is_end = |slot: &Slot| slot.header.hash == last.1;
        let kept = if self.window().get(last.0).is_some_and(is_end) { last.0 } else { last.0 - 1 };
        self.raft.mut_store().split_off(kept);
        self.committed = self.committed.min(kept);
        true
    }

    /// Whether a sealed chain can take the log's place: if it is whole, or its holes are not filled
    /// yet. What a seal left out is nobody's log any more, so a hole in it is never filled.
    pub fn can_take_chain(&self) -> bool {
        self.damage
            .as_ref()
            .is_none_or(|damage| damage.stage == Stage::Incomplete && !damage.forgotten)
    }

    /// The chain that the log ended with takes its place: what is left behind its intact beginning,
    /// and its state in consensus.
    pub(super) fn give_up_damage(&mut self) -> Option<(Vec<Slot>, HardState)> {
        let damage = self.damage.take()?;
        sometimes!("damaged-log-takes-its-chain");
        Some((damage.slots.into_values().collect(), damage.hard_state))
    }

    /// Nothing is missing any more: writes the log again from the first index that was damaged
    /// on. It works again once that is durable. Whether there was something to write.
    pub fn rewrite<S: Sink>(&mut self, sink: &mut S) -> bool {
        let is_whole = self.is_damaged() && !self.is_forgotten() && self.hole().is_none();
        let Some(damage) = self.damage.as_mut().filter(|damage| damage.stage == Stage::Incomplete)
        else {
            return false;
        };
        if !is_whole {
            return false;
        }
        damage.stage = Stage::Written;
        let hard_state = damage.hard_state.clone();
        let slots = std::mem::take(&mut damage.slots);
        let follows_leader = damage.follows_leader;
        let window = self.raft.mut_store();
        if follows_leader {
            // What lies behind may be longer than the leader's log: it is hidden in any case.
            let kept = window.last().map_or((0, [0; 32]), |last| (last.index, last.hash));
            sink.reincarnate(self.region, self.incarnation, kept);
            if self.fenced {
                sink.fence(self.region);
            }
            sink.hard_state(self.region, hard_state.term, hard_state.vote);
        }
        for (_, slot) in slots {
            sink.append(&slot.header, &slot.bytes);
            window.push(slot);
        }
        sink.commit(self.region, hard_state.commit);
        let window = window.reincarnated(self.incarnation, hard_state);
        self.raft = group(self.config, self.config.folded, window);
        (self.handed_over, self.persisting) = (0, None);
        self.stand_in_turn();
        true
    }

    pub(super) fn repair_persists(&mut self) {
        if let Some(damage) = self.damage.as_mut().filter(|d| d.stage == Stage::Written) {
            damage.stage = Stage::Persisting;
        }
    }

    pub(super) fn repair_persisted(&mut self) {
        if self.damage.as_ref().is_some_and(|damage| damage.stage == Stage::Persisting) {
            sometimes!("region-log-repaired");
            let (region, role) = (self.region.0, self.role());
            tracing::info!(
                region,
                ?role,
                last = self.window().last_index(),
                "the log is whole again"
            );
            self.damage = None;
            self.committed = self.config.folded;
        }
    }
}
