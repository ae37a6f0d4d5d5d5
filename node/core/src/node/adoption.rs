//! A sealed log is the same everywhere (billing.md §7): each node makes its copy the sealed chain,
//! fetching by hash what it lacks from whoever has it, keeps what the seal left out as orphans, and
//! waits behind the chain's end for the region to be let in again.

use super::Node;
use super::chain_records::{
    STEP_BACK, decode_question, encode_answer, encode_question, follows, holds, next_slot,
};
use crate::canary;
use crate::consensus::{Consensus, Slot};
use crate::io::Outputs;
use crate::sometimes;
use crate::time::{Monotonic, Now};
use billing_wire::{FrameKind, LogIndex, NodeId, RegionId, SealedChain};
use bytes::Bytes;

/// A node is asked for records again after so many milliseconds; each time another one.
const ASK_AGAIN_MS: u64 = 200;

/// What is fetched of a chain that is sealed, or about to be.
#[derive(Debug)]
pub(super) struct Fetching {
    chain: SealedChain,
    /// The records so far.
    slots: Vec<Slot>,
    /// Index of the first of them.
    from: LogIndex,
    asked: Option<Monotonic>,
    /// Which of the other nodes is asked next.
    turn: usize,
}

/// The rest of a chain that the own copy leaves behind `kept`.
#[derive(Debug)]
pub(super) struct Staged {
    chain: SealedChain,
    kept: LogIndex,
    rest: Vec<Slot>,
}

impl Fetching {
    fn of(chain: SealedChain, from: LogIndex, turn: usize) -> Self {
        Self { chain, slots: Vec::new(), from, asked: None, turn }
    }

    fn next(&self) -> LogIndex {
        self.from + self.slots.len() as u64
    }
}

impl Node {
    /// Regions were sealed or let in again.
    pub(super) fn seals_changed(&mut self, now: Now, out: &mut Outputs) {
        let (own, seals) = (usize::from(self.region.0), &self.seals);
        self.logs[own].count_open(|region| seals.is_open(region));
        self.look_after_chains(now, out);
    }

    /// Adopts sealed chains and wakes groups that were let in; called at each tick, too.
    pub(super) fn look_after_chains(&mut self, now: Now, out: &mut Outputs) {
        for place in 0..self.logs.len() as u8 {
            let region = RegionId(place);
            let log = &mut self.logs[usize::from(place)];
            let waits = canary!("damage-behind-a-seal-waited-for") && log.is_damaged();
            if waits || !log.can_take_chain() {
                continue;
            }
            match self.seals.standing(region) {
                crate::control::Standing::Open { incarnation, floor } => {
                    let is_let_in = log.is_dormant() && log.incarnation() == incarnation;
                    if is_let_in && !log.is_adopting() && !log.is_damaged() {
                        sometimes!("sealed-region-let-in");
                        log.wake(floor);
                    }
                    self.adopt_told_end(now, region, out);
                }
                crate::control::Standing::Sealed(chain) => {
                    if log.incarnation() == chain.incarnation {
                        self.adopt_or_fetch(now, &chain, out);
                    }
                }
            }
        }
    }

    pub(super) fn adopt_or_fetch(&mut self, now: Now, chain: &SealedChain, out: &mut Outputs) {
        let log = &self.logs[usize::from(chain.region.0)];
        if chain.last_index == 0 || holds(log.window().get(chain.last_index), chain) {
            self.adopt(now, chain, chain.last_index, Vec::new(), out);
            return;
        }
        if let Some(staged) = self.staged.remove(&chain.region)
            && staged.chain == *chain
        {
            self.adopt(now, chain, staged.kept, staged.rest, out);
            return;
        }
        if let Some((kept, rest)) = self.logged_end(chain) {
            sometimes!("chain-end-read-from-the-log");
            self.adopt(now, chain, kept, rest, out);
            return;
        }
        self.fetch(now, chain, out);
    }

    /// A record of a chain that this node has, in its log or fetched.
    pub(super) fn slot_of(&self, chain: &SealedChain, index: LogIndex) -> Option<&Slot> {
        let staged = self.staged.get(&chain.region).filter(|staged| staged.chain == *chain);
        match staged {
            Some(staged) if index > staged.kept => {
                staged.rest.get((index - staged.kept - 1) as usize)
            }
            _ => self.logs.get(usize::from(chain.region.0))?.slot(index),
        }
    }

    /// Whether this node has all of a chain, in its log or fetched.
    pub(super) fn has_chain(&self, chain: &SealedChain) -> bool {
        let log = &self.logs[usize::from(chain.region.0)];
        chain.last_index == 0
            || holds(log.window().get(chain.last_index), chain)
            || self.staged.get(&chain.region).is_some_and(|staged| staged.chain == *chain)
    }

    /// Asks for the rest of a chain, if it is time.
    pub(super) fn fetch(&mut self, now: Now, chain: &SealedChain, out: &mut Outputs) {
        let log = &self.logs[usize::from(chain.region.0)];
        let first = log.committed().min(chain.last_index - 1) + 1;
        let fetching =
            self.fetching.entry(chain.region).or_insert_with(|| Fetching::of(*chain, first, 0));
        if fetching.chain != *chain {
            *fetching = Fetching::of(*chain, first, fetching.turn);
        }
        let is_due = fetching.asked.is_none_or(|at| now.monotonic.ms_since(at) >= ASK_AGAIN_MS);
        if is_due {
            fetching.asked = Some(now.monotonic);
            fetching.turn += 1;
            let (next, turn) = (fetching.next(), fetching.turn);
            let me = self.config.node;
            let others = self.config.genesis.nodes().filter(|node| *node != me);
            let others: Vec<NodeId> = others.collect();
            self.ask_for_chain(now, others[turn % others.len()], chain, next, out);
        }
    }

    fn ask_for_chain(
        &mut self,
        now: Now,
        to: NodeId,
        chain: &SealedChain,
        next: LogIndex,
        out: &mut Outputs,
    ) {
        let body = encode_question(next, chain);
        self.send(now, FrameKind::ChainRequest, to, chain.region, &body, out);
    }

    /// A node asks for records of a chain. `None`: not understood.
    pub(super) fn take_chain_request(
        &mut self,
        now: Now,
        from: NodeId,
        body: &[u8],
        out: &mut Outputs,
    ) -> Option<()> {
        let (next, chain) = decode_question("question for a chain", body).ok()?;
        if !holds(self.slot_of(&chain, chain.last_index), &chain) {
            return Some(());
        }
        let slots = (next.max(1)..=chain.last_index).map_while(|at| self.slot_of(&chain, at));
        let answer = encode_answer(next, slots);
        self.send(now, FrameKind::Chain, from, chain.region, &answer, out);
        Some(())
    }

    /// Records of a chain came. `None`: not understood.
    pub(super) fn take_chain(
        &mut self,
        now: Now,
        from: NodeId,
        region: RegionId,
        body: &Bytes,
        out: &mut Outputs,
    ) -> Option<()> {
        let first = u64::from_le_bytes(body.get(..8)?.try_into().ok()?);
        let log = self.logs.get(usize::from(region.0))?;
        let fetching = self.fetching.get_mut(&region).filter(|f| f.next() == first)?;
        let chain = fetching.chain;
        let window = log.window();
        let mut at = 8;
        while at < body.len() {
            let index = fetching.next();
            let slot = next_slot(body, &mut at, &chain, index)?;
            let before = fetching.slots.last().or_else(|| window.get(index - 1));
            if !follows(&slot, before) {
                // The own log left the chain before this.
                sometimes!("chain-fetched-from-further-back");
                let from = fetching.from.saturating_sub(STEP_BACK).max(1);
                *fetching = Fetching::of(chain, from, fetching.turn);
                return Some(());
            }
            fetching.slots.push(slot);
        }
        let next = fetching.next();
        if next <= chain.last_index {
            fetching.asked = Some(now.monotonic);
            self.ask_for_chain(now, from, &chain, next, out);
            return Some(());
        }
        let Fetching { slots, from: start, .. } = self.fetching.remove(&region)?;
        if holds(slots.last(), &chain) {
            sometimes!("chain-fetched");
            let (kept, rest) = (start - 1, slots);
            if self.seals.chain(region) == Some(chain) {
                self.adopt(now, &chain, kept, rest, out);
            } else {
                self.staged.insert(region, Staged { chain, kept, rest });
            }
        }
        Some(())
    }

    /// Makes the own copy the sealed chain: its first `kept` records and `rest`.
    ///
    /// # Panics
    /// When something final would be left out: the tail rule forbids it.
    fn adopt(
        &mut self,
        now: Now,
        chain: &SealedChain,
        mut kept: LogIndex,
        mut rest: Vec<Slot>,
        out: &mut Outputs,
    ) {
        let region = chain.region;
        // What was fetched from further back may begin with what is here: that is not left out.
        let window = self.logs[usize::from(region.0)].window();
        let is_here = |slot: &&Slot| {
            window.get(slot.header.index).is_some_and(|own| own.header.hash == slot.header.hash)
        };
        let here = rest.iter().take_while(is_here).count();
        rest.drain(..here);
        kept += here as u64;
        // What is provisional may be of what is left out.
        self.ledger.rewind();
        let final_to = self.ledger.frontier().of(region);
        // Of a damaged log the books may be of what is missing, and comes with the rest.
        let is_damaged = self.logs[usize::from(region.0)].is_damaged();
        let certain = if is_damaged { chain.last_index } else { kept };
        let is_kept = final_to <= certain || canary!("tail-by-length");
        assert!(is_kept, "entry {final_to} of region {region} is final, not in the seal");
        let next = billing_wire::Incarnation(chain.incarnation.0 + 1);
        let (logs, mut desk) = self.logs_and_desk(now, out);
        let log = &mut logs[usize::from(region.0)];
        let left_out = log.reincarnate(kept, rest, next, &mut desk);
        self.fetching.remove(&region);
        self.staged.remove(&region);
        self.repairs.remove(&region);
        self.custodies[usize::from(region.0)].read_again();
        if !left_out.is_empty() {
            sometimes!("orphans-left-by-a-seal");
        }
        for bytes in left_out {
            self.orphaned(bytes);
        }
        if region == self.region {
            self.forget_writes(now, out);
        }
    }
}
