//! Judges what a scenario expects of each of its seeds; see [`crate::scenario::Expect`]. This is
//! no oracle: it is about figures of one scenario, not about promises of the cluster.

use crate::scenario::{Expect, Scenario};
use billsim_oracle::{Judgement, Reunion, Violation};
use billsim_record::{Fault, FaultPlan};
use hdrhistogram::Histogram;

/// Stands where a promise has its id.
pub(crate) const EXPECTED: &str = "expect";
const WORDS: &str = "the run shows what its scenario expects ([expect])";
/// Fewer have no 99th percentile.
const SAMPLES_MIN: u64 = 100;

/// What a run that ended well came to.
#[derive(Debug)]
pub(crate) struct Measured<'a> {
    pub(crate) plan: &'a FaultPlan,
    /// Microseconds.
    pub(crate) geo_latency: &'a Histogram<u64>,
    pub(crate) judged: &'a Judgement,
}

/// The first expectation that a run misses.
pub(crate) fn missed(s: &Scenario, measured: &Measured<'_>, at: u64) -> Option<Violation> {
    let expect = &s.expect;
    let found = geo_latency(expect, measured)
        .or_else(|| reunions(expect, measured))
        .or_else(|| regions_alone(expect, s.cluster.regions, measured));
    let (shape, detail) = found?;
    let (shape, transaction) = (shape.to_owned(), None);
    Some(Violation { oracle: EXPECTED, promise: WORDS, shape, detail, transaction, at })
}

type Missed = Option<(&'static str, String)>;

fn geo_latency(expect: &Expect, measured: &Measured<'_>) -> Missed {
    let limit_ms = expect.geo_p99_ms?;
    let writes = measured.geo_latency.len();
    let p99_us = measured.geo_latency.value_at_quantile(0.99);
    if writes < SAMPLES_MIN || p99_us < limit_ms * 1_000 {
        return None;
    }
    let detail = format!(
        "geo_p99_ms = {limit_ms}: 99 of 100 of {writes} writes took up to {p99_us} µs while \
         nothing was wrong"
    );
    Some(("writes that reach another region are slow", detail))
}

fn reunions(expect: &Expect, measured: &Measured<'_>) -> Missed {
    if let Some(limit_ms) = expect.catch_up_ms {
        let late = measured.judged.reunions.iter().find(|r| r.caught_up_ns >= limit_ms * 1_000_000);
        if let Some(Reunion { apart_ns, caught_up_ns, .. }) = late {
            let (apart_ms, took_ms) = (apart_ns / 1_000_000, caught_up_ns / 1_000_000);
            let detail = format!(
                "catch_up_ms = {limit_ms}: {took_ms} ms after a cut of {apart_ms} ms until all \
                 nodes had one order"
            );
            return Some(("catching up after a cut took too long", detail));
        }
        if measured.judged.reunions.is_empty() && has_cut(measured.plan) {
            let detail =
                format!("catch_up_ms = {limit_ms}: no cut was followed by a time without faults");
            return Some(("no catching up could be judged", detail));
        }
    }
    let changed = measured.judged.reunions.iter().any(|reunion| !reunion.leaders_stand);
    (expect.leaders_stand && changed).then(|| {
        let detail = "leaders_stand = true: a region has another term or incarnation than before";
        ("a region changed its leader in a cut", detail.to_owned())
    })
}

fn regions_alone(expect: &Expect, regions: u8, measured: &Measured<'_>) -> Missed {
    if !has_cut(measured.plan) {
        return None;
    }
    if let Some(least) = expect.payments_apart {
        let of_each = measured.judged.apart.payments.iter().take(regions.into());
        if let Some((region, served)) = of_each.enumerate().find(|(_, served)| **served < least) {
            let detail = format!("payments_apart = {least}: region {region} had {served}");
            return Some(("a region had few payments while it was cut off", detail));
        }
    }
    let least = expect.paid_in_two_regions?;
    let found = measured.judged.apart.paid_in_two_regions;
    (found < least).then(|| {
        let detail = format!("paid_in_two_regions = {least}: {found} payments were");
        ("few payments were acknowledged by two regions", detail)
    })
}

fn has_cut(plan: &FaultPlan) -> bool {
    plan.faults.iter().any(|planned| matches!(planned.fault, Fault::RegionCut { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use billsim_oracle::Apart;
    use billsim_record::PlannedFault;

    const SECOND: u64 = 1_000_000_000;

    struct Run {
        plan: FaultPlan,
        geo_latency: Histogram<u64>,
        judged: Judgement,
    }

    /// A run with a cut that shows all that [`all`] expects.
    fn run() -> Run {
        let fault = Fault::RegionCut { from_region: 0, to_region: 1 };
        let faults = vec![PlannedFault { at_ms: 1, for_ms: 43_000, fault }];
        let mut geo_latency = Histogram::new(3).expect("the bounds are legal");
        geo_latency.record_n(30_000, 99).expect("it fits");
        geo_latency.record_n(300_000, 1).expect("it fits");
        let reunion =
            Reunion { apart_ns: 43 * SECOND, caught_up_ns: 2 * SECOND, leaders_stand: true };
        Run {
            plan: FaultPlan::new("region/cut".to_owned(), 1, faults),
            geo_latency,
            judged: Judgement {
                reunions: vec![reunion],
                apart: Apart { payments: vec![10, 12, 0], paid_in_two_regions: 5 },
                ..Judgement::default()
            },
        }
    }

    fn all() -> Scenario {
        let text = include_str!("../../../scenarios/region/cut.toml");
        let mut scenario = Scenario::parse("region/cut", text).expect("it parses");
        scenario.expect = Expect {
            geo_p99_ms: Some(50),
            catch_up_ms: Some(10_000),
            leaders_stand: true,
            payments_apart: Some(10),
            paid_in_two_regions: Some(5),
        };
        scenario
    }

    /// What a changed run misses.
    fn misses(change: impl FnOnce(&mut Run)) -> Option<String> {
        let mut run = run();
        change(&mut run);
        let Run { plan, geo_latency, judged } = &run;
        let measured = Measured { plan, geo_latency, judged };
        missed(&all(), &measured, 0).map(|violation| violation.detail)
    }

    #[test]
    fn each_expectation_is_missed_by_what_falls_short_of_it_alone() {
        assert_eq!(misses(|_| {}), None);
        let slow = misses(|run| run.geo_latency.record_n(51_000, 2).expect("it fits"));
        let late = misses(|run| run.judged.reunions[0].caught_up_ns = 10 * SECOND);
        let unmeasured = misses(|run| run.judged.reunions.clear());
        let promoted = misses(|run| run.judged.reunions[0].leaders_stand = false);
        let silent = misses(|run| run.judged.apart.payments[1] = 9);
        let once = misses(|run| run.judged.apart.paid_in_two_regions = 4);
        let said = [slow, late, unmeasured, promoted, silent, once].map(Option::unwrap_or_default);
        insta::assert_snapshot!(said.join("\n"), @r"
        geo_p99_ms = 50: 99 of 100 of 102 writes took up to 51007 µs while nothing was wrong
        catch_up_ms = 10000: 10000 ms after a cut of 43000 ms until all nodes had one order
        catch_up_ms = 10000: no cut was followed by a time without faults
        leaders_stand = true: a region has another term or incarnation than before
        payments_apart = 10: region 1 had 9
        paid_in_two_regions = 5: 4 payments were
        ");
    }

    #[test]
    fn a_run_without_a_cut_owes_nothing_of_cuts() {
        let nothing = |run: &mut Run| {
            run.plan.faults.clear();
            run.judged.reunions.clear();
            run.judged.apart = Apart::default();
        };
        assert_eq!(misses(nothing), None);
    }
}
