//! The simulator: the real node code on simulated machines, moved by one seeded queue of events
//! inside madsim. A library that never prints, exits or reads the environment.
//!
//! Same binary, scenario and seed: same trace hash.

#[cfg(not(madsim))]
compile_error!(
    "the engine needs --cfg madsim: .cargo/config.toml sets it, an exported RUSTFLAGS replaces \
     it; unset RUSTFLAGS, or add `--cfg madsim` to it"
);

#[cfg(madsim)]
mod archive_store;
#[cfg(madsim)]
mod arrivals;
#[cfg(all(madsim, feature = "canaries"))]
pub mod canaries;
#[cfg(madsim)]
pub mod clients;
#[cfg(madsim)]
mod conflicts;
#[cfg(madsim)]
pub mod crew;
#[cfg(madsim)]
pub mod disk;
#[cfg(madsim)]
mod expectations;
mod failure;
#[cfg(madsim)]
mod loss;
#[cfg(madsim)]
pub mod marks;
#[cfg(madsim)]
pub mod panics;
#[cfg(madsim)]
pub mod plan;
#[cfg(madsim)]
mod refold;
#[cfg(madsim)]
pub mod run;
#[cfg(madsim)]
pub mod scenario;
mod second_opinion;
#[cfg(madsim)]
pub mod seed;
#[cfg(madsim)]
pub mod speaker;
#[cfg(madsim)]
pub mod sweep;
#[cfg(madsim)]
mod telling;
#[cfg(madsim)]
pub mod trace;
#[cfg(madsim)]
pub mod world;

pub use billing_wire::OpId;
#[cfg(madsim)]
pub use crew::Arm;
#[cfg(madsim)]
pub use run::{Job, LoadSeen, RunResult};
#[cfg(madsim)]
pub use scenario::Scenario;

/// Every oracle with the promise that it checks.
#[cfg(madsim)]
pub fn oracles() -> impl Iterator<Item = (&'static str, &'static str)> {
    billsim_oracle::CATALOGUE.iter().copied()
}
