//! Plain versioned data that the testbed writes and reads: fault plans, outcomes, manifests,
//! verdicts and exit codes. No logic beyond order and names.

pub mod checkpoint;
pub mod conclusion;
pub mod crash_point;
pub mod document;
pub mod event;
pub mod exit_code;
pub mod fault_target;
pub mod manifest;
pub mod outcome;
pub mod plan;
mod plan_words;
pub mod planned_load;
pub mod planned_service;
pub mod region_loss;
pub mod simfail;
pub mod waiver;

pub use checkpoint::Checkpoint;
pub use conclusion::Conclusion;
pub use crash_point::{InRecovery, Moment};
pub use document::{Document, ReadError};
pub use event::{Happening, RunEvent, RunEvents};
pub use exit_code::ExitCode;
pub use fault_target::Target;
pub use manifest::{Manifest, Shard};
pub use outcome::{Failure, FaultTally, Outcome, Verdict};
pub use plan::{Fault, FaultPlan, NodeNumber, PlannedAction, PlannedFault};
pub use planned_load::PlannedLoad;
pub use planned_service::PlannedService;
pub use region_loss::{Fate, Fates, LossVerdict, Outage, RegionLoss, TransactionFate};
pub use simfail::SimFail;
pub use waiver::Waiver;
