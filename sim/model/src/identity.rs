//! Who a submission is: an operation is the first submission of its `op_id` in merged order;
//! everything later is a duplicate or a mismatch and never touches a customer's account.

use crate::bounds::is_amount;
use crate::invoices::Wanted;
use crate::subledger::Case;
use crate::{Model, Outcome, Step};
use billing_wire::command_view::CommandView;
use billing_wire::{
    CommandClass, Date, DenyReason, Disposition, DocumentKind, Hash, LedgerCode, Position,
    RecordHeader, RedirectReason, SubmissionView,
};

/// The first submission of an `op_id` in merged order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// What the operation is bound to.
    pub fingerprint: Hash,
    /// Where it stands.
    pub position: Position,
    /// What became of it.
    pub disposition: Disposition,
    /// Fact or intent; `None` when the body is no command of this release.
    pub class: Option<CommandClass>,
    /// The step that folded it.
    pub step: Step,
}

impl Model {
    pub(crate) fn submit(
        &mut self,
        submission: &SubmissionView<'_>,
        header: &RecordHeader,
        step: Step,
    ) -> Outcome {
        let position = header.position(submission.offset);
        let command = CommandView::decode(submission.body).ok();
        let class = command.as_ref().map(CommandView::class);
        let op_id = submission.op_id;
        let mut case = Case {
            op_id,
            position,
            incarnation: header.incarnation,
            date: command.as_ref().map_or(Date(0), day_of),
            step,
            lines: Vec::new(),
        };
        // Every submission of an invoice takes a number, whatever becomes of it.
        let numbered = match command {
            Some(CommandView::IssueInvoice { account, period, date }) => {
                let number = self.next_number(&case, DocumentKind::Invoice);
                Some((number, Wanted { account, period, date }))
            }
            _ => None,
        };
        let disposition = match self.operations.get(&op_id) {
            Some(first) if first.fingerprint == submission.fingerprint => {
                Disposition::Duplicate { of: first.position }
            }
            Some(_) => self.mismatch(command.as_ref(), &mut case),
            None => {
                let number = numbered.map(|(number, _)| number);
                let disposition = self.book(command.as_ref(), number, &mut case);
                let fingerprint = submission.fingerprint;
                let first = Operation { fingerprint, position, disposition, class, step };
                self.operations.insert(op_id, first);
                disposition
            }
        };
        let is_issued =
            matches!(disposition, Disposition::Applied | Disposition::Compensated { .. });
        if let Some((number, wanted)) = numbered.filter(|_| !is_issued) {
            self.void(number, wanted, disposition, &case);
        }
        Outcome { op_id, position, class, disposition, lines: case.lines }
    }

    /// A used `op_id` with another body. The money of a payment may be real: it goes to suspense.
    fn mismatch(&mut self, command: Option<&CommandView<'_>>, case: &mut Case) -> Disposition {
        if let Some(CommandView::RecordPayment { account, amount, .. }) = command
            && is_amount(*amount)
        {
            self.post(case, LedgerCode::CASH, *amount);
            self.post(case, LedgerCode::SUSPENSE, -*amount);
            self.hold(case, Some(*account), *amount, RedirectReason::FingerprintMismatch);
        }
        match command.map(CommandView::class) {
            Some(CommandClass::Intent) => {
                Disposition::Denied { reason: DenyReason::FingerprintMismatch }
            }
            Some(CommandClass::Fact) | None => {
                Disposition::Redirected { reason: RedirectReason::FingerprintMismatch }
            }
        }
    }
}

/// The day of what a command books: the one that it gives.
fn day_of(command: &CommandView<'_>) -> Date {
    match command {
        CommandView::OpenAccount { date, .. }
        | CommandView::CloseAccount { date, .. }
        | CommandView::RecordPayment { date, .. }
        | CommandView::ReversePayment { date, .. }
        | CommandView::RequestRefund { date, .. }
        | CommandView::ConfirmPayout { date, .. }
        | CommandView::PostAdjustment { date, .. }
        | CommandView::IssueInvoice { date, .. } => *date,
        CommandView::RecordRead { .. } => Date(0),
    }
}
