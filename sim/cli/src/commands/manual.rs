//! `billsim completions` and `billsim man`: what shells and `man` know of this command line, made
//! of the same text as `--help`.

use crate::arguments::{Arguments, Completions, Man};
use crate::context::say;
use crate::tool_error::ToolError;
use billsim_record::ExitCode;
use clap::CommandFactory;
use std::fs;

pub(crate) fn completions(arguments: &Completions) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "billsim", &mut script);
    say(&String::from_utf8_lossy(&script));
    ExitCode::Held
}

pub(crate) fn man(arguments: &Man) -> Result<ExitCode, ToolError> {
    let directory = &arguments.directory;
    let failed = |error: std::io::Error| ToolError::write(directory, &error);
    fs::create_dir_all(directory).map_err(failed)?;
    clap_mangen::generate_to(Arguments::command(), directory).map_err(failed)?;
    say(&format!("man {}\n", directory.join("billsim.1").display()));
    Ok(ExitCode::Held)
}
