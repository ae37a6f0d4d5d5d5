//! The month that an invoice is for, and its place in the Gregorian calendar.

use crate::ids::Date;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A calendar month, as months since 1970-01: 0 is January 1970, 240 is January 1990.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct BillingPeriod(pub u16);

impl BillingPeriod {
    /// The month that a day lies in.
    ///
    /// Inverse of `days_from_civil` (Howard Hinnant, "chrono-Compatible Low-Level Date
    /// Algorithms"), for days from 1970-01-01 on. Days beyond the last month count to it.
    #[must_use]
    pub fn of(date: Date) -> Self {
        let day = u64::from(date.0) + 719_468;
        let (era, day_of_era) = (day / 146_097, day % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // Months from March on: March is 0, February 11.
        let from_march = (5 * day_of_year + 2) / 153;
        let months = (era * 400 + year_of_era) * 12 + from_march + 2;
        Self(u16::try_from(months - 1_970 * 12).unwrap_or(u16::MAX))
    }

    /// The first day of the month (Hinnant's `days_from_civil` of day 1).
    #[must_use]
    pub fn first_day(self) -> Date {
        first_day_of(u64::from(self.0))
    }

    /// The last day of the month.
    #[must_use]
    pub fn last_day(self) -> Date {
        Date(first_day_of(u64::from(self.0) + 1).0 - 1)
    }
}

fn first_day_of(months_since_1970: u64) -> Date {
    // Years begin in March here, so that a leap day is the last of its year.
    let months = months_since_1970 + 1_970 * 12 - 2;
    let (year, from_march) = (months / 12, months % 12);
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * from_march + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Date((era * 146_097 + day_of_era - 719_468) as u32)
}

impl fmt::Display for BillingPeriod {
    /// As `YYYY-MM`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", 1_970 + self.0 / 12, self.0 % 12 + 1)
    }
}

impl std::str::FromStr for BillingPeriod {
    type Err = String;

    /// Reads `YYYY-MM` from 1970-01 on.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = |part: &str, count: usize| {
            let is_number = part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit());
            if is_number { part.parse::<u16>().ok() } else { None }
        };
        let month_of = || {
            let (year, month) = text.split_once('-')?;
            let (year, month) = (digits(year, 4)?, digits(month, 2)?);
            let year = year.checked_sub(1_970).filter(|_| (1..=12).contains(&month))?;
            year.checked_mul(12)?.checked_add(month - 1)
        };
        month_of().map(Self).ok_or_else(|| format!("'{text}' is no month: YYYY-MM expected"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_have_their_days() {
        for (text, first, last) in [
            ("1970-01", 0, 30),
            ("1970-02", 31, 58),
            ("1990-01", 7_305, 7_335),
            ("2000-02", 10_988, 11_016),
            ("2024-02", 19_754, 19_782),
            ("2100-02", 47_513, 47_540),
            ("2199-12", 83_975, 84_005),
        ] {
            let period: BillingPeriod = text.parse().unwrap();
            assert_eq!(period.to_string(), text);
            assert_eq!((period.first_day(), period.last_day()), (Date(first), Date(last)));
        }
    }

    #[test]
    fn months_tile_the_calendar() {
        for month in 0..8_000 {
            let period = BillingPeriod(month);
            let (first, last) = (period.first_day(), period.last_day());
            assert_eq!(BillingPeriod(month + 1).first_day(), Date(last.0 + 1));
            assert_eq!((BillingPeriod::of(first), BillingPeriod::of(last)), (period, period));
        }
        assert_eq!(BillingPeriod::of(Date(u32::MAX)), BillingPeriod(u16::MAX));
        assert!(BillingPeriod(u16::MAX).last_day() > BillingPeriod(u16::MAX).first_day());
    }

    #[test]
    fn what_is_no_month_is_refused() {
        for text in ["", "2026", "2026-13", "2026-00", "26-01", "2026-1", "1969-12", "+026-01"] {
            let error = text.parse::<BillingPeriod>().unwrap_err();
            assert_eq!(error, format!("'{text}' is no month: YYYY-MM expected"));
        }
    }
}
