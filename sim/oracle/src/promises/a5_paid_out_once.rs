//! A5: the bank pays each refund once. Judged on the bank's own books: at each payout, and at the
//! end, when nothing that was granted may be unpaid or unconfirmed.

use crate::catalogue::Promise;
use crate::evidence::Payout;
use crate::facts::Facts;
use crate::verdicts::Verdicts;
use crate::words;
use billing_wire::{Command, Date, OpId, Submission, derived_op_id};
use std::collections::BTreeMap;

pub(crate) const WORDS: &str = "the bank pays each granted refund, and pays it once";

/// The bank's books of what it paid out.
#[derive(Debug, Default)]
pub(crate) struct Payouts {
    /// Whether there is a bank at all: without one refunds wait.
    is_open: bool,
    paid: BTreeMap<OpId, i64>,
    paid_in_all: i128,
}

impl Payouts {
    /// There is a bank, and nodes may call it.
    pub(crate) fn open(&mut self) {
        self.is_open = true;
    }

    /// The bank paid; whoever hears of it may log that.
    pub(crate) fn paid(
        &mut self,
        facts: &mut Facts,
        verdicts: &mut Verdicts,
        at: u64,
        payout: &Payout,
        on: Date,
    ) {
        let Payout { refund, amount, .. } = *payout;
        let before = self.paid.insert(refund, amount);
        self.paid_in_all += i128::from(amount);
        verdicts.check(Promise::A5, at, Some(refund), before.is_none(), || {
            let (paid, before) = (words::money(amount.into()), before.unwrap_or_default());
            let before = words::money(before.into());
            let detail =
                format!("the bank paid {paid} under key {}, and had paid {before}", payout.key);
            ("a refund was paid out again".to_owned(), detail)
        });
        let granted = facts.model.granted_refund(refund).map(|granted| granted.amount);
        verdicts.check(Promise::A5, at, Some(refund), granted == Some(amount), || {
            let granted = match granted {
                Some(granted) => words::money(granted.into()),
                None => "nothing".to_owned(),
            };
            let paid = words::money(amount.into());
            let detail = format!("the bank paid {paid}, {granted} is granted for good");
            ("what was paid out is not what was granted".to_owned(), detail)
        });
        let command = Command::ConfirmPayout { refund, amount, date: on };
        facts.note_body(&Submission { op_id: derived_op_id(refund, "paid"), command });
    }

    /// What the bank has paid out; `None` when there is none.
    pub(crate) fn paid_in_all(&self) -> Option<i128> {
        self.is_open.then_some(self.paid_in_all)
    }

    /// Refunds that were granted for good and that the books do not have as paid.
    pub(crate) fn due(&self, facts: &Facts) -> usize {
        if self.is_open { facts.model.unpaid_refunds().count() } else { 0 }
    }

    /// At quiescence: every refund is paid, and the books say so.
    pub(crate) fn settled(&self, facts: &Facts, verdicts: &mut Verdicts, at: u64) {
        // Nothing is final behind the end of a region that is gone and not sealed: what its log
        // granted is nobody's to pay.
        if !self.is_open || facts.has_unsealed_loss() {
            return;
        }
        for granted in facts.model.granted_refunds() {
            let (refund, paid) = (granted.refund, self.paid.get(&granted.refund));
            verdicts.check(Promise::A5, at, Some(refund), paid.is_some(), || {
                let amount = words::money(granted.amount.into());
                let detail = format!("{amount} granted at {}", granted.position);
                ("a refund was never paid out".to_owned(), detail)
            });
        }
        for due in facts.model.unpaid_refunds() {
            verdicts.check(Promise::A5, at, Some(due.refund), false, || {
                let amount = words::money(due.amount.into());
                let detail = format!("{amount} granted at {}", due.position);
                ("a refund is not booked as paid out".to_owned(), detail)
            });
        }
    }
}
