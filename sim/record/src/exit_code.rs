//! Exit codes of `billsim` (testbed.md §3). The class of the promise that broke is the code.

/// How `billsim` ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
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
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        if other.severity() > self.severity() { other } else { self }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}
