//! A10: what no command may say is turned down where it comes in, and nothing that was taken makes
//! a sum wrap. The bounds are the model's own, and the balances are summed here once more, in
//! integers that cannot overflow. That nothing of it makes a node panic the engine sees. A write
//! with a session token that no node of the cluster made must be turned down as well.

use crate::catalogue::Promise;
use crate::history::Answer;
use crate::verdicts::Verdicts;
use billing_wire::{
    AccountId, Command, Date, DenyReason, Disposition, OpId, RedirectReason, Token, WriteAnswer,
};
use billsim_model::{Model, Outcome, bounds};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const WORDS: &str =
    "a value out of its range is refused and books nothing, and no sum wraps";

/// Whether every value of a command is one that may be logged.
pub(crate) fn is_legal(command: &Command) -> bool {
    match command {
        Command::OpenAccount { date, .. } | Command::CloseAccount { date, .. } => is_date(*date),
        Command::RecordPayment { amount, date, .. }
        | Command::PostAdjustment { amount, date, .. }
        | Command::ReversePayment { amount, date, .. }
        | Command::RequestRefund { amount, date, .. }
        | Command::ConfirmPayout { amount, date, .. } => is_amount(*amount) && is_date(*date),
        Command::IssueInvoice { period, date, .. } => {
            (bounds::MONTH_MIN..=bounds::MONTH_MAX).contains(&period.0) && is_date(*date)
        }
        Command::RecordRead { reads } => {
            let is_legal = |read: &billing_wire::MeterRead| {
                is_date(read.date) && read.register <= bounds::REGISTER_MAX
            };
            !reads.is_empty() && reads.iter().all(is_legal)
        }
    }
}

fn is_amount(amount: i64) -> bool {
    (1..=bounds::AMOUNT_MAX).contains(&amount)
}

fn is_date(date: Date) -> bool {
    (bounds::DATE_MIN..=bounds::DATE_MAX).contains(&date.0)
}

/// A write returned whose values are all legal, or not.
pub(crate) fn answered(
    verdicts: &mut Verdicts,
    at: u64,
    op_id: OpId,
    is_legal: bool,
    answer: &Answer,
) {
    match answer {
        Answer::Write(WriteAnswer::Done(receipt)) => {
            verdicts.check(Promise::A10, at, Some(op_id), is_legal, || {
                let shape = "what must be refused was taken".to_owned();
                (shape, format!("{op_id} is told {:?}", receipt.disposition))
            });
        }
        Answer::Write(WriteAnswer::Refused(refusal)) if refusal.field != Token::FIELD => {
            verdicts.check(Promise::A10, at, Some(op_id), !is_legal, || {
                let shape = "a value within its range was refused".to_owned();
                (shape, format!("{}: {}", refusal.field, refusal.detail))
            });
        }
        _ => {}
    }
}

/// Balances without an end.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    balances: BTreeMap<AccountId, i128>,
}

impl Sums {
    /// The reference has folded a record, with these outcomes.
    pub(crate) fn booked(
        &mut self,
        model: &Model,
        verdicts: &mut Verdicts,
        at: u64,
        outcomes: &[Outcome],
    ) {
        let mut touched = BTreeSet::new();
        for outcome in outcomes {
            let is_out = is_out_of_range(&outcome.disposition);
            if is_out {
                let holds = outcome.lines.is_empty();
                verdicts.check(Promise::A10, at, Some(outcome.op_id), holds, || {
                    let shape = "a value out of its range was booked".to_owned();
                    (shape, format!("{} books {} lines", outcome.op_id, outcome.lines.len()))
                });
            }
            for line in &outcome.lines {
                let Some(account) = line.account else { continue };
                *self.balances.entry(account).or_default() += i128::from(line.amount);
                touched.insert(account);
            }
        }
        for account in touched {
            let sum = self.balances.get(&account).copied().unwrap_or(0);
            let shown = model.balance(account).map_or(0, i128::from);
            verdicts.check(Promise::A10, at, None, sum == shown, || {
                let shape = "a balance is not the sum of its bookings".to_owned();
                (shape, format!("account {account}: {shown}, its bookings come to {sum}"))
            });
        }
    }
}

fn is_out_of_range(disposition: &Disposition) -> bool {
    matches!(
        disposition,
        Disposition::Denied { reason: DenyReason::OutOfRange }
            | Disposition::Redirected { reason: RedirectReason::OutOfRange }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use billing_wire::{JournalLine, LedgerCode, Position, Refusal};

    fn complaints(verdicts: Verdicts) -> Vec<String> {
        verdicts.into_judgement().violations.into_iter().map(|violation| violation.shape).collect()
    }

    #[test]
    fn a_refusal_is_owed_to_what_is_out_of_range_and_to_nothing_else() {
        let refused = |field: &str| {
            let (field, detail) = (field.to_owned(), String::new());
            Answer::Write(WriteAnswer::Refused(Refusal { field, detail }))
        };
        let mut verdicts = Verdicts::new();
        answered(&mut verdicts, 0, OpId(1), false, &refused("amount"));
        answered(&mut verdicts, 0, OpId(1), true, &refused(Token::FIELD));
        answered(&mut verdicts, 0, OpId(1), true, &refused("amount"));
        assert_eq!(complaints(verdicts), ["a value within its range was refused"]);
    }

    #[test]
    fn what_is_out_of_range_books_nothing_and_sums_do_not_wrap() {
        let booked = |disposition, amount| Outcome {
            op_id: OpId(1),
            position: Position::default(),
            class: None,
            disposition,
            lines: vec![JournalLine {
                code: LedgerCode::RECEIVABLE,
                account: Some(AccountId(1)),
                amount,
            }],
        };
        let mut verdicts = Verdicts::new();
        let reason = RedirectReason::OutOfRange;
        let mut sums = Sums::default();
        let of_mismatch = [booked(Disposition::Redirected { reason }, 1)];
        sums.booked(&Model::new(), &mut verdicts, 0, &of_mismatch);
        let found = complaints(verdicts);
        assert_eq!(
            found,
            ["a value out of its range was booked", "a balance is not the sum of its bookings"]
        );
    }

    #[test]
    fn the_edges_of_every_range_are_legal() {
        let date = Date(bounds::DATE_MAX);
        let payment = |amount, date| Command::RecordPayment {
            account: AccountId(1),
            amount,
            date,
            provider: "bank".to_owned(),
            external_ref: "1".to_owned(),
        };
        assert!(is_legal(&payment(bounds::AMOUNT_MAX, date)));
        assert!(!is_legal(&payment(bounds::AMOUNT_MAX + 1, date)));
        assert!(!is_legal(&payment(i64::MIN, date)));
        assert!(!is_legal(&payment(1, Date(bounds::DATE_MAX + 1))));
        assert!(!is_legal(&Command::RecordRead { reads: Vec::new() }));
    }
}
