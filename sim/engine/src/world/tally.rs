//! Per fault kind: how often it was armed, took place, and changed something that a node or a
//! client could see.

use billsim_record::FaultTally;
use std::collections::BTreeMap;

/// The tallies of one run.
#[derive(Debug, Default)]
pub struct Tallies {
    kinds: BTreeMap<&'static str, FaultTally>,
}

impl Tallies {
    /// It is in the plan. A kind that is told with its strength, `kind: strength`, counts as both.
    pub fn armed(&mut self, kind: &'static str) {
        self.both(kind, |tally| tally.armed += 1);
    }

    /// It took place.
    pub fn fired(&mut self, kind: &'static str) {
        self.both(kind, |tally| tally.fired += 1);
    }

    /// A node or client could see it.
    pub fn observed(&mut self, kind: &'static str) {
        self.both(kind, |tally| tally.observed += 1);
    }

    fn both(&mut self, kind: &'static str, count: impl Fn(&mut FaultTally)) {
        count(self.kinds.entry(kind).or_default());
        if let Some((kind, _)) = kind.split_once(": ") {
            count(self.kinds.entry(kind).or_default());
        }
    }

    /// All of them, by kind.
    pub fn into_map(self) -> BTreeMap<String, FaultTally> {
        self.kinds.into_iter().map(|(kind, tally)| (kind.to_owned(), tally)).collect()
    }
}
