//! A second judge of order and money, over what a run exports: what clients did and were told, and
//! the region logs at its end. It was written apart from the oracles, shares the wire format with
//! them and nothing else, judges in other ways, and only when all is over: an oracle that went
//! blind is found out because this one sees, and the other way round.
//!
//! It knows no disks, no durability and no outcome of a command; what it needs of the booking
//! rules is which facts move cash.

mod calls;
mod cash;
mod merged;
mod order;
mod pages;
mod places;
mod sessions;

use billing_wire::{OpId, RecordView};
use billsim_history::Event;
use std::collections::BTreeMap;

/// Findings beyond this say nothing new.
const FINDINGS_MAX: usize = 8;

/// What a run leaves behind.
#[derive(Debug)]
pub struct Exported<'a> {
    /// What clients did and were told, in order of time.
    pub history: &'a [Event],
    /// The committed records of one node, per region, each log from its first entry on.
    pub logs: Vec<Vec<RecordView<'a>>>,
}

/// What is held against a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// What was acknowledged stands where its receipt says.
    Stands,
    /// What was acknowledged in a region before an operation began stands before it there.
    RealTime,
    /// What a session is shown never goes back unseen.
    Session,
    /// Pages of history list what is in the logs, in order, with balances that add up.
    Pages,
    /// The general ledger balances, and cash is what the facts in the logs moved.
    Cash,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 5] =
        [Self::Stands, Self::RealTime, Self::Session, Self::Pages, Self::Cash];

    /// Name as in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stands => "stands",
            Self::RealTime => "real-time",
            Self::Session => "session",
            Self::Pages => "pages",
            Self::Cash => "cash",
        }
    }
}

/// Something that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// When a client was told, in nanoseconds.
    pub at: u64,
    /// The operation that it is about.
    pub operation: Option<OpId>,
    /// What was found and what was expected.
    pub detail: String,
}

/// What the checker found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The first findings, rule by rule.
    pub findings: Vec<Finding>,
    /// Comparisons per rule.
    pub comparisons: BTreeMap<Rule, u64>,
}

impl Report {
    /// Whether a rule was broken.
    pub fn has(&self, rule: Rule) -> bool {
        self.findings.iter().any(|finding| finding.rule == rule)
    }

    fn compare(
        &mut self,
        (rule, at, operation): (Rule, u64, Option<OpId>),
        holds: bool,
        detail: impl FnOnce() -> String,
    ) {
        *self.comparisons.entry(rule).or_default() += 1;
        if holds {
            return;
        }
        let known = self.findings.iter().filter(|finding| finding.rule == rule).count();
        if known < FINDINGS_MAX {
            self.findings.push(Finding { rule, at, operation, detail: detail() });
        }
    }
}

/// Judges a run that is over.
///
/// # Panics
/// When the logs are not what [`Exported::logs`] says.
pub fn check(run: &Exported<'_>) -> Report {
    let mut report = Report::default();
    let calls = calls::pair(run.history);
    let merged = merged::Merged::of(&run.logs);
    places::check(&calls, &merged, &mut report);
    order::check(&calls, &mut report);
    sessions::check(&calls, &mut report);
    pages::check(&calls, &merged, &mut report);
    cash::check(&calls, &merged, &mut report);
    report
}

#[cfg(test)]
mod tests;
