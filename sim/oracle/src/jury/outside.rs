//! What the jury is told of the bank and of the mail service: calls as they leave a node, payouts
//! as they are booked, and notices as they are sent.

use super::Jury;
use crate::evidence::Payout;
use crate::promises::s3_no_effect_before_final;
use billing_wire::{Date, DocumentNumber, NodeId, OpId};
use std::collections::BTreeSet;

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

    /// There is a mail service that nodes may call.
    pub fn mail_opens(&mut self) {
        self.mailed = Some(BTreeSet::new());
    }

    /// In this run nothing goes wrong but the mail (S4). To be told before the first call.
    pub fn only_mail_fails(&mut self) {
        self.undisturbed.is_judged();
    }

    /// From here on other things go wrong, too (S4, L6).
    pub fn more_fails(&mut self, at: u64) {
        std::mem::take(&mut self.undisturbed).settled(&mut self.verdicts, at);
        std::mem::take(&mut self.spike).settled(&mut self.verdicts, at);
    }

    /// A notice leaves a node (S3).
    pub fn notice_leaves(
        &mut self,
        at: u64,
        node: NodeId,
        key: OpId,
        invoice: DocumentNumber,
        total: i64,
    ) {
        let (facts, verdicts) = (&self.facts, &mut self.verdicts);
        s3_no_effect_before_final::told(facts, verdicts, at, node, (key, invoice, total));
    }

    /// The mail service tells a customer of the invoice of an operation (L4).
    pub fn mailed(&mut self, key: OpId) {
        if let Some(mailed) = &mut self.mailed {
            mailed.insert(key);
        }
    }

    /// Invoices that count for good and whose customers were not told.
    pub fn unmailed(&self) -> usize {
        let Some(mailed) = &self.mailed else { return 0 };
        let counts = self.facts.model.counted_invoices();
        counts.filter(|invoice| !mailed.contains(&invoice.op_id)).count()
    }

    /// Refunds that were granted for good and wait for the bank, or for its word to be logged.
    pub fn dues(&self) -> usize {
        self.payouts.due(&self.facts)
    }
}
