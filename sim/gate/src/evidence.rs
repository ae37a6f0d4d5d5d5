//! The evidence behind a judgement: one JSON document whose parts are chained by their digests, so
//! that none can be changed without changing the last. It names every seed with its trace hash:
//! who doubts it runs some of them again.

use crate::canaries::CanaryShown;
use crate::claims::Claim;
use crate::mutants::MutantShown;
use billsim_record::{Conclusion, FaultTally, Manifest};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// The format that this release writes and reads.
pub const EVIDENCE_FORMAT: u32 = 3;

/// What one seed's run was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedTrace {
    /// The seed.
    pub seed: u64,
    /// Its trace hash.
    pub trace_hash: String,
}

/// A link of the chain of digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The part that it is of.
    pub part: String,
    /// BLAKE3 over the link before, the part's name and its JSON, in hexadecimal.
    pub digest: String,
}

/// Everything that a judgement rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Version of this format.
    pub format: u32,
    /// The profile whose policy was applied.
    pub profile: String,
    /// BLAKE3 of the policy file, in hexadecimal.
    pub policy_hash: String,
    /// The last digest of the evidence before this one, where there is one.
    pub after: Option<String>,
    /// What was asked for, of which code.
    pub manifest: Manifest,
    /// How it ended.
    pub conclusion: Conclusion,
    /// What the gate says of it.
    pub claims: Vec<Claim>,
    /// What became of the planted bugs, where that was shown.
    pub canaries: Vec<CanaryShown>,
    /// What became of mutants of the node's source, where that was shown.
    pub mutants: Vec<MutantShown>,
    /// Armed, fired and observed per fault kind.
    pub faults: BTreeMap<String, FaultTally>,
    /// Comparisons per oracle.
    pub comparisons: BTreeMap<String, u64>,
    /// Hits per mark.
    pub marks: BTreeMap<String, u64>,
    /// What was not waited for or not compared.
    pub excuses: BTreeMap<String, u64>,
    /// The seeds of each scenario that the manifest plans, in order.
    pub seeds: BTreeMap<String, Vec<SeedTrace>>,
    /// Digests, one per part above, in that order.
    pub chain: Vec<Link>,
}

/// Evidence that cannot be believed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EvidenceError {
    /// Not a document of this format.
    #[error("not evidence of a gate: {0}")]
    Malformed(String),
    /// Of another release.
    #[error("evidence of format {found}, this release reads {EVIDENCE_FORMAT}")]
    Format {
        /// Its format.
        found: u32,
    },
    /// A part does not match its digest.
    #[error("part '{part}' was changed after the gate wrote it: its digest differs")]
    Changed {
        /// The first part that differs.
        part: String,
    },
}

impl Evidence {
    /// Fills in the chain.
    #[must_use]
    pub fn chained(mut self) -> Self {
        self.chain = self.digests();
        self
    }

    /// The digest of all of it.
    pub fn digest(&self) -> &str {
        self.chain.last().map_or("", |link| &link.digest)
    }

    /// Reads evidence and checks its chain.
    ///
    /// # Errors
    /// All of [`EvidenceError`].
    pub fn read(text: &str) -> Result<Self, EvidenceError> {
        let malformed = |error: serde_json::Error| EvidenceError::Malformed(error.to_string());
        let evidence: Self = serde_json::from_str(text).map_err(malformed)?;
        if evidence.format != EVIDENCE_FORMAT {
            return Err(EvidenceError::Format { found: evidence.format });
        }
        let expected = evidence.digests();
        let is_changed = |(place, link): &(usize, &Link)| evidence.chain.get(*place) != Some(*link);
        if let Some((_, link)) = expected.iter().enumerate().find(is_changed) {
            return Err(EvidenceError::Changed { part: link.part.clone() });
        }
        Ok(evidence)
    }

    /// As a document for people and programs.
    pub fn pretty(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("plain data is JSON");
        text.push('\n');
        text
    }

    fn digests(&self) -> Vec<Link> {
        let header = (self.format, &self.profile, &self.policy_hash, &self.after);
        let parts = [
            ("header", json(&header)),
            ("manifest", json(&self.manifest)),
            ("conclusion", json(&self.conclusion)),
            ("claims", json(&self.claims)),
            ("canaries", json(&self.canaries)),
            ("mutants", json(&self.mutants)),
            ("faults", json(&self.faults)),
            ("comparisons", json(&self.comparisons)),
            ("marks", json(&self.marks)),
            ("excuses", json(&self.excuses)),
            ("seeds", json(&self.seeds)),
        ];
        let mut before = String::new();
        let link = |(part, json): (&str, String)| {
            let mut hasher = blake3::Hasher::new();
            for piece in [before.as_str(), part, &json] {
                hasher.update(&(piece.len() as u64).to_le_bytes());
                hasher.update(piece.as_bytes());
            }
            before = hasher.finalize().to_hex().to_string();
            Link { part: part.to_owned(), digest: before.clone() }
        };
        parts.into_iter().map(link).collect()
    }
}

fn json<T: Serialize>(part: &T) -> String {
    serde_json::to_string(part).expect("plain data is JSON")
}
