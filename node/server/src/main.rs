//! `billing-node`: one node of a billing cluster as a process.

mod ask;
mod cli;
mod dev;
mod edge;
mod http;
mod init;
mod logging;
mod memory_directory;
mod provider;
mod seal;
mod serve;
mod settings;
mod status;
mod verify;

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::Cli::parse().run()
}
