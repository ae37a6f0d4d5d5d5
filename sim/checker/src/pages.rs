//! Pages of an account's history: each item is caused by a submission that stands in the logs
//! where the item says, within what the answer covers; items stand in merged order, and each
//! balance is the one before it and the change.

use crate::calls::{Calls, Shown};
use crate::merged::Merged;
use crate::{Report, Rule};
use billing_wire::command_view::CommandView;
use billing_wire::{HistoryItem, HistoryPage, QueryResult};

pub(crate) fn check(calls: &Calls<'_>, merged: &Merged<'_>, report: &mut Report) {
    for shown in &calls.shown {
        let QueryResult::History(page) = &shown.answer.result else { continue };
        check_sums(shown, page, report);
        // What is final never changes; the rest may have been left out by a seal since.
        let is_kept = !merged.is_sealed || !shown.answer.provisional;
        if is_kept && merged.covers(&shown.answer.frontier) {
            for item in &page.items {
                check_cause(shown, item, merged, report);
            }
        }
    }
}

fn check_sums(shown: &Shown<'_>, page: &HistoryPage, report: &mut Report) {
    for (number, item) in page.items.iter().enumerate() {
        let before = match (number.checked_sub(1), item.sequence) {
            (Some(before), _) => page.items[before].balance,
            (None, 1) => 0,
            // The page begins further on.
            (None, _) => continue,
        };
        let sum = i128::from(before) + i128::from(item.amount);
        let what = (Rule::Pages, shown.at, Some(item.op_id));
        report.compare(what, i128::from(item.balance) == sum, || {
            let (account, sequence, balance) = (page.account, item.sequence, item.balance);
            format!("account {account}, item {sequence}: balance {balance}, {sum} by its sum")
        });
        let last = number.checked_sub(1).map(|before| &page.items[before]);
        let follows = last.is_none_or(|last| {
            last.sequence + 1 == item.sequence && last.position <= item.position
        });
        report.compare(what, follows, || {
            let (account, sequence) = (page.account, item.sequence);
            format!("account {account}, item {sequence} at {} is out of order", item.position)
        });
    }
}

fn check_cause(shown: &Shown<'_>, item: &HistoryItem, merged: &Merged<'_>, report: &mut Report) {
    let what = (Rule::Pages, shown.at, Some(item.op_id));
    let position = item.position;
    let covered = position.index <= shown.answer.frontier.of(position.region);
    report.compare(what, covered && merged.at(&position).is_some(), || {
        format!("an item is caused by {position}, which the answer does not cover or no log has")
    });
    // An operation that the fold derived itself is in no log.
    let Some(first) = merged.first(item.op_id, &shown.answer.frontier) else { return };
    report.compare(what, first.position <= position, || {
        format!("an item of {} stands at {position}, before it at {}", item.op_id, first.position)
    });
    let amount = CommandView::decode(first.body).ok().and_then(|command| moved(&command));
    if let Some(amount) = amount {
        report.compare(what, i64::abs(item.amount) == amount, || {
            format!("an item of {} moves {}, its command {amount}", item.op_id, item.amount)
        });
    }
}

/// By how much a command changes the balance of the account that it books on, whatever the sign.
fn moved(command: &CommandView<'_>) -> Option<i64> {
    match command {
        CommandView::RecordPayment { amount, .. }
        | CommandView::ReversePayment { amount, .. }
        | CommandView::RequestRefund { amount, .. }
        | CommandView::PostAdjustment { amount, .. } => Some(*amount),
        CommandView::OpenAccount { .. } | CommandView::CloseAccount { .. } => Some(0),
        CommandView::RecordRead { .. }
        | CommandView::IssueInvoice { .. }
        | CommandView::ConfirmPayout { .. } => None,
    }
}
