//! What the jury is told of the bank: calls as they leave a node, and payouts as they are booked.

use super::Jury;
use crate::evidence::Payout;
use crate::promises::s3_no_effect_before_final;
use billing_wire::{Date, NodeId};

impl Jury {
    /// There is a bank that nodes may call for payouts; without one refunds wait for ever.
    pub fn bank_opens(&mut self) {
        self.payouts.open();
    }

    /// A call for a payout leaves a node (S3).
    pub fn payout_leaves(&mut self, at: u64, node: NodeId, payout: &Payout) {
        let (facts, verdicts) = (&self.facts, &mut self.verdicts);
        s3_no_effect_before_final::leaves(facts, verdicts, at, node, payout);
    }

    /// The bank pays, by its own books for the first time under this key (A5). From here on the
    /// payout may be logged (D4).
    pub fn paid_out(&mut self, at: u64, payout: &Payout, on: Date) {
        self.payouts.paid(&mut self.facts, &mut self.verdicts, at, payout, on);
    }

    /// Refunds that were granted for good and wait for the bank, or for its word to be logged.
    pub fn dues(&self) -> usize {
        self.payouts.due(&self.facts)
    }
}
