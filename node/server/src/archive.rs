//! `archive`: copies what is committed of a node's region logs into an archive; `archive verify`
//! reads an archive back.

use crate::ask::{AskError, ask};
use crate::init::{InitError, read_genesis};
use crate::memory_directory::MemoryDirectory;
use billing_core::FileName;
use billing_core::journal::Superblock;
use billing_core::ledger::Ledger;
use billing_shell::archive::{ArchiveError, Reading, Source, Taken, archive};
use billing_shell::tokio_host::{ArchiveDirectory, Clock, DirectoryLock, DiskDirectory, LockError};
use billing_shell::{Directory as _, LedgerDatabase};
use billing_wire::{Frontier, Genesis};
use clap::{Args, Subcommand};
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Page cache while the ledger database is looked at, in bytes.
const CACHE_BYTES: usize = 16 << 20;
/// Rows of it that are kept in memory.
const CACHE_ROWS: usize = 1_000;

/// Copy what is committed into an archive, or read an archive back.
///
/// Takes everything that is committed in the region logs of one node (each node holds all of them)
/// and is not archived yet; a second run does nothing more. The archive is a directory in the
/// layout of an object store: files that are never changed, whose names say what they hold, and
/// manifests that say what belongs together. Keep it on other disks than the nodes'. The cluster's
/// key is not in it, customers' data are.
///
/// The node may run or not: nothing in its directory is changed, and what it appends meanwhile
/// comes next time. A node that runs notes what is committed on its disk a moment later; with
/// `--url` it is asked. To archive by itself, once in a period, a node needs `[archive]` in its
/// settings.
///
/// Exits with 1 when anything could not be archived, and says what. Run `archive verify` and
/// `restore` now and then: an archive that nobody ever read is a hope.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct ArchiveCommand {
    #[command(subcommand)]
    action: Option<Action>,
    /// The data directory of a node
    #[arg(long, required = true, value_name = "NODE_DIR")]
    dir: Option<PathBuf>,
    /// The archive's directory; made when it is missing
    #[arg(long, required = true, value_name = "ARCHIVE_DIR")]
    to: Option<PathBuf>,
    /// The node, if it runs: asked what is committed by now
    #[arg(long)]
    url: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Action {
    Verify(Verify),
}

/// Read an archive back: every checksum, every hash, every link of the chains, every gap
///
/// Says up to which position of the merged order a restore is possible, and exits with 1 when
/// anything is damaged, or when the archive is older than it may be.
#[derive(Debug, Args)]
struct Verify {
    /// The archive's directory
    archive: PathBuf,
    /// The archive must have had everything within so many seconds
    #[arg(long, value_name = "SECONDS")]
    max_age_s: Option<u64>,
}

/// Why a node was not archived, or an archive is not sound.
#[derive(Debug, Error)]
pub(crate) enum CommandError {
    #[error("{}: {source}", .dir.display())]
    Io { dir: PathBuf, source: io::Error },
    #[error(transparent)]
    Genesis(#[from] InitError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("{url} does not say what is committed ({status})")]
    NoStatus { url: String, status: String },
    #[error("{}: the superblock does not verify: archive another node", .0.display())]
    NoSuperblock(PathBuf),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("the archive does not have everything: {0} problem(s) above")]
    Incomplete(usize),
    #[error("{} is damaged: {count} finding(s) above", .dir.display())]
    Damaged { dir: PathBuf, count: usize },
    #[error("the archive last had everything {age_s} s ago, more than {max_age_s} s")]
    Late { age_s: u64, max_age_s: u64 },
}

#[expect(clippy::print_stdout, reason = "the command line talks to people")]
fn say(line: &str) {
    println!("{line}");
}

impl ArchiveCommand {
    pub(crate) fn run(self) -> Result<(), CommandError> {
        match self.action {
            Some(Action::Verify(verify)) => verify.run(),
            None => take(
                &self.dir.unwrap_or_default(),
                &self.to.unwrap_or_default(),
                self.url.as_deref(),
            ),
        }
    }
}

fn take(dir: &Path, to: &Path, url: Option<&str>) -> Result<(), CommandError> {
    let io = |source| CommandError::Io { dir: dir.to_owned(), source };
    let genesis = read_genesis(&dir.join("genesis"))?;
    let asked = url.map(committed_of).transpose()?;
    // Whoever holds it stops the node from starting; one that runs holds it itself.
    let lock = match DirectoryLock::acquire(dir) {
        Ok(lock) => Some(lock),
        Err(LockError::Held { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let directory = DiskDirectory::open(dir).map_err(io)?;
    let superblock = directory.read(FileName::Superblock).map_err(io)?;
    let Some((superblock, _)) = Superblock::newest(&superblock) else {
        return Err(CommandError::NoSuperblock(dir.to_owned()));
    };
    let folded = if lock.is_some() { folded(&directory) } else { None };
    let source = Source {
        directory: &directory,
        genesis: &genesis,
        node: superblock.node,
        committed: asked.or(folded).unwrap_or_default(),
        refresh_ms: 0,
    };
    let store = ArchiveDirectory::lock(to)?;
    let taken = archive(&source, &store, Clock::new().now().wall.ms())?;
    report(&taken, &genesis);
    match taken.problems.len() {
        0 => Ok(()),
        count => Err(CommandError::Incomplete(count)),
    }
}

fn report(taken: &Taken, genesis: &Genesis) {
    let Taken { sequence, objects, bytes, mended, frontier, watermark, problems } = taken;
    say(&format!("archive {sequence}: {objects} objects, {bytes} bytes, {mended} of them again"));
    for members in &genesis.regions {
        let (name, last) = (&members.name, frontier.of(members.region));
        say(&format!("log of region {name}: archived to {last}"));
    }
    say(&format!("can be restored up to {watermark}"));
    problems.iter().for_each(|problem| say(&format!("problem: {problem}")));
}

/// What a node that runs says is committed.
fn committed_of(url: &str) -> Result<Frontier, CommandError> {
    let reply = ask(url, "GET /readyz", "")?;
    let committed = serde_json::from_str::<serde_json::Value>(&reply.body)
        .ok()
        .and_then(|status| serde_json::from_value(status.get("committed")?.clone()).ok());
    let no_status = || CommandError::NoStatus { url: url.to_owned(), status: reply.status.clone() };
    committed.ok_or_else(no_status)
}

/// What the ledger database of a node that does not run has folded is committed, whatever the
/// superblock says. Looks at a copy: opening writes. A database that cannot be read says nothing.
fn folded(directory: &DiskDirectory) -> Option<Frontier> {
    let copy = MemoryDirectory::default();
    copy.put(FileName::Ledger, directory.read(FileName::Ledger).ok()?);
    let database = LedgerDatabase::open(&copy, CACHE_BYTES).ok()?;
    let ledger = Ledger::open(CACHE_ROWS, database.reader()).ok()?;
    Some(ledger.frontier())
}

impl Verify {
    fn run(self) -> Result<(), CommandError> {
        let dir = self.archive;
        let reading = Reading::of(&ArchiveDirectory::open(&dir))?;
        let (claimed, _) = reading.claim();
        let newest = reading.catalog.newest.as_ref().map(|(manifest, _)| manifest);
        let sequence = newest.map_or(0, |manifest| manifest.sequence);
        let (pieces, bytes) = (reading.catalog.pieces.len(), reading.bytes);
        say(&format!(
            "archive {sequence} of cluster {}: {pieces} pieces, {bytes} bytes read",
            reading.genesis.cluster
        ));
        for members in &reading.genesis.regions {
            let (region, name) = (members.region, &members.name);
            let (whole, claimed) = (reading.replay.last_index(region), claimed.of(region));
            say(&format!("log of region {name}: whole to {whole} of {claimed}"));
        }
        let watermark = reading.replay.watermark();
        let last = reading.replay.last_of(&reading.replay.frontier_until(watermark));
        match last {
            None => say("nothing can be restored"),
            Some((hlc, region, index)) => {
                say(&format!("can be restored up to {hlc}/{region}/{index}"));
            }
        }
        reading.damage.iter().for_each(|damage| say(&format!("damaged: {damage}")));
        if let count @ 1.. = reading.damage.len() {
            return Err(CommandError::Damaged { dir, count });
        }
        let complete_ms = newest.map_or(0, |manifest| manifest.complete_ms);
        let age_s = Clock::new().now().wall.ms().saturating_sub(complete_ms) / 1_000;
        say(&format!("sound; had everything {age_s} s ago"));
        match self.max_age_s {
            Some(max_age_s) if age_s > max_age_s => Err(CommandError::Late { age_s, max_age_s }),
            _ => Ok(()),
        }
    }
}
