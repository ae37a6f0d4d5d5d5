//! `verify`: reads a stopped node's directory, every checksum and every link of the hash chains,
//! and changes nothing. What a start repairs by itself is a remark; what it fetches from the other
//! nodes, or refuses, is damage.

use crate::init::{InitError, read_genesis};
use crate::memory_directory::MemoryDirectory;
use billing_core::FileName;
use billing_core::journal::{Inspection, Superblock, inspect};
use billing_core::ledger::store::Table;
use billing_shell::tokio_host::{DirectoryLock, DiskDirectory, LockError};
use billing_shell::{Directory as _, LedgerDatabase, read_image};
use billing_wire::NodeId;
use clap::Args;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Page cache while the ledger database is read, in bytes.
const CACHE_BYTES: usize = 64 << 20;

/// Read a stopped node's directory, change nothing, say what is wrong.
///
/// Exits with 1 when something is damaged: records that the next start fetches from the other
/// nodes, or a superblock without which it refuses to start. A torn tail (bytes behind the last
/// durable record, never acknowledged) is no damage: the next start cuts it. A damaged ledger
/// database is none either: the next start rebuilds it from the log.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The data directory of a node that does not run
    dir: PathBuf,
}

/// Why a directory is not sound, or cannot be read.
#[derive(Debug, Error)]
pub(crate) enum VerifyError {
    #[error("{}: {source}", .dir.display())]
    Io { dir: PathBuf, source: io::Error },
    #[error(transparent)]
    Genesis(#[from] InitError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("{} is damaged: {count} finding(s) above", .dir.display())]
    Damaged { dir: PathBuf, count: usize },
}

impl Verify {
    pub(crate) fn run(self) -> Result<(), VerifyError> {
        let dir = self.dir;
        let io = |source| VerifyError::Io { dir: dir.clone(), source };
        let genesis = read_genesis(&dir.join("genesis"))?;
        let _lock = DirectoryLock::acquire(&dir)?;
        let directory = DiskDirectory::open(&dir).map_err(io)?;
        let image = read_image(&directory).map_err(io)?;
        let superblock = image
            .iter()
            .find(|(file, _)| *file == FileName::Superblock)
            .and_then(|(_, bytes)| Superblock::newest(bytes));
        // Without a superblock the inspection says so, whoever's directory it is.
        let node = superblock.as_ref().map_or(NodeId(0), |(superblock, _)| superblock.node);
        let inspection = inspect(&genesis, node, image);
        let ledger = ledger(&directory).map_err(io)?;
        match superblock {
            Some((found, _)) => say(&format!("node {node}, superblock {}", found.sequence)),
            None => say("without a superblock it cannot be told whose directory this is"),
        }
        report(&inspection, &ledger);
        match inspection.damage.len() {
            0 => Ok(()),
            count => Err(VerifyError::Damaged { dir, count }),
        }
    }
}

#[expect(clippy::print_stdout, reason = "the command line talks to people")]
fn say(line: &str) {
    println!("{line}");
}

fn report(inspection: &Inspection, ledger: &str) {
    for log in &inspection.logs {
        say(&format!(
            "log of region {}: {} durable records, {} submissions, term {}, committed at least \
             to {}",
            log.region, log.durable_index, log.submissions, log.term, log.commit
        ));
    }
    say(&format!("ledger: {ledger}"));
    let is_sound = inspection.damage.is_empty();
    // Nothing is cut from a log that is damaged.
    let torn = if is_sound { "torn (the next start repairs it)" } else { "unreadable" };
    for place in &inspection.torn {
        say(&format!("{torn}: {place}"));
    }
    for damage in &inspection.damage {
        say(&format!("damaged: {damage}"));
    }
    if is_sound {
        say("sound");
    }
}

/// Reads every row of a copy of the database.
fn ledger(directory: &DiskDirectory) -> io::Result<String> {
    let bytes = match directory.read(FileName::Ledger) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok("none; the next start makes it from the log".to_owned());
        }
        Err(error) => return Err(error),
    };
    let copy = MemoryDirectory::default();
    copy.put(FileName::Ledger, bytes);
    let rows = LedgerDatabase::open(&copy, CACHE_BYTES).and_then(|database| {
        let (reader, mut rows) = (database.reader(), 0_u64);
        for table in Table::ALL {
            reader.scan(table, &[], &[0xff; 64], &mut |_, _| {
                rows += 1;
                true
            })?;
        }
        Ok(rows)
    });
    let is_set_aside = copy.list()?.contains(&FileName::LedgerAside);
    Ok(match rows {
        Ok(rows) if !is_set_aside => format!("{rows} rows, each block of theirs verified"),
        Ok(_) => "does not verify; the next start rebuilds it from the log".to_owned(),
        Err(error) => format!("does not verify ({error}); a start rebuilds it from the log"),
    })
}
