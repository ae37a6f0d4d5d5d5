//! The fold of what is committed, in merged order (billing.md §2): final up to the watermark,
//! provisional above it. A cluster of one region has nothing provisional: its log is the order.

use super::Node;
use crate::canary;
use crate::consensus::{Consensus, Slot};
use crate::io::{HaltReason, Outputs};
use crate::merge::{self, Head};
use crate::sometimes;
use crate::time::Now;
use billing_wire::{Hlc, RecordView, RegionId};

impl Node {
    /// Folds what is committed; whether anything was.
    pub(super) fn fold(&mut self, now: Now, out: &mut Outputs) -> bool {
        if self.logs.len() == 1 { self.fold_one_log(now, out) } else { self.fold_merged(now, out) }
    }

    fn fold_one_log(&mut self, now: Now, out: &mut Outputs) -> bool {
        let mut folded = false;
        while let Some(slot) = self.next_committed() {
            let view = slot.view();
            if self.ledger.apply(&view).is_err() {
                self.halt(HaltReason::Ledger, out);
                return false;
            }
            // Nothing can come before it any more, so it is final.
            let by_clock = canary!("watermark-follows-the-clock");
            let watermark = if by_clock { Hlc::from_ms(now.wall.ms()) } else { view.header.hlc };
            self.ledger.set_watermark(watermark);
            self.answer_folded(now, &view, out);
            if self.halted {
                return false;
            }
            self.note_folded_term(now, &view, out);
            folded = true;
        }
        folded
    }

    fn fold_merged(&mut self, now: Now, out: &mut Outputs) -> bool {
        for (custody, log) in self.custodies.iter_mut().zip(&self.logs) {
            custody.read_to(log, &mut self.seals);
        }
        if self.seals.advance(&mut self.custodies) {
            self.seals_changed(now, out);
        }
        let watermark = self.seals.watermark(&self.custodies);
        let mut folded = false;
        while let Some(slot) = self.next_committed() {
            let view = slot.view();
            let named = self.ledger.named_elsewhere();
            match merge::place(&mut self.ledger, &view, watermark) {
                Ok(true) => {}
                Ok(false) => {
                    sometimes!("provisional-order-changed");
                    continue;
                }
                Err(_) => {
                    self.halt(HaltReason::Ledger, out);
                    return false;
                }
            }
            if view.header.region == self.region && named != self.ledger.named_elsewhere() {
                // The other region tells how safe its entry is as soon as it hears of this one.
                self.logs[usize::from(self.region.0)].tell_commit();
            }
            self.place_folded(&view);
            self.note_folded_term(now, &view, out);
            folded = true;
        }
        self.tell_answer_to_duplicate();
        folded |= merge::settle(&mut self.ledger, watermark);
        self.answer_reached(now, out);
        folded && !self.halted
    }

    /// The committed entry that comes next in merged order, as far as this node knows.
    fn next_committed(&self) -> Option<Slot> {
        let shown = self.ledger.shown();
        let head = merge::lowest(self.logs.iter().zip(0..).map(|(log, place)| {
            let region = RegionId(place);
            let index = shown.of(region) + 1;
            if index > log.committed() {
                return None;
            }
            let hlc = log.window().get(index)?.header.hlc;
            Some(Head { hlc, region })
        }))?;
        let index = shown.of(head.region) + 1;
        let slot = self.logs[usize::from(head.region.0)].window().get(index);
        Some(slot.expect("a committed entry is in the window").clone())
    }

    fn note_folded_term(&mut self, now: Now, view: &RecordView<'_>, out: &mut Outputs) {
        let (region, term) = (view.header.region, view.header.term);
        if region == self.region && term > self.folded_term {
            self.folded_term = term;
            self.answer_overtaken(now, term, out);
        }
    }
}
