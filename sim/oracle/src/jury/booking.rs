//! What is judged when the reference folds a record that has its final place.

use crate::promises::*;
use crate::verdicts::Verdicts;
use billing_wire::RecordView;
use billsim_model::Model;

/// Folds a record that has its final place.
pub(super) fn book(
    model: &mut Model,
    (reported, sums): (&mut a3_cash_is_the_banks::Reported, &mut a10_nothing_wraps::Sums),
    verdicts: &mut Verdicts,
    at: u64,
    record: &RecordView<'_>,
) {
    let outcomes = model.apply(record);
    reported.booked(model, record, &outcomes);
    sums.booked(model, verdicts, at, &outcomes);
    for outcome in outcomes {
        a1_journals_balance::booked(verdicts, at, &outcome);
        a4_refunds_within_payment::booked(model, verdicts, at, &outcome);
        a9_one_disposition::booked(verdicts, at, &outcome);
        i1_effect_once::booked(model, verdicts, at, &outcome);
        i3_foreign_body_never_posts::booked(verdicts, at, &outcome);
    }
}
