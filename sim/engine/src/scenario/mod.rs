//! A scenario: which cluster, which load, which faults and for how long. It is a TOML file; the
//! seed draws everything that the file leaves open. Nothing here reads files.

mod archive;
mod check;
mod durability;
mod edge;
mod error;
mod expect;
mod faults;
mod node;
mod profiles;
pub(crate) mod service;

pub use archive::Archive;
pub use durability::Durability;
pub use edge::EdgeOverrides;
pub use error::{ScenarioError, SourceError, nearest};
pub use expect::Expect;
pub use faults::{FaultDraw, FaultKind, Swarm};
pub use node::NodeOverrides;
pub use profiles::{Profile, ProfileRun, Profiles};
pub use service::Service;

use crate::seed::{Purpose, Stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A smallest and a largest value, both included, written `[min, max]`; a seed draws between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "[u64; 2]", into = "[u64; 2]")]
#[schemars(with = "[u64; 2]")]
pub struct Between {
    /// The smallest.
    pub min: u64,
    /// The largest.
    pub max: u64,
}

impl From<[u64; 2]> for Between {
    fn from([min, max]: [u64; 2]) -> Self {
        Self { min, max }
    }
}

impl From<Between> for [u64; 2] {
    fn from(between: Between) -> Self {
        [between.min, between.max]
    }
}

impl Between {
    /// A value, every order of magnitude as likely.
    pub fn log_uniform(self, stream: &mut Stream) -> u64 {
        stream.log_uniform(self.min, self.max)
    }

    /// A value, every one as likely.
    pub fn uniform(self, stream: &mut Stream) -> u64 {
        stream.range(self.min, self.max)
    }
}

/// A scenario. Times and rates are simulated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name: the path under `scenarios/` without the ending.
    #[serde(skip)]
    pub name: String,
    /// What it is for, in one sentence.
    pub about: String,
    /// Fault kinds that a sweep must have observed, or it has a coverage gap.
    #[serde(default)]
    pub require: Vec<FaultKind>,
    /// How long.
    pub phases: Phases,
    /// What every run must show beyond the promises.
    #[serde(default)]
    pub expect: Expect,
    /// Which cluster.
    pub cluster: Cluster,
    /// What clients do.
    pub load: Load,
    /// How patient clients are.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// Links without faults.
    #[serde(default)]
    pub network: Network,
    /// Disks without faults.
    #[serde(default)]
    pub disk: Disk,
    /// What differs from the node's defaults.
    #[serde(default)]
    pub node: NodeOverrides,
    /// Clients talk to one edge per region, not to nodes; what differs from its defaults.
    #[serde(default)]
    pub edge: Option<EdgeOverrides>,
    /// How seeds differ in their faults.
    #[serde(default)]
    pub swarm: Swarm,
    /// Seals regions that are lost.
    #[serde(default)]
    pub operator: Option<Operator>,
    /// Has refunds paid out; without one they wait.
    #[serde(default)]
    pub provider: Option<Service>,
    /// Has customers told of their invoices; without one nobody does.
    #[serde(default)]
    pub mail: Option<Service>,
    /// Has a node archived, and the archive restored.
    #[serde(default)]
    pub archive: Option<Archive>,
    /// Damage may strike beyond what is promised to survive: the cluster may stop, it may not lie.
    /// What it owes nobody then is counted as excused.
    #[serde(default)]
    pub unrestricted: bool,
    /// What goes wrong, per kind.
    #[serde(default)]
    pub faults: BTreeMap<FaultKind, FaultDraw>,
}

/// An operator who seals regions that are destroyed, or dark for longer than that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// In so many seeds of a hundred there is one.
    #[serde(default = "always")]
    pub percent: u8,
    /// How long after a loss the operator begins to seal, in milliseconds; 1 to 600000.
    pub seal_after_ms: Between,
}

fn always() -> u8 {
    100
}

/// How long the two phases of a run are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Phases {
    /// Load and faults, in seconds; 1 to 86400.
    pub safety_s: u32,
    /// Everything must have converged so many seconds after that; 1 to 3600.
    pub settle_limit_s: u32,
}

/// The cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Regions; 1 to 5.
    pub regions: u8,
    /// Nodes in each region; odd, 1 to 7.
    pub nodes_per_region: u8,
}

impl Cluster {
    /// Nodes in all.
    pub fn nodes(&self) -> u8 {
        self.regions * self.nodes_per_region
    }
}

/// What clients do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Sessions, each with one operation at a time; 1 to 4096. Arrivals that find no free
    /// session wait for one.
    pub clients: u32,
    /// Writes that arrive per second outside of bursts; a seed draws one rate, log-scaled.
    pub transactions_per_s: Between,
    /// Accounts that are opened at the start; 1 to 100000.
    pub accounts: u32,
    /// Clients ask for so many operations before the end of the safety phase, and are quiet from
    /// then on; 1 to 100000. Absent: as many as arrive.
    #[serde(default)]
    pub operations: Option<u32>,
    /// Times of another rate, lulls as well as bursts.
    #[serde(default)]
    pub bursts: Option<Bursts>,
    /// One time of another rate. Bursts pause meanwhile.
    #[serde(default)]
    pub spike: Option<Spike>,
    /// So many operations arrive at once when regions are cut off, dark or destroyed: their
    /// clients all turn elsewhere. A seed draws anew for each.
    #[serde(default)]
    pub herd: Option<Between>,
    /// So many operations arrive at once when a region is back, or reached again: what piled up
    /// at banks and meters meanwhile. A seed draws anew for each.
    #[serde(default)]
    pub backlog: Option<Between>,
    /// How often each operation is asked for, relative to the others.
    pub mix: Mix,
    /// No seed does without some of them.
    #[serde(default)]
    pub whole_mix: bool,
    /// How often clients misbehave.
    #[serde(default)]
    pub misbehaviour: Misbehaviour,
    /// How durable clients want their answers.
    #[serde(default)]
    pub durability: Durability,
}

/// Times of another rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bursts {
    /// How many; a seed draws one rate, log-scaled.
    pub per_minute: Between,
    /// Writes that arrive per second meanwhile, log-scaled anew for each.
    pub transactions_per_s: Between,
    /// How long each takes, log-scaled.
    pub duration_ms: Between,
}

/// One time of another rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spike {
    /// When it begins, in milliseconds.
    pub at_ms: Between,
    /// Writes that arrive per second meanwhile, log-scaled.
    pub transactions_per_s: Between,
    /// How long it takes, log-scaled.
    pub duration_ms: Between,
}

/// How often each operation is asked for, relative to the others.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Mix {
    /// Open one more account.
    pub open_account: u32,
    /// Record a payment.
    pub payment: u32,
    /// Record meter reads.
    pub meter_read: u32,
    /// Post an adjustment.
    pub adjustment: u32,
    /// Reverse a payment.
    pub reversal: u32,
    /// Look up a balance.
    pub balance: u32,
    /// Look up a page of history.
    pub history: u32,
    /// Look up an operation.
    pub operation: u32,
    /// Look up the trial balance.
    pub trial_balance: u32,
    /// Close an account.
    pub close_account: u32,
    /// Ask for a refund of a payment.
    pub refund: u32,
    /// Report that a refund was paid out.
    pub payout: u32,
    /// Ask for an invoice.
    pub invoice: u32,
    /// Look up a statement.
    pub statement: u32,
    /// Look up an invoice, or those of an account.
    pub document: u32,
    /// Look up what lies in suspense.
    pub suspense: u32,
    /// Look up the refunds that are not paid out.
    pub outbox: u32,
    /// Report one payment to two regions at once.
    pub payment_race: u32,
    /// Ask two regions for refunds of one payment that are together more than it.
    pub refund_race: u32,
    /// Close an account in one region while another one books on it.
    pub close_race: u32,
    /// Ask two regions for the same invoice.
    pub invoice_race: u32,
    /// Ask two regions at once for the same final answer.
    pub read_race: u32,
}

/// How often clients misbehave, in parts per million of the writes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Misbehaviour {
    /// An `op_id` is used again with another body.
    pub other_body_ppm: u32,
    /// An amount, date or register is outside its range.
    pub out_of_range_ppm: u32,
    /// One operation is sent many times by an impatient client.
    pub retry_storm_ppm: u32,
    /// A payment names an account that is not open, or not yet.
    pub unknown_account_ppm: u32,
    /// A payment is reversed before it is reported.
    pub early_reversal_ppm: u32,
    /// A payment is reversed twice, or by another amount.
    pub wrong_reversal_ppm: u32,
    /// Two sessions send the same operation to two nodes at once.
    pub concurrent_duplicate_ppm: u32,
    /// A client makes its request anew for a retry, with another body under the same `op_id`: in
    /// parts per million of retries, the others are of writes.
    pub changed_retry_ppm: u32,
    /// A write comes with a session token of another cluster.
    pub foreign_token_ppm: u32,
}

/// How patient clients are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// A client gives up waiting for an answer; 10 to 60000 milliseconds.
    pub request_ms: u64,
    /// First and longest pause before a retry, doubled each time, with jitter; milliseconds.
    pub backoff_ms: Between,
    /// An operation is sent so many times at most before the end of the safety phase; 1 to 1000.
    pub attempts: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { request_ms: 2_000, backoff_ms: Between { min: 20, max: 1_000 }, attempts: 30 }
    }
}

/// Links without faults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// One-way latency of each frame within a region, and to and from clients, in microseconds.
    pub latency_us: Between,
    /// One-way latency of each frame from one region to another, in microseconds.
    pub between_regions_us: Between,
}

impl Default for Network {
    fn default() -> Self {
        let latency_us = Between { min: 200, max: 2_000 };
        Self { latency_us, between_regions_us: Between { min: 9_000, max: 12_000 } }
    }
}

/// Disks without faults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Disk {
    /// A write, in microseconds.
    pub write_us: Between,
    /// A sync, in microseconds.
    pub sync_us: Between,
}

impl Default for Disk {
    fn default() -> Self {
        Self { write_us: Between { min: 10, max: 100 }, sync_us: Between { min: 200, max: 3_000 } }
    }
}

/// The stream that says which features of the load a seed has.
const LOAD_FEATURES: u64 = 100;

impl Scenario {
    /// The load of a seed: it may lack some of the scenario's features.
    pub fn load_of(&self, seed: u64) -> Load {
        let mut load = self.load.clone();
        let mut stream = Stream::indexed(seed, Purpose::Config, LOAD_FEATURES);
        let mut lacks = || stream.below(100) >= u64::from(self.swarm.load_percent);
        if lacks() {
            load.bursts = None;
        }
        if lacks() {
            load.spike = None;
        }
        if lacks() {
            load.herd = None;
        }
        if lacks() {
            load.backlog = None;
        }
        load
    }

    /// Reads a scenario.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place in the text.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let mut scenario: Self =
            toml::from_str(text).map_err(|e| ScenarioError::from_toml(name, text, &e))?;
        name.clone_into(&mut scenario.name);
        check::check(&scenario).map_err(|wrong| ScenarioError::from_bound(name, text, &wrong))?;
        Ok(scenario)
    }
}

/// JSON Schema of scenario files.
pub fn scenario_schema() -> String {
    let schema = schemars::schema_for!(Scenario);
    format!("{:#}\n", schema.as_value())
}

#[cfg(test)]
mod tests;
