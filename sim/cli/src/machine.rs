//! What is done with this machine's own tools: child processes and git.

pub(crate) mod child;
pub(crate) mod git;
