//! The failure epilogue: the last thing on the screen, at most 24 lines of 80 columns, so that
//! a person sees what broke and how to see it again without scrolling.

use crate::layout::{COLUMNS, count, plural, wrap_within};
use crate::tally::Cause;
use billsim_record::Outcome;

/// Lines of one screen.
pub const LINES_MAX: usize = 24;
/// Width of the names on the left.
const MARGIN: usize = 15;
/// Lines that one field may take.
const FIELD_LINES_MAX: usize = 4;

/// What the record does not know: where things are on this machine.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// One command that shows the same failure again.
    pub replay: &'a str,
    /// The command that makes it small, where it is stored.
    pub shrink: Option<&'a str>,
    /// Directory with all that is known about it.
    pub directory: Option<&'a str>,
    /// The page that shows it.
    pub timeline: Option<&'a str>,
    /// The transaction in billing words.
    pub told: Option<&'a str>,
    /// Other causes of the same sweep.
    pub others: &'a [&'a str],
}

/// The epilogue of one cause.
pub fn epilogue(cause: &Cause, place: Place<'_>) -> String {
    let mut lines = vec![headline(&cause.first), String::new()];
    if let Some(failure) = &cause.first.failure {
        field(&mut lines, "promise", &failure.promise);
        field(&mut lines, "seen", &failure.detail);
        let transaction = failure.transaction.as_deref().unwrap_or("none involved");
        field(&mut lines, "transaction", place.told.unwrap_or(transaction));
        field(&mut lines, "last fault", failure.last_fault.as_deref().unwrap_or("none before"));
        let seconds = failure.at_ns as f64 / 1e9;
        let after = plural(failure.further, "violation");
        let when = format!("{seconds:.3} s, event {}; {after} followed", count(failure.event));
        field(&mut lines, "simulated at", &when);
    }
    for stuck in cause.first.untold_stuck().take(2) {
        field(&mut lines, "stuck", stuck);
    }
    if cause.seeds > 1 {
        field(&mut lines, "same cause", &plural(cause.seeds, "seed"));
    }
    if !place.others.is_empty() {
        field(&mut lines, "other causes", &place.others.join(", "));
    }
    lines.truncate(LINES_MAX - 5);
    lines.push(String::new());
    // Not wrapped: a command is copied as one line.
    let last = [
        ("replay", Some(place.replay)),
        ("make small", place.shrink),
        ("open", place.timeline),
        ("files", place.directory),
    ];
    for (name, what) in last {
        lines.extend(what.map(|what| format!("  {name:<MARGIN$}{what}")));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn headline(outcome: &Outcome) -> String {
    let what = match &outcome.failure {
        Some(failure) => format!("{} broke", failure.oracle),
        None => "no oracle spoke".to_owned(),
    };
    let canary = outcome.canary.as_ref().map(|name| format!(", canary {name}")).unwrap_or_default();
    let verdict = outcome.verdict.name().to_uppercase();
    format!("{verdict}: {what} in {}, seed {}{canary}", outcome.scenario, outcome.seed)
}

fn field(lines: &mut Vec<String>, name: &str, text: &str) {
    let wrapped = wrap_within(text, COLUMNS - MARGIN - 4, FIELD_LINES_MAX);
    for (i, line) in wrapped.into_iter().enumerate() {
        let name = if i == 0 { name } else { "" };
        lines.push(format!("  {name:<MARGIN$}{line}"));
    }
}
