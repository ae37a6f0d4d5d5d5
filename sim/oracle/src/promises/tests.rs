//! The reference itself is judged too: outcomes that it must never give, and those that it may.

use super::{a1_journals_balance, a9_one_disposition, i1_effect_once, i3_foreign_body_never_posts};
use crate::verdicts::Verdicts;
use billing_wire::{
    AccountId, CommandClass, DenyReason, Disposition, JournalLine, LedgerCode, OpId, Position,
    RedirectReason,
};
use billsim_model::{Model, Outcome};

fn outcome(disposition: Disposition, amounts: &[i64]) -> Outcome {
    let line = |amount: &i64| JournalLine {
        code: LedgerCode::RECEIVABLE,
        account: Some(AccountId(1)),
        amount: *amount,
    };
    Outcome {
        op_id: OpId(1),
        position: Position::default(),
        class: Some(CommandClass::Fact),
        disposition,
        lines: amounts.iter().map(line).collect(),
    }
}

/// Ids of the oracles that complain.
fn complaints(outcome: &Outcome) -> Vec<&'static str> {
    let mut verdicts = Verdicts::new();
    a1_journals_balance::booked(&mut verdicts, 0, outcome);
    a9_one_disposition::booked(&mut verdicts, 0, outcome);
    i1_effect_once::booked(&Model::new(), &mut verdicts, 0, outcome);
    i3_foreign_body_never_posts::booked(&mut verdicts, 0, outcome);
    verdicts.into_judgement().violations.iter().map(|v| v.oracle).collect()
}

#[test]
fn impossible_outcomes_of_the_reference_are_seen() {
    let duplicate = Disposition::Duplicate { of: Position::default() };
    let denied = Disposition::Denied { reason: DenyReason::OverLimit };
    let mismatch = Disposition::Redirected { reason: RedirectReason::FingerprintMismatch };
    assert_eq!(complaints(&outcome(duplicate, &[])), [""; 0]);
    assert_eq!(complaints(&outcome(duplicate, &[5, -5])), [""; 0]);
    assert_eq!(complaints(&outcome(duplicate, &[5, -4])), ["A1"]);
    assert_eq!(complaints(&outcome(duplicate, &[0])), ["A1"]);
    assert_eq!(complaints(&outcome(denied, &[])), ["A9"]);
    assert_eq!(complaints(&outcome(Disposition::Applied, &[])), ["I1"]);
    assert_eq!(complaints(&outcome(mismatch, &[5, -5])), ["I3"]);
    assert_eq!(complaints(&outcome(mismatch, &[])), [""; 0]);
}

#[test]
fn an_intent_is_denied_and_never_redirected() {
    let mut redirected =
        outcome(Disposition::Redirected { reason: RedirectReason::OutOfRange }, &[]);
    assert_eq!(complaints(&redirected), [""; 0]);
    redirected.class = None;
    assert_eq!(complaints(&redirected), [""; 0]);
    redirected.class = Some(CommandClass::Intent);
    assert_eq!(complaints(&redirected), ["A9"]);
}
