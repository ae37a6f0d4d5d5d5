//! A damaged region log is made whole (billing.md §8): what is missing of it is pinned by the hash
//! of its last record, so any node's copy is as good as any other, and no leader is needed. The
//! last hole comes first, because only what follows a hole makes its end certain. Fetched records
//! become durable in the usual order, in a new segment, before the group works again.

use super::Node;
use super::chain_records::{
    STEP_BACK, decode_question, encode_answer, encode_question, follows, holds, next_slot,
};
use crate::consensus::{RegionLog, Slot};
use crate::io::{FileName, HaltReason, Outputs};
use crate::journal::Hole;
use crate::sometimes;
use crate::time::{Monotonic, Now};
use billing_wire::{FrameKind, Incarnation, LogIndex, NodeId, RegionId, SealedChain};
use bytes::Bytes;
use std::collections::BTreeSet;

/// Another node is asked when there was no answer for so many milliseconds.
const ASK_AGAIN_MS: u64 = 200;
/// When no node has what is missing, all of them are asked again after so many milliseconds.
const SEEK_AGAIN_MS: u64 = 1_000;
/// So often all nodes are asked before the leader of the log is asked where that ends.
const ROUNDS: usize = 3;

/// The hole that is being filled.
#[derive(Debug)]
pub(super) struct Repair {
    hole: Hole,
    /// Index of the first record that is fetched.
    from: LogIndex,
    /// The records so far.
    slots: Vec<Slot>,
    asked: Option<Monotonic>,
    /// Which of the other nodes is asked.
    turn: usize,
    /// Who has said that it lacks the next record.
    lacking: BTreeSet<NodeId>,
    /// How often the next node had its turn.
    tries: usize,
}

impl Repair {
    fn of(hole: Hole, turn: usize) -> Self {
        let (slots, lacking) = (Vec::new(), BTreeSet::new());
        Self { hole, from: hole.first, slots, asked: None, turn, lacking, tries: 0 }
    }

    /// Whether so many other nodes were all asked, again and again.
    pub(super) fn is_in_vain(&self, others: usize) -> bool {
        self.tries > ROUNDS * others
    }

    /// The first record that nobody has.
    pub(super) fn lost(&self) -> LogIndex {
        self.next()
    }

    fn next(&self) -> LogIndex {
        self.from + self.slots.len() as u64
    }

    /// What is asked for: everything up to the hole's pinned end.
    fn chain(&self, region: RegionId) -> SealedChain {
        let Hole { last, last_hash, .. } = self.hole;
        SealedChain { region, incarnation: Incarnation(0), last_index: last, last_hash }
    }

    /// The own log left the chain before what is fetched now.
    fn step_back(&mut self, log: &RegionLog) {
        self.slots.clear();
        self.from = self.from.saturating_sub(STEP_BACK).max(1);
        while self.from > 1 && log.slot(self.from - 1).is_none() {
            self.from -= 1;
        }
        self.asked = None;
    }
}

impl Node {
    /// A file was found damaged. The superblock is in memory: it is written again. What a segment
    /// lost is found out by opening again.
    pub(super) fn found_damaged(&mut self, file: FileName, out: &mut Outputs) {
        match file {
            FileName::Superblock => {
                sometimes!("superblock-renewed");
                self.writer.renew_superblock();
            }
            FileName::Ledger => self.halt(HaltReason::Ledger, out),
            FileName::Segment { region, .. } => {
                // What its log misses is fetched: to open again would only begin that anew, and
                // nodes that all do so, each before it is done, never are.
                let log = self.logs.get(usize::from(region.0));
                if log.is_some_and(RegionLog::is_damaged) {
                    sometimes!("damage-known-when-found");
                    return;
                }
                sometimes!("damage-found-while-running");
                self.halt(HaltReason::Damage, out);
            }
            FileName::Genesis | FileName::LedgerAside => {}
        }
    }

    /// Fetches what is missing of region logs; called at each tick.
    pub(super) fn work_at_repair(&mut self, now: Now, out: &mut Outputs) {
        for place in 0..self.logs.len() as u8 {
            let log = &self.logs[usize::from(place)];
            if log.is_damaged() && !log.is_forgotten() {
                self.repair_log(now, RegionId(place), out);
            }
        }
    }

    fn repair_log(&mut self, now: Now, region: RegionId, out: &mut Outputs) {
        let Some(hole) = self.logs[usize::from(region.0)].hole() else {
            self.repairs.remove(&region);
            let (logs, mut desk) = self.logs_and_desk(now, out);
            logs[usize::from(region.0)].rewrite(&mut desk);
            return;
        };
        let repair = self.repairs.entry(region).or_insert_with(|| Repair::of(hole, 0));
        if repair.hole != hole {
            *repair = Repair::of(hole, repair.turn);
        }
        let others = self.config.genesis.nodes().count() - 1;
        let patience = if repair.lacking.len() < others { ASK_AGAIN_MS } else { SEEK_AGAIN_MS };
        if repair.asked.is_none_or(|at| now.monotonic.ms_since(at) >= patience) {
            repair.lacking.clear();
            self.ask_next(now, region, out);
        }
    }

    /// Asks another node than before for what comes next.
    fn ask_next(&mut self, now: Now, region: RegionId, out: &mut Outputs) {
        let Some(repair) = self.repairs.get_mut(&region) else { return };
        repair.turn += 1;
        repair.tries += 1;
        let turn = repair.turn;
        let others = self.others_near_first();
        if self.repairs.get(&region).is_some_and(|repair| repair.is_in_vain(others.len())) {
            self.ask_for_log_end(now, region, out);
        }
        if let Some(to) = others.get(turn % others.len().max(1)) {
            self.ask_to_repair(now, *to, region, out);
        }
    }

    /// The other nodes, those of the own region first.
    fn others_near_first(&self) -> Vec<NodeId> {
        let genesis = &self.config.genesis;
        let others = genesis.nodes().filter(|node| *node != self.config.node);
        let is_far = |node: &NodeId| genesis.region_of(*node) != Some(self.region);
        let (far, mut near): (Vec<NodeId>, Vec<NodeId>) = others.partition(is_far);
        near.extend(far);
        near
    }

    fn ask_to_repair(&mut self, now: Now, to: NodeId, region: RegionId, out: &mut Outputs) {
        let Some(repair) = self.repairs.get_mut(&region) else { return };
        repair.asked = Some(now.monotonic);
        let body = encode_question(repair.next(), &repair.chain(region));
        self.send(now, FrameKind::RepairRequest, to, region, &body, out);
    }

    /// A node asks for records that it lost: it gets those that follow each other here, or none.
    /// `None`: not understood.
    pub(super) fn take_repair_request(
        &mut self,
        now: Now,
        from: NodeId,
        body: &[u8],
        out: &mut Outputs,
    ) -> Option<()> {
        let (next, chain) = decode_question("question for lost records", body).ok()?;
        let log = self.logs.get(usize::from(chain.region.0))?;
        if log.is_damaged() {
            sometimes!("hole-asked-of-a-damaged-node");
        }
        let last = log.slot(chain.last_index);
        let is_other = last.is_some() && !holds(last, &chain);
        let end = if is_other { 0 } else { chain.last_index };
        let slots = (next.max(1)..=end).map_while(|index| log.slot(index));
        let answer = encode_answer(next, slots);
        self.send(now, FrameKind::Repair, from, chain.region, &answer, out);
        Some(())
    }

    /// Records came that were lost here. `None`: not understood.
    pub(super) fn take_repair(
        &mut self,
        now: Now,
        from: NodeId,
        region: RegionId,
        body: &Bytes,
        out: &mut Outputs,
    ) -> Option<()> {
        let first = u64::from_le_bytes(body.get(..8)?.try_into().ok()?);
        let log = self.logs.get(usize::from(region.0))?;
        let repair = self.repairs.get_mut(&region).filter(|repair| repair.next() == first)?;
        let chain = repair.chain(region);
        let mut at = 8;
        while at < body.len() {
            let index = repair.next();
            let slot = next_slot(body, &mut at, &chain, index)?;
            let before = repair.slots.last().or_else(|| log.slot(index - 1));
            if !follows(&slot, before) {
                sometimes!("hole-fetched-from-further-back");
                repair.step_back(log);
                return Some(());
            }
            repair.slots.push(slot);
        }
        if repair.next() > chain.last_index {
            self.end_fetch(now, region, &chain, out);
        } else if repair.next() == first {
            sometimes!("hole-lacking-at-a-peer");
            self.note_lacking(now, from, region, out);
        } else {
            repair.lacking.clear();
            self.ask_to_repair(now, from, region, out);
        }
        Some(())
    }

    /// A node lacks the next record, too.
    fn note_lacking(&mut self, now: Now, from: NodeId, region: RegionId, out: &mut Outputs) {
        let others = self.config.genesis.nodes().count() - 1;
        let Some(repair) = self.repairs.get_mut(&region) else { return };
        repair.lacking.insert(from);
        if repair.lacking.len() < others {
            self.ask_next(now, region, out);
        } else {
            let (index, last) = (repair.next(), repair.hole.last);
            tracing::error!(%region, index, last, "no node has what was lost here");
        }
    }

    /// Everything up to the end of a hole was fetched.
    fn end_fetch(&mut self, now: Now, region: RegionId, chain: &SealedChain, out: &mut Outputs) {
        let Some(repair) = self.repairs.remove(&region) else { return };
        if !holds(repair.slots.last(), chain) {
            // Somebody's copy was of another history; the next one begins anew.
            let again = Repair { tries: repair.tries, ..Repair::of(repair.hole, repair.turn) };
            self.repairs.insert(region, again);
            return;
        }
        sometimes!("hole-filled");
        self.counts.repaired_records += repair.slots.len() as u64;
        let log = &mut self.logs[usize::from(region.0)];
        log.fill(repair.slots);
        if let Some(hole) = log.hole() {
            // Whoever had this is asked first for the next: another may be down, and of hundreds of
            // holes each would wait for it.
            self.repairs.insert(region, Repair::of(hole, repair.turn.saturating_sub(1)));
        }
        self.repair_log(now, region, out);
    }
}
