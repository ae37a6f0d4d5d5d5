//! `billing-node`, one node of a billing cluster as a process. A library only so that its fuzzers
//! can reach what clients send; the program is [`run`].

mod archive;
mod ask;
mod cli;
mod dev;
mod edge;
mod http;
mod import;
mod init;
mod logging;
mod mail;
mod memory_directory;
mod provider;
mod rebuild;
mod restore;
mod seal;
mod serve;
mod service;
mod settings;
mod status;
mod verify;

use billing_wire::Command;
use clap::Parser as _;
use std::process::ExitCode;

/// Runs the program: reads the command line, and says how the process ends.
pub fn run() -> ExitCode {
    cli::Cli::parse().run()
}

/// The command of a body that a client posts, if it is one; `which` numbers the writes. For
/// fuzzers.
pub fn command_of_body(which: u8, body: &[u8]) -> Option<Command> {
    http::writes::command_of_body(which, body)
}
