//! `/livez`: the process runs. `/readyz`: the node can serve, with what it says of itself, and its
//! books hold everything that was committed before it or its leader began.

use super::Api;
use super::problem::Problem;
use axum::Json;
use axum::extract::State;
use billing_core::{Role, Status, Unfit};
use billing_wire::RegionMode;
use serde::Serialize;
use std::time::Duration;
use tokio::time::timeout;

/// A node that is not ready may be after so many milliseconds.
const RETRY_AFTER_MS: u32 = 1_000;
/// The run loop answers a probe between two inputs; one that takes longer is stuck.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) async fn livez() -> &'static str {
    "live\n"
}

/// 200 when the node is open, not stopping, hears a leader, has folded an entry of that leader's
/// term, and its log and its disk move. A node that was just started does not know which of its
/// last entries are committed; the first entry of the current term tells, for leaders as for
/// followers.
pub(super) async fn readyz(State(api): State<Api>) -> Result<Json<StatusJson>, Problem> {
    let not_ready = |detail| Err(Problem::unavailable("not-ready", detail, RETRY_AFTER_MS));
    if api.node.is_stopping() {
        return not_ready("the node is stopping");
    }
    let opening = || not_ready("the node is opening");
    if api.node.status().is_none() {
        return opening();
    }
    let probe = match timeout(PROBE_TIMEOUT, api.node.probe()).await {
        Ok(Ok(probe)) => probe,
        Ok(Err(_)) => return not_ready("the node takes no request now"),
        Err(_) => return not_ready("the node does not come round to it"),
    };
    // Not older than the probe: every write that was answered before this request is in it.
    let Some(status) = api.node.status() else { return opening() };
    match probe.unfit {
        Some(unfit) => not_ready(explain(unfit)),
        None => {
            Ok(Json(StatusJson { leader: probe.leader.map(|n| n.0), ..StatusJson::of(&status) }))
        }
    }
}

fn explain(unfit: Unfit) -> &'static str {
    match unfit {
        Unfit::Stopping => "the node is stopping",
        Unfit::NoLeader => "no leader is known: are two of three nodes up?",
        Unfit::LeaderSilent => "the leader was not heard for an election timeout",
        Unfit::NotCaughtUp => "which of the last entries are committed is not known yet",
        Unfit::LogStalled => "entries wait and none was committed for two election timeouts",
        Unfit::DiskStalled => "the disk does not answer",
        Unfit::ClockOff => "the clock is off from the majority's",
    }
}

/// What a node says of itself, as JSON.
#[derive(Debug, Serialize)]
pub(super) struct StatusJson {
    node: u16,
    role: &'static str,
    leader: Option<u16>,
    term: u64,
    last_index: u64,
    durable_index: u64,
    /// Records that are damaged here and are fetched from other nodes.
    missing_records: u64,
    /// Records that were fetched because they were damaged.
    repaired_records: u64,
    committed: [u64; billing_wire::limits::REGIONS_MAX],
    folded: [u64; billing_wire::limits::REGIONS_MAX],
    /// How the own region acknowledges: `geo`, or `degraded` when no other one can be reached.
    mode: &'static str,
    /// Committed entries of the own region that no other one is known to hold.
    exposure: u64,
    /// Records that a seal left out and that are not known to be logged again.
    orphans: u64,
    /// Region logs of which the node takes no more, for a seal that it has not read: `seal` must be
    /// carried through.
    unsealed_promises: u64,
    /// Whether something that a client submitted is committed and not final yet.
    is_unfinal: bool,
    /// `ms.counter`
    watermark: String,
    /// Hexadecimal: equal on nodes that have folded equally far.
    outcome_chain: String,
    /// Hexadecimal: equal on nodes that have folded equally far.
    state_hash: String,
}

impl StatusJson {
    fn of(status: &Status) -> Self {
        Self {
            node: status.node.0,
            role: role_name(status.role),
            leader: status.leader.map(|leader| leader.0),
            term: status.term,
            last_index: status.last_index,
            durable_index: status.durable_index,
            missing_records: status.missing_records,
            repaired_records: status.repaired_records,
            committed: status.committed.0,
            folded: status.folded.0,
            mode: match status.mode {
                RegionMode::Geo => "geo",
                RegionMode::Degraded => "degraded",
            },
            exposure: status.exposure,
            orphans: status.orphans,
            unsealed_promises: status.unsealed_promises,
            is_unfinal: status.is_unfinal,
            watermark: status.watermark.to_string(),
            outcome_chain: format!("{:016x}", status.outcome_chain.0),
            state_hash: format!("{:032x}", status.state_hash),
        }
    }
}

/// A role's name in the API and in metrics.
pub(super) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Follower => "follower",
        Role::Candidate => "candidate",
        Role::Leader => "leader",
        Role::Learner => "learner",
    }
}
