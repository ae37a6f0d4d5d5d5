//! Civil dates in the API: `2026-11-21`. Inside the cluster a date is a number of days.

use billing_wire::Date;
use jiff::{ToSpan as _, civil};
use serde::de::{Deserialize, Deserializer, Error};

const EPOCH: civil::Date = civil::date(1970, 1, 1);
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// A date as it stands in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CivilDate(pub(crate) Date);

impl<'de> Deserialize<'de> for CivilDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).map(Self).ok_or_else(|| {
            D::Error::custom(format!("'{text}' is no date: YYYY-MM-DD expected, from 1970 on"))
        })
    }
}

/// A date of the cluster as text.
pub(super) fn text_of(date: Date) -> String {
    EPOCH.saturating_add(i64::from(date.0).days()).to_string()
}

fn parse(text: &str) -> Option<Date> {
    let date: civil::Date = text.parse().ok()?;
    // The parser also takes what ISO 8601 allows beside it (`20261121`, a time of day): one
    // date has one text here.
    if date.to_string() != text {
        return None;
    }
    let days = date.duration_since(EPOCH).as_secs() / DAY_SECONDS;
    u32::try_from(days).ok().map(Date)
}

#[cfg(test)]
mod tests {
    use super::{parse, text_of};
    use billing_wire::Date;

    #[test]
    fn known_dates() {
        for (text, days) in [
            ("1970-01-01", 0),
            ("1990-01-01", 7_305),
            ("2000-02-29", 11_016),
            ("2000-03-01", 11_017),
            ("2199-12-31", 84_005),
        ] {
            assert_eq!(parse(text), Some(Date(days)), "{text}");
            assert_eq!(text_of(Date(days)), text);
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "2026-1-1",
            "2026-02-29",
            "2100-02-29",
            "1969-12-31",
            "2026-13-01",
            "2026-00-10",
            "2026-04-31",
            "2026/04/01",
            "20260401",
            "+026-04-01",
            "+002026-04-01",
            "-000001-01-01",
            "2026-04-011",
            "2026-04-01T00:00:00",
            "2026-04-01[UTC]",
            " 2026-04-01",
            "２０２６-",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
