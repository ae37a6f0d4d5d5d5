//! What the sweep of the original reaches, and a mutant's never does. The gate of the smoke profile
//! demands each of these marks of a sweep five times as large: there such a mutant ends with exit
//! code 13.

use crate::tool_error::ToolError;
use billsim_record::Outcome;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A mark that the original reaches in so many of the same seeds is not missed by chance: once in
/// twenty thousand times, if seeds of a mutant are others (e to the power of -10).
const SURELY_IN: u64 = 10;

/// In how many seeds of a sweep each mark was reached.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Reach(BTreeMap<String, u64>);

impl Reach {
    /// Of these seeds.
    pub(crate) fn of(outcomes: &[Outcome]) -> Self {
        let mut seeds: BTreeMap<String, u64> = BTreeMap::new();
        for outcome in outcomes {
            for (mark, _) in outcome.marks.iter().filter(|(_, count)| **count > 0) {
                *seeds.entry(mark.clone()).or_default() += 1;
            }
        }
        Self(seeds)
    }

    /// The mark that the original surely reaches and these seeds never did; the most frequent of
    /// them.
    pub(crate) fn missed_by(&self, mutant: &Self) -> Option<&str> {
        let surely = self.0.iter().filter(|(_, seeds)| **seeds >= SURELY_IN);
        let missed = surely.filter(|(mark, _)| !mutant.0.contains_key(*mark));
        missed.max_by_key(|(_, seeds)| **seeds).map(|(mark, _)| mark.as_str())
    }

    /// What [`Self::keep`] wrote; `None`: the original has not been tried.
    pub(crate) fn read(file: &Path) -> Result<Option<Self>, ToolError> {
        match fs::read_to_string(file) {
            Ok(text) => serde_json::from_str(&text)
                .map(Some)
                .map_err(|error| ToolError::usage(format!("{}: {error}", file.display()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ToolError::read(file, &error)),
        }
    }

    /// Keeps it for the next call.
    pub(crate) fn keep(&self, file: &Path) -> Result<(), ToolError> {
        let text = serde_json::to_string(self).map_err(ToolError::tool)?;
        fs::write(file, text).map_err(|error| ToolError::write(file, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::Reach;

    fn reach(seeds: &[(&str, u64)]) -> Reach {
        Reach(seeds.iter().map(|(mark, seeds)| ((*mark).to_owned(), *seeds)).collect())
    }

    #[test]
    fn a_mark_is_missed_where_the_original_reaches_it_in_ten_seeds_and_the_mutant_in_none() {
        let original = reach(&[("often", 100), ("surely", 10), ("perhaps", 9)]);
        assert_eq!(original.missed_by(&original), None);
        assert_eq!(original.missed_by(&reach(&[("often", 1), ("surely", 1)])), None);
        assert_eq!(original.missed_by(&reach(&[("often", 1)])), Some("surely"));
        assert_eq!(original.missed_by(&reach(&[])), Some("often"));
    }
}
