//! The fold of outcomes: all that a sweep's reports need, without the outcomes themselves. The
//! order in which outcomes arrive changes nothing but which seed of a cause counts as the first,
//! and that is the lowest.

use billsim_record::{ExitCode, FaultTally, Outcome, Verdict, Waiver};
use std::collections::{BTreeMap, BTreeSet};

/// One way to fail, however many seeds found it.
#[derive(Debug, Clone, PartialEq)]
pub struct Cause {
    /// How many seeds failed this way.
    pub seeds: u64,
    /// The same by verdict.
    pub verdicts: BTreeMap<Verdict, u64>,
    /// The outcome of the one that stands for all: lowest by scenario, then seed.
    pub first: Outcome,
}

/// What the seeds of one scenario came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScenarioTally {
    /// How many ended.
    pub seeds: u64,
    /// How many held.
    pub held: u64,
    /// Simulated seconds.
    pub simulated_seconds: f64,
    /// The same in nanoseconds: a sum that does not depend on its order.
    pub simulated_ns: u64,
    /// Acknowledged writes.
    pub acknowledged: u64,
    /// Comparisons per oracle.
    pub comparisons: BTreeMap<String, u64>,
    /// What failed, by oracle, or by verdict where no oracle spoke.
    pub failed: BTreeMap<String, Failed>,
    /// What is waived, by the same: seeds of each cause.
    pub waived: BTreeMap<String, BTreeMap<String, u64>>,
}

/// Seeds of a scenario that one oracle found wanting.
#[derive(Debug, Clone, PartialEq)]
pub struct Failed {
    /// How many.
    pub seeds: u64,
    /// The outcome of the lowest.
    pub first: Outcome,
}

impl ScenarioTally {
    /// What was compared, and what failed.
    fn note(&mut self, outcome: &Outcome, waived: Option<String>) {
        for (oracle, count) in &outcome.comparisons {
            *self.comparisons.entry(oracle.clone()).or_default() += count;
        }
        if outcome.verdict == Verdict::Held {
            return;
        }
        let oracle = outcome.failure.as_ref().map(|failure| failure.oracle.clone());
        let name = oracle.unwrap_or_else(|| outcome.verdict.name().to_owned());
        if let Some(cause) = waived {
            *self.waived.entry(name).or_default().entry(cause).or_default() += 1;
            return;
        }
        let failed = self.failed.entry(name);
        let failed = failed.or_insert_with(|| Failed { seeds: 0, first: outcome.clone() });
        failed.seeds += 1;
        if outcome.seed < failed.first.seed {
            failed.first = outcome.clone();
        }
    }
}

/// What a sweep came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// Per scenario.
    pub scenarios: BTreeMap<String, ScenarioTally>,
    /// Seeds per verdict.
    pub verdicts: BTreeMap<Verdict, u64>,
    /// Frames that reached a node.
    pub delivered_messages: u64,
    /// Per fault kind.
    pub faults: BTreeMap<String, FaultTally>,
    /// Comparisons per oracle.
    pub comparisons: BTreeMap<String, u64>,
    /// Seeds that the second checker judged, too.
    pub judged_twice: u64,
    /// Its comparisons.
    pub second_comparisons: u64,
    /// Hits per mark.
    pub marks: BTreeMap<String, u64>,
    /// What was not waited for or not compared, with its reason, and how often.
    pub excuses: BTreeMap<String, u64>,
    /// Fault kinds that somebody must have seen.
    pub required: BTreeSet<String>,
    /// Ways to fail, by `<oracle>-<fingerprint>`; those that are waived among them.
    pub causes: BTreeMap<String, Cause>,
    /// Failures that are known and do not count, by the name of their cause.
    pub waivers: BTreeMap<String, Waiver>,
}

/// Something that had to happen in a sweep and never did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// An oracle that compared nothing.
    Oracle(String),
    /// A fault kind that was armed and that no node could see.
    Fault(String),
    /// A required fault kind that no plan had.
    Absent(String),
}

impl Tally {
    /// A tally that knows which oracles and marks there are, so that silence is visible.
    pub fn knowing<'a>(
        oracles: impl IntoIterator<Item = &'a str>,
        marks: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self {
            comparisons: oracles.into_iter().map(|id| (id.to_owned(), 0)).collect(),
            marks: marks.into_iter().map(|name| (name.to_owned(), 0)).collect(),
            ..Self::default()
        }
    }

    /// Demands that a fault kind is seen.
    pub fn require(&mut self, kind: &str) {
        self.required.insert(kind.to_owned());
    }

    /// Lets a known failure not count; before any outcome is added.
    pub fn waive(&mut self, waiver: &Waiver) {
        self.waivers.insert(waiver.failure.clone(), waiver.clone());
    }

    /// Adds what one seed came to.
    pub fn add(&mut self, outcome: &Outcome) {
        let cause = cause_of(outcome);
        let waived = cause.clone().filter(|name| self.waivers.contains_key(name));
        let scenario = self.scenarios.entry(outcome.scenario.clone()).or_default();
        scenario.seeds += 1;
        scenario.held += u64::from(outcome.verdict == Verdict::Held);
        scenario.simulated_ns += (outcome.simulated_seconds * 1e9).round() as u64;
        scenario.simulated_seconds = scenario.simulated_ns as f64 / 1e9;
        scenario.acknowledged += outcome.acknowledged;
        scenario.note(outcome, waived);
        *self.verdicts.entry(outcome.verdict).or_default() += 1;
        self.delivered_messages += outcome.delivered_messages;
        for (kind, fault) in &outcome.faults {
            let sum = self.faults.entry(kind.clone()).or_default();
            sum.armed += fault.armed;
            sum.fired += fault.fired;
            sum.observed += fault.observed;
        }
        for (oracle, count) in &outcome.comparisons {
            *self.comparisons.entry(oracle.clone()).or_default() += count;
        }
        self.judged_twice += u64::from(!outcome.second_checker.is_empty());
        self.second_comparisons += outcome.second_checker.values().sum::<u64>();
        for (reason, count) in &outcome.excuses {
            *self.excuses.entry(reason.clone()).or_default() += count;
        }
        for (mark, count) in &outcome.marks {
            *self.marks.entry(mark.clone()).or_default() += count;
        }
        if let Some(name) = cause {
            self.add_cause(name, outcome);
        }
    }

    fn add_cause(&mut self, name: String, outcome: &Outcome) {
        let cause = self.causes.entry(name).or_insert_with(|| Cause {
            seeds: 0,
            verdicts: BTreeMap::new(),
            first: outcome.clone(),
        });
        cause.seeds += 1;
        *cause.verdicts.entry(outcome.verdict).or_default() += 1;
        let first = (&cause.first.scenario, cause.first.seed);
        if (&outcome.scenario, outcome.seed) < first {
            cause.first = outcome.clone();
        }
    }

    /// Seeds that ended.
    pub fn seeds(&self) -> u64 {
        self.verdicts.values().sum()
    }

    /// Seeds that ended, did not hold, and are not waived.
    pub fn failures(&self) -> u64 {
        let held = self.verdicts.get(&Verdict::Held).copied().unwrap_or(0);
        self.seeds() - held - self.waived_seeds()
    }

    /// Seeds that failed as a waiver allows.
    pub fn waived_seeds(&self) -> u64 {
        self.waived().map(|(_, seeds)| seeds).sum()
    }

    /// Every waiver with the seeds that it let pass; 0 where it waived nothing.
    pub fn waived(&self) -> impl Iterator<Item = (&Waiver, u64)> {
        let seeds = |name: &String| self.causes.get(name).map_or(0, |cause| cause.seeds);
        self.waivers.iter().map(move |(name, waiver)| (waiver, seeds(name)))
    }

    /// Causes that count: all but those that are waived.
    pub fn counted_causes(&self) -> impl DoubleEndedIterator<Item = (&String, &Cause)> {
        self.causes.iter().filter(|(name, _)| !self.waivers.contains_key(*name))
    }

    /// Simulated seconds of all scenarios.
    pub fn simulated_seconds(&self) -> f64 {
        self.scenarios.values().map(|scenario| scenario.simulated_seconds).sum()
    }

    /// Acknowledged writes of all scenarios.
    pub fn acknowledged(&self) -> u64 {
        self.scenarios.values().map(|scenario| scenario.acknowledged).sum()
    }

    /// The worst that any seed came to, but for what is waived.
    pub fn exit_code(&self) -> ExitCode {
        let mut counted = self.verdicts.clone();
        for cause in self.waivers.keys().filter_map(|name| self.causes.get(name)) {
            for (verdict, seeds) in &cause.verdicts {
                let left = counted.entry(*verdict).or_default();
                *left = left.saturating_sub(*seeds);
            }
        }
        let codes = counted.iter().filter(|(_, seeds)| **seeds > 0);
        codes.map(|(verdict, _)| verdict.exit_code()).fold(ExitCode::Held, ExitCode::worse)
    }

    /// The failure that a person should look at first.
    pub fn worst_cause(&self) -> Option<(&str, &Cause)> {
        let severity = |cause: &Cause| cause.first.verdict.exit_code().severity();
        // `max_by_key` takes the last of equals; reversed, that is the first by name.
        let causes = self.counted_causes().rev();
        causes.max_by_key(|(_, cause)| severity(cause)).map(|(name, cause)| (name.as_str(), cause))
    }

    /// Oracles that compared nothing and armed faults that nobody saw.
    pub fn gaps(&self) -> Vec<Gap> {
        let silent = self.comparisons.iter().filter(|(_, count)| **count == 0);
        let unseen = self.faults.iter().filter(|(_, t)| t.armed > 0 && t.observed == 0);
        let is_absent = |kind: &&String| self.faults.get(*kind).is_none_or(|t| t.armed == 0);
        let absent = self.required.iter().filter(is_absent);
        let silent = silent.map(|(id, _)| Gap::Oracle(id.clone()));
        let unseen = unseen.map(|(kind, _)| Gap::Fault(kind.clone()));
        silent.chain(unseen).chain(absent.map(|kind| Gap::Absent(kind.clone()))).collect()
    }

    /// Marks that some seed reached.
    pub fn reached(&self) -> impl Iterator<Item = &str> {
        self.marks.iter().filter(|(_, hits)| **hits > 0).map(|(name, _)| name.as_str())
    }

    /// Marks that no seed reached.
    pub fn unreached(&self) -> impl Iterator<Item = &str> {
        self.marks.iter().filter(|(_, hits)| **hits == 0).map(|(name, _)| name.as_str())
    }
}

/// Under which name a failing outcome is grouped: `<oracle>-<fingerprint>`, or its verdict where
/// no oracle spoke. Nondeterminism voids what an oracle said.
pub fn cause_of(outcome: &Outcome) -> Option<String> {
    match (&outcome.failure, outcome.verdict) {
        (_, Verdict::Nondeterminism) => Some(Verdict::Nondeterminism.name().to_owned()),
        (Some(failure), _) => Some(format!("{}-{}", failure.oracle, failure.fingerprint)),
        (None, Verdict::Held) => None,
        (None, verdict) => Some(verdict.name().to_owned()),
    }
}
