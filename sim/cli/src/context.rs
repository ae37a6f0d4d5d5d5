//! What every command shares: the canary that is planted, the corpus, where words go.

use crate::tool_error::ToolError;
use billsim_engine::scenario::nearest;
use clap::ColorChoice;
use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Names that an error lists.
const NAMED_MAX: usize = 12;

/// Whether verdicts on stdout are coloured.
static IS_COLOURED: AtomicBool = AtomicBool::new(false);

/// Decides about colours. NO_COLOR is <https://no-color.org>: any value but an empty one counts.
pub(crate) fn paint(choice: ColorChoice) {
    let is_unwanted = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_coloured = match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => std::io::stdout().is_terminal() && !is_unwanted(),
    };
    IS_COLOURED.store(is_coloured, Ordering::Relaxed);
}

/// Prints to stdout; a closed pipe ends the printing, not the run.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let text = if IS_COLOURED.load(Ordering::Relaxed) { coloured(text) } else { text.into() };
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// The lines that begin with a verdict in its colour: a person looks for them first.
fn coloured(text: &str) -> Cow<'_, str> {
    let colour = |line: &str| {
        let (word, _) = line.split_once(':')?;
        Some(match word {
            "HELD" => "\u{1b}[1;32m",
            "SAFETY" | "LIVENESS" | "NONDETERMINISM" | "FAILED" => "\u{1b}[1;31m",
            "COVERAGE" | "INCOMPLETE" | "NOT PROVEN" | "WAIVED" => "\u{1b}[1;33m",
            _ => return None,
        })
    };
    if text.lines().all(|line| colour(line).is_none()) {
        return text.into();
    }
    let paint = |line: &str| match colour(line) {
        Some(start) => format!("{start}{}\u{1b}[0m\n", line.trim_end_matches('\n')),
        None => line.to_owned(),
    };
    text.split_inclusive('\n').map(paint).collect::<String>().into()
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
    use billsim_engine::canaries::{catalogue, of_testbed};
    let known: Vec<&str> = catalogue().chain(of_testbed()).map(|(name, _)| name).collect();
    Err(ToolError::usage(format!("no canary '{name}'{}", choices(name, &known, "list canaries"))))
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
    let is_of_cargo = std::env::var_os("CARGO").is_some();
    let binary = called(is_of_cargo, std::env::args().next().as_deref());
    canary.map_or_else(|| binary.clone(), |name| format!("{binary} --canary {name}"))
}

/// As cargo's alias where cargo runs it; else, as in a container, by the name that was typed.
fn called(is_of_cargo: bool, typed: Option<&str>) -> String {
    let with_bugs =
        "cargo run --release --target-dir target/canary --package billsim --features canaries --";
    match typed {
        Some(name) if !is_of_cargo => name.to_owned(),
        _ if cfg!(feature = "canaries") => with_bugs.to_owned(),
        _ => "cargo sim".to_owned(),
    }
}

/// Seeds at a time: what was asked for, or one per core.
pub(crate) fn jobs(asked: usize) -> usize {
    match asked {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        jobs => jobs,
    }
}

/// What there is, after a name that is none of it: all of it where that is little, and the name
/// that may have been meant. `listing` is the command that shows everything.
pub(crate) fn choices(unknown: &str, known: &[&str], listing: &str) -> String {
    let perhaps = nearest(unknown, known.iter().copied());
    let perhaps = perhaps.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
    if known.len() > NAMED_MAX {
        let listing = format!("{} {listing}", invocation(None));
        return format!("; `{listing}` names all {}{perhaps}", known.len());
    }
    format!("; known are {}{perhaps}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::{NAMED_MAX, called, choices, coloured};

    #[test]
    fn verdicts_are_coloured_and_nothing_else_is() {
        assert_eq!(coloured("HELD: yes\nmore: no\n"), "\u{1b}[1;32mHELD: yes\u{1b}[0m\nmore: no\n");
        assert_eq!(coloured("\nnote: SAFETY: x\n"), "\nnote: SAFETY: x\n");
    }

    #[test]
    fn the_nearest_name_is_proposed() {
        let known = ["smoke/crash", "smoke/steady"];
        let told = |name: &str, known: &[&str]| choices(name, known, "list scenarios");
        assert!(told("smoke/crahs", &known).ends_with("did you mean 'smoke/crash'?"));
        assert_eq!(told("zebra", &known), "; known are smoke/crash, smoke/steady");
        assert_eq!(told("x", &["pr", "smoke"]), "; known are pr, smoke", "every name is near x");
        let many = ["smoke/crash"; NAMED_MAX + 1];
        let told = told("smoke/crahs", &many);
        assert!(
            told.ends_with(" list scenarios` names all 13; did you mean 'smoke/crash'?"),
            "{told}"
        );
    }

    #[test]
    fn a_command_to_copy_is_one_that_there_is() {
        assert_eq!(called(false, Some("billsim")), "billsim");
        assert!(called(true, Some("target/release/billsim")).starts_with("cargo "));
        assert!(called(false, None).starts_with("cargo "));
    }
}
