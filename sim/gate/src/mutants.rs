//! What became of the mutants of the node's source, as `billsim mutate` writes it: how much of
//! what may go wrong in the code the instrument of the same commit sees.

use crate::claims::Note;
use crate::policy::MutantPolicy;
use billsim_record::{ExitCode, Manifest};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// Quantile of the normal distribution for two-sided 95 %.
const Z: f64 = 1.959_964;

/// How a mutant ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MutantEnd {
    /// A seed failed.
    KilledBySweep,
    /// All seeds held; a unit test failed.
    KilledByTests,
    /// The sweep did not end in its time: nobody would release that, but no oracle said why.
    Timeout,
    /// Neither a seed nor a test failed.
    Survived,
    /// It survived, and does what the original does: `ci/mutants.toml` says why.
    Equivalent,
    /// The compiler refuses it.
    DoesNotBuild,
}

/// What became of one mutant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MutantShown {
    /// File, place and change, as cargo-mutants names it.
    pub mutant: String,
    /// The module of the node that it is in.
    pub module: String,
    /// What became of it.
    pub end: MutantEnd,
    /// The oracle that saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oracle: Option<String>,
    /// Seeds until then; all that ran, where none failed.
    pub seeds: u64,
    /// The commit of the code that was mutated.
    pub commit: String,
}

impl MutantShown {
    /// The change without its place: what `ci/mutants.toml` names, because lines move.
    pub fn change(mutant: &str) -> String {
        let mut parts = mutant.splitn(4, ':');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(file), Some(_), Some(_), Some(change)) => format!("{file}:{change}"),
            _ => mutant.to_owned(),
        }
    }

    /// Reads a list, a document a line.
    ///
    /// # Errors
    /// [`MutantsError`].
    pub fn read_all(text: &str) -> Result<Vec<Self>, MutantsError> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let read = |(place, line): (usize, &str)| {
            serde_json::from_str(line)
                .map_err(|error| MutantsError { line: place + 1, message: error.to_string() })
        };
        lines.map(read).collect()
    }
}

/// A list of mutants that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line} is no result of `billsim mutate`: {message}")]
pub struct MutantsError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

/// Mutants that do what the original does, as `ci/mutants.toml` lists them, with their reasons.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Equivalents {
    #[serde(default)]
    equivalent: BTreeMap<String, String>,
}

impl Equivalents {
    /// Reads the list: changes without their places, each with the reason.
    ///
    /// # Errors
    /// What is wrong with the text, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let list: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        match list.equivalent.iter().find(|(_, reason)| reason.trim().is_empty()) {
            Some((change, _)) => Err(format!("'{change}' is listed without a reason")),
            None => Ok(list),
        }
    }

    /// Whether a mutant is listed.
    pub fn holds(&self, mutant: &str) -> bool {
        self.equivalent.contains_key(&MutantShown::change(mutant))
    }
}

/// What became of the mutants of one module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModuleScore {
    /// How many ended in each way.
    pub ends: BTreeMap<MutantEnd, u64>,
    /// Seeds that it took, of those that a sweep killed, in order.
    pub seeds_to_kill: Vec<u64>,
}

impl ModuleScore {
    /// How many ended so.
    pub fn of(&self, end: MutantEnd) -> u64 {
        self.ends.get(&end).copied().unwrap_or(0)
    }

    /// Mutants that count: they build, and are not what the original is.
    pub fn counted(&self) -> u64 {
        let all: u64 = self.ends.values().sum();
        all - self.of(MutantEnd::DoesNotBuild) - self.of(MutantEnd::Equivalent)
    }

    /// The share that sweeps killed, between its bounds at 95 %.
    pub fn by_sweeps(&self) -> [f64; 3] {
        interval(self.of(MutantEnd::KilledBySweep), self.counted())
    }

    /// Seeds until the middle one of those that were killed died.
    pub fn median_seeds(&self) -> Option<u64> {
        self.seeds_to_kill.get(self.seeds_to_kill.len().checked_sub(1)? / 2).copied()
    }
}

/// The score of each module. A mutant that was shown twice counts once.
pub fn scores(shown: &[MutantShown]) -> BTreeMap<String, ModuleScore> {
    let mut scores: BTreeMap<String, ModuleScore> = BTreeMap::new();
    let once: BTreeMap<&str, &MutantShown> =
        shown.iter().map(|one| (one.mutant.as_str(), one)).collect();
    for one in once.into_values() {
        let score = scores.entry(one.module.clone()).or_default();
        *score.ends.entry(one.end).or_default() += 1;
        if one.end == MutantEnd::KilledBySweep {
            score.seeds_to_kill.push(one.seeds);
        }
    }
    scores.values_mut().for_each(|score| score.seeds_to_kill.sort_unstable());
    scores
}

/// A share of `all`, with the bounds of Wilson's interval at 95 % around it: low, share, high.
/// E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
pub(crate) fn interval(some: u64, all: u64) -> [f64; 3] {
    if all == 0 {
        return [0.0, 0.0, 1.0];
    }
    let (n, p) = (all as f64, some as f64 / all as f64);
    let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let (middle, scale) = (p + Z * Z / (2.0 * n), 1.0 + Z * Z / n);
    [((middle - spread) / scale).max(0.0), p, ((middle + spread) / scale).min(1.0)]
}

/// What a gate says of the mutants that were shown.
pub(crate) fn judge(
    policy: Option<&MutantPolicy>,
    manifest: &Manifest,
    shown: Option<&[MutantShown]>,
    claim: &mut Note<'_>,
) {
    let Some(policy) = policy else { return };
    let least = policy.killed_percent_at_least;
    let Some(shown) = shown else {
        let found = "not shown: give --mutants".to_owned();
        let words = format!("sweeps killed at least {least} % of the mutants of each module");
        return claim(&words, false, found, ExitCode::Incomplete);
    };
    let scores = scores(shown);
    for (module, tried) in &policy.tried_at_least {
        let score = scores.get(module).cloned().unwrap_or_default();
        let counted = score.counted();
        let words = format!("at least {tried} mutants of {module} were tried");
        claim(&words, counted >= *tried, counted.to_string(), ExitCode::Incomplete);
        let [low, share, high] = score.by_sweeps().map(|share| share * 100.0);
        let words = format!("sweeps killed at least {least} % of the mutants of {module}");
        let found = format!("{share:.0} % ({low:.0} to {high:.0} %)");
        claim(&words, share >= least as f64, found, ExitCode::CanarySurvived);
    }
    let others = shown.iter().filter(|one| manifest.commit.as_ref() != Some(&one.commit)).count();
    let words = "the mutants were made of the commit that ran";
    claim(words, others == 0, format!("{others} of another"), ExitCode::Incomplete);
}

/// A table of the scores, for people.
pub fn table(scores: &BTreeMap<String, ModuleScore>) -> String {
    let mut text = format!(
        "{:<12}{:>8}{:>10}{:>10}{:>10}{:>10}{:>12}  {:<22}{:>12}\n",
        "module",
        "mutants",
        "sweep",
        "tests",
        "timeout",
        "survived",
        "no build/=",
        "killed by sweeps",
        "seeds (mid)"
    );
    for (module, score) in scores {
        let [low, share, high] = score.by_sweeps().map(|share| share * 100.0);
        let share = format!("{share:.0} % ({low:.0} to {high:.0} %)");
        let median = score.median_seeds().map_or("–".to_owned(), |seeds| seeds.to_string());
        text.push_str(&format!(
            "{module:<12}{:>8}{:>10}{:>10}{:>10}{:>10}{:>12}  {share:<22}{median:>12}\n",
            score.counted(),
            score.of(MutantEnd::KilledBySweep),
            score.of(MutantEnd::KilledByTests),
            score.of(MutantEnd::Timeout),
            score.of(MutantEnd::Survived),
            score.of(MutantEnd::DoesNotBuild) + score.of(MutantEnd::Equivalent),
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Equivalents, MutantEnd, MutantShown, interval, scores, table};

    fn shown(number: u64, end: MutantEnd, seeds: u64) -> MutantShown {
        let mutant = format!("node/core/src/merge/mod.rs:{number}:9: replace < with <= in next");
        let (module, commit) = ("merge".to_owned(), "abc".to_owned());
        MutantShown { mutant, module, end, oracle: None, seeds, commit }
    }

    #[test]
    fn the_interval_is_wilsons() {
        let rounded = |some, all| interval(some, all).map(|share| (share * 1e4).round() / 1e4);
        // Figures of R's binom::binom.wilson.
        assert_eq!(rounded(32, 40), [0.6524, 0.8, 0.895]);
        assert_eq!(rounded(40, 40), [0.9124, 1.0, 1.0]);
        assert_eq!(rounded(0, 10), [0.0, 0.0, 0.2775]);
        assert_eq!(interval(0, 0), [0.0, 0.0, 1.0]);
    }

    #[test]
    fn what_does_not_build_or_changes_nothing_does_not_count() {
        use MutantEnd as E;
        let ends = [E::KilledBySweep, E::KilledBySweep, E::KilledByTests, E::Survived, E::Timeout];
        let ends = ends.into_iter().chain([E::DoesNotBuild, E::Equivalent, E::KilledBySweep]);
        let mut all: Vec<MutantShown> =
            (1..).zip(ends).map(|(number, end)| shown(number, end, number * 2)).collect();
        all.push(all[0].clone());
        let lines: String =
            all.iter().map(|one| serde_json::to_string(one).unwrap() + "\n").collect();
        assert_eq!(MutantShown::read_all(&lines).unwrap(), all);
        assert_eq!(MutantShown::read_all("\n{}").unwrap_err().line, 2);
        let scores = scores(&all);
        let score = &scores["merge"];
        assert_eq!((score.counted(), score.of(E::KilledBySweep)), (6, 3));
        assert_eq!(score.median_seeds(), Some(4));
        let table = table(&scores);
        assert!(table.lines().nth(1).unwrap().contains("50 % (19 to 81 %)"), "{table}");
    }

    #[test]
    fn what_is_equivalent_says_why() {
        let named = shown(3, MutantEnd::Survived, 8).mutant;
        let list = "[equivalent]\n\"node/core/src/merge/mod.rs: replace < with <= in next\" = ";
        let held = Equivalents::parse(&format!("{list}\"they are never equal\"")).unwrap();
        assert!(held.holds(&named) && !held.holds("a.rs:1:2: replace"));
        assert!(Equivalents::parse(&format!("{list}\" \"")).unwrap_err().contains("a reason"));
        assert!(!Equivalents::parse("").unwrap().holds(&named));
    }

    #[test]
    fn a_change_is_named_without_its_place() {
        let change = MutantShown::change("a/b.rs:12:9: replace < with <= in x::y");
        assert_eq!(change, "a/b.rs: replace < with <= in x::y");
    }
}
