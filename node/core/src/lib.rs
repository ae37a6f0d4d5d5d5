//! The billing node as a pure step function: one input goes in, ordered outputs come out.
//!
//! There is no I/O here, no `async`, no clock, no environment, no float and no hash map. Time and
//! randomness are handed in; everything that leaves the machine is an [`Output`], and the order of
//! the outputs *is* the durability order. Two nodes fed the same inputs do the same.

pub mod canary;
pub mod config;
pub mod consensus;
pub mod control;
pub mod io;
pub mod journal;
pub mod ledger;
pub mod limits;
pub mod marks;
pub mod merge;
pub mod node;
pub mod outbox;
pub mod session;
pub mod time;

pub use config::Config;
pub use io::{
    DiskFault, DiskStep, Effect, EffectId, EffectResult, FileName, HaltReason, Input, Notice,
    Output, Outputs, PersistToken, Probe, RequestId, Role, Status, Unfit,
};
pub use node::Node;
pub use time::{Monotonic, Now, Wall};
