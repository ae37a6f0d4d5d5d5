//! Reads an archive back, everything in it: each checksum, each hash, each link of the chains, each
//! gap; and says up to which merged position a restore is possible from what is whole.

use super::catalog::Catalog;
use super::manifest::{ArchivedLog, Run};
use super::piece::{self, PieceEntry};
use super::{ArchiveError, GENESIS, ObjectStore};
use billing_core::merge::{CommittedLog, Replay};
use billing_wire::{Frontier, Genesis, Hash, Hlc, LogIndex, RecordView, RegionId};
use bytes::Bytes;
use std::io;

/// An archive that was read.
#[derive(Debug)]
pub struct Reading {
    /// The cluster that was archived; its secret is zeros.
    pub genesis: Genesis,
    /// The manifests.
    pub catalog: Catalog,
    /// What is whole of the region logs, from their beginning on.
    pub replay: Replay,
    /// Incarnation of each region log as far as it is whole.
    pub incarnations: Vec<billing_wire::Incarnation>,
    /// Bytes that were read.
    pub bytes: u64,
    /// Everything that is wrong.
    pub damage: Vec<String>,
}

impl Reading {
    /// Reads an archive.
    ///
    /// # Errors
    /// When the store fails, or there is no genesis to read anything by.
    pub fn of(store: &dyn ObjectStore) -> Result<Self, ArchiveError> {
        let failed = |source| ArchiveError::Store { name: GENESIS.to_owned(), source };
        let object = store.read(GENESIS).map_err(failed)?;
        let genesis = Genesis::decode(&object).map_err(ArchiveError::Genesis)?;
        let catalog = Catalog::read(store, Some(genesis.cluster))?;
        let mut reader = Reader {
            store,
            genesis: &genesis,
            catalog: &catalog,
            bytes: object.len() as u64,
            damage: catalog.damage.clone(),
        };
        let manifest = catalog.newest.as_ref().map(|(manifest, _)| manifest);
        if manifest.is_none() {
            reader.damage.push("no manifest: nothing was archived completely".to_owned());
        }
        let mut logs = Vec::with_capacity(genesis.regions.len());
        for members in &genesis.regions {
            let place = usize::from(members.region.0);
            let archived = manifest.and_then(|manifest| manifest.logs.get(place));
            logs.push(reader.log(members.region, archived));
        }
        reader.hidden(manifest.map_or(&[], |manifest| &manifest.logs));
        let Reader { bytes, mut damage, .. } = reader;
        let incarnations = logs.iter().map(|log| log.incarnation).collect();
        let replay = Replay::new(&genesis, logs);
        if let Some(manifest) = manifest
            && manifest.watermark > replay.watermark()
        {
            let (claimed, found) = (manifest.watermark, replay.watermark());
            damage.push(format!("claims to be final up to {claimed}, and is up to {found}"));
        }
        Ok(Self { genesis, catalog, replay, incarnations, bytes, damage })
    }

    /// What the newest manifest claims: how far the logs are archived, and how far they are final.
    pub fn claim(&self) -> (Frontier, Hlc) {
        let newest = self.catalog.newest.as_ref();
        newest.map_or_else(Default::default, |(manifest, _)| {
            (manifest.frontier(), manifest.watermark)
        })
    }
}

struct Reader<'a> {
    store: &'a dyn ObjectStore,
    genesis: &'a Genesis,
    catalog: &'a Catalog,
    bytes: u64,
    damage: Vec<String>,
}

impl Reader<'_> {
    /// The records of a region log up to the first that is missing.
    fn log(&mut self, region: RegionId, archived: Option<&ArchivedLog>) -> CommittedLog {
        let first = self.genesis.regions[usize::from(region.0)].incarnation;
        let mut log = CommittedLog { incarnation: first, records: Vec::new() };
        let Some(archived) = archived else { return log };
        let mut last_hash = Hash::default();
        for run in &archived.runs {
            while (log.records.len() as u64) < run.last {
                if !self.stretch(region, run, &mut log.records, &mut last_hash) {
                    // Of an incarnation that it does not reach it says nothing.
                    return log;
                }
                log.incarnation = run.incarnation;
            }
            if last_hash != run.last_hash {
                let text = "ends with another record than the manifest says";
                self.damage.push(format!("log of region {region}: {text} ({})", run.last));
                return log;
            }
        }
        log.incarnation = archived.incarnation;
        log
    }

    /// Reads on by one piece; `false`: what comes next is missing.
    fn stretch(
        &mut self,
        region: RegionId,
        run: &Run,
        records: &mut Vec<Bytes>,
        last_hash: &mut Hash,
    ) -> bool {
        let next = records.len() as u64 + 1;
        let before = (region, run.incarnation, 0)..=(region, run.incarnation, next);
        let found = self.catalog.pieces.range(before).next_back().map(|(_, piece)| *piece);
        let Some(entry) = found.filter(|piece| piece.last >= next) else {
            self.damage.push(format!("log of region {region}: no piece has record {next}"));
            return false;
        };
        let Some(piece) = self.piece(&entry) else { return false };
        let wanted = next - entry.first..(run.last.min(entry.last) + 1) - entry.first;
        for bytes in &piece.records[wanted.start as usize..wanted.end as usize] {
            let header = RecordView::decode(bytes).expect("the piece was verified").header;
            if header.prev_hash != *last_hash {
                let (index, name) = (header.index, entry.name());
                self.damage.push(format!("{name}: record {index} does not follow the one before"));
                return false;
            }
            *last_hash = header.hash;
            records.push(bytes.clone());
        }
        true
    }

    /// A piece, if it is there and what the manifest says.
    fn piece(&mut self, entry: &PieceEntry) -> Option<piece::Piece> {
        let name = entry.name();
        let object = match self.store.read(&name) {
            Ok(object) => object,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.damage.push(format!("{name}: it is missing"));
                return None;
            }
            Err(error) => {
                self.damage.push(format!("{name}: {error}"));
                return None;
            }
        };
        self.bytes += object.len() as u64;
        if *blake3::hash(&object).as_bytes() != entry.hash {
            let what = piece::decode(&object).err().map(|error| error.to_string());
            let what = what.unwrap_or_else(|| "it is another piece".to_owned());
            self.damage.push(format!("{name}: {what}"));
            return None;
        }
        match piece::decode(&object) {
            Ok(piece) if is_as_entered(&piece, entry, self.genesis) => Some(piece),
            Ok(_) => {
                self.damage.push(format!("{name}: it is not what the manifest says"));
                None
            }
            Err(error) => {
                self.damage.push(format!("{name}: {error}"));
                None
            }
        }
    }

    /// Pieces of which a seal left records out: kept, and verified like the others.
    fn hidden(&mut self, logs: &[ArchivedLog]) {
        let is_read = |piece: &&PieceEntry| {
            let log = logs.get(usize::from(piece.region.0));
            let mut runs = log.into_iter().flat_map(|log| &log.runs);
            let is_within = |run: &Run| piece.first <= run.last && run.first <= piece.last;
            runs.any(|run| run.incarnation == piece.incarnation && is_within(run))
        };
        let hidden: Vec<PieceEntry> =
            self.catalog.pieces.values().filter(|piece| !is_read(piece)).copied().collect();
        for piece in hidden {
            self.piece(&piece);
        }
    }
}

fn is_as_entered(piece: &piece::Piece, entry: &PieceEntry, genesis: &Genesis) -> bool {
    let last: LogIndex = piece.first.wrapping_add(piece.records.len() as u64).wrapping_sub(1);
    piece.cluster == genesis.cluster
        && !piece.records.is_empty()
        && (piece.region, piece.incarnation) == (entry.region, entry.incarnation)
        && (piece.first, last, piece.last_hash) == (entry.first, entry.last, entry.last_hash)
}
