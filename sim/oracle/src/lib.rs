//! The promises of the cluster, one oracle a file, judged over client histories, committed
//! records and disk images. Nothing here links madsim or the node, so that the same oracles
//! judge runs of real processes.

pub mod catalogue;
pub mod evidence;
pub use billsim_history as history;
pub mod jury;
pub mod region_loss;

mod facts;
mod finality;
mod orphans;
mod promises;
mod real_run;
mod verdicts;
pub mod words;

pub use catalogue::CATALOGUE;
pub use evidence::{
    Apart, Books, DurableLogs, Judgement, LedgerView, NodeView, Payout, Reunion, Tail, Violation,
};
pub use history::{Answer, CallId, Endpoint, Event, History, Request};
pub use jury::Jury;
pub use promises::d3_exposure_is_exact::Exposed;
pub use promises::l1_writes_continue::WITHOUT_WRITES_MAX;
pub use real_run::judge_real_run;
pub use region_loss::{Acknowledgement, Destruction, Fate, Fated, LossReport};
pub use verdicts::VIOLATIONS_KEPT_MAX;
