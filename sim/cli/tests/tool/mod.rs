//! The binary under test, as the tests of the command line start it.

use std::path::Path;
use std::process::{Command, Output};

/// The binary with these arguments, in the root of the repository.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_billsim"));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    command.args(arguments);
    command
}

/// Runs it to its end.
pub(crate) fn billsim(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the binary runs")
}

/// Its exit code.
pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().expect("it was not killed")
}
