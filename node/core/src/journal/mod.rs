//! The region logs on disk: records in segments, a superblock that says how far they are
//! durable, and the recovery that reads both back.

use crate::io::{DiskStep, FileName};
use billing_wire::Genesis;

/// The files that recovery reads, whole.
pub type Image = Vec<(FileName, Vec<u8>)>;

/// What recovery found: the logs up to their durable index, term and vote.
pub struct Recovered {}

/// Why a directory cannot be opened without repair.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// Placeholder until the journal is written.
    #[error("not written yet")]
    Placeholder,
}

/// The first superblock of an empty node: what `init` writes beside the genesis file.
pub fn first_steps(_genesis: &Genesis) -> Vec<DiskStep> {
    todo!()
}

/// Reads a directory's superblock and segments: cuts what is behind the durable index, refuses
/// what is broken before it. The steps make the result durable and must be carried out before
/// the node is opened.
///
/// # Errors
/// What cannot be believed and cannot be cut.
pub fn recover(
    _genesis: &Genesis,
    _image: &Image,
) -> Result<(Recovered, Vec<DiskStep>), RecoverError> {
    todo!()
}
