//! The real machine: files and fsync, sockets, threads and clocks. The only place of the node
//! that reads a clock, starts a thread or opens a socket. It decides nothing: what is written,
//! sent and answered, and in which order, is the core's business.

mod archive_directory;
mod archive_thread;
mod block_file;
mod clock;
#[cfg(test)]
mod conformance;
mod counters;
mod directory;
mod disk_threads;
mod handle;
mod listener;
mod lock;
mod machine;
mod mail;
mod peers;
mod provider;
mod run;
mod scrub_thread;
mod side_thread;

pub use archive_directory::ArchiveDirectory;
pub use archive_thread::ArchivePlan;
pub use clock::Clock;
pub use counters::{Counters, HISTOGRAM_BOUNDS_US, Histogram};
pub use directory::DiskDirectory;
pub use handle::{Handle, Unanswered};
pub use lock::{DirectoryLock, LockError};
pub use mail::{MailService, Mailing};
pub use provider::{Paying, PaymentProvider};
pub use run::{RunError, Setup, run};
