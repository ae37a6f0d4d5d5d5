//! Reports are pure functions from records to bytes; nothing here runs, prints or reads files.
//! Every report can be rebuilt from a run directory.

pub mod epilogue;
pub mod explain;
mod layout;
pub mod outcomes;
mod page;
pub mod region_loss;
pub mod shrunk;
pub mod summary;
pub mod tally;
pub mod timeline;

pub use tally::{Cause, Tally};
