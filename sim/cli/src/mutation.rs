//! Mutants of the node's source: which there are, many of them in one build, and what that build
//! does as each of them.

pub(crate) mod build;
pub(crate) mod listing;
pub(crate) mod reach;
pub(crate) mod trial;
pub(crate) mod weave;
