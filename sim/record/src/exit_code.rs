//! Exit codes of `billsim` (testbed.md §3). The class of the promise that broke is the code.

use serde::{Deserialize, Serialize};

/// How `billsim` ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
#[must_use]
pub enum ExitCode {
    /// Everything asked for ran and held.
    Held = 0,
    /// The tool itself failed.
    Tool = 1,
    /// Usage, configuration or scenario error.
    Usage = 2,
    /// Safety violated.
    Safety = 10,
    /// Liveness violated.
    Liveness = 11,
    /// Same input, other trace: all verdicts are void.
    Nondeterminism = 12,
    /// A required event never happened, or an oracle compared nothing.
    Coverage = 13,
    /// A canary survived.
    CanarySurvived = 14,
    /// Budget over, shards missing, or interrupted.
    Incomplete = 20,
    /// This revision cannot be judged.
    CannotJudge = 125,
}

impl ExitCode {
    /// Larger is worse: 12, 10, 11, 14, 13, 20, then the rest.
    pub fn severity(self) -> u8 {
        match self {
            Self::Nondeterminism => 9,
            Self::Safety => 8,
            Self::Liveness => 7,
            Self::CanarySurvived => 6,
            Self::Coverage => 5,
            Self::Incomplete => 4,
            Self::Tool => 3,
            Self::Usage => 2,
            Self::CannotJudge => 1,
            Self::Held => 0,
        }
    }

    /// The worse of two.
    pub fn worse(self, other: Self) -> Self {
        if other.severity() > self.severity() { other } else { self }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::ExitCode::{
        CanarySurvived, CannotJudge, Coverage, Held, Incomplete, Liveness, Nondeterminism, Safety,
        Tool, Usage,
    };

    #[test]
    fn the_worst_wins_in_the_documented_order() {
        let order = [
            Nondeterminism,
            Safety,
            Liveness,
            CanarySurvived,
            Coverage,
            Incomplete,
            Tool,
            Usage,
            CannotJudge,
            Held,
        ];
        for (place, worse) in order.into_iter().enumerate() {
            for better in order.into_iter().skip(place) {
                assert_eq!(worse.worse(better), worse);
                assert_eq!(better.worse(worse), worse);
            }
        }
    }

    #[test]
    fn the_numbers_are_those_that_schedulers_know() {
        let numbers = [
            (Held, 0),
            (Tool, 1),
            (Usage, 2),
            (Safety, 10),
            (Liveness, 11),
            (Nondeterminism, 12),
            (Coverage, 13),
            (CanarySurvived, 14),
            (Incomplete, 20),
            (CannotJudge, 125),
        ];
        for (code, number) in numbers {
            assert_eq!(code as u8, number);
        }
        assert_eq!(Held.severity(), 0);
    }
}
