//! L1: while a healthy majority of a region is connected, no write waits longer than the limit
//! without *some* write of the region being acknowledged.

use crate::catalogue::Promise;
use crate::facts::{Ask, Call};
use crate::history::Answer;
use crate::verdicts::Verdicts;
use billing_wire::limits::REGIONS_MAX;
use billing_wire::{RegionId, WriteAnswer};

pub(crate) const WORDS: &str = "with one node of a region down, writes succeed again within 3 s";

/// Longest time without an acknowledged write, in nanoseconds.
pub const WITHOUT_WRITES_MAX: u64 = 3_000_000_000;

/// When writes of one region were wanted and when they succeeded, in nanoseconds.
#[derive(Debug, Default)]
struct Region {
    /// When each write began that was not turned down for what it asks.
    wanted: Vec<u64>,
    /// When each acknowledged write returned; ascending, as history is.
    succeeded: Vec<u64>,
}

/// Times of writes per region.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    regions: [Region; REGIONS_MAX],
}

impl Writes {
    /// A write returned.
    pub(crate) fn returned(&mut self, at: u64, call: &Call, answer: &Answer) {
        let Some(region) = call.region else { return };
        let Some(region) = self.regions.get_mut(usize::from(region.0)) else { return };
        match answer {
            Answer::Write(WriteAnswer::Done(_)) => {
                region.wanted.push(call.at);
                region.succeeded.push(at);
            }
            // Nothing is owed to a write that no healthy cluster would log.
            Answer::Write(WriteAnswer::Refused(_) | WriteAnswer::Conflict { .. })
            | Answer::Read(_) => {}
            answer if answer.is_refused_for_its_grade() => {}
            Answer::Write(WriteAnswer::Unavailable { .. } | WriteAnswer::Unknown)
            | Answer::TimedOut
            | Answer::Refused => region.wanted.push(call.at),
        }
    }

    /// From `from` to `to` a healthy majority of the region was connected. Windows of a region
    /// come in order; what lies before one is forgotten.
    pub(crate) fn window<'a>(
        &mut self,
        verdicts: &mut Verdicts,
        region: RegionId,
        (from, to): (u64, u64),
        pending: impl Iterator<Item = &'a Call>,
    ) {
        let Some(times) = self.regions.get_mut(usize::from(region.0)) else { return };
        times.wanted.retain(|at| *at >= from);
        times.succeeded.retain(|at| *at >= from);
        let waiting = pending
            .filter(|call| call.region == Some(region) && matches!(call.ask, Ask::Write { .. }))
            .map(|call| call.at)
            .filter(|at| *at >= from);
        for began in times.wanted.iter().copied().chain(waiting) {
            let limit = began.saturating_add(WITHOUT_WRITES_MAX);
            if limit > to {
                continue;
            }
            let next = times.succeeded.partition_point(|at| *at <= began);
            let next = times.succeeded.get(next).copied();
            verdicts.check(Promise::L1, limit, None, next.is_some_and(|at| at <= limit), || {
                let shape = "no write succeeded for 3 s".to_owned();
                let next = next.map_or("never".to_owned(), |at| format!("at {at} ns"));
                let detail = format!("a write began at {began} ns, the next success came {next}");
                (shape, format!("region {region}: {detail}"))
            });
        }
    }
}
