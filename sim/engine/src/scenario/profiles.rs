//! Profiles: which scenarios a sweep runs, with how many seeds each. `scenarios/profiles.toml`.
//!
//! The seeds of a profile are the same each time, or those of the commit's tile: seed space in
//! stretches of 2^20, of which each commit has one, so that each night sees seeds that no night
//! before it saw, and a commit's are found again.

use super::ScenarioError;
use super::error::Wrong;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toml::Spanned;
use xxhash_rust::xxh3::xxh3_128;

/// Every profile by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Profiles(pub BTreeMap<String, Profile>);

/// Seeds of a tile.
const TILE: u64 = 1 << 20;
/// There are so many tiles: all seeds fit into the 53 bits of a number in JSON.
const TILES: u64 = 1 << 24;

/// What the seeds of a profile are counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Base {
    /// The first seed of the tile of the commit that is swept.
    Commit,
}

/// What a sweep runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What it is for, in one sentence.
    pub about: String,
    /// Wall time that it is meant for, in seconds: a hint for schedulers, not a limit.
    pub expect_s: Option<u64>,
    /// Shards that it is meant for: a hint for schedulers.
    pub shards: Option<u32>,
    /// What the seeds of its runs are counted from; 0 without it.
    pub base: Option<Base>,
    /// Its runs, in order.
    pub runs: Vec<ProfileRun>,
}

/// Seeds of one scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileRun {
    /// The scenario's name.
    pub scenario: String,
    /// How many seeds; at least 1.
    pub seeds: u64,
    /// The first seed.
    #[serde(default)]
    pub first: u64,
}

impl Profile {
    /// What the seeds of its runs are counted from, at a commit. `None`: they are those of a
    /// commit, and none is known.
    pub fn base(&self, commit: impl FnOnce() -> Option<String>) -> Option<u64> {
        match self.base {
            None => Some(0),
            // `+` marks a tree that was changed.
            Some(Base::Commit) => commit().map(|name| tile(name.trim_end_matches('+')) * TILE),
        }
    }
}

/// The tile of a commit: the last 24 bits of the XXH3 of its name.
fn tile(commit: &str) -> u64 {
    xxh3_128(commit.as_bytes()) as u64 % TILES
}

impl Profiles {
    /// Reads the profiles.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place in the text.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let profiles: Self =
            toml::from_str(text).map_err(|e| ScenarioError::from_toml(name, text, &e))?;
        for (key, profile) in &profiles.0 {
            let wrong = |problem: &str| {
                let path = vec![key.clone(), "runs".to_owned()];
                ScenarioError::from_bound(name, text, &Wrong { path, problem: problem.to_owned() })
            };
            if profile.runs.is_empty() {
                return Err(wrong("a profile needs at least one run"));
            }
            for run in &profile.runs {
                if run.seeds == 0 || run.first.checked_add(run.seeds).is_none() {
                    return Err(wrong("each run needs at least one seed, all below 2^64"));
                }
                if profile.base.is_some() && run.first + run.seeds > TILE {
                    return Err(wrong("the seeds of a commit are those below 2^20 of its tile"));
                }
            }
        }
        Ok(profiles)
    }

    /// The lines, from 1, on which the runs of a profile stand in a text that can be read.
    pub fn lines(text: &str, profile: &str) -> Vec<usize> {
        #[derive(Deserialize)]
        struct Runs {
            runs: Vec<Spanned<toml::Value>>,
        }
        let read: Result<BTreeMap<String, Runs>, _> = toml::from_str(text);
        let runs = read.ok().and_then(|mut read| read.remove(profile));
        let runs = runs.into_iter().flat_map(|of| of.runs);
        runs.map(|run| text[..run.span().start].matches('\n').count() + 1).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nightly(base: &str, seeds: u64) -> Result<Profile, ScenarioError> {
        let runs = format!("[{{ scenario = \"a\", seeds = {seeds}, first = 10 }}]");
        let text = format!("[nightly]\nabout = \"\"\n{base}\nruns = {runs}\n");
        Ok(Profiles::parse("profiles.toml", &text)?.0.remove("nightly").expect("it is there"))
    }

    #[test]
    fn each_commit_has_a_tile_and_finds_it_again() {
        let profile = nightly("base = \"commit\"", 5).expect("it is right");
        let base =
            |commit: &str| profile.base(|| Some(commit.to_owned())).expect("a commit is known");
        let commits: Vec<String> = (0..500).map(|number| format!("{number:040x}")).collect();
        let bases: std::collections::BTreeSet<u64> = commits.iter().map(|of| base(of)).collect();
        assert_eq!(bases.len(), commits.len(), "no two of these share a tile");
        assert!(bases.iter().all(|base| base % TILE == 0 && *base < 1 << 44));
        assert_eq!(base("abc"), base("abc+"), "a changed tree has the seeds of its commit");
        assert_eq!(profile.base(|| None), None);
    }

    #[test]
    fn without_a_base_nobody_asks_for_the_commit() {
        let profile = nightly("", 5).expect("it is right");
        assert_eq!(profile.base(|| unreachable!("no base")), Some(0));
    }

    #[test]
    fn a_run_stays_in_its_tile_and_a_base_is_known() {
        let error = nightly("base = \"commit\"", 1 << 20).expect_err("it is too long");
        assert!(error.to_string().contains("below 2^20 of its tile"), "{error}");
        let error = nightly("base = \"moon\"", 5).expect_err("it is unknown");
        assert!(error.to_string().contains("moon"), "{error}");
    }
}
