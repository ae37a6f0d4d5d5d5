//! L3: regions that are whole and cut off from each other serve their clients alone. Judged per
//! region, over all such windows of a run together: of the payments that a client sent to a node of
//! the region after the first `geo_timeout` of a cut, and that ended before the cut did, at most
//! one in a thousand failed. Below a thousand payments that is none.
//!
//! Clients that give up within a second have not waited for an answer and count for nothing, and so
//! do payments that no healthy cluster would log. What goes through an edge is judged by L2.

use crate::catalogue::Promise;
use crate::evidence::Apart;
use crate::facts::{Ask, Call};
use crate::history::Answer;
use crate::verdicts::Verdicts;
use billing_wire::limits::REGIONS_MAX;
use billing_wire::{OpId, RegionId, WriteAnswer};
use std::collections::BTreeMap;

pub(crate) const WORDS: &str =
    "while regions are cut off from each other, 999 of 1000 payments succeed in each";

/// Of so many payments one may fail.
const ONE_FAILURE_PER: u64 = 1_000;
/// Who gives up sooner has not waited, in nanoseconds.
const PATIENCE_MIN: u64 = 1_000_000_000;

/// A payment that returned and was not part of a window yet.
#[derive(Debug, Clone, Copy)]
struct Payment {
    op_id: OpId,
    began: u64,
    ended: u64,
    succeeded: bool,
}

/// Payments of one region.
#[derive(Debug, Default)]
struct Region {
    returned: Vec<Payment>,
    judged: u64,
    failed: u64,
    /// The first that failed.
    first: Option<Payment>,
}

/// Payments of all regions.
#[derive(Debug, Default)]
pub(crate) struct Payments {
    regions: [Region; REGIONS_MAX],
    /// A bit per region that acknowledged a payment while it was alone.
    acknowledged: BTreeMap<OpId, u8>,
}

impl Payments {
    /// A call returned.
    pub(crate) fn returned(&mut self, at: u64, call: &Call, answer: &Answer) {
        let (true, Some(region)) = (call.pays, call.region) else { return };
        let Ask::Write { op_id, .. } = call.ask else { return };
        let Some(region) = self.regions.get_mut(usize::from(region.0)) else { return };
        let succeeded = match answer {
            Answer::Write(WriteAnswer::Done(_)) => true,
            Answer::Write(WriteAnswer::Refused(_) | WriteAnswer::Conflict { .. })
            | Answer::Read(_) => return,
            answer if answer.is_refused_for_its_grade() => return,
            Answer::TimedOut if at - call.at < PATIENCE_MIN => return,
            Answer::Write(WriteAnswer::Unavailable { .. } | WriteAnswer::Unknown)
            | Answer::TimedOut
            | Answer::Refused => false,
        };
        region.returned.push(Payment { op_id, began: call.at, ended: at, succeeded });
    }

    /// From `from` to `to` success was owed. Windows come in order.
    pub(crate) fn window(&mut self, from: u64, to: u64) {
        for (place, region) in self.regions.iter_mut().enumerate() {
            for payment in region.returned.drain(..) {
                if payment.began < from || payment.ended > to {
                    continue;
                }
                region.judged += 1;
                if payment.succeeded {
                    *self.acknowledged.entry(payment.op_id).or_default() |= 1 << place;
                } else {
                    region.failed += 1;
                    region.first.get_or_insert(payment);
                }
            }
        }
    }

    /// What regions did alone.
    pub(crate) fn apart(&self) -> Apart {
        let payments = self.regions.iter().map(|region| region.judged).collect();
        let in_two = self.acknowledged.values().filter(|regions| regions.count_ones() > 1);
        Apart { payments, paid_in_two_regions: in_two.count() as u64 }
    }

    /// The end of the run.
    pub(crate) fn settled(&self, verdicts: &mut Verdicts, at: u64) {
        for (id, region) in (0..).map(RegionId).zip(&self.regions) {
            let Region { judged, failed, first, .. } = region;
            if *judged == 0 {
                continue;
            }
            let holds = failed * ONE_FAILURE_PER <= *judged;
            verdicts.check(Promise::L3, at, None, holds, || {
                let shape = "payments failed in a region that was cut off".to_owned();
                let first = first.map_or((0, 0), |payment| (payment.began, payment.ended));
                let first = format!("the first from {} to {} ns", first.0, first.1);
                (shape, format!("region {id}: {failed} of {judged} failed, {first}"))
            });
        }
    }
}
