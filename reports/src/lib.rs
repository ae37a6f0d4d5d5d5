//! Reports are pure functions from records to bytes; nothing here runs, prints or reads files.
//! Every report can be rebuilt from a run directory.

pub mod epilogue;
mod layout;
pub mod outcomes;
pub mod region_loss;
pub mod shrunk;
pub mod summary;
pub mod tally;

pub use tally::{Cause, Tally};
