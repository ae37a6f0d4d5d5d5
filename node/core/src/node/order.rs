//! The fold of what is committed, in merged order (billing.md §2): final up to the watermark,
//! provisional above it. A cluster of one region has nothing provisional: its log is the order.

use super::Node;
use crate::canary;
use crate::consensus::Consensus;
use crate::io::{HaltReason, Outputs};
use crate::merge::{self, Head};
use crate::sometimes;
use crate::time::Now;
use billing_wire::{Hlc, RecordView, RegionId};
use bytes::Bytes;

impl Node {
    /// Folds what is committed; whether anything was.
    pub(super) fn fold(&mut self, now: Now, out: &mut Outputs) -> bool {
        if self.logs.len() == 1 { self.fold_one_log(now, out) } else { self.fold_merged(now, out) }
    }

    fn fold_one_log(&mut self, now: Now, out: &mut Outputs) -> bool {
        let mut folded = false;
        while let Some((head, bytes)) = self.next_committed() {
            let view = verified(&bytes, head);
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
        while let Some((head, bytes)) = self.next_committed() {
            let view = verified(&bytes, head);
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
            if head.region == self.region && named != self.ledger.named_elsewhere() {
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
    fn next_committed(&self) -> Option<(Head, Bytes)> {
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
        Some((head, slot.expect("a committed entry is in the window").bytes.clone()))
    }

    fn note_folded_term(&mut self, now: Now, view: &RecordView<'_>, out: &mut Outputs) {
        let (region, term) = (view.header.region, view.header.term);
        if region == self.region && term > self.folded_term {
            self.folded_term = term;
            self.answer_overtaken(now, term, out);
        }
    }
}

fn verified(bytes: &Bytes, head: Head) -> RecordView<'_> {
    let Ok(view) = RecordView::decode(bytes) else {
        panic!("a record of region {} at {} was verified when it came in", head.region, head.hlc);
    };
    view
}
