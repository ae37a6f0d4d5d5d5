//! A seal may stand where its region never reads it. Region A seals C and is lost; B, which has
//! read A's log, seals A. When C is back nobody leads A's log any more, and C's copy of it ends
//! before the seal of C. C does read B's seal of A, but that waits for its effect behind C's own
//! log, which nobody acknowledges because C is sealed.
//!
//! So a node that has read a seal which does not take effect, or hears consensus of another
//! incarnation than its own copy's, asks how its copy's incarnation ended. A node in whose order
//! that seal is final tells it: such a chain is committed, to its end, everywhere. The asking node
//! makes its copy that chain at once, and finds what stands in it. That changes no order: the seal
//! itself still takes effect at its place.

use super::Node;
use crate::io::Outputs;
use crate::time::{Monotonic, Now};
use crate::{canary, sometimes};
use billing_wire::codec::Reader;
use billing_wire::{FrameKind, Incarnation, NodeId, RegionId, SealedChain};
use std::collections::{BTreeMap, BTreeSet};

/// One of the other nodes is asked every so many milliseconds.
const ASK_AGAIN_MS: u64 = 500;

/// What this node was told of ends, what it wonders about, and whom it asks next.
#[derive(Debug, Default)]
pub(super) struct SealedEnds {
    told: BTreeMap<RegionId, SealedChain>,
    /// Another incarnation of these was heard since the last questions.
    heard: BTreeSet<RegionId>,
    asked: Option<Monotonic>,
    turn: usize,
}

impl SealedEnds {
    /// Consensus of another incarnation than the own copy's was heard.
    pub(super) fn hear_of(&mut self, region: RegionId) {
        self.heard.insert(region);
    }

    /// Consensus of a region was heard that waits here to be let in. Whoever let it in may be
    /// sealed by what follows in that region's log, and this node's copy may end before the
    /// return.
    pub(super) fn hear_of_return(&mut self, region: RegionId, regions: u8) {
        self.heard.extend((0..regions).map(RegionId).filter(|other| *other != region));
    }
}

impl Node {
    /// Asks for the ends of logs whose seal has no effect yet; called at each tick.
    pub(super) fn ask_for_sealed_ends(&mut self, now: Now, out: &mut Outputs) {
        let asked = self.sealed_ends.asked.get_or_insert(now.monotonic);
        if now.monotonic.ms_since(*asked) < ASK_AGAIN_MS || canary!("end-of-a-log-not-asked-for") {
            return;
        }
        *asked = now.monotonic;
        let heard = std::mem::take(&mut self.sealed_ends.heard);
        let wondered: Vec<(RegionId, Incarnation)> = self
            .seals
            .open()
            .map(|region| (region, self.logs[usize::from(region.0)].incarnation()))
            .filter(|(region, incarnation)| {
                heard.contains(region) || self.seals.awaits_end(*region, *incarnation)
            })
            .collect();
        for (region, incarnation) in wondered {
            self.ask_for_sealed_end(now, region, incarnation, out);
        }
    }

    /// Asks the next of the other nodes how an incarnation ended.
    pub(super) fn ask_for_sealed_end(
        &mut self,
        now: Now,
        region: RegionId,
        incarnation: Incarnation,
        out: &mut Outputs,
    ) {
        let me = self.config.node;
        let others: Vec<NodeId> = self.config.genesis.nodes().filter(|node| *node != me).collect();
        self.sealed_ends.turn += 1;
        let to = others[self.sealed_ends.turn % others.len()];
        self.send(now, FrameKind::SealedEndRequest, to, region, &incarnation.0.to_le_bytes(), out);
    }

    /// A node asks how an incarnation ended. `None`: not understood.
    pub(super) fn take_sealed_end_request(
        &mut self,
        now: Now,
        from: NodeId,
        region: RegionId,
        body: &[u8],
        out: &mut Outputs,
    ) -> Option<()> {
        let mut r = Reader::new("question for the end of a log", body);
        let incarnation = Incarnation(r.u32().ok()?);
        r.finish().ok()?;
        if let Some(chain) = self.seals.ended(region, incarnation) {
            let mut body = Vec::with_capacity(SealedChain::BYTES);
            chain.encode(&mut body);
            self.send(now, FrameKind::SealedEnd, from, region, &body, out);
        }
        Some(())
    }

    /// A node tells how an incarnation ended. `None`: not understood.
    pub(super) fn take_sealed_end(&mut self, region: RegionId, body: &[u8]) -> Option<()> {
        let mut r = Reader::new("end of a log", body);
        let chain = SealedChain::decode(&mut r).ok()?;
        r.finish().ok()?;
        if chain.region != region || usize::from(region.0) >= self.logs.len() {
            return None;
        }
        self.begin_again_at_told_end(&chain);
        self.sealed_ends.told.insert(region, chain);
        Some(())
    }

    /// Makes the own copy of a log the chain that it is known to have ended with, though its seal
    /// has no effect here yet.
    pub(super) fn adopt_told_end(&mut self, now: Now, region: RegionId, out: &mut Outputs) {
        let Some(chain) = self.sealed_ends.told.get(&region).copied() else { return };
        let is_due =
            |node: &Self| node.logs[usize::from(region.0)].incarnation() == chain.incarnation;
        if is_due(self) {
            self.adopt_or_fetch(now, &chain, out);
            if is_due(self) {
                return;
            }
            sometimes!("end-told-by-another-region");
        }
        self.sealed_ends.told.remove(&region);
    }
}
