//! The imperative shell of the billing node: it feeds the core one input at a time and carries
//! out what comes back, in that order. Everything that differs between a real machine and the
//! simulator lies below two traits, [`Host`] and [`Directory`].

pub mod archive;
pub mod block_layer;
pub mod conformance;
pub mod host;
pub mod ledger_database;
pub mod replica;
mod scrubber;
#[cfg(feature = "tokio-host")]
pub mod tokio_host;

pub use host::{BlockFile, Directory, Host};
pub use ledger_database::LedgerDatabase;
pub use replica::{OpenError, Replica, read_image};
pub use scrubber::{ScrubClock, ScrubPace, Scrubbed, Scrubber};
