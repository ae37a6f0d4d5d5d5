//! `billsim`: the command line of the testbed, and the only part of it that talks.
mod arguments;
mod bundle;
mod commands;
mod comparison;
mod context;
mod corpus;
mod failures;
mod identity;
mod interrupt;
mod logs;
mod machine;
mod merging;
mod mutation;
mod progress;
mod run_directory;
mod shard;
mod stored_run;
mod story;
mod tool_error;
mod waivers;
mod wall_clock;

use arguments::Arguments;
use billsim_record::ExitCode;

fn main() -> std::process::ExitCode {
    let arguments = match Arguments::of_process() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    commands::dispatch(arguments).into()
}

/// Help and version end with 0, everything else that clap refuses is a usage error.
fn usage(error: &clap::Error) -> std::process::ExitCode {
    // A closed terminal cannot be told about itself.
    let _ = error.print();
    if error.use_stderr() { ExitCode::Usage.into() } else { ExitCode::Held.into() }
}
