//! `ci/gate.toml`: what a run of a profile must show before it may release something. What is
//! exempt is listed with its reason, and an exemption that is not needed fails as well: the list is
//! a census, not a drawer.

use serde::Deserialize;
use std::collections::BTreeMap;
use thiserror::Error;

/// What the gate demands of a run of one profile.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What it is for, in one line.
    pub about: String,
    /// The binary must be of a committed tree.
    pub committed_tree: bool,
    /// The share of seeds that ran a second time, in another way, to the same trace, in percent.
    pub checked_percent_at_least: u8,
    /// Acknowledged transactions of all seeds, at least.
    pub acknowledged_at_least: u64,
    /// With no failure the failure rate must lie below this at 95 %, in parts per million.
    pub failure_rate_below_ppm: u64,
    /// Things that were not waited for or not compared, per thousand seeds, at most.
    pub excuses_per_thousand_seeds: u64,
    /// Whether the planted bugs of the same commit must have been shown to be caught.
    pub canaries_required: bool,
    /// Whether failures that `ci/waivers.toml` lists may pass; what ships waives nothing.
    pub waivers_allowed: bool,
    /// What must be known of mutants of the node's source; nothing where it is absent.
    #[serde(default)]
    pub mutants: Option<MutantPolicy>,
    /// Oracles that compare nothing in this profile, each with its reason.
    #[serde(default)]
    pub silent_oracles: BTreeMap<String, String>,
    /// Marks that this profile does not reach, each with its reason.
    #[serde(default)]
    pub unreached_marks: BTreeMap<String, String>,
    /// Fault kinds that this profile plans and that no node can see, each with its reason.
    #[serde(default)]
    pub unseen_faults: BTreeMap<String, String>,
}

/// What the gate demands of mutants.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MutantPolicy {
    /// For each module of the node: mutants that were tried, at least.
    pub tried_at_least: BTreeMap<String, u64>,
    /// The share of them that sweeps killed, at least, in percent.
    pub killed_percent_at_least: u64,
}

/// Every policy, by the name of its profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies(BTreeMap<String, Policy>);

/// A policy file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// Not TOML, a missing or unknown key, a value of another kind.
    #[error("{file}: {message}")]
    Malformed {
        /// The file.
        file: String,
        /// What is wrong, and where.
        message: String,
    },
    /// An exemption without a reason.
    #[error("{file}: [{profile}] exempts '{name}' without a reason: say why in the value")]
    NoReason {
        /// The file.
        file: String,
        /// The profile.
        profile: String,
        /// What is exempt.
        name: String,
    },
    /// No policy for a profile.
    #[error("{file}: no policy for profile '{profile}'; there are {known}")]
    Unknown {
        /// The file.
        file: String,
        /// The profile.
        profile: String,
        /// Profiles that have one.
        known: String,
    },
}

impl Policies {
    /// Reads the text of a policy file; `file` is its name in errors.
    ///
    /// # Errors
    /// [`PolicyError::Malformed`], [`PolicyError::NoReason`].
    pub fn parse(file: &str, text: &str) -> Result<Self, PolicyError> {
        let policies: BTreeMap<String, Policy> = toml::from_str(text).map_err(|error| {
            PolicyError::Malformed { file: file.to_owned(), message: error.to_string() }
        })?;
        for (profile, policy) in &policies {
            let oracles_and_marks = policy.silent_oracles.iter().chain(&policy.unreached_marks);
            let mut exempt = oracles_and_marks.chain(&policy.unseen_faults);
            if let Some((name, _)) = exempt.find(|(_, reason)| reason.trim().is_empty()) {
                let (file, profile) = (file.to_owned(), profile.clone());
                return Err(PolicyError::NoReason { file, profile, name: name.clone() });
            }
        }
        Ok(Self(policies))
    }

    /// The policy of a profile.
    ///
    /// # Errors
    /// [`PolicyError::Unknown`].
    pub fn of(&self, file: &str, profile: &str) -> Result<&Policy, PolicyError> {
        self.0.get(profile).ok_or_else(|| PolicyError::Unknown {
            file: file.to_owned(),
            profile: profile.to_owned(),
            known: self.0.keys().cloned().collect::<Vec<_>>().join(", "),
        })
    }
}
