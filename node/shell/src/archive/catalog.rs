//! What an archive says that it has: its newest manifest that is whole, and those before it back to
//! one that names every piece. Reads manifests only.

use super::manifest::Manifest;
use super::piece::PieceEntry;
use super::{ArchiveError, MANIFESTS, ObjectStore, short};
use billing_wire::{ClusterId, Hash, Incarnation, LogIndex, RegionId};
use std::collections::BTreeMap;

/// Names a piece within an archive: two of the same place hold the same records.
pub type Place = (RegionId, Incarnation, LogIndex);

/// The manifests of an archive.
#[derive(Debug, Default)]
pub struct Catalog {
    /// The newest manifest that can be believed, with the hash of its object.
    pub newest: Option<(Manifest, Hash)>,
    /// Every piece that it and those before it name.
    pub pieces: BTreeMap<Place, PieceEntry>,
    /// Manifests since the last one that names every piece.
    pub since_full: u64,
    /// The highest sequence that any object of that name has, whole or not.
    pub last_sequence: u64,
    /// Manifests that cannot be believed and are newer than the newest one that can: what they said
    /// is not known. Older ones are superseded.
    pub damage: Vec<String>,
}

impl Catalog {
    /// Reads the manifests. `cluster`: whose archive it must be, if that is known.
    ///
    /// # Errors
    /// When the store fails, or the archive is another cluster's.
    pub fn read(store: &dyn ObjectStore, cluster: Option<ClusterId>) -> Result<Self, ArchiveError> {
        let list = |source| ArchiveError::Store { name: "list".to_owned(), source };
        let mut found = Self::default();
        let mut damaged: Vec<(u64, String)> = Vec::new();
        let mut whole: BTreeMap<Hash, Manifest> = BTreeMap::new();
        for (name, _) in store.list().map_err(list)? {
            let Some(sequence) = sequence_of(&name) else { continue };
            found.last_sequence = found.last_sequence.max(sequence);
            match read(store, &name) {
                Ok((manifest, _)) if cluster.is_some_and(|own| own != manifest.cluster) => {
                    return Err(ArchiveError::OtherCluster);
                }
                Ok((manifest, hash)) => {
                    whole.insert(hash, manifest);
                }
                Err(what) => damaged.push((sequence, format!("{name}: {what}"))),
            }
        }
        found.choose(&whole);
        let newest = found.newest.as_ref().map_or(0, |(manifest, _)| manifest.sequence);
        let newer = damaged.into_iter().filter(|(sequence, _)| *sequence > newest);
        found.damage.extend(newer.map(|(_, what)| what));
        Ok(found)
    }

    /// The newest manifest from which every one back to a full one is there.
    fn choose(&mut self, whole: &BTreeMap<Hash, Manifest>) {
        let mut newest_first: Vec<(&Hash, &Manifest)> = whole.iter().collect();
        newest_first.sort_by_key(|(_, manifest)| std::cmp::Reverse(manifest.sequence));
        for (hash, manifest) in newest_first {
            let mut chain = vec![manifest];
            while let Some(before) = chain.last().and_then(|last| last.before) {
                match whole.get(&before) {
                    Some(found) => chain.push(found),
                    None => break,
                }
            }
            if chain.last().is_some_and(|first| first.before.is_some()) {
                let text = "a manifest before it is missing or damaged";
                self.damage.push(format!("{}: {text}", Manifest::name(manifest.sequence, hash)));
                continue;
            }
            for piece in chain.iter().flat_map(|manifest| &manifest.pieces) {
                self.pieces.insert((piece.region, piece.incarnation, piece.first), *piece);
            }
            self.since_full = chain.len() as u64;
            self.newest = Some((manifest.clone(), *hash));
            return;
        }
    }

    /// The piece of an incarnation that reaches furthest.
    pub fn last_piece(&self, region: RegionId, incarnation: Incarnation) -> Option<&PieceEntry> {
        let of_incarnation = (region, incarnation, 0)..=(region, incarnation, LogIndex::MAX);
        self.pieces.range(of_incarnation).next_back().map(|(_, piece)| piece)
    }
}

/// The sequence in a manifest's name.
fn sequence_of(name: &str) -> Option<u64> {
    let rest = name.strip_prefix(MANIFESTS)?.strip_suffix(".manifest")?;
    rest.split_once('-')?.0.parse().ok()
}

fn read(store: &dyn ObjectStore, name: &str) -> Result<(Manifest, Hash), String> {
    let object = match store.read(name) {
        Ok(object) => object,
        // Listed, and not to be had: as good as damaged.
        Err(error) => return Err(error.to_string()),
    };
    let hash = *blake3::hash(&object).as_bytes();
    let is_own = name.ends_with(&format!("-{}.manifest", short(&hash)));
    match Manifest::decode(&object) {
        Ok(manifest) if is_own => Ok((manifest, hash)),
        Ok(_) => Err("it is another object than its name says".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
