//! What the loss of a region came to: how long its clients waited, how much was lost with it, and
//! the fate of each acknowledged transaction.

use crate::document::Document;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format that this release writes and reads.
pub const LOSS_VERDICT_FORMAT: u32 = 1;

/// What became of an acknowledged transaction.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It is there.
    Kept,
    /// It went with its region; its client was told that it could.
    LostAsGraded,
    /// It is gone and must not be.
    LostOutsideItsGrade,
    /// It has its effect more than once.
    Duplicated,
}

impl Fate {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::LostAsGraded => "lost inside what its grade allows",
            Self::LostOutsideItsGrade => "LOST OUTSIDE ITS GRADE",
            Self::Duplicated => "DUPLICATED",
        }
    }
}

/// How many acknowledged transactions came to which fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Fates {
    /// In all.
    pub acknowledged: u64,
    /// There.
    pub kept: u64,
    /// Gone, as their clients were told they could be.
    pub lost_as_graded: u64,
    /// Gone although they must not be.
    pub lost_outside: u64,
    /// With more than one effect.
    pub duplicated: u64,
}

impl Fates {
    /// Counts one more.
    pub fn add(&mut self, fate: Fate) {
        self.acknowledged += 1;
        match fate {
            Fate::Kept => self.kept += 1,
            Fate::LostAsGraded => self.lost_as_graded += 1,
            Fate::LostOutsideItsGrade => self.lost_outside += 1,
            Fate::Duplicated => self.duplicated += 1,
        }
    }
}

/// A region was dark, or is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outage {
    /// The region, by its id, from 0.
    pub region: u8,
    /// The kind of the fault.
    pub kind: String,
    /// When, in simulated milliseconds.
    pub at_ms: u64,
    /// Whether clients talk to an edge, which finds nodes for them, instead of trying nodes
    /// themselves.
    #[serde(default)]
    pub behind_edge: bool,
    /// Clients that talked to the region and wanted something afterwards.
    pub clients: u64,
    /// Those that had an answer again before the end of the run.
    pub recovered: u64,
    /// Time from the outage, or from the first call after it, to a client's first success, in
    /// simulated milliseconds: p50, p99, longest. The measured recovery time (RTO).
    pub rto_ms: Option<[u64; 3]>,
    /// What was lost, of a region that was destroyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<RegionLoss>,
}

/// What a destroyed region took with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RegionLoss {
    /// Last index of its log that was committed.
    pub committed: u64,
    /// Up to here the log lay on a majority of the disks of another region.
    pub geo_index: u64,
    /// Entries behind that: what could be lost.
    pub exposed: u64,
    /// What the region itself had announced; `None` when no node of it ran.
    pub announced: Option<u64>,
    /// Fates of the transactions that the region had acknowledged, per grade.
    pub fates: BTreeMap<String, Fates>,
    /// Acknowledged transactions that are lost: the measured recovery point (RPO).
    pub rpo_transactions: u64,
    /// How long before the outage the oldest of them was acknowledged, in simulated milliseconds.
    pub rpo_age_ms: Option<u64>,
}

/// The fate of one acknowledged transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TransactionFate {
    /// Its id.
    pub op_id: String,
    /// The client's session.
    pub client: u32,
    /// The best grade that it was acknowledged with.
    pub grade: String,
    /// Its place: stamp, region, index and offset.
    pub position: String,
    /// Its region.
    pub region: u8,
    /// When the client heard of it, in simulated milliseconds.
    pub acknowledged_ms: u64,
    /// What became of it.
    pub fate: Fate,
}

/// The verdict over a run in which a region was destroyed, to the last transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LossVerdict {
    /// Version of this format.
    pub format: u32,
    /// The scenario.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// Of the run.
    pub trace_hash: String,
    /// Every outage of a region.
    pub outages: Vec<Outage>,
    /// Fates of all acknowledged transactions, per grade.
    pub fates: BTreeMap<String, Fates>,
    /// Each of them, those that are not kept first.
    pub transactions: Vec<TransactionFate>,
}

impl Document for LossVerdict {
    const KIND: &'static str = "the region-loss verdict";
    const FORMAT: u32 = LOSS_VERDICT_FORMAT;
}
