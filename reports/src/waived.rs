//! Waivers as every report says them: a failure that does not count is never out of sight.

use crate::layout::plural;
use crate::tally::Tally;
use billsim_record::Waiver;

/// A sentence per waiver: what it let pass, until when, and why.
pub(crate) fn sentences(tally: &Tally) -> impl Iterator<Item = String> {
    tally.waived().map(|(waiver, seeds)| match seeds {
        0 => format!(
            "the waiver of {} waived nothing here: where it never does, take it out",
            waiver.failure
        ),
        _ => format!("{}: {}, {}", waiver.failure, plural(seeds, "seed"), terms(waiver)),
    })
}

/// Until when, and why.
pub(crate) fn terms(waiver: &Waiver) -> String {
    format!("waived until {}: {}", waiver.expires, waiver.reason)
}
