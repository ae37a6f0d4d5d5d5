//! The promises of the cluster, one oracle a file, judged over client histories, committed
//! records and disk images. Nothing here links madsim or the node, so that the same oracles
//! judge runs of real processes.

pub mod history;
pub mod jury;

pub use history::{Answer, CallId, Event, History, Request};
pub use jury::{Judgement, Jury, Violation};
