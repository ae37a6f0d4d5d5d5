//! Ranges of a command's values: what admission refuses and what the fold, should it be in the
//! log all the same, books as out of range. It knows no state.

use crate::canary;
use crate::limits::{AMOUNT_MAX, DATE_MAX, DATE_MIN, REGISTER_MAX};
use billing_wire::limits::{READS_PER_COMMAND_MAX, TEXT_BYTES_MAX};
use billing_wire::{BillingPeriod, Command, CommandView, Date, MeterRead, Refusal};

/// Checks a command before it is logged.
///
/// # Errors
/// The first field outside its range, with what was expected.
pub fn check(command: &Command) -> Result<(), Refusal> {
    match command {
        Command::OpenAccount { date, .. } | Command::CloseAccount { date, .. } => {
            date_in_range("date", *date)
        }
        Command::RecordPayment { amount, date, provider, external_ref, .. } => {
            amount_in_range(*amount)?;
            date_in_range("date", *date)?;
            text_in_range("provider", provider)?;
            text_in_range("external_ref", external_ref)
        }
        Command::RecordRead { reads } => reads_in_range(reads),
        Command::PostAdjustment { amount, date, .. }
        | Command::ReversePayment { amount, date, .. }
        | Command::RequestRefund { amount, date, .. }
        | Command::ConfirmPayout { amount, date, .. } => {
            amount_in_range(*amount)?;
            date_in_range("date", *date)
        }
        Command::IssueInvoice { period, date, .. } => {
            period_in_range(*period)?;
            date_in_range("date", *date)
        }
    }
}

/// Whether every value is one that can be booked. Texts are bounded by the codec.
pub(super) fn in_range(command: &CommandView<'_>) -> bool {
    match *command {
        CommandView::OpenAccount { date, .. } | CommandView::CloseAccount { date, .. } => {
            is_date(date)
        }
        CommandView::RecordPayment { amount, date, .. }
        | CommandView::PostAdjustment { amount, date, .. }
        | CommandView::ReversePayment { amount, date, .. }
        | CommandView::RequestRefund { amount, date, .. }
        | CommandView::ConfirmPayout { amount, date, .. } => is_amount(amount) && is_date(date),
        CommandView::RecordRead { reads } => {
            !reads.is_empty() && reads.iter().all(|read| is_date(read.date) && is_register(&read))
        }
        CommandView::IssueInvoice { period, date, .. } => is_period(period) && is_date(date),
    }
}

/// Whether an amount is one that can be booked.
pub(super) fn is_amount(amount: i64) -> bool {
    (1..=AMOUNT_MAX).contains(&amount)
}

fn is_date(date: Date) -> bool {
    (DATE_MIN..=DATE_MAX).contains(&date.0)
}

fn is_period(period: BillingPeriod) -> bool {
    (BillingPeriod::of(Date(DATE_MIN))..=BillingPeriod::of(Date(DATE_MAX))).contains(&period)
}

fn is_register(read: &MeterRead) -> bool {
    read.register <= REGISTER_MAX
}

fn refusal(field: impl Into<String>, detail: String) -> Result<(), Refusal> {
    Err(Refusal { field: field.into(), detail })
}

fn amount_in_range(amount: i64) -> Result<(), Refusal> {
    let is_legal = is_amount(amount)
        || (canary!("amount-checked-by-its-size") && is_amount(amount.wrapping_abs()));
    if is_legal {
        return Ok(());
    }
    refusal("amount", format!("{amount} minor units, 1 to {AMOUNT_MAX} expected"))
}

fn date_in_range(field: &str, date: Date) -> Result<(), Refusal> {
    if is_date(date) {
        return Ok(());
    }
    let expected = "1990-01-01 to 2199-12-31";
    let days = date.0;
    refusal(
        field,
        format!("day {days} since 1970-01-01, {DATE_MIN} to {DATE_MAX} ({expected}) expected"),
    )
}

fn period_in_range(period: BillingPeriod) -> Result<(), Refusal> {
    if is_period(period) {
        return Ok(());
    }
    refusal("period", format!("month {period}, 1990-01 to 2199-12 expected"))
}

fn text_in_range(field: &str, text: &str) -> Result<(), Refusal> {
    if text.len() <= TEXT_BYTES_MAX {
        return Ok(());
    }
    refusal(field, format!("{} bytes, at most {TEXT_BYTES_MAX} expected", text.len()))
}

fn reads_in_range(reads: &[MeterRead]) -> Result<(), Refusal> {
    if reads.is_empty() || reads.len() > READS_PER_COMMAND_MAX {
        let found = reads.len();
        return refusal("reads", format!("{found} reads, 1 to {READS_PER_COMMAND_MAX} expected"));
    }
    for (i, read) in reads.iter().enumerate() {
        date_in_range(&format!("reads[{i}].date"), read.date)?;
        if !is_register(read) {
            let found = read.register;
            return refusal(
                format!("reads[{i}].register"),
                format!("{found} base units, at most {REGISTER_MAX} expected"),
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use billing_wire::{
        AccountId, AdjustmentReason, MeterId, OpId, ReadQuality, ReversalReason, ServicePointId,
    };

    fn payment(amount: i64, day: u32, provider: &str) -> Command {
        Command::RecordPayment {
            account: AccountId(1),
            amount,
            date: Date(day),
            provider: provider.to_owned(),
            external_ref: String::new(),
        }
    }

    fn invoice(month: u16) -> Command {
        let (account, period) = (AccountId(1), BillingPeriod(month));
        Command::IssueInvoice { account, period, date: Date(DATE_MIN) }
    }

    fn read(day: u32, register: u64) -> MeterRead {
        let (meter, quality) = (MeterId(1), ReadQuality::Actual);
        MeterRead { meter, date: Date(day), register, quality }
    }

    fn field(command: &Command) -> Option<String> {
        check(command).err().map(|refusal| refusal.field)
    }

    #[test]
    fn bounds_are_inclusive() {
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        for (command, expected) in [
            (payment(1, DATE_MIN, ""), None),
            (payment(AMOUNT_MAX, DATE_MAX, &long[1..]), None),
            (payment(0, DATE_MIN, ""), Some("amount")),
            (payment(i64::MIN, DATE_MIN, ""), Some("amount")),
            (payment(AMOUNT_MAX + 1, DATE_MIN, ""), Some("amount")),
            (payment(1, DATE_MIN - 1, ""), Some("date")),
            (payment(1, DATE_MAX + 1, ""), Some("date")),
            (payment(1, DATE_MIN, &long), Some("provider")),
            (invoice(239), Some("period")),
            (invoice(240), None),
            (invoice(2_759), None),
            (invoice(2_760), Some("period")),
            (Command::RecordRead { reads: vec![] }, Some("reads")),
            (Command::RecordRead { reads: vec![read(DATE_MIN, 0); 101] }, Some("reads")),
            (Command::RecordRead { reads: vec![read(DATE_MIN, REGISTER_MAX); 100] }, None),
            (
                Command::RecordRead { reads: vec![read(DATE_MIN, 0), read(0, 0)] },
                Some("reads[1].date"),
            ),
            (
                Command::RecordRead { reads: vec![read(DATE_MIN, REGISTER_MAX + 1)] },
                Some("reads[0].register"),
            ),
        ] {
            assert_eq!(field(&command).as_deref(), expected, "{command:?}");
        }
    }

    #[test]
    fn every_command_is_checked() {
        let (account, date) = (AccountId(1), Date(0));
        let commands = [
            Command::OpenAccount { account, service_point: ServicePointId(1), date },
            payment(1, 0, ""),
            Command::RecordRead { reads: vec![read(0, 0)] },
            Command::PostAdjustment { account, amount: 1, reason: AdjustmentReason::LateFee, date },
            Command::ReversePayment {
                payment: OpId(1),
                amount: 1,
                reason: ReversalReason::Bounced,
                date,
            },
            Command::CloseAccount { account, date },
            Command::RequestRefund { payment: OpId(1), amount: 1, date },
            Command::IssueInvoice { account, period: BillingPeriod(240), date },
            Command::ConfirmPayout { refund: OpId(1), amount: 1, date },
        ];
        for command in commands {
            let refusal = check(&command).unwrap_err();
            assert!(refusal.field.ends_with("date"), "{refusal:?}");
            assert!(refusal.detail.contains("7305 to 84005"), "{refusal:?}");
            let mut body = Vec::new();
            command.encode(&mut body);
            assert!(!in_range(&CommandView::decode(&body).unwrap()), "the fold agrees");
        }
    }
}
