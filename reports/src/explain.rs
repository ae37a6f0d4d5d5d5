//! A failure in three lines of billing words: who asked for what and was told what, what happened
//! to it, and why that must not happen.

use crate::layout::shortened;
use billsim_record::{Failure, Happening, Outcome, RunEvent, RunEvents};

/// Characters of what was seen that an explanation repeats.
const DETAIL_MAX: usize = 240;

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Who sent what, of whom, and who acknowledged it.
    pub transaction: String,
    /// Which event took it away, or what happened last before the promise broke.
    pub cause: String,
    /// Which promise forbids that.
    pub why: String,
}

impl Explanation {
    /// Three lines, each a sentence or two.
    pub fn lines(&self) -> String {
        format!("{}\n{}\n{}\n", self.transaction, self.cause, self.why)
    }
}

/// Explains a failure; `None` for a run that held, or that broke no promise.
pub fn explain(outcome: &Outcome, events: Option<&RunEvents>) -> Option<Explanation> {
    let failure = outcome.failure.as_ref()?;
    Some(Explanation {
        transaction: transaction(failure, events),
        cause: cause(failure, events),
        why: why(failure),
    })
}

fn transaction(failure: &Failure, events: Option<&RunEvents>) -> String {
    let told = events.and_then(|events| events.head.told.as_deref());
    match (told, &failure.transaction) {
        (Some(told), _) => sentence(told),
        (None, Some(named)) => format!("It is about transaction {named}."),
        (None, None) => "It is not about one transaction.".to_owned(),
    }
}

/// What took the last copy away; else the last loss of a copy; else the last fault.
fn cause(failure: &Failure, events: Option<&RunEvents>) -> String {
    let told = events.map_or(&[][..], |events| &events.events);
    let before: Vec<&RunEvent> =
        told.iter().take_while(|event| event.at_ns <= failure.at_ns).collect();
    let step = |wanted: fn(&str, bool) -> bool| {
        before.iter().rev().find_map(|event| match &event.what {
            Happening::Custody { words, is_last } if wanted(words, *is_last) => {
                Some((event.at_ns, words.as_str()))
            }
            _ => None,
        })
    };
    if let Some((at, words)) = step(|_, is_last| is_last) {
        let why = words.split_once(": ").map_or(words, |(_, why)| why);
        return format!("The last copy of it went at {}: {why}.", seconds(at));
    }
    if let Some((at, words)) = step(|words, _| is_loss(words)) {
        return format!("A copy of it went at {}: {words}.", seconds(at));
    }
    let began = before.iter().rev().find_map(|event| match &event.what {
        Happening::FaultBegins { planned, .. } => Some(planned.to_string()),
        _ => None,
    });
    let phase = before.iter().rev().find_map(|event| match &event.what {
        Happening::Phase { phase } => Some((event.at_ns, phase.as_str())),
        _ => None,
    });
    // The outcome knows the last fault before the end; the promise may have broken earlier.
    let fault = if events.is_some() { began } else { failure.last_fault.clone() };
    if let Some((at, phase)) = phase {
        return after_the_faults(at, phase, fault.as_deref());
    }
    match fault {
        Some(fault) => format!("The last fault before it, which need not be its cause: {fault}."),
        None => "No fault came before it: the node does this by itself.".to_owned(),
    }
}

/// What the end of a run did before a failure that needs none of the planned faults; `None` where
/// it came earlier.
pub fn by_the_end(failure: &Failure, events: &RunEvents) -> Option<String> {
    let before = events.events.iter().take_while(|event| event.at_ns <= failure.at_ns);
    let phase = before.filter_map(|event| match &event.what {
        Happening::Phase { phase } => Some((event.at_ns, phase.as_str())),
        _ => None,
    });
    let (at, phase) = phase.last()?;
    Some(format!("{}\n", after_the_faults(at, phase, None)))
}

/// The end of a run does something to the nodes too, and it came after the last planned fault.
fn after_the_faults(at_ns: u64, phase: &str, fault: Option<&str>) -> String {
    let did = match phase {
        "liveness" => {
            "all faults ended, one node of each region lost its power for good and the others went \
             on"
        }
        "recovery" => "all nodes that are left were started again",
        other => other,
    };
    let fault = match fault {
        Some(fault) => format!("; the last planned fault before that: {fault}"),
        None => String::new(),
    };
    format!("The end of the run came before it: at {} {did}{fault}.", seconds(at_ns))
}

/// What a node had in memory only was promised to nobody.
fn is_loss(words: &str) -> bool {
    words.starts_with("gone from the disk") || words.starts_with("replaced by")
}

fn why(failure: &Failure) -> String {
    let Failure { oracle, promise, detail, at_ns, .. } = failure;
    let detail = shortened(detail, DETAIL_MAX);
    let end = if detail.ends_with('…') { "" } else { "." };
    let detail = detail.trim_end_matches('.');
    format!("That breaks {oracle}, {promise}. Seen at {}: {detail}{end}", seconds(*at_ns))
}

fn sentence(text: &str) -> String {
    let mut characters = text.trim_end_matches('.').chars();
    let first = characters.next().map(|first| first.to_uppercase().collect::<String>());
    format!("{}{}.", first.unwrap_or_default(), characters.as_str())
}

pub(crate) fn seconds(at_ns: u64) -> String {
    format!("{}.{:03} s", at_ns / 1_000_000_000, at_ns / 1_000_000 % 1_000)
}

/// A part of a plan that a failure needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The fault, or what the operator does.
    pub part: String,
    /// What the run comes to without it.
    pub without: String,
}

/// What a failure needs of the `all` parts of its plan. `is_proved`: each was left out in turn.
pub fn needs(all: usize, needs: &[Need], is_proved: bool) -> String {
    let mut out = match (needs.len(), is_proved) {
        (0, true) => format!("It needs none of the {all} planned faults.\n"),
        (needed, true) => format!("It needs {needed} of {all} faults; without any one of them:\n"),
        (left, false) => {
            format!("{left} of {all} faults are enough; the budget ended the search:\n")
        }
    };
    for need in needs {
        out.push_str(&format!("  {:<58} {}\n", need.part, need.without));
    }
    out
}

/// What a run came to, in a few words, beside a failure that it was expected to show.
pub fn instead(outcome: &Outcome, expected: &Failure) -> String {
    match &outcome.failure {
        Some(failure) if failure.fingerprint == expected.fingerprint => "fails the same".to_owned(),
        Some(failure) => format!("fails otherwise, {} {}", failure.oracle, failure.fingerprint),
        None => outcome.verdict.name().to_owned(),
    }
}
