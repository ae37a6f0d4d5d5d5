//! Who a submission is: an operation is the first submission of its `op_id` in merged order;
//! everything later is a duplicate or a mismatch and never touches a customer's account.

use crate::bounds::is_amount;
use crate::subledger::Case;
use crate::{Model, Outcome, Step};
use billing_wire::command_view::CommandView;
use billing_wire::{
    CommandClass, DenyReason, Disposition, Hash, LedgerCode, Position, RedirectReason,
    SubmissionView,
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
        position: Position,
        step: Step,
    ) -> Outcome {
        let command = CommandView::decode(submission.body).ok();
        let class = command.as_ref().map(CommandView::class);
        let op_id = submission.op_id;
        let mut case = Case { op_id, position, step, lines: Vec::new() };
        let disposition = match self.operations.get(&op_id) {
            Some(first) if first.fingerprint == submission.fingerprint => {
                Disposition::Duplicate { of: first.position }
            }
            Some(_) => self.mismatch(command.as_ref(), &mut case),
            None => {
                let disposition = self.book(command.as_ref(), &mut case);
                let fingerprint = submission.fingerprint;
                let first = Operation { fingerprint, position, disposition, class, step };
                self.operations.insert(op_id, first);
                disposition
            }
        };
        Outcome { op_id, position, class, disposition, lines: case.lines }
    }

    /// A used `op_id` with another body. The money of a payment may be real: it goes to suspense.
    fn mismatch(&mut self, command: Option<&CommandView<'_>>, case: &mut Case) -> Disposition {
        if let Some(CommandView::RecordPayment { amount, .. }) = command
            && is_amount(*amount)
        {
            self.post(case, LedgerCode::CASH, *amount);
            self.post(case, LedgerCode::SUSPENSE, -*amount);
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
