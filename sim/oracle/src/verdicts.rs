//! Where every oracle writes what it compared and what it found.

use crate::catalogue::{CATALOGUE, Promise};
use crate::evidence::{Judgement, Violation};
use billing_wire::OpId;
use std::collections::BTreeMap;

/// Violations that are kept; a broken run would otherwise fill memory with the same one.
pub const VIOLATIONS_KEPT_MAX: usize = 256;

/// Counts and findings of all oracles.
#[derive(Debug)]
pub(crate) struct Verdicts {
    compared: [u64; CATALOGUE.len()],
    violations: Vec<Violation>,
    /// Ids of promises whose violations are passed over.
    passed_over: Vec<String>,
}

impl Verdicts {
    pub(crate) fn new() -> Self {
        let compared = [0; CATALOGUE.len()];
        Self { compared, violations: Vec::new(), passed_over: Vec::new() }
    }

    pub(crate) fn pass_over(&mut self, ids: &[String]) {
        self.passed_over = ids.to_vec();
    }

    /// One comparison. When it does not hold, `finding` says shape and detail. Returns `holds`.
    pub(crate) fn check(
        &mut self,
        promise: Promise,
        at: u64,
        operation: Option<OpId>,
        holds: bool,
        finding: impl FnOnce() -> (String, String),
    ) -> bool {
        self.compared[promise as usize] += 1;
        let (oracle, words) = CATALOGUE[promise as usize];
        let is_kept = self.violations.len() < VIOLATIONS_KEPT_MAX;
        if !holds && is_kept && !self.passed_over.iter().any(|id| id == oracle) {
            let (shape, detail) = finding();
            let transaction = operation.map(|op_id| op_id.to_string());
            self.violations.push(Violation {
                oracle,
                promise: words,
                shape,
                detail,
                transaction,
                at,
            });
        }
        holds
    }

    /// Whether an oracle found something wrong with an operation.
    pub(crate) fn accuses(&self, oracle: &str, operation: OpId) -> bool {
        let name = || operation.to_string();
        let of_oracle = |found: &&Violation| found.oracle == oracle;
        self.violations.iter().filter(of_oracle).any(|found| found.transaction == Some(name()))
    }

    pub(crate) fn first(&self) -> Option<&Violation> {
        self.violations.first()
    }

    pub(crate) fn into_judgement(self) -> Judgement {
        let ids = CATALOGUE.iter().map(|(id, _)| *id);
        let comparisons: BTreeMap<_, _> = ids.zip(self.compared).collect();
        Judgement { violations: self.violations, comparisons, ..Judgement::default() }
    }
}
