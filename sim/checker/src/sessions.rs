//! Monotonic reads within a session (Terry et al., "Session Guarantees for Weakly Consistent
//! Replicated Data", PDIS 1994, §3.2): of two answers to reads that showed what had been seen, the
//! later one covers the earlier.

use crate::calls::{Calls, Shown};
use crate::{Report, Rule};
use billing_wire::{QueryResult, ReadLevel};
use std::collections::BTreeMap;

pub(crate) fn check(calls: &Calls<'_>, report: &mut Report) {
    let mut sessions: BTreeMap<u32, Vec<&Shown<'_>>> = BTreeMap::new();
    for shown in calls.shown.iter().filter(|shown| is_bound(shown)) {
        sessions.entry(shown.session).or_default().push(shown);
    }
    for answers in sessions.values() {
        for (number, later) in answers.iter().enumerate() {
            let Some(token) = &later.read.token else { continue };
            for earlier in &answers[..number] {
                // A client that forgot what it saw has no claim on it.
                if token.frontier.covers(&earlier.answer.frontier) {
                    compare(earlier, later, report);
                }
            }
        }
    }
}

/// Whether the answer must not go back: the client asked for that, and was not told otherwise.
fn is_bound(shown: &Shown<'_>) -> bool {
    let refused = matches!(shown.answer.result, QueryResult::Unavailable | QueryResult::BadToken);
    shown.read.level != ReadLevel::Local && !shown.answer.session_gap && !refused
}

fn compare(earlier: &Shown<'_>, later: &Shown<'_>, report: &mut Report) {
    let rises = later.answer.watermark >= earlier.answer.watermark;
    report.compare((Rule::Session, later.at, None), rises, || {
        let (before, now) = (earlier.answer.watermark, later.answer.watermark);
        format!("session {} was shown watermark {before} and then {now}", later.session)
    });
    let covers = later.answer.frontier.covers(&earlier.answer.frontier);
    report.compare((Rule::Session, later.at, None), covers, || {
        let (before, now) = (earlier.answer.frontier.0, later.answer.frontier.0);
        format!("session {} was shown {before:?} and then {now:?}", later.session)
    });
}
