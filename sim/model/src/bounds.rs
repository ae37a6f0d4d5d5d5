//! The legal ranges of billing.md as the model reads them: written down a second time on purpose,
//! so that a wrong bound in the node is seen.

/// Largest amount of one command, in minor units.
pub const AMOUNT_MAX: i64 = 1_000_000_000_000;
/// Largest goodwill credit at once, in minor units.
pub const GOODWILL_MAX: i64 = 100_000;
/// Largest late fee at once, in minor units.
pub const LATE_FEE_MAX: i64 = 10_000;
/// Largest debt given up at once, in minor units.
pub const BAD_DEBT_MAX: i64 = 10_000_000;
/// First legal civil date: 1990-01-01, in days since 1970-01-01.
pub const DATE_MIN: u32 = 7_305;
/// Last legal civil date: 2199-12-31, in days since 1970-01-01.
pub const DATE_MAX: u32 = 84_005;
/// Largest register of a meter, in base units.
pub const REGISTER_MAX: u64 = 1 << 48;
/// A register that rises by more than this between two readings is flagged, in base units.
pub const REGISTER_JUMP: u64 = 100_000_000;

/// First month that may be billed: 1990-01, in months since 1970-01.
pub const MONTH_MIN: u16 = 240;
/// Last month that may be billed: 2199-12, in months since 1970-01.
pub const MONTH_MAX: u16 = 2_759;

pub(crate) fn is_month(period: billing_wire::BillingPeriod) -> bool {
    (MONTH_MIN..=MONTH_MAX).contains(&period.0)
}

pub(crate) fn is_amount(amount: i64) -> bool {
    (1..=AMOUNT_MAX).contains(&amount)
}

pub(crate) fn is_date(date: billing_wire::Date) -> bool {
    (DATE_MIN..=DATE_MAX).contains(&date.0)
}
