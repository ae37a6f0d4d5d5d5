//! What can go wrong with the tool itself, and the exit code that says so.

use billsim_record::ExitCode;
use std::fmt;
use std::path::Path;

/// An error with its exit code.
#[derive(Debug)]
pub(crate) struct ToolError {
    /// How the process ends.
    pub(crate) code: ExitCode,
    message: String,
}

impl ToolError {
    /// The user asked for something that cannot be.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self { code: ExitCode::Usage, message: message.to_string() }
    }

    /// The tool failed.
    pub(crate) fn tool(message: impl fmt::Display) -> Self {
        Self { code: ExitCode::Tool, message: message.to_string() }
    }

    /// This binary or tree is not the one that could say.
    pub(crate) fn cannot_judge(message: impl fmt::Display) -> Self {
        Self { code: ExitCode::CannotJudge, message: message.to_string() }
    }

    /// Two runs that must be the same are not.
    pub(crate) fn nondeterminism(message: impl fmt::Display) -> Self {
        Self { code: ExitCode::Nondeterminism, message: message.to_string() }
    }

    /// A file that the user named cannot be read.
    pub(crate) fn read(path: &Path, error: &std::io::Error) -> Self {
        Self::usage(format!("{}: {error}", path.display()))
    }

    /// A file cannot be written.
    pub(crate) fn write(path: &Path, error: &std::io::Error) -> Self {
        Self::tool(format!("{}: {error}", path.display()))
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
