//! What every command shares: the canary that is planted, the corpus, where words go.

use crate::tool_error::ToolError;
use std::io::Write;

/// Prints to stdout; a closed pipe ends the printing, not the run.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints to stderr.
pub(crate) fn warn(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Plants a bug into the node of this process.
#[cfg(feature = "canaries")]
pub(crate) fn plant(name: Option<&str>) -> Result<(), ToolError> {
    let Some(name) = name else { return Ok(()) };
    if billsim_engine::canaries::select(Some(name)) {
        return Ok(());
    }
    let known: Vec<&str> = billsim_engine::canaries::catalogue().map(|(name, _)| name).collect();
    Err(ToolError::usage(format!("no canary '{name}'; known are {}", known.join(", "))))
}

/// This build has no planted bugs.
#[cfg(not(feature = "canaries"))]
pub(crate) fn plant(name: Option<&str>) -> Result<(), ToolError> {
    match name {
        None => Ok(()),
        Some(_) => Err(ToolError::usage(
            "this build holds no planted bugs: they live in a build of their own, `cargo canary`",
        )),
    }
}

/// How this binary is called in a command that people copy, with the bug that was planted.
pub(crate) fn invocation(canary: Option<&str>) -> String {
    let binary = if cfg!(feature = "canaries") {
        "cargo run --release --target-dir target/canary --package billsim --features canaries --"
    } else {
        "cargo sim"
    };
    canary.map_or_else(|| binary.to_owned(), |name| format!("{binary} --canary {name}"))
}

/// Seeds at a time: what was asked for, or one per core.
pub(crate) fn jobs(asked: usize) -> usize {
    match asked {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        jobs => jobs,
    }
}
