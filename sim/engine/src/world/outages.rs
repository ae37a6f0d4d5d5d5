//! Outages of whole regions as their clients see them: from when a region goes dark or is
//! destroyed until each client that talked to it succeeds somewhere (the measured RTO).

use crate::clients::Population;
use billing_wire::{QueryResult, RegionId, WriteAnswer};
use billsim_oracle::{Answer, Event};
use billsim_record::Outage;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

const MS: u64 = 1_000_000;
/// Longest time that is told apart, in milliseconds.
const RTO_MAX_MS: u64 = 3_600_000;

/// One outage that began.
#[derive(Debug)]
struct Open {
    region: RegionId,
    kind: &'static str,
    at: u64,
    behind_edge: bool,
    /// Clients that talked to the region and did not succeed since, with the time from which
    /// they wanted to.
    waiting: BTreeMap<u32, Option<u64>>,
    rto_ms: Histogram<u64>,
}

/// All outages of a run.
#[derive(Debug, Default)]
pub(super) struct Outages {
    begun: Vec<Open>,
}

impl Outages {
    /// A region is out from here on. `clients`: who talked to it, and whether it waits just now;
    /// `behind_edge`: whether through an edge.
    pub(super) fn begins(
        &mut self,
        at: u64,
        region: RegionId,
        kind: &'static str,
        behind_edge: bool,
        clients: impl Iterator<Item = (u32, bool)>,
    ) {
        let waiting = clients.map(|(session, is_busy)| (session, is_busy.then_some(at))).collect();
        let rto_ms = Histogram::new_with_max(RTO_MAX_MS, 3).expect("the bounds are legal");
        self.begun.push(Open { region, kind, at, behind_edge, waiting, rto_ms });
    }

    /// A client did something or was told.
    pub(super) fn note(&mut self, event: &Event) {
        if self.begun.is_empty() {
            return;
        }
        match event {
            Event::Invoke { at, session, .. } => {
                for outage in &mut self.begun {
                    if let Some(since) = outage.waiting.get_mut(session) {
                        since.get_or_insert(*at);
                    }
                }
            }
            Event::Return { at, call, answer } if is_success(answer) => {
                let session = Population::session_of(*call);
                for outage in &mut self.begun {
                    if let Some(since) = outage.waiting.remove(&session).flatten() {
                        outage.rto_ms.saturating_record((at - since) / MS);
                    }
                }
            }
            Event::Return { .. } => {}
        }
    }

    /// What they came to.
    pub(super) fn measured(&self) -> impl Iterator<Item = Outage> + '_ {
        self.begun.iter().map(|outage| {
            let recovered = outage.rto_ms.len();
            let still = outage.waiting.values().flatten().count() as u64;
            let quantile = |q| outage.rto_ms.value_at_quantile(q);
            Outage {
                region: outage.region.0,
                kind: outage.kind.to_owned(),
                at_ms: outage.at / MS,
                behind_edge: outage.behind_edge,
                clients: recovered + still,
                recovered,
                rto_ms: (recovered > 0)
                    .then(|| [quantile(0.5), quantile(0.99), outage.rto_ms.max()]),
                loss: None,
            }
        })
    }
}

fn is_success(answer: &Answer) -> bool {
    match answer {
        Answer::Write(WriteAnswer::Done(_)) => true,
        Answer::Read(found) => !matches!(found.result, QueryResult::Unavailable),
        Answer::Write(_) | Answer::TimedOut | Answer::Refused => false,
    }
}
