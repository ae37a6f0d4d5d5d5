//! L1: while a healthy majority of a region is connected, no write waits longer than the limit
//! without *some* write of the region being acknowledged.
//!
//! A client that pauses between two sendings, or asks a node that is down, learns nothing of the
//! others: where no node that lives was asked at the limit or after it, nothing is compared.
//! Another node that is lost begins another outage, from which the limit counts anew.

use crate::catalogue::Promise;
use crate::facts::{Ask, Call};
use crate::history::Answer;
use crate::verdicts::Verdicts;
use billing_wire::limits::REGIONS_MAX;
use billing_wire::{RegionId, WriteAnswer};

pub(crate) const WORDS: &str = "with one node of a region down, writes succeed again within 3 s";

/// Longest time without an acknowledged write, in nanoseconds.
pub const WITHOUT_WRITES_MAX: u64 = 3_000_000_000;

/// A sending of a write, in nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Sending {
    began: u64,
    /// When it returned, if it has.
    ended: Option<u64>,
    /// A node that lived to the end of it had it, and did not acknowledge it in time.
    is_in_vain: bool,
}

/// When writes of one region were wanted and when they succeeded, in nanoseconds.
#[derive(Debug, Default)]
struct Region {
    /// Each sending that was not turned down for what it asks.
    wanted: Vec<Sending>,
    /// When each acknowledged write returned; ascending, as history is.
    succeeded: Vec<u64>,
    /// When a node was lost, and enough others were left; ascending.
    losses: Vec<u64>,
}

/// Times of writes per region.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    regions: [Region; REGIONS_MAX],
}

impl Writes {
    /// A write returned. `is_held`: a node that lives has it still, and has not answered.
    pub(crate) fn returned(
        &mut self,
        at: u64,
        call: &Call,
        answer: &Answer,
        is_held: impl FnOnce() -> bool,
    ) {
        let Some(region) = call.region else { return };
        let Some(region) = self.regions.get_mut(usize::from(region.0)) else { return };
        let is_in_vain = match answer {
            Answer::Write(WriteAnswer::Done(_)) => {
                region.succeeded.push(at);
                // It waited too long itself.
                at - call.at > WITHOUT_WRITES_MAX
            }
            // Nothing is owed to a write that no healthy cluster would log.
            Answer::Write(WriteAnswer::Refused(_) | WriteAnswer::Conflict { .. })
            | Answer::Read(_) => return,
            answer if answer.is_refused_for_its_grade() => return,
            Answer::Write(WriteAnswer::Unavailable { .. } | WriteAnswer::Unknown) => true,
            Answer::TimedOut | Answer::Refused => is_held(),
        };
        region.wanted.push(Sending { began: call.at, ended: Some(at), is_in_vain });
    }

    /// A node of the region is lost, and a majority of it left.
    pub(crate) fn node_lost(&mut self, region: RegionId, at: u64) {
        if let Some(region) = self.regions.get_mut(usize::from(region.0)) {
            region.losses.push(at);
        }
    }

    /// From `from` to `to` a healthy majority of the region was connected. Windows of a region
    /// come in order; what lies before one is forgotten. `pending` are the calls that have not
    /// returned, each with whether a node that lives has it.
    pub(crate) fn window<'a>(
        &mut self,
        verdicts: &mut Verdicts,
        region: RegionId,
        (from, to): (u64, u64),
        pending: impl Iterator<Item = (&'a Call, bool)>,
    ) {
        let Some(times) = self.regions.get_mut(usize::from(region.0)) else { return };
        times.wanted.retain(|sending| sending.began >= from);
        times.succeeded.retain(|at| *at >= from);
        times.losses.retain(|at| *at >= from);
        let returned = times.wanted.len();
        let is_waiting = |call: &Call| {
            let is_write = matches!(call.ask, Ask::Write { .. });
            is_write && call.region == Some(region) && call.at >= from
        };
        times.wanted.extend(
            pending.filter(|(call, _)| is_waiting(call)).map(|(call, is_in_vain)| Sending {
                began: call.at,
                ended: None,
                is_in_vain,
            }),
        );
        times.judge(verdicts, region, to);
        times.wanted.truncate(returned);
    }
}

impl Region {
    fn judge(&self, verdicts: &mut Verdicts, region: RegionId, to: u64) {
        for sending in &self.wanted {
            let began = sending.began;
            let limit = began.saturating_add(WITHOUT_WRITES_MAX);
            if limit > to {
                continue;
            }
            let next = self.succeeded.partition_point(|at| *at <= began);
            let next = self.succeeded.get(next).copied();
            let is_timely = next.is_some_and(|at| at <= limit);
            let is_lost_anew = self.losses.iter().any(|at| began < *at && *at <= limit);
            // Where nobody asked any more, nothing is known of the region.
            if !is_timely && (is_lost_anew || !self.is_asked_in_vain(limit, next)) {
                continue;
            }
            verdicts.check(Promise::L1, limit, None, is_timely, || {
                let shape = "no write succeeded for 3 s".to_owned();
                let next = next.map_or("never".to_owned(), |at| format!("at {at} ns"));
                let detail = format!("a write began at {began} ns, the next success came {next}");
                (shape, format!("region {region}: {detail}"))
            });
        }
    }

    /// Whether a node that lives had a write at `limit`, or later but before the `next` success,
    /// and did not acknowledge it in time.
    fn is_asked_in_vain(&self, limit: u64, next: Option<u64>) -> bool {
        let mut in_vain = self.wanted.iter().filter(|sending| sending.is_in_vain);
        in_vain.any(|Sending { began, ended, .. }| {
            let is_later = ended.is_some_and(|ended| next.is_none_or(|next| ended <= next));
            ended.is_none_or(|ended| ended >= limit) && (*began <= limit || is_later)
        })
    }
}
