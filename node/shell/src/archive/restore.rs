//! Restores an archive to a merged position: the logs up to there and the ledger that they fold to,
//! as the directory of one node of a *new* cluster. Under another cluster id it can never meet the
//! old one; one such node alone has no majority and answers reads only, all of them go on from
//! there. Superblock and genesis come last: what was restored in part never starts.

use super::Reading;
use crate::host::Directory;
use crate::ledger_database::LedgerDatabase;
use crate::replica::OpenError;
use billing_core::journal::{RegionPromise, Superblock, Tail, Writer};
use billing_core::ledger::Ledger;
use billing_core::ledger::store::StoreError;
use billing_core::{DiskFault, DiskStep, FileName};
use billing_wire::frame::cluster_mark;
use billing_wire::{
    Frontier, Genesis, Hlc, Incarnation, LogIndex, NodeId, OutcomeChain, Query, QueryResult,
    RecordView, RegionId, RegionMembers,
};
use bytes::Bytes;
use std::io;
use thiserror::Error;

/// Bytes of a segment.
const SEGMENT_BYTES: u64 = 64 << 20;
/// So many bytes of records are handed to the directory at once.
const PERSIST_BYTES: usize = 8 << 20;
/// Submissions in one commit of the ledger database.
const COMMIT_SUBMISSIONS: usize = 16_384;
/// Clean rows that the fold keeps.
const CACHE_ROWS: usize = 100_000;
/// Page cache of the ledger database, in bytes.
const CACHE_BYTES: usize = 64 << 20;

/// Up to where the merged order is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// As far as the archive is final.
    End,
    /// Every entry that is stamped at or below.
    Stamp(Hlc),
    /// Up to an entry, which must exist.
    Entry(Hlc, RegionId, LogIndex),
}

/// What a restore yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// The last entry in merged order; `None`: there is nothing up to there.
    pub last: Option<(Hlc, RegionId, LogIndex)>,
    /// How many entries of each region log.
    pub frontier: Frontier,
    /// Entries in all.
    pub entries: u64,
    /// Hash over all rows, as a live node at that frontier has it.
    pub state_hash: u128,
    /// Chain over every decision, likewise.
    pub outcome_chain: OutcomeChain,
    /// Sum over the general ledger, in minor units: not zero means that the books are broken.
    pub balance: i128,
}

/// Why nothing was restored.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// Something in the archive is not what it was.
    #[error(
        "the archive is damaged ({count} findings, the first: {first}); what is whole reaches to \
         {possible}: name that position, or an earlier one, with --at"
    )]
    Damaged {
        /// How many.
        count: usize,
        /// The first.
        first: String,
        /// Up to here the order is whole and final.
        possible: Hlc,
    },
    /// There is nothing at that position, or not yet for good.
    #[error("{wanted} is beyond what the archive has: its order is final up to {possible}")]
    Beyond {
        /// What was asked for.
        wanted: Hlc,
        /// Up to here it can be restored.
        possible: Hlc,
    },
    /// The entry that was named is not in the archive.
    #[error("the log of region {region} has no entry {index} that is stamped {hlc}")]
    NoSuchEntry {
        /// Its stamp.
        hlc: Hlc,
        /// Its region.
        region: RegionId,
        /// Its index.
        index: LogIndex,
    },
    /// The directory holds something.
    #[error("the directory is not empty ({0}): restore into a new one")]
    NotEmpty(FileName),
    /// The new cluster must be another one with the same regions.
    #[error("genesis is not that of a new cluster with the regions of the archive")]
    Genesis,
    /// The directory cannot be written.
    #[error("restored directory: {0}")]
    Io(#[from] io::Error),
    /// The ledger database cannot be written.
    #[error("restored ledger: {0}")]
    Ledger(#[from] StoreError),
    /// The ledger database cannot be made.
    #[error("restored ledger: {0}")]
    Open(#[from] OpenError),
    /// A commit failed.
    #[error("restored ledger: a commit failed ({0:?})")]
    Commit(DiskFault),
}

/// Writes a node's directory. `genesis` is the new cluster's: the archive's, with another id.
///
/// # Errors
/// See [`RestoreError`]; the directory must then be deleted.
pub fn restore(
    reading: &Reading,
    until: Until,
    target: &dyn Directory,
    genesis: &Genesis,
    node: NodeId,
) -> Result<Restored, RestoreError> {
    let frontier = frontier_of(reading, until)?;
    let same = Genesis {
        cluster: reading.genesis.cluster,
        secret: reading.genesis.secret,
        ..genesis.clone()
    };
    if same != reading.genesis || genesis.cluster == reading.genesis.cluster {
        return Err(RestoreError::Genesis);
    }
    if let Some(file) = target.list()?.first() {
        return Err(RestoreError::NotEmpty(*file));
    }
    let restored = fold(reading, &frontier, target)?;
    let last_steps = write_logs(reading, &frontier, target, genesis, node)?;
    let file = FileName::Genesis;
    let bytes = Bytes::from(genesis.encode());
    target.run(&[DiskStep::Write { file, offset: 0, bytes }, DiskStep::Sync { file }])?;
    target.run(&last_steps)?;
    Ok(restored)
}

fn frontier_of(reading: &Reading, until: Until) -> Result<Frontier, RestoreError> {
    let possible = reading.replay.watermark();
    let (wanted, region) = match until {
        Until::End => match reading.damage.first() {
            Some(first) => {
                let (count, first) = (reading.damage.len(), first.clone());
                return Err(RestoreError::Damaged { count, first, possible });
            }
            None => (possible, RegionId(u8::MAX)),
        },
        Until::Stamp(hlc) => (hlc, RegionId(u8::MAX)),
        Until::Entry(hlc, region, _) => (hlc, region),
    };
    if wanted > possible {
        return Err(RestoreError::Beyond { wanted, possible });
    }
    if let Until::Entry(hlc, region, index) = until {
        let found = reading.replay.record(region, index);
        let found = found.and_then(|bytes| RecordView::decode(bytes).ok());
        if found.is_none_or(|view| view.header.hlc != hlc) {
            return Err(RestoreError::NoSuchEntry { hlc, region, index });
        }
    }
    Ok(reading.replay.frontier_at((wanted, region)))
}

fn fold(
    reading: &Reading,
    frontier: &Frontier,
    target: &dyn Directory,
) -> Result<Restored, RestoreError> {
    let database = LedgerDatabase::open(target, CACHE_BYTES)?;
    let mut ledger = Ledger::open(CACHE_ROWS, database.reader())?;
    let commit = |ledger: &mut Ledger| {
        database.commit(&ledger.take_batch()).map_err(RestoreError::Commit)?;
        ledger.batch_committed();
        Ok::<(), RestoreError>(())
    };
    let entries = reading.replay.fold(&mut ledger, frontier, COMMIT_SUBMISSIONS, commit)?;
    commit(&mut ledger)?;
    let balance = match ledger.query(&Query::TrialBalance)? {
        QueryResult::TrialBalance(view) => view.total().unwrap_or(i128::MAX),
        other => unreachable!("a trial balance was asked for, not {other:?}"),
    };
    Ok(Restored {
        last: reading.replay.last_of(frontier),
        frontier: *frontier,
        entries,
        state_hash: ledger.state_hash(),
        outcome_chain: ledger.outcome_chain(),
        balance,
    })
}

/// Writes the segments; the steps that are left make the superblock.
fn write_logs(
    reading: &Reading,
    frontier: &Frontier,
    target: &dyn Directory,
    genesis: &Genesis,
    node: NodeId,
) -> Result<Vec<DiskStep>, RestoreError> {
    let promise = |members: &RegionMembers| {
        RegionPromise::empty(members.region, incarnation_at(reading, members, frontier))
    };
    let superblock = Superblock {
        node,
        cluster: cluster_mark(genesis.cluster),
        sequence: 0,
        regions: genesis.regions.iter().map(promise).collect(),
        seen: Vec::new(),
    };
    let tails = vec![Tail { segment: 0, offset: 0 }; genesis.regions.len()];
    let mut writer = Writer::new(genesis.cluster, SEGMENT_BYTES, superblock, &tails);
    for members in &genesis.regions {
        let region = members.region;
        for index in 1..=frontier.of(region) {
            let bytes = reading.replay.record(region, index).expect("the frontier is within");
            let header = RecordView::decode(bytes).expect("it was verified").header;
            writer.append(&header, bytes);
            writer.hard_state(region, header.term, 0);
            writer.commit(region, index);
            if writer.pending_bytes() >= PERSIST_BYTES {
                target.run(&split(writer.take_steps()).0)?;
            }
        }
    }
    let (records, superblock) = split(writer.take_steps());
    target.run(&records)?;
    Ok(superblock)
}

/// The incarnation that a log has there: the archive's at its end, that of its last record before.
fn incarnation_at(reading: &Reading, members: &RegionMembers, frontier: &Frontier) -> Incarnation {
    let (region, index) = (members.region, frontier.of(members.region));
    if index == reading.replay.last_index(region) {
        return reading.incarnations[usize::from(region.0)];
    }
    let last = reading.replay.record(region, index);
    let last = last.and_then(|bytes| RecordView::decode(bytes).ok());
    last.map_or(members.incarnation, |view| view.header.incarnation)
}

/// Steps of segments, and those of the superblock.
fn split(steps: Vec<DiskStep>) -> (Vec<DiskStep>, Vec<DiskStep>) {
    steps.into_iter().partition(|step| step.file() != FileName::Superblock)
}
