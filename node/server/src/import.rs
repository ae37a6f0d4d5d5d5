//! `import`: sends the writes of a file to a cluster, each exactly once however often it is run,
//! and asks at the end what became of each.

mod lines;
mod progress;

use crate::ask::{AskError, Reply, ask_with};
use clap::Args;
use lines::{Line, LineError};
use progress::{Progress, ProgressError};
use serde_json::Value;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};
use thiserror::Error;

/// Pause before the same line is sent again, at first, and the longest.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Progress is kept after so many lines.
const KEPT_EVERY: u64 = 64;

/// Send the writes of a file to a cluster, each exactly once, and verify the outcome.
///
/// A line of the file is a write: `{"write":"payments","key":"UUID","body":{...}}`. `write` is the
/// last part of a write's path (`accounts`, `payments`, `reads`, ...), `body` what is posted there,
/// and `key` its `Idempotency-Key`. Without `key` one is derived from the file's name and the line:
/// the same file gives the same keys, two equal lines two.
///
/// The whole file is checked before anything is sent; then lines are sent one after the other, in
/// order. What was not logged or is not known to be is sent again under the same key, to the next
/// address. Killed or stopped, the same command goes on where it was (`FILE.progress`), and without
/// that file from the beginning: what is logged already is not logged again. At the end every line
/// is asked for: one that is not known is an error, those that were denied are listed and an error
/// as well, with their line numbers.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file, a JSON object per line
    #[arg(value_name = "FILE.jsonl")]
    file: PathBuf,
    /// Nodes or an edge of the cluster
    #[arg(long = "to", value_name = "ADDRESS", default_value = "http://127.0.0.1:8100")]
    to: Vec<String>,
    /// So many lines per second, at most
    #[arg(long, value_name = "N", default_value = "200")]
    rate: NonZeroU32,
    /// Give up when a line was not taken for so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "300")]
    patience_s: u64,
}

/// Why a file is not imported, or not all of it.
#[derive(Debug, Error)]
pub(crate) enum ImportError {
    #[error(transparent)]
    Line(#[from] LineError),
    #[error(transparent)]
    Progress(#[from] ProgressError),
    #[error("{file}:{line}: refused ({status}): {body}; nothing behind it was sent")]
    Refused { file: String, line: u64, status: String, body: String },
    #[error("{file}:{line}: not taken within {patience_s} s, at last: {last}; run it again")]
    Patience { file: String, line: u64, patience_s: u64, last: String },
    #[error("{file}:{line}: sent, and not final within {patience_s} s (key {key}): {last}")]
    NotFinal { file: String, line: u64, patience_s: u64, key: String, last: String },
    #[error("{0} line(s) were denied, listed above: everything else is logged")]
    Denied(usize),
}

#[expect(clippy::print_stdout, reason = "the command line talks to people")]
fn say(line: &str) {
    println!("{line}");
}

impl Import {
    pub(crate) fn run(self) -> Result<(), ImportError> {
        let lines = lines::read(&self.file)?;
        let mut progress = Progress::open(&self.file, lines.digest)?;
        let (lines, done) = (lines.lines, progress.done());
        let mut work = Work {
            file: self.file.display().to_string(),
            to: self.to,
            next_to: 0,
            patience: Duration::from_secs(self.patience_s),
            gap: Duration::from_secs(1) / self.rate.get(),
            due: now(),
        };
        if done > 0 {
            say(&format!("going on behind line {done}"));
        }
        let began = now();
        let (mut sent, mut replayed) = (0_u64, 0_u64);
        for line in lines.iter().filter(|line| line.number > done) {
            replayed += u64::from(work.send(line)?);
            sent += 1;
            progress.note(line.number, sent.is_multiple_of(KEPT_EVERY))?;
        }
        progress.note(lines.last().map_or(0, |line| line.number), true)?;
        let seconds = began.elapsed().as_secs_f64();
        say(&format!("sent {sent} lines in {seconds:.1} s, {replayed} of them were logged before"));
        work.verify(&lines)
    }
}

#[expect(clippy::disallowed_methods, reason = "a command that keeps a rate reads a clock")]
fn now() -> Instant {
    Instant::now()
}

struct Work {
    file: String,
    to: Vec<String>,
    next_to: usize,
    patience: Duration,
    /// Time between two lines.
    gap: Duration,
    /// When the next one may leave.
    due: Instant,
}

impl Work {
    /// Sends a line until it is known to be logged; whether it was before.
    fn send(&mut self, line: &Line) -> Result<bool, ImportError> {
        let key = line.key.to_string();
        let request = format!("POST /v1/{}", line.write);
        let header = [("idempotency-key", key.as_str())];
        let reply = self.insist(line, |to| {
            ask_with(to, &request, &header, &line.body).map(|reply| (is_definite(&reply), reply))
        })?;
        match reply.status.split(' ').next() {
            Some("200") => Ok(true),
            Some("201" | "202") => Ok(false),
            _ => {
                let (status, body) = (reply.status, reply.body.trim().to_owned());
                Err(ImportError::Refused {
                    file: self.file.clone(),
                    line: line.number,
                    status,
                    body,
                })
            }
        }
    }

    /// Asks one address after the other until there is a definite answer.
    fn insist(
        &mut self,
        line: &Line,
        ask: impl Fn(&str) -> Result<(bool, Reply), AskError>,
    ) -> Result<Reply, ImportError> {
        let began = now();
        let mut pause = PAUSE;
        thread::sleep(self.due.saturating_duration_since(began));
        self.due = self.due.max(began) + self.gap;
        loop {
            let last = match ask(&self.to[self.next_to]) {
                Ok((true, reply)) => return Ok(reply),
                Ok((false, reply)) => format!("{} {}", reply.status, reply.body.trim()),
                Err(error) => error.to_string(),
            };
            self.next_to = (self.next_to + 1) % self.to.len();
            if began.elapsed() > self.patience {
                let (file, patience_s) = (self.file.clone(), self.patience.as_secs());
                return Err(ImportError::Patience { file, line: line.number, patience_s, last });
            }
            thread::sleep(pause);
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Asks what became of each line, until that is final.
    fn verify(&mut self, lines: &[Line]) -> Result<(), ImportError> {
        let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
        let mut denied = 0;
        self.gap = Duration::ZERO;
        for line in lines {
            let request = format!("GET /v1/operations/{}", line.key);
            let reply = self.insist(line, |to| {
                let reply = ask_with(to, &request, &[], "")?;
                // A node that has not seen it may be behind.
                Ok((reply.is_ok() && word(&reply, "state").as_deref() == Some("final"), reply))
            });
            let reply = reply.map_err(|error| not_final(error, line))?;
            let outcome = word(&reply, "disposition").unwrap_or_else(|| "unknown".to_owned());
            if outcome == "denied" {
                denied += 1;
                let (file, number, body) = (&self.file, line.number, reply.body.trim());
                say(&format!("{file}:{number}: denied: {body}"));
            }
            *outcomes.entry(outcome).or_default() += 1;
        }
        let counts: Vec<String> =
            outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
        say(&format!("verified {} lines, all final: {}", lines.len(), counts.join(", ")));
        if denied == 0 { Ok(()) } else { Err(ImportError::Denied(denied)) }
    }
}

/// Whether sending the same again would change nothing: it is logged, or it never will be.
fn is_definite(reply: &Reply) -> bool {
    let status = reply.status.split(' ').next().unwrap_or_default();
    !matches!(status, "408" | "429") && !status.starts_with('5')
}

fn not_final(error: ImportError, of: &Line) -> ImportError {
    match error {
        ImportError::Patience { file, line, patience_s, last } => {
            ImportError::NotFinal { file, line, patience_s, key: of.key.to_string(), last }
        }
        other => other,
    }
}

/// A text of a JSON object.
fn word(reply: &Reply, name: &str) -> Option<String> {
    let body: Value = serde_json::from_str(&reply.body).ok()?;
    Some(body.get(name)?.as_str()?.to_owned())
}
