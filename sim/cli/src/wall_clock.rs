//! The wall clock, for what people wait for: progress, budgets, days on which waivers end, names of
//! directories. Nothing of a seed's verdict depends on it.

use jiff::Span;
use jiff::civil::{Date, date};
use std::time::{Duration, Instant, SystemTime};

/// Now.
// The only file of the tool that reads these clocks, so that the ban holds everywhere else.
#[allow(clippy::disallowed_methods)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Time since 1970 in UTC.
// As above.
#[allow(clippy::disallowed_methods)]
pub(crate) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// The day in UTC, for what is good until a day.
pub(crate) fn today() -> Date {
    let days = i64::try_from(since_epoch().as_secs() / 86_400).unwrap_or(i64::MAX);
    // A clock behind the year 9999 is wrong, and then everything is over.
    let day = Span::new().try_days(days).and_then(|days| date(1970, 1, 1).checked_add(days));
    day.unwrap_or(Date::MAX)
}
