//! What is folded above the finality watermark: shown, and taken back whenever an entry turns up
//! that belongs before it (billing.md §2, §3).
//!
//! Provisional entries are folded into the same rows as final ones. Each keeps a *layer*: the rows
//! as they were before it. The oldest layer is dropped when its entry is final, all are undone
//! when the order changes and before a batch leaves for the database, which only ever holds the
//! fold of a final frontier.

use super::Ledger;
use super::state::{self, Undo};
use super::store::StoreError;
use crate::canary;
use billing_wire::{Frontier, Hlc, OutcomeChain, RecordView, RegionId};
use std::collections::VecDeque;

/// The fold at a frontier, in three values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stand {
    pub(super) frontier: Frontier,
    pub(super) chain: OutcomeChain,
    pub(super) state_hash: u128,
}

/// One provisional entry.
struct Layer {
    place: (Hlc, RegionId),
    before: Undo,
    after: Stand,
    submissions: usize,
}

/// The provisional entries, in merged order, and the final fold below them.
pub(super) struct Provisional {
    settled: Stand,
    layers: VecDeque<Layer>,
}

/// What is provisional, while it is set aside.
pub struct SetAside {
    layers: VecDeque<Layer>,
    shown: (Frontier, OutcomeChain),
    state: state::SetAside,
}

impl Provisional {
    pub(super) fn new(settled: Stand) -> Self {
        Self { settled, layers: VecDeque::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// The final fold; `None` when nothing lies above it, and it is simply the fold.
    pub(super) fn settled(&self) -> Option<&Stand> {
        (!self.layers.is_empty()).then_some(&self.settled)
    }
}

impl Ledger {
    /// Folds the next record in merged order as it is known now. [`Self::rewind`] takes it back,
    /// [`Self::settle`] makes it final.
    ///
    /// # Errors
    /// As [`Self::apply`].
    ///
    /// # Panics
    /// When the record is not the next one of its region log, or does not come after the
    /// provisional ones.
    pub fn apply_provisionally(&mut self, record: &RecordView<'_>) -> Result<(), StoreError> {
        if self.provisional.is_empty() {
            self.provisional.settled = self.stand();
        }
        let place = (record.header.hlc, record.header.region);
        let follows = self.last_provisional().is_none_or(|last| last < place);
        assert!(follows || canary!("arrival-order-fold"), "in merged order");
        let dirty = self.dirty_submissions;
        let before = self.state.start_undo();
        let folded = self.apply_record(record);
        self.state.end_undo();
        folded?;
        let submissions = self.dirty_submissions - dirty;
        self.dirty_submissions = dirty;
        let after = self.stand();
        self.provisional.layers.push_back(Layer { place, before, after, submissions });
        Ok(())
    }

    /// Place of the last provisional entry: what comes before it is out of order.
    pub fn last_provisional(&self) -> Option<(Hlc, RegionId)> {
        self.provisional.layers.back().map(|layer| layer.place)
    }

    /// Place of the first provisional entry: the next one to become final.
    pub fn first_provisional(&self) -> Option<(Hlc, RegionId)> {
        self.provisional.layers.front().map(|layer| layer.place)
    }

    /// Whether any entry that is folded is not final.
    pub fn is_provisional(&self) -> bool {
        !self.provisional.is_empty()
    }

    /// Whether anything that is shown may change: an entry that carries no submission shows
    /// nothing.
    pub fn shows_provisional(&self) -> bool {
        self.provisional.layers.iter().any(|layer| layer.submissions > 0)
    }

    /// The first provisional entry is final.
    ///
    /// # Panics
    /// When there is none.
    pub fn settle(&mut self) {
        let layer = self.provisional.layers.pop_front().expect("a provisional entry is final");
        self.state.keep(&layer.before);
        self.provisional.settled = layer.after;
        self.dirty_submissions += layer.submissions;
        self.state.trim();
    }

    /// Takes every provisional entry back: what is shown is the final fold.
    pub fn rewind(&mut self) {
        self.rewind_to((Hlc::ZERO, RegionId(0)));
    }

    /// Takes back the provisional entries at or after this place.
    pub fn rewind_to(&mut self, place: (Hlc, RegionId)) {
        while self.last_provisional().is_some_and(|last| last >= place) {
            let Some(layer) = self.provisional.layers.pop_back() else { break };
            self.state.undo(&layer.before);
            let below = self.provisional.layers.back().map(|layer| layer.after);
            let Stand { frontier, chain, .. } = below.unwrap_or(self.provisional.settled);
            (self.frontier, self.chain) = (frontier, chain);
        }
    }

    /// Sets what is provisional aside: what is shown is the final fold, until
    /// [`Self::put_back`]. Cheaper than to rewind and fold again. `None`: nothing is.
    pub fn set_aside(&mut self) -> Option<SetAside> {
        let state = self.state.set_aside(&self.provisional.layers.front()?.before);
        let layers = std::mem::take(&mut self.provisional.layers);
        let Stand { frontier, chain, .. } = self.provisional.settled;
        let shown = (self.frontier, self.chain);
        (self.frontier, self.chain) = (frontier, chain);
        Some(SetAside { layers, shown, state })
    }

    /// Shows again what was set aside; nothing was folded in between.
    ///
    /// # Panics
    /// When something was.
    pub fn put_back(&mut self, aside: SetAside) {
        assert_eq!(self.frontier, self.provisional.settled.frontier, "it belongs on that");
        self.state.put_back(&aside.state);
        self.provisional.layers = aside.layers;
        (self.frontier, self.chain) = aside.shown;
    }

    /// How far each region log is folded, provisional entries included.
    pub fn shown(&self) -> Frontier {
        self.frontier
    }

    fn stand(&self) -> Stand {
        Stand { frontier: self.frontier, chain: self.chain, state_hash: self.state.hash() }
    }
}
