//! Going on with a sweep that was interrupted or killed: what it notes of itself on its way, and
//! how that is read back. What it comes to is the same as without the interruption.

use crate::commands::sweep::Results;
use crate::stored_run;
use crate::tool_error::ToolError;
use billsim_record::Checkpoint;
use billsim_record::checkpoint::{CHECKPOINT_FORMAT, Unpaired};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What ran before.
#[derive(Debug, Clone, Default)]
pub(super) struct Done {
    /// Places of the plans that run first.
    pub(super) plans: BTreeSet<usize>,
    /// Seeds, at least once.
    pub(super) seeds: BTreeSet<(String, u64)>,
    /// Those of them whose second run is still to come.
    pub(super) unpaired: BTreeSet<(String, u64)>,
}

impl Results<'_> {
    /// Writes how far it is.
    pub(super) fn checkpoint(&self, elapsed: Duration) -> Result<(), ToolError> {
        let unpaired = self.first_hash.iter().map(|((scenario, seed), hash)| Unpaired {
            scenario: scenario.clone(),
            seed: *seed,
            trace_hash: hash.clone(),
        });
        let latency = self.latency.iter();
        let latency = latency.map(|(name, of)| Ok((name.clone(), packed(of)?)));
        self.directory.write_checkpoint(&Checkpoint {
            format: CHECKPOINT_FORMAT,
            outcomes_bytes: self.directory.written(),
            wall_ms: elapsed.as_millis() as u64,
            regressions: self.done.plans.iter().copied().collect(),
            unpaired: unpaired.collect(),
            latency: latency.collect::<Result<BTreeMap<_, _>, ToolError>>()?,
            recovery: self.recovery.as_ref().map(packed).transpose()?,
        })
    }

    /// Takes over what ran before; returns how long that took.
    pub(super) fn restore(&mut self, checkpoint: &Checkpoint) -> Result<Duration, ToolError> {
        let mut runs: BTreeMap<(String, u64), u64> = BTreeMap::new();
        let path = self.directory.path().to_path_buf();
        stored_run::each_outcome(&path.join("outcomes.jsonl"), |outcome| {
            *runs.entry((outcome.scenario.clone(), outcome.seed)).or_default() += 1;
            self.tally.add(outcome);
        })?;
        self.done.plans = checkpoint.regressions.iter().copied().collect();
        // A plan's outcome looks like that of its seed: each stands for one line.
        for plan in &checkpoint.regressions {
            let Some(plan) = self.work.regressions.get(*plan) else { continue };
            if let Some(lines) = runs.get_mut(&(plan.scenario.clone(), plan.seed)) {
                *lines = lines.saturating_sub(1);
            }
        }
        runs.retain(|_, lines| *lines > 0);
        self.done.seeds = runs.into_keys().collect();
        for Unpaired { scenario, seed, trace_hash } in &checkpoint.unpaired {
            let key = (scenario.clone(), *seed);
            self.done.unpaired.insert(key.clone());
            self.first_hash.insert(key, trace_hash.clone());
        }
        for (scenario, text) in &checkpoint.latency {
            self.latency.insert(scenario.clone(), unpacked(text)?);
        }
        self.recovery = checkpoint.recovery.as_deref().map(unpacked).transpose()?;
        self.failures.restore(&path, &self.tally)?;
        Ok(Duration::from_millis(checkpoint.wall_ms))
    }
}

/// A histogram as text.
fn packed(histogram: &Histogram<u64>) -> Result<String, ToolError> {
    let mut bytes = Vec::new();
    V2Serializer::new()
        .serialize(histogram, &mut bytes)
        .map_err(|error| ToolError::tool(format!("latency histogram: {error:?}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn unpacked(text: &str) -> Result<Histogram<u64>, ToolError> {
    let wrong = || ToolError::usage("the checkpoint holds a histogram that is none");
    let digits = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok())
    };
    let bytes: Vec<u8> = digits.map(byte).collect::<Option<_>>().ok_or_else(wrong)?;
    Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::{packed, unpacked};
    use hdrhistogram::Histogram;

    #[test]
    fn a_histogram_is_read_back_as_it_was() {
        let mut histogram: Histogram<u64> = Histogram::new_with_max(600_000_000, 3).unwrap();
        (1..2_000).for_each(|n| histogram.record(n * n).unwrap());
        assert_eq!(unpacked(&packed(&histogram).unwrap()).unwrap(), histogram);
        for wrong in ["", "0", "zz", "00ff"] {
            assert!(unpacked(wrong).is_err(), "{wrong}");
        }
    }
}
