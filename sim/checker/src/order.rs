//! Real-time order inside a region (linearizability of its log). The order of a log is known, so
//! that this takes one pass from its end: no operation may begin after something that stands at
//! or behind its place was acknowledged. Deciding linearizability is hard only where the order is
//! not known (Gibbons and Korach, "Testing Shared Memories", SIAM J. Comput. 26(4), 1997, §3).

use crate::calls::{Acknowledged, Calls};
use crate::{Report, Rule};
use billing_wire::RegionId;
use std::collections::BTreeMap;

pub(crate) fn check(calls: &Calls<'_>, report: &mut Report) {
    let mut regions: BTreeMap<RegionId, Vec<&Acknowledged>> = BTreeMap::new();
    for told in &calls.acknowledged {
        regions.entry(told.receipt.position.region).or_default().push(told);
    }
    for of_region in regions.values_mut() {
        of_region.sort_by_key(|told| told.receipt.position.hlc);
        check_log(of_region, report);
    }
}

fn check_log(of_region: &[&Acknowledged], report: &mut Report) {
    // Of what stands at this stamp or behind it: what was acknowledged first.
    let mut first: Option<&Acknowledged> = None;
    for entry in of_region.chunk_by(|a, b| a.receipt.position.hlc == b.receipt.position.hlc).rev() {
        let first_here = entry.iter().copied().min_by_key(|told| told.at);
        first = first.into_iter().chain(first_here).min_by_key(|told| told.at);
        let Some(first) = first else { continue };
        for told in entry {
            let what = (Rule::RealTime, told.at, Some(told.op_id));
            report.compare(what, told.began <= first.at, || {
                let (here, there) = (told.receipt.position, first.receipt.position);
                let (op_id, at, began) = (first.op_id, first.at, told.began);
                format!("at {here}, begun at {began} ns; {op_id} at {there} was known at {at} ns")
            });
        }
    }
}
