//! `seal`: an operator declares regions lost, for good.

use crate::ask::{AskError, ask};
use clap::Args;
use thiserror::Error;

/// Declare regions lost for good, so that the others no longer wait for them
///
/// Do this when a region will not come back soon and `final` answers matter: two nodes of each
/// region that is left say where the lost logs end and take no more of them, the longest copy
/// becomes the end, and what is behind it, on any disk, is logged again when the region returns.
/// Nothing that was answered `geo` or `final` is lost, if regions are sealed one after the other. A
/// region that somebody still hears is not sealed.
#[derive(Debug, Args)]
pub(crate) struct Seal {
    /// Names of the lost regions
    #[arg(required = true, value_name = "REGION")]
    regions: Vec<String>,
    /// Nodes of a region that is left; the one that leads it does the work
    #[arg(long = "url", default_value = "http://127.0.0.1:8100")]
    urls: Vec<String>,
    /// Seal although somebody hears the region, or several regions at once: what only these hold is
    /// then lost, whatever was answered
    #[arg(long)]
    force: bool,
}

/// Why the regions are not sealed.
#[derive(Debug, Error)]
pub(crate) enum SealError {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("{url} does not seal ({status}): {body}")]
    Refused { url: String, status: String, body: String },
}

impl Seal {
    #[expect(clippy::print_stdout, reason = "the command line talks to people")]
    pub(crate) fn run(self) -> Result<(), SealError> {
        let body = serde_json::json!({ "regions": self.regions, "force": self.force }).to_string();
        let mut failed = None;
        for url in self.urls {
            match ask(&url, "POST /v1/seal", &body) {
                Ok(reply) if reply.is_ok() => {
                    println!("{}", reply.body);
                    return Ok(());
                }
                Ok(reply) => {
                    let (status, body) = (reply.status, reply.body);
                    let may_be_another = status.starts_with("503");
                    failed = Some(SealError::Refused { url, status, body });
                    if !may_be_another {
                        break;
                    }
                }
                Err(error) => failed = failed.or(Some(error.into())),
            }
        }
        failed.map_or(Ok(()), Err)
    }
}
