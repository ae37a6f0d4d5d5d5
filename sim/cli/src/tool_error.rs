//! What can go wrong with the tool itself, and the exit code that says so.

use billsim_engine::scenario::nearest;
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
        Self::usage(format!("{}: {error}{}", path.display(), perhaps(path, error)))
    }

    /// The same, with what would have been right.
    pub(crate) fn expecting(mut self, what: &str) -> Self {
        self.message = format!("{}; {what}", self.message);
        self
    }

    /// A file cannot be written.
    pub(crate) fn write(path: &Path, error: &std::io::Error) -> Self {
        Self::tool(format!("{}: {error}", path.display()))
    }
}

/// What somebody may have meant who named a file that is not there: one of the same directory.
fn perhaps(path: &Path, error: &std::io::Error) -> String {
    // The parent of a mere name is called by no name at all.
    let parent = |path: &Path| match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Some(Path::new(".").to_path_buf()),
        parent => parent.map(Path::to_path_buf),
    };
    let missing = |path: &&Path| !path.exists() && parent(path).is_some_and(|it| it.is_dir());
    let is_missing = error.kind() == std::io::ErrorKind::NotFound;
    let first = path.ancestors().find(missing).filter(|_| is_missing);
    let near = first.and_then(|missing| {
        let entries = parent(missing)?.read_dir().ok()?.flatten();
        let names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        // Every short name is near every other one.
        let name = missing.file_name()?.to_str().filter(|name| name.len() > 3)?;
        let near = nearest(name, names.iter().map(String::as_str))?;
        Some(missing.with_file_name(near).display().to_string())
    });
    near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default()
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
