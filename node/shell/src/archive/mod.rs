//! The archive: what is committed of every region log, copied piece by piece to a store of objects
//! that are never changed, and read back from there. A manifest, written last, says what belongs to
//! it and up to where the merged order is final; `restore` folds that into a node's directory.
//!
//! ```text
//! genesis                                                without the cluster's secret
//! log/R/IIIIIIII/FIRST-LAST-HASH.piece                   records FIRST to LAST of incarnation I
//! manifest/SEQUENCE-HASH.manifest                        pieces that are new, and the hash before
//! ```
//!
//! Nothing here knows files or clocks of its own: a [`Directory`](crate::Directory) is read, an
//! [`ObjectStore`] is written, and the simulator implements both. What is not committed is not in
//! the archive, nor is what a seal left out and nobody archived before it.

pub mod catalog;
pub mod job;
pub mod manifest;
pub mod piece;
pub mod reading;
pub mod restore;

pub use catalog::Catalog;
pub use job::{Source, Taken, archive};
pub use manifest::Manifest;
pub use reading::Reading;
pub use restore::{RestoreError, Restored, Until, restore};

use billing_core::journal::RecoverError;
use billing_wire::{DecodeError, LogIndex, RegionId};
use std::fmt::Debug;
use std::io;
use thiserror::Error;

/// The object that holds genesis.
pub const GENESIS: &str = "genesis";
/// First part of the name of a piece.
pub const PIECES: &str = "log/";
/// First part of the name of a manifest.
pub const MANIFESTS: &str = "manifest/";

/// Objects under names, as object stores have them: a name has one content, whole or not at all.
pub trait ObjectStore: Send + Sync + Debug {
    /// Name and length of every object, in order of names.
    ///
    /// # Errors
    /// As the store says.
    fn list(&self) -> io::Result<Vec<(String, u64)>>;

    /// A whole object.
    ///
    /// # Errors
    /// `NotFound`, or as the store says.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// Puts an object there, in the place of another one if there was one. When the call returns it
    /// is durable; a crash before leaves the object as it was.
    ///
    /// # Errors
    /// As the store says.
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
}

/// Why an archive was not taken or cannot be read at all.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The node's directory cannot be read.
    #[error("data directory: {0}")]
    Directory(io::Error),
    /// There is nothing to archive in it.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The store failed.
    #[error("archive, {name}: {source}")]
    Store {
        /// The object, or `list`.
        name: String,
        /// What the store says.
        source: io::Error,
    },
    /// What was just put there does not come back.
    #[error("archive, {0}: what was written reads back as something else; check the store")]
    NotKept(String),
    /// Genesis does not verify.
    #[error("archive, genesis: {0}; copy it from a node's directory by archiving again")]
    Genesis(DecodeError),
    /// The archive is another cluster's.
    #[error("the archive is another cluster's: choose another directory")]
    OtherCluster,
    /// A record of the node's log is not what its hash says.
    #[error(
        "log of region {region}, {error}: nothing is archived from here; run `billing-node verify`"
    )]
    Unsound {
        /// The region log.
        region: RegionId,
        /// What is wrong.
        error: DecodeError,
    },
    /// The node's log is another one than the archive's.
    #[error(
        "log of region {region}: record {index} is another one in the archive; one of them is not \
         of this cluster's history: keep both, and ask for help"
    )]
    Diverges {
        /// The region log.
        region: RegionId,
        /// The record.
        index: LogIndex,
    },
}

/// The first half of a hash, as it stands in names.
fn short(hash: &[u8; 32]) -> String {
    hash[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}
