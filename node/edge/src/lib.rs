//! The edge of a cluster as a pure step function: one input goes in, ordered outputs come out. It
//! stands between clients and regions, sends each request to the nearest region that can commit,
//! and goes on elsewhere when that one cannot.
//!
//! There is no I/O here, no `async`, no clock and no hash map; time and chance are handed in. The
//! shipped edge and the simulated one run this same code, so what a sweep tests is what ships. It
//! never looks into a request: bodies, tokens and answers stay with the shell, which is told which
//! of them goes where. A retry is the same operation under the same `op_id`; that it has effect
//! once is the cluster's promise and not the edge's (billing.md §5).

pub mod breaker;
pub mod bucket;
pub mod config;
pub mod edge;
pub mod io;
pub mod marks;
pub mod request;
pub mod routes;

pub use config::{ConfigError, Limits, Nearest, Site};
pub use edge::Edge;
pub use io::{
    Ask, AttemptId, Chance, ClientId, Input, Loss, Output, Outputs, Priority, ProbeId, Reply,
    RequestId, Shed, Verdict,
};
