//! Profiles: which scenarios a sweep runs, with how many seeds each. `scenarios/profiles.toml`.

use super::ScenarioError;
use super::error::Wrong;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toml::Spanned;

/// Every profile by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Profiles(pub BTreeMap<String, Profile>);

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
