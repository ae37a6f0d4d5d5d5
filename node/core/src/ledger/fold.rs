//! The fold of one submission: has the operation been here before, can it be booked at all, and
//! whose rules decide. The rules themselves are in the modules of their nouns.

use super::Ledger;
use super::admission;
use super::rows::{AccountRow, HistoryRow, OperationRow, PaymentEffect};
use super::state::State;
use super::store::StoreError;
use crate::{canary, sometimes};
use billing_wire::{
    AccountId, CommandClass, CommandView, Date, DenyReason, Disposition, DocumentKind,
    DocumentNumber, Frontier, Incarnation, JournalLine, LedgerCode, OpId, Position, RecordHeader,
    RedirectReason, SubmissionView,
};
use std::cmp::Ordering;

/// A redirected fact.
pub(super) fn redirected(reason: RedirectReason) -> Disposition {
    Disposition::Redirected { reason }
}

/// A denied intent.
pub(super) fn denied(reason: DenyReason) -> Disposition {
    Disposition::Denied { reason }
}

/// The booking of one submission: where it stands, and what it has booked so far.
pub(super) struct Booking<'a> {
    pub(super) state: &'a mut State,
    pub(super) lines: &'a mut Vec<JournalLine>,
    pub(super) position: Position,
    pub(super) op_id: OpId,
    /// Of the region whose log holds the submission.
    pub(super) incarnation: Incarnation,
    /// Entries per region that come before this one.
    pub(super) before: Frontier,
    /// See [`Ledger::named_elsewhere`].
    pub(super) named: &'a mut Frontier,
    /// The date that the command gives; what it books is of that day.
    pub(super) date: Date,
}

/// A change of a balance does not fit into its integer; nothing was booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BalanceOverflow;

impl Ledger {
    /// Folds one submission: decides, books, and adds the outcome to the chain.
    pub(super) fn fold(
        &mut self,
        header: &RecordHeader,
        submission: &SubmissionView<'_>,
    ) -> Result<(), StoreError> {
        self.lines.clear();
        let (op_id, position) = (submission.op_id, header.position(submission.offset));
        let mut booking = Booking {
            state: &mut self.state,
            lines: &mut self.lines,
            position,
            op_id,
            incarnation: header.incarnation,
            before: self.frontier,
            named: &mut self.named,
            date: Date::default(),
        };
        let disposition = booking.book(submission)?;
        self.state.totals.add(&self.lines);
        self.chain.add(&position, op_id, &disposition, &self.lines);
        Ok(())
    }
}

impl Booking<'_> {
    fn book(&mut self, submission: &SubmissionView<'_>) -> Result<Disposition, StoreError> {
        let command = CommandView::decode(submission.body).ok();
        if let Some(CommandView::IssueInvoice { account, period, date }) = command {
            let number = self.take_number(DocumentKind::Invoice)?;
            let disposition = self.decide(submission, command.as_ref(), Some(number))?;
            let is_void =
                matches!(disposition, Disposition::Denied { .. } | Disposition::Duplicate { .. });
            if is_void && !canary!("loser-dropped") {
                self.void(number, (account, period, date), disposition)?;
            }
            return Ok(disposition);
        }
        self.decide(submission, command.as_ref(), None)
    }

    /// Whether the operation was here before, whether it can be booked at all, and its booking.
    /// An invoice has its `number`.
    fn decide(
        &mut self,
        submission: &SubmissionView<'_>,
        command: Option<&CommandView<'_>>,
        number: Option<DocumentNumber>,
    ) -> Result<Disposition, StoreError> {
        let first = self.state.get::<OperationRow>(&self.op_id)?;
        let region = self.position.region;
        let first = first.filter(|row| {
            row.position.region == region || !canary!("duplicates-only-within-region")
        });
        if let Some(first) = first {
            if first.fingerprint == submission.fingerprint {
                sometimes!("duplicate-in-log");
                let Position { region: named, index, .. } = first.position;
                match named.cmp(&region) {
                    Ordering::Less => sometimes!("duplicate-of-a-lower-region"),
                    Ordering::Greater => sometimes!("duplicate-of-a-higher-region"),
                    Ordering::Equal => {}
                }
                if named != region {
                    self.named.set(named, index.max(self.named.of(named)));
                }
                if canary!("retry-posted-to-the-account")
                    && let Some(payment) = first.payment
                    && let Some(mut row) = self.state.get::<AccountRow>(&payment.account)?
                {
                    let _ =
                        self.change_balance(payment.account, &mut row, -payment.amount, self.op_id);
                }
                return Ok(Disposition::Duplicate { of: first.position });
            }
            sometimes!("fingerprint-mismatch-in-log");
            return Ok(self.book_mismatch(command));
        }
        let (disposition, payment) = match command {
            None => (redirected(RedirectReason::Malformed), None),
            Some(command) if !admission::in_range(command) => (out_of_range(command), None),
            Some(command) => self.book_command(command, number)?,
        };
        let fingerprint = submission.fingerprint;
        let row = OperationRow { fingerprint, position: self.position, disposition, payment };
        self.state.put(self.op_id, row);
        Ok(disposition)
    }

    /// The operation came before with another body. The first one keeps the operation; money
    /// that this one reports may be real all the same.
    fn book_mismatch(&mut self, command: Option<&CommandView<'_>>) -> Disposition {
        match command {
            Some(command) if command.class() == CommandClass::Intent => {
                return denied(DenyReason::FingerprintMismatch);
            }
            Some(&CommandView::RecordPayment { account, amount, .. })
                if admission::is_amount(amount) =>
            {
                let reason = RedirectReason::FingerprintMismatch;
                self.keep_in_suspense(Some(account), amount, reason);
            }
            _ => {}
        }
        redirected(RedirectReason::FingerprintMismatch)
    }

    fn book_command(
        &mut self,
        command: &CommandView<'_>,
        number: Option<DocumentNumber>,
    ) -> Result<(Disposition, Option<PaymentEffect>), StoreError> {
        self.date = date_of(command);
        let disposition = match *command {
            CommandView::RecordPayment { account, amount, .. } => {
                return self.record_payment(account, amount);
            }
            CommandView::OpenAccount { account, service_point, date } => {
                self.open_account(account, service_point, date)?
            }
            CommandView::RecordRead { reads } => self.record_reads(&reads)?,
            CommandView::PostAdjustment { account, amount, reason, .. } => {
                self.post_adjustment(account, amount, reason)?
            }
            CommandView::ReversePayment { payment, amount, .. } => {
                self.reverse_payment(payment, amount)?
            }
            CommandView::CloseAccount { account, date } => self.close_account(account, date)?,
            CommandView::RequestRefund { payment, amount, .. } => {
                self.request_refund(payment, amount)?
            }
            CommandView::IssueInvoice { account, period, date } => {
                let number = number.expect("every submission of an invoice has a number");
                self.issue_invoice(number, (account, period, date))?
            }
            CommandView::ConfirmPayout { refund, amount, .. } => {
                self.confirm_payout(refund, amount)?
            }
        };
        Ok((disposition, None))
    }

    /// Books an amount from one account of the general ledger to another. `account` is the
    /// customer account of the side that is the receivable.
    pub(super) fn line_pair(
        &mut self,
        debit: LedgerCode,
        credit: LedgerCode,
        amount: i64,
        account: Option<AccountId>,
    ) {
        let of = |code| account.filter(|_| code == LedgerCode::RECEIVABLE);
        self.lines.push(JournalLine { code: debit, account: of(debit), amount });
        self.lines.push(JournalLine { code: credit, account: of(credit), amount: -amount });
    }

    /// Changes a balance by what `op_id` did and writes the history item.
    pub(super) fn change_balance(
        &mut self,
        account: AccountId,
        row: &mut AccountRow,
        amount: i64,
        op_id: OpId,
    ) -> Result<(), BalanceOverflow> {
        row.balance = row.balance.checked_add(amount).ok_or(BalanceOverflow)?;
        row.items += 1;
        let (position, date) = (self.position, self.date);
        let item = HistoryRow { position, op_id, date, amount, balance: row.balance };
        self.state.put((account, row.items), item);
        self.state.put(account, *row);
        Ok(())
    }
}

fn date_of(command: &CommandView<'_>) -> Date {
    match *command {
        CommandView::OpenAccount { date, .. }
        | CommandView::RecordPayment { date, .. }
        | CommandView::PostAdjustment { date, .. }
        | CommandView::ReversePayment { date, .. }
        | CommandView::CloseAccount { date, .. }
        | CommandView::RequestRefund { date, .. }
        | CommandView::IssueInvoice { date, .. }
        | CommandView::ConfirmPayout { date, .. } => date,
        // Readings have dates of their own and no item of a history.
        CommandView::RecordRead { .. } => Date::default(),
    }
}

fn out_of_range(command: &CommandView<'_>) -> Disposition {
    match command.class() {
        CommandClass::Intent => denied(DenyReason::OutOfRange),
        CommandClass::Fact => redirected(RedirectReason::OutOfRange),
    }
}
