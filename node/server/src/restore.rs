//! `restore`: makes directories of a new cluster from an archive, as of a moment.

use crate::init::InitError;
use billing_shell::archive::{ArchiveError, Reading, RestoreError, Restored, Until, restore};
use billing_shell::tokio_host::{ArchiveDirectory, DirectoryLock, DiskDirectory, LockError};
use billing_wire::{ClusterId, Genesis, Hlc, NodeId, RegionId};
use clap::Args;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use thiserror::Error;

/// Make directories of a new cluster from an archive, as of a moment.
///
/// Reads the whole archive, folds the merged order up to that moment, and writes a data directory
/// for each node, `DIR/n1` and so on: logs and ledger of exactly that prefix. They belong to a new
/// cluster with an id and a key of its own, so that none can ever meet a node of the old one. One
/// of them alone, served, answers reads and can never write: that is how to look at the past. All
/// of them, on their machines, go on from there: do that only when the old cluster is gone for
/// good, since both would ask for the same payouts.
///
/// Prints the hash of the state, which is what a live node shows in `/readyz` when it has folded
/// the same entries, and the sum of the books, which must be 0. Refuses an archive that is damaged,
/// unless `--at` names a moment before the damage; a moment that the archive does not reach; and a
/// directory that holds anything.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The archive's directory
    #[arg(long, value_name = "ARCHIVE_DIR")]
    from: PathBuf,
    /// Where the directories are made; new or empty
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Everything up to this moment: milliseconds since 1970, a stamp (MS.COUNTER), or a position
    /// (MS.COUNTER/REGION/INDEX) as `archive verify` and receipts show it; without it, everything
    #[arg(long, value_name = "MOMENT")]
    at: Option<Moment>,
    /// Make this node's directory only; may be repeated
    #[arg(long = "node", value_name = "NODE")]
    nodes: Vec<u16>,
}

/// A moment of the merged order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moment(Until);

/// Why nothing was restored.
#[derive(Debug, Error)]
pub(crate) enum RestoreCommandError {
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is not empty: restore into a new directory", .0.display())]
    NotEmpty(PathBuf),
    #[error("node {0} is none of the archived cluster's nodes")]
    NoMember(u16),
    #[error(transparent)]
    Init(#[from] InitError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Restore(#[from] RestoreError),
    #[error("the books of the restored state sum to {0}, not to 0: do not use it")]
    Unbalanced(i128),
}

#[expect(clippy::print_stdout, reason = "the command line talks to people")]
fn say(line: &str) {
    println!("{line}");
}

impl Restore {
    pub(crate) fn run(self) -> Result<(), RestoreCommandError> {
        let reading = Reading::of(&ArchiveDirectory::open(&self.from))?;
        let genesis = new_cluster(&reading.genesis)?;
        let nodes: Vec<NodeId> = match &self.nodes[..] {
            [] => genesis.nodes().collect(),
            chosen => chosen.iter().copied().map(NodeId).collect(),
        };
        if let Some(stranger) = nodes.iter().find(|node| genesis.region_of(**node).is_none()) {
            return Err(RestoreCommandError::NoMember(stranger.0));
        }
        make_empty(&self.to)?;
        let until = self.at.map_or(Until::End, |moment| moment.0);
        for (place, node) in nodes.into_iter().enumerate() {
            let dir = self.to.join(format!("n{node}"));
            let restored = into(&reading, until, &dir, &genesis, node)?;
            if place == 0 {
                report(&restored, &genesis);
            }
            if restored.balance != 0 {
                return Err(RestoreCommandError::Unbalanced(restored.balance));
            }
            say(&format!("node {node} of cluster {} is in {}", genesis.cluster, dir.display()));
        }
        Ok(())
    }
}

/// The same regions, with an identity and a key of their own.
fn new_cluster(old: &Genesis) -> Result<Genesis, RestoreCommandError> {
    let (mut cluster, mut secret) = ([0; 16], [0; 32]);
    getrandom::fill(&mut cluster).map_err(InitError::Entropy)?;
    getrandom::fill(&mut secret).map_err(InitError::Entropy)?;
    Ok(Genesis { cluster: ClusterId(u128::from_le_bytes(cluster)), secret, ..old.clone() })
}

fn make_empty(path: &Path) -> Result<(), RestoreCommandError> {
    let io = |source| RestoreCommandError::Io { path: path.to_owned(), source };
    fs::create_dir_all(path).map_err(io)?;
    match fs::read_dir(path).map_err(io)?.next() {
        None => Ok(()),
        Some(_) => Err(RestoreCommandError::NotEmpty(path.to_owned())),
    }
}

fn into(
    reading: &Reading,
    until: Until,
    dir: &Path,
    genesis: &Genesis,
    node: NodeId,
) -> Result<Restored, RestoreCommandError> {
    let io = |source| RestoreCommandError::Io { path: dir.to_owned(), source };
    fs::create_dir(dir).map_err(io)?;
    let _lock = DirectoryLock::acquire(dir)?;
    let directory = DiskDirectory::open(dir).map_err(io)?;
    Ok(restore(reading, until, &directory, genesis, node)?)
}

fn report(restored: &Restored, genesis: &Genesis) {
    let Restored { last, frontier, entries, state_hash, outcome_chain, balance } = restored;
    match last {
        None => say("restored: nothing, there is no entry up to there"),
        Some((hlc, region, index)) => {
            say(&format!("restored {entries} entries, the last at {hlc}/{region}/{index}"));
        }
    }
    for members in &genesis.regions {
        let (name, index) = (&members.name, frontier.of(members.region));
        say(&format!("log of region {name}: {index} entries"));
    }
    say(&format!("state hash {state_hash:032x}, outcome chain {:016x}", outcome_chain.0));
    say(&format!("trial balance {balance}"));
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "MS, MS.COUNTER or MS.COUNTER/REGION/INDEX expected".to_owned();
        let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
        let stamp = |text: &str| -> Result<Hlc, String> {
            let (ms, counter) = text.split_once('.').unwrap_or((text, "65535"));
            let counter = counter.parse::<u16>().map_err(|_| wrong())?;
            let ms = number(ms)?;
            match ms >> 48 {
                0 => Ok(Hlc(ms << 16 | u64::from(counter))),
                _ => Err("milliseconds since 1970 have at most 48 bits".to_owned()),
            }
        };
        match text.split('/').collect::<Vec<_>>()[..] {
            [moment] => Ok(Self(Until::Stamp(stamp(moment)?))),
            [moment, region, index] => {
                let region = RegionId(region.parse().map_err(|_| wrong())?);
                // A receipt also says which submission of the entry it is about.
                let index = index.split('+').next().unwrap_or(index);
                Ok(Self(Until::Entry(stamp(moment)?, region, number(index)?)))
            }
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Moment;
    use billing_shell::archive::Until;
    use billing_wire::{Hlc, RegionId};

    #[test]
    fn moments_are_read_as_they_are_shown() {
        let read = |text: &str| text.parse::<Moment>().map(|moment| moment.0);
        assert_eq!(read("7.3"), Ok(Until::Stamp(Hlc(7 << 16 | 3))));
        assert_eq!(read("7"), Ok(Until::Stamp(Hlc(7 << 16 | 0xffff))), "all of the millisecond");
        let entry = Until::Entry(Hlc(7 << 16), RegionId(1), 12);
        assert_eq!(read("7.0/1/12"), Ok(entry));
        assert_eq!(read("7.0/1/12+5"), Ok(entry));
        for wrong in ["", "x", "7.70000", "7.0/1", "7.0/1/2/3", "281474976710656"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
