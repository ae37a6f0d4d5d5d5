//! `status`: asks a running node how it is.

use crate::ask::{AskError, ask};
use clap::Args;
use thiserror::Error;

/// Ask a running node how it is; exits with 1 when it cannot serve.
///
/// Prints what the node answers to `GET /readyz`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Where the node serves clients
    #[arg(long, default_value = "http://127.0.0.1:8100")]
    url: String,
}

/// Why there is no good answer.
#[derive(Debug, Error)]
pub(crate) enum StatusError {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("{url} cannot serve now ({status}): {body}")]
    NotReady { url: String, status: String, body: String },
}

impl Status {
    #[expect(clippy::print_stdout, reason = "the command line talks to people")]
    pub(crate) fn run(self) -> Result<(), StatusError> {
        let url = self.url;
        let reply = ask(&url, "GET /readyz", "")?;
        if !reply.is_ok() {
            return Err(StatusError::NotReady { url, status: reply.status, body: reply.body });
        }
        println!("{}", reply.body);
        Ok(())
    }
}
