//! The command line: what there is, and how an error ends the process (exit code 1; wrong usage
//! is 2).

use crate::{archive, dev, edge, import, init, rebuild, restore, seal, serve, status, verify};
use clap::{Parser, Subcommand};
use std::error::Error;
use std::process::ExitCode;

/// One node of a billing cluster that never loses a transaction.
///
/// Start here: `billing-node dev --nodes 3 --dir /tmp/billing` runs a whole cluster on this
/// machine and prints commands to try.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the data directory of one node: once, before its first start
    Init(init::Init),
    /// Run one node until ctrl-C or SIGTERM
    Serve(serve::Serve),
    /// Run an edge: clients call it, it calls the nearest region that can commit
    Edge(edge::EdgeCommand),
    /// Ask a running node how it is
    Status(status::Status),
    Seal(seal::Seal),
    Rebuild(rebuild::Rebuild),
    /// Read a stopped node's directory, change nothing, say what is wrong (exit 1)
    Verify(verify::Verify),
    /// Copy what is committed into an archive, or read an archive back
    Archive(archive::ArchiveCommand),
    /// Make directories of a new cluster from an archive, as of a moment
    Restore(restore::Restore),
    /// Send the writes of a file, each exactly once, and verify the outcome
    Import(import::Import),
    /// Run a local cluster on loopback in one command, ready to curl
    Dev(dev::Dev),
}

impl Cli {
    /// Runs the command and says on standard error why it failed.
    #[expect(clippy::print_stderr, reason = "the command line talks to people")]
    pub(crate) fn run(self) -> ExitCode {
        let result = match self.command {
            Command::Init(init) => init.run().map_err(boxed),
            Command::Serve(serve) => serve.run().map_err(boxed),
            Command::Edge(edge) => edge.run().map_err(boxed),
            Command::Status(status) => status.run().map_err(boxed),
            Command::Rebuild(rebuild) => rebuild.run().map_err(boxed),
            Command::Seal(seal) => seal.run().map_err(boxed),
            Command::Verify(verify) => verify.run().map_err(boxed),
            Command::Archive(archive) => archive.run().map_err(boxed),
            Command::Restore(restore) => restore.run().map_err(boxed),
            Command::Import(import) => import.run().map_err(boxed),
            Command::Dev(dev) => dev.run().map_err(boxed),
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        }
    }
}

fn boxed(error: impl Error + 'static) -> Box<dyn Error> {
    Box::new(error)
}
