//! Civil dates in the API: `2026-11-21`. Inside the cluster a date is a number of days.

use billing_wire::Date;
use serde::de::{Deserialize, Deserializer, Error};

/// A date as it stands in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CivilDate(pub(super) Date);

impl<'de> Deserialize<'de> for CivilDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).map(Self).ok_or_else(|| {
            D::Error::custom(format!("'{text}' is no date: YYYY-MM-DD expected, from 1970 on"))
        })
    }
}

fn parse(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let number = |range: std::ops::Range<usize>| -> Option<u32> {
        let digits = &bytes[range];
        let is_number = digits.iter().all(u8::is_ascii_digit);
        is_number.then(|| digits.iter().fold(0, |n, digit| n * 10 + u32::from(digit - b'0')))
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let is_legal = year >= 1970 && (1..=12).contains(&month);
    (is_legal && (1..=days_in_month(year, month)).contains(&day))
        .then(|| Date(days_since_epoch(year, month, day)))
}

fn days_in_month(year: u32, month: u32) -> u32 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01: Howard Hinnant, "chrono-compatible low-level date algorithms",
/// `days_from_civil`. The year starts in March, so that the leap day is its last.
fn days_since_epoch(year: u32, month: u32, day: u32) -> u32 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::parse;
    use billing_wire::Date;

    #[test]
    fn known_dates() {
        assert_eq!(parse("1970-01-01"), Some(Date(0)));
        assert_eq!(parse("1990-01-01"), Some(Date(7_305)));
        assert_eq!(parse("2000-02-29"), Some(Date(11_016)));
        assert_eq!(parse("2199-12-31"), Some(Date(84_005)));
    }

    #[test]
    fn every_day_is_the_day_after_the_last() {
        let mut expected = 0;
        for year in 1970..2200 {
            for month in 1..=12 {
                for day in 1..=super::days_in_month(year, month) {
                    let text = format!("{year:04}-{month:02}-{day:02}");
                    assert_eq!(parse(&text), Some(Date(expected)), "{text}");
                    expected += 1;
                }
            }
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "2026-1-1",
            "2026-02-29",
            "1969-12-31",
            "2026-13-01",
            "2026-00-10",
            "2026-04-31",
            "2026/04/01",
            "+026-04-01",
            "2026-04-011",
            "２０２６-",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
