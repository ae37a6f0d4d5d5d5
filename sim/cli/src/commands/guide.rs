//! `billsim guide`: where the next seeds are worth most, by what earlier ones have reached.

use crate::arguments::Guide;
use crate::context::{invocation, say};
use crate::stored_run::StoredRun;
use crate::tool_error::ToolError;
use billsim_record::{ExitCode, Manifest, Outcome};
use std::collections::BTreeMap;
use std::fs;

/// Who has reached a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Reached {
    /// One seed of this scenario.
    Once(String),
    /// More than one, or a plan that somebody filed: a scenario's draws have nothing to do with it.
    Known,
}

/// Seeds that a run drew: scenario and first seed, with the one behind the last.
type Drawn = BTreeMap<(String, u64), u64>;

/// What runs have reached.
#[derive(Debug, Default)]
struct Survey {
    /// For each scenario: seeds that ran, and the first one behind them all.
    scenarios: BTreeMap<String, (u64, u64)>,
    marks: BTreeMap<String, Reached>,
}

/// What a scenario gets.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Share {
    scenario: String,
    /// Seeds of it that ran.
    ran: u64,
    /// Marks that one of them reached and no other seed did.
    once: u64,
    /// The first of its next seeds.
    first: u64,
    /// How many.
    seeds: u64,
}

impl Survey {
    /// Takes note of what a run was to run; returns that in order.
    fn plan(&mut self, manifest: &Manifest) -> Drawn {
        for one in &manifest.plan {
            let known = self.scenarios.entry(one.scenario.clone()).or_default();
            known.1 = known.1.max(one.seeds_to);
        }
        let ranges = manifest.plan.iter();
        ranges.map(|one| ((one.scenario.clone(), one.seeds_from), one.seeds_to)).collect()
    }

    fn add(&mut self, drawn: &Drawn, outcome: &Outcome) {
        let key = (outcome.scenario.clone(), outcome.seed);
        let range = drawn.range(..=&key).next_back();
        let is_drawn = range
            .is_some_and(|((scenario, _), to)| *scenario == outcome.scenario && outcome.seed < *to);
        if is_drawn {
            self.scenarios.entry(outcome.scenario.clone()).or_default().0 += 1;
        }
        let reached = outcome.marks.iter().filter(|(_, hits)| **hits > 0);
        for (mark, _) in reached {
            let first = match is_drawn {
                true => Reached::Once(outcome.scenario.clone()),
                false => Reached::Known,
            };
            let known = self.marks.entry(mark.clone());
            known.and_modify(|known| *known = Reached::Known).or_insert(first);
        }
    }

    /// Shares seeds out: in proportion to the chance that the next one reaches something new. A
    /// scenario of which nothing is known that way counts as if one seed more had run, and had.
    fn share(&self, seeds: u64) -> Vec<Share> {
        let mut shares: Vec<Share> = self
            .scenarios
            .iter()
            .map(|(scenario, (ran, first))| {
                let is_its = |reached: &&Reached| **reached == Reached::Once(scenario.clone());
                let once = self.marks.values().filter(is_its).count() as u64;
                Share { scenario: scenario.clone(), ran: *ran, once, first: *first, seeds: 0 }
            })
            .collect();
        // Integers, so that the same runs give the same list on every machine.
        let weight =
            |share: &Share| ((u128::from(share.once) + 1) << 32) / (u128::from(share.ran) + 1);
        let whole: u128 = shares.iter().map(weight).sum();
        let mut left = seeds;
        let mut rests = Vec::new();
        for (place, share) in shares.iter_mut().enumerate() {
            let exact = u128::from(seeds) * weight(share);
            share.seeds = (exact / whole) as u64;
            left -= share.seeds;
            rests.push((exact % whole, place));
        }
        // The largest remainders get what is left, so that the sum is what was asked for.
        rests.sort_by(|one, other| other.cmp(one));
        for (_, place) in rests.into_iter().take(left as usize) {
            shares[place].seeds += 1;
        }
        shares
    }
}

pub(crate) fn guide(arguments: &Guide) -> Result<ExitCode, ToolError> {
    let mut survey = Survey::default();
    for path in &arguments.runs {
        let run = StoredRun::open(path)?;
        let drawn = survey.plan(run.manifest());
        run.each_outcome(|outcome| survey.add(&drawn, outcome))?;
    }
    let shares = survey.share(arguments.seeds);
    let list: String = shares
        .iter()
        .flat_map(|share| {
            let next = share.first..share.first + share.seeds;
            next.map(|seed| format!("{} {seed}\n", share.scenario))
        })
        .collect();
    fs::write(&arguments.out, list).map_err(|error| ToolError::write(&arguments.out, &error))?;
    say(&table(&shares));
    let out = arguments.out.display();
    let next = format!("{} sweep --seeds-from {out}", invocation(None));
    say(&format!("\n{} seeds: {out}\nrun them: {next}\n", arguments.seeds));
    Ok(ExitCode::Held)
}

fn table(shares: &[Share]) -> String {
    let mut out =
        format!("{:<36}{:>10}{:>24}{:>10}\n", "scenario", "ran", "marks by one seed only", "next");
    for Share { scenario, ran, once, seeds, .. } in shares {
        out.push_str(&format!("{scenario:<36}{ran:>10}{once:>24}{seeds:>10}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Reached, Survey};
    use std::collections::BTreeMap;

    fn survey(scenarios: &[(&str, u64, &[&str])]) -> Survey {
        let ran = scenarios.iter().map(|(name, ran, _)| ((*name).to_owned(), (*ran, 500)));
        let marks = scenarios.iter().flat_map(|(name, _, marks)| {
            marks.iter().map(|mark| ((*mark).to_owned(), Reached::Once((*name).to_owned())))
        });
        Survey { scenarios: ran.collect(), marks: marks.collect() }
    }

    fn seeds(survey: &Survey, seeds: u64) -> BTreeMap<String, u64> {
        survey.share(seeds).into_iter().map(|share| (share.scenario, share.seeds)).collect()
    }

    #[test]
    fn most_seeds_go_where_new_marks_appear() {
        let survey = survey(&[("new", 99, &["one", "two", "three"]), ("old", 99, &[])]);
        let shared = seeds(&survey, 100);
        assert_eq!((shared["new"], shared["old"]), (80, 20), "four to one");
        assert_eq!(survey.share(100)[0].first, 500, "behind those that ran");
    }

    #[test]
    fn what_ran_less_gets_more_and_the_sum_is_what_was_asked_for() {
        let survey = survey(&[("much", 899, &["one"]), ("little", 99, &["two"]), ("none", 0, &[])]);
        for asked in [1, 7, 100, 12_345] {
            let shared = seeds(&survey, asked);
            assert_eq!(shared.values().sum::<u64>(), asked);
            assert!(shared["little"] >= shared["much"], "{shared:?}");
        }
    }
}
