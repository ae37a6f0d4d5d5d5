//! Takes an archive: reads a node's directory as a recovery would, puts there what is committed and
//! not archived yet, mends what is gone from the store, and writes the manifest last. It changes
//! nothing in the directory, so it may look at one that a node works on.

use super::catalog::Catalog;
use super::manifest::{ArchivedLog, Manifest, Run};
use super::piece::{self, PIECE_BYTES_MAX, PieceEntry};
use super::{ArchiveError, GENESIS, ObjectStore};
use crate::host::Directory;
use crate::replica::read_image;
use billing_core::canary;
use billing_core::journal::{self, RecoveredLog, RegionPromise};
use billing_core::merge::{CommittedLog, Replay};
use billing_wire::{Frontier, Genesis, Hash, Hlc, LogIndex, NodeId, RecordView, RegionId};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;

/// After so many manifests the next one names every piece again.
const FULL_EVERY: u64 = 64;
/// A directory that is written meanwhile may change under the reader's hands.
const READINGS: u32 = 3;

/// What is archived.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// A node's files.
    pub directory: &'a dyn Directory,
    /// Its cluster.
    pub genesis: &'a Genesis,
    /// The node.
    pub node: NodeId,
    /// Entries that are known to be committed, beyond what the superblock says; may be zeros.
    pub committed: Frontier,
    /// A manifest is written even without anything new when the last one is as old, in ms.
    pub refresh_ms: u64,
}

/// What an archive job did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Taken {
    /// Sequence of the newest manifest, whoever wrote it.
    pub sequence: u64,
    /// Objects that were put there: pieces, manifest, genesis.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Pieces among them that had been there before and were gone or cut short.
    pub mended: u64,
    /// How many entries of each region log are archived.
    pub frontier: Frontier,
    /// Up to here a restore is possible.
    pub watermark: Hlc,
    /// What could not be archived, and why. The archive is then as far as it says, and no further.
    pub problems: Vec<String>,
}

/// Archives what is new. Repeating it does no harm: the same records make the same objects.
///
/// # Errors
/// When nothing more can be said than that it failed; the archive is then what it was, and perhaps
/// some objects more.
pub fn archive(
    source: &Source<'_>,
    store: &dyn ObjectStore,
    now_ms: u64,
) -> Result<Taken, ArchiveError> {
    let catalog = Catalog::read(store, Some(source.genesis.cluster))?;
    let logs = read_source(source)?;
    let mut job = Job {
        source,
        store,
        catalog,
        taken: Taken::default(),
        pieces: Vec::new(),
        objects: Vec::new(),
    };
    job.genesis()?;
    let mut archived = Vec::with_capacity(logs.len());
    for log in &logs {
        archived.push(job.log(log)?);
    }
    job.mend(&logs)?;
    job.finish(archived, logs, now_ms)
}

/// A region log of the directory, as far as it is committed, or why it cannot be had.
struct SourceLog {
    region: RegionId,
    log: Result<CommittedLog, String>,
}

fn read_source(source: &Source<'_>) -> Result<Vec<SourceLog>, ArchiveError> {
    let mut readings = 1;
    let image = loop {
        match read_image(source.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && readings < READINGS => {
                readings += 1;
            }
            image => break image.map_err(ArchiveError::Directory)?,
        }
    };
    // Its steps are the node's to take.
    let (recovered, _) = journal::recover(source.genesis, source.node, image)?;
    let logs = recovered.superblock.regions.iter().zip(recovered.logs);
    Ok(logs.map(|(promise, log)| committed(source, promise, log)).collect())
}

fn committed(source: &Source<'_>, promise: &RegionPromise, log: RecoveredLog) -> SourceLog {
    let region = log.region;
    let problem =
        |what: &str| SourceLog { region, log: Err(format!("log of region {region}: {what}")) };
    if promise.forgotten {
        return problem("the node lost its disk and was not let in again yet; archive another one");
    }
    if !log.holes.is_empty() || !log.behind.is_empty() {
        return problem("it is damaged here; let the node repair it, or archive another one");
    }
    let committed = promise.commit.max(source.committed.of(region)).min(promise.durable_index);
    let mut records = log.records;
    records.truncate(committed as usize);
    SourceLog { region, log: Ok(CommittedLog { incarnation: log.incarnation, records }) }
}

struct Job<'a> {
    source: &'a Source<'a>,
    store: &'a dyn ObjectStore,
    catalog: Catalog,
    taken: Taken,
    /// Those that are new.
    pieces: Vec<PieceEntry>,
    /// What is to be put there, in this order; the manifest comes last.
    objects: Vec<(String, Vec<u8>)>,
}

impl Job<'_> {
    fn put(&mut self, name: &str, object: &[u8]) -> Result<(), ArchiveError> {
        let failed = |source| ArchiveError::Store { name: name.to_owned(), source };
        match self.store.put(name, object) {
            Err(_) if canary!("archive-job-swallows-errors") => return Ok(()),
            done => done.map_err(failed)?,
        }
        // A store that takes everything and keeps nothing is found out at once.
        if self.store.read(name).map_err(failed)? != object {
            return Err(ArchiveError::NotKept(name.to_owned()));
        }
        self.taken.objects += 1;
        self.taken.bytes += object.len() as u64;
        Ok(())
    }

    /// Genesis without the secret: who restores a cluster founds a new one.
    fn genesis(&mut self) -> Result<(), ArchiveError> {
        let object = Genesis { secret: [0; 32], ..self.source.genesis.clone() }.encode();
        match self.store.read(GENESIS) {
            Ok(found) if found == object => Ok(()),
            Ok(found) if Genesis::decode(&found).is_ok() => Err(ArchiveError::OtherCluster),
            _ => {
                self.objects.push((GENESIS.to_owned(), object));
                Ok(())
            }
        }
    }

    /// Gathers what is new of a region log; how the archive has it then.
    fn log(&mut self, source: &SourceLog) -> Result<ArchivedLog, ArchiveError> {
        let newest = self.catalog.newest.as_ref();
        let known =
            newest.and_then(|(manifest, _)| manifest.logs.get(usize::from(source.region.0)));
        let known = known.cloned().unwrap_or_default();
        let log = match &source.log {
            Ok(log) => log,
            Err(problem) => {
                self.taken.problems.push(problem.clone());
                return Ok(known);
            }
        };
        if log.incarnation < known.incarnation {
            let (region, own) = (source.region, log.incarnation.0);
            let text = "the archive has a later one; archive another node";
            let problem = format!("log of region {region}: incarnation {own} here, {text}");
            self.taken.problems.push(problem);
            return Ok(known);
        }
        let runs = runs_of(&log.records);
        for run in &runs {
            self.run(source.region, run, &log.records)?;
        }
        let is_behind = log.incarnation == known.incarnation && run_end(&runs) < known.last();
        Ok(if is_behind { known } else { ArchivedLog { incarnation: log.incarnation, runs } })
    }

    /// Gathers the records of a run that are not in the archive.
    fn run(&mut self, region: RegionId, run: &Run, records: &[Bytes]) -> Result<(), ArchiveError> {
        let mut next = run.first;
        if let Some(piece) = self.catalog.last_piece(region, run.incarnation) {
            let index = piece.last;
            if index <= run.last && hash_at(records, index) != Some(piece.last_hash) {
                return Err(ArchiveError::Diverges { region, index });
            }
            next = next.max(index + 1);
        }
        while next <= run.last {
            let (mut end, mut bytes) = (next, 0);
            while end <= run.last && (end == next || bytes < PIECE_BYTES_MAX) {
                bytes += records[end as usize - 1].len();
                end += 1;
            }
            let (entry, object) = self.encode(&records[next as usize - 1..end as usize - 1]);
            // Recovery checks hashes only where checksums make it doubt.
            piece::decode(&object).map_err(|error| ArchiveError::Unsound { region, error })?;
            self.objects.push((entry.name(), object));
            self.pieces.push(entry);
            next = end;
        }
        Ok(())
    }

    fn encode(&self, records: &[Bytes]) -> (PieceEntry, Vec<u8>) {
        piece::encode(self.source.genesis.cluster, records)
    }

    /// Gathers what is gone from the store or was cut short, as far as the node still has it.
    fn mend(&mut self, logs: &[SourceLog]) -> Result<(), ArchiveError> {
        let list = |source| ArchiveError::Store { name: "list".to_owned(), source };
        let there: BTreeMap<String, u64> = self.store.list().map_err(list)?.into_iter().collect();
        let gone: Vec<PieceEntry> = self
            .catalog
            .pieces
            .values()
            .filter(|piece| there.get(&piece.name()) != Some(&piece.bytes))
            .copied()
            .collect();
        for piece in gone {
            let log = logs.iter().find(|log| log.region == piece.region);
            let records = log.and_then(|log| log.log.as_ref().ok()).map(|log| &log.records[..]);
            let stretch = records.and_then(|records| {
                records.get(piece.first as usize - 1..usize::try_from(piece.last).ok()?)
            });
            let again = stretch.map(|records| self.encode(records));
            match again.filter(|(entry, _)| *entry == piece) {
                Some((entry, object)) => {
                    self.objects.push((entry.name(), object));
                    self.taken.mended += 1;
                }
                None => {
                    let text = "is gone or cut short, and this node does not have it to mend";
                    self.taken.problems.push(format!("{} {text}", piece.name()));
                }
            }
        }
        Ok(())
    }

    fn finish(
        mut self,
        logs: Vec<ArchivedLog>,
        sources: Vec<SourceLog>,
        now_ms: u64,
    ) -> Result<Taken, ArchiveError> {
        let newest = self.catalog.newest.take();
        let before = newest.as_ref().map(|(manifest, _)| manifest);
        let watermark = self.watermark(&logs, sources);
        let watermark = before.map_or(watermark, |before| before.watermark.max(watermark));
        let is_complete =
            self.taken.problems.is_empty() || canary!("archive-complete-in-spite-of-problems");
        let complete_ms = if is_complete { now_ms } else { before.map_or(0, |b| b.complete_ms) };
        let is_full = !self.catalog.damage.is_empty() || self.catalog.since_full >= FULL_EVERY;
        let is_news = before.is_none_or(|before| {
            let is_old = before.taken_ms.saturating_add(self.source.refresh_ms) <= now_ms;
            before.logs != logs || before.watermark != watermark || is_old
        });
        self.taken.problems.extend(self.catalog.damage.iter().cloned());
        self.taken.watermark = watermark;
        self.taken.sequence = self.catalog.last_sequence;
        let mut manifest = Manifest {
            cluster: self.source.genesis.cluster,
            sequence: self.catalog.last_sequence + 1,
            before: newest.as_ref().map(|(_, hash)| *hash).filter(|_| !is_full),
            taken_ms: now_ms,
            complete_ms,
            watermark,
            logs,
            pieces: std::mem::take(&mut self.pieces),
        };
        self.taken.frontier = manifest.frontier();
        if is_news || is_full {
            if is_full {
                manifest.pieces.extend(self.catalog.pieces.values());
            }
            self.taken.sequence = manifest.sequence;
            let object = manifest.encode();
            let hash = *blake3::hash(&object).as_bytes();
            let before = if canary!("manifest-before-objects") { 0 } else { self.objects.len() };
            self.objects.insert(before, (Manifest::name(manifest.sequence, &hash), object));
        }
        for (name, object) in std::mem::take(&mut self.objects) {
            self.put(&name, &object)?;
        }
        Ok(self.taken)
    }

    /// Up to where the order is final by what the archive has. Not known from a source that has
    /// less than the archive: it was not lower before.
    fn watermark(&self, logs: &[ArchivedLog], sources: Vec<SourceLog>) -> Hlc {
        let has_all = |(log, source): (&ArchivedLog, &SourceLog)| {
            source.log.as_ref().is_ok_and(|found| {
                found.incarnation == log.incarnation && found.records.len() as u64 == log.last()
            })
        };
        if !logs.iter().zip(&sources).all(has_all) {
            return Hlc::ZERO;
        }
        let logs = sources.into_iter().filter_map(|source| source.log.ok()).collect();
        Replay::new(self.source.genesis, logs).watermark()
    }
}

/// What a log consists of.
fn runs_of(records: &[Bytes]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for bytes in records {
        let header = RecordView::decode(bytes).expect("recovery verified it").header;
        let (index, incarnation, last_hash) = (header.index, header.incarnation, header.hash);
        match runs.last_mut() {
            Some(run) if run.incarnation == incarnation => {
                (run.last, run.last_hash) = (index, last_hash);
            }
            _ => runs.push(Run { incarnation, first: index, last: index, last_hash }),
        }
    }
    runs
}

fn run_end(runs: &[Run]) -> LogIndex {
    runs.last().map_or(0, |run| run.last)
}

fn hash_at(records: &[Bytes], index: LogIndex) -> Option<Hash> {
    let bytes = records.get(index.checked_sub(1)? as usize)?;
    RecordView::decode(bytes).ok().map(|view| view.header.hash)
}
