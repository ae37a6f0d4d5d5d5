//! `rebuild`: brings a region back that lost the disks of two or three of its nodes.

use crate::ask::{AskError, ask};
use clap::Args;
use serde_json::Value;
use std::thread;
use std::time::{Duration, Instant};
use thiserror::Error;

/// Between two looks at the nodes.
const PAUSE: Duration = Duration::from_millis(500);

/// Bring a region back that lost the disks of two or three of its nodes
///
/// Where one disk is lost, `init --lost-disk` is all there is to do. Where no majority of a region
/// remembers what it promised, its log has no leader any more:
///
/// 1. On each machine that lost its disk: `billing-node init --lost-disk --genesis FILE`, with the
///    `genesis` of any other node, and start it. Start the nodes whose disks are whole as well.
///
/// 2. Anywhere: `billing-node rebuild REGION --url LEFT... --node-url LOST...`
///
/// That seals the region: where its log ends is decided by the longest copy on whole disks, in both
/// regions. The nodes take that log by hash from the other region, are let in under a new
/// incarnation, and log again what the seal left out. Nothing that was answered `geo` or `final` is
/// lost. The command ends when every node of the region serves, and has the state of the others; it
/// may be repeated. A region that still has a leader is not sealed.
#[derive(Debug, Args)]
pub(crate) struct Rebuild {
    /// Name of the region that lost its disks
    region: String,
    /// Nodes of a region that is whole
    #[arg(long = "url", required = true, value_name = "URL")]
    urls: Vec<String>,
    /// Every node of the region that lost its disks
    #[arg(long = "node-url", required = true, value_name = "URL")]
    node_urls: Vec<String>,
    /// Give up after so many seconds
    #[arg(long, default_value = "600", value_name = "SECONDS")]
    patience_s: u64,
}

/// Why a region is not rebuilt.
#[derive(Debug, Error)]
pub(crate) enum RebuildError {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("{url} does not seal ({status}): {body}")]
    Refused { url: String, status: String, body: String },
    #[error("region {region} is not back after {patience_s} s: {last}; run it again")]
    Patience { region: String, patience_s: u64, last: String },
}

#[expect(clippy::print_stdout, reason = "the command line talks to people")]
fn say(line: &str) {
    println!("{line}");
}

impl Rebuild {
    #[expect(clippy::disallowed_methods, reason = "a command that has a patience reads a clock")]
    pub(crate) fn run(self) -> Result<(), RebuildError> {
        let began = Instant::now();
        let (mut is_sealed, mut next, mut last) = (false, 0, String::new());
        while began.elapsed().as_secs() < self.patience_s {
            match self.back() {
                Ok(nodes) => {
                    let seconds = began.elapsed().as_secs_f64();
                    say(&format!("region {} is back after {seconds:.1} s", self.region));
                    nodes.iter().for_each(|node| say(node));
                    return Ok(());
                }
                Err(what) => last = what,
            }
            if !is_sealed {
                let url = &self.urls[next % self.urls.len()];
                next += 1;
                match self.seal(url)? {
                    Ok(chains) => {
                        say(&format!("sealed by {url}: {chains}"));
                        is_sealed = true;
                    }
                    Err(why) => last = why,
                }
            }
            thread::sleep(PAUSE);
        }
        let Self { region, patience_s, .. } = self;
        Err(RebuildError::Patience { region, patience_s, last })
    }

    /// Asks for the seal. One that is refused now may be given later, or was given before.
    fn seal(&self, url: &str) -> Result<Result<String, String>, RebuildError> {
        let body = serde_json::json!({ "regions": [self.region] }).to_string();
        Ok(match ask(url, "POST /v1/seal", &body) {
            Ok(reply) if reply.is_ok() => Ok(reply.body.trim().to_owned()),
            Ok(reply) if reply.status.starts_with("400") => {
                let (url, status, body) = (url.to_owned(), reply.status, reply.body);
                return Err(RebuildError::Refused { url, status, body });
            }
            Ok(reply) => Err(format!("{url} answers {}: {}", reply.status, reply.body.trim())),
            Err(error @ AskError::Url(_)) => return Err(error.into()),
            Err(error) => Err(error.to_string()),
        })
    }

    /// Whether every node of the region serves and has the state of the others: a line for each.
    fn back(&self) -> Result<Vec<String>, String> {
        let lost = self.node_urls.iter().map(|url| Ok((url, status(url)?)));
        let lost: Vec<(&String, Value)> = lost.collect::<Result<_, String>>()?;
        let others: Vec<Value> = self.urls.iter().filter_map(|url| status(url).ok()).collect();
        let other = others.first().ok_or("no node of a whole region answers")?;
        if others.iter().any(|other| other["mode"] != "geo") {
            return Err("the regions that are left do not count on this one yet".to_owned());
        }
        let (mut lines, of) = (Vec::with_capacity(lost.len()), |v: &Value, key| v[key].to_string());
        for (url, found) in lost {
            if found["missing_records"] != 0 || found["mode"] != "geo" {
                return Err(format!("{url} still fetches records, or is not durable elsewhere"));
            }
            if found["state_hash"] != other["state_hash"] {
                return Err(format!("{url} has not folded what the others have"));
            }
            let (node, records) = (of(&found, "node"), of(&found, "repaired_records"));
            let hash = of(&found, "state_hash");
            lines.push(format!("node {node}: {records} records fetched, state hash {hash}"));
        }
        Ok(lines)
    }
}

fn status(url: &str) -> Result<Value, String> {
    let reply = ask(url, "GET /readyz", "").map_err(|error| error.to_string())?;
    match serde_json::from_str(&reply.body) {
        Ok(status) if reply.is_ok() => Ok(status),
        _ => Err(format!("{url} cannot serve now ({}): {}", reply.status, reply.body.trim())),
    }
}
