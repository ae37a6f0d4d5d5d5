//! What is done with this machine's own tools: child processes, builds and git.

pub(crate) mod build;
pub(crate) mod child;
pub(crate) mod git;
