//! Reports are pure functions from records to bytes; nothing here runs, prints or reads files.
//! Every report can be rebuilt from a run directory.

pub mod against;
pub mod diverge;
pub mod epilogue;
pub mod explain;
pub mod junit;
mod layout;
pub mod markdown;
pub mod outcomes;
mod page;
pub mod percentiles;
pub mod perfetto;
pub mod prometheus;
pub mod region_loss;
pub mod report;
pub mod run;
pub mod shrunk;
pub mod summary;
pub mod tally;
pub mod timeline;
mod waived;

pub use against::Baseline;
pub use run::{Latency, Run, Stored};
pub use tally::{Cause, Tally};
