//! Bounds of a scenario's values, and what must fit together.

use super::error::Wrong;
use super::{
    Between, Durability, EdgeOverrides, FaultDraw, FaultKind, Misbehaviour, Mix, NodeOverrides,
    Scenario,
};
use billing_core::Config;
use billing_edge::Limits;
use billing_wire::{ClusterId, Genesis, NodeId};
use std::sync::Arc;

type Checked = Result<(), Wrong>;

pub(super) fn check(s: &Scenario) -> Checked {
    if s.about.trim().is_empty() {
        return wrong(&["about"], "a sentence about what the scenario is for expected".to_owned());
    }
    bound(&["phases", "safety_s"], s.phases.safety_s.into(), 1, 86_400)?;
    bound(&["phases", "settle_limit_s"], s.phases.settle_limit_s.into(), 1, 3_600)?;
    bound(&["cluster", "regions"], s.cluster.regions.into(), 1, 5)?;
    let nodes = s.cluster.nodes_per_region;
    bound(&["cluster", "nodes_per_region"], nodes.into(), 1, 7)?;
    if nodes.is_multiple_of(2) {
        return wrong(
            &["cluster", "nodes_per_region"],
            format!("{nodes} found, an odd number expected: an even one survives no more"),
        );
    }
    check_load(s)?;
    check_expect(s)?;
    bound(&["timeouts", "request_ms"], s.timeouts.request_ms, 10, 60_000)?;
    span(&["timeouts", "backoff_ms"], s.timeouts.backoff_ms, 1, 60_000)?;
    bound(&["timeouts", "attempts"], s.timeouts.attempts.into(), 1, 1_000)?;
    span(&["network", "latency_us"], s.network.latency_us, 1, 10_000_000)?;
    let far = s.network.between_regions_us;
    span(&["network", "between_regions_us"], far, 1, 10_000_000)?;
    span(&["disk", "write_us"], s.disk.write_us, 1, 10_000_000)?;
    span(&["disk", "sync_us"], s.disk.sync_us, 1, 10_000_000)?;
    check_node(s)?;
    check_edge(s)?;
    bound(&["swarm", "none_percent"], s.swarm.none_percent.into(), 0, 100)?;
    bound(&["swarm", "load_percent"], s.swarm.load_percent.into(), 0, 100)?;
    if let Some(operator) = &s.operator {
        bound(&["operator", "percent"], operator.percent.into(), 0, 100)?;
        span(&["operator", "seal_after_ms"], operator.seal_after_ms, 1, 600_000)?;
        if s.cluster.regions == 1 {
            let text = "regions = 1: there is nothing to seal, at least 2 expected";
            return wrong(&["cluster", "regions"], text.to_owned());
        }
    }
    check_provider(s)?;
    check_archive(s)?;
    for (kind, draw) in &s.faults {
        check_fault(s, *kind, draw)?;
    }
    match s.require.iter().find(|kind| !s.faults.contains_key(kind)) {
        Some(kind) => wrong(
            &["require"],
            format!("`{0}` is required but never drawn: add [faults.{0}]", kind.name()),
        ),
        None => Ok(()),
    }
}

fn check_expect(s: &Scenario) -> Checked {
    let expect = &s.expect;
    for (key, value, high) in [
        ("geo_p99_ms", expect.geo_p99_ms, 60_000),
        ("catch_up_ms", expect.catch_up_ms, 3_600_000),
        ("payments_apart", expect.payments_apart, 1_000_000),
        ("paid_in_two_regions", expect.paid_in_two_regions, 1_000_000),
    ] {
        let Some(value) = value else { continue };
        bound(&["expect", key], value, 1, high)?;
        if s.cluster.regions == 1 {
            let text = format!("{key} is about several regions, and this cluster has one");
            return wrong(&["expect", key], text);
        }
    }
    Ok(())
}

fn check_archive(s: &Scenario) -> Checked {
    let Some(archive) = &s.archive else { return Ok(()) };
    span(&["archive", "period_ms"], archive.period_ms, 10, 600_000)?;
    bound(&["archive", "late_after_ms"], archive.late_after_ms.into(), 10, 3_600_000)?;
    bound(&["archive", "drill_every"], archive.drill_every.into(), 1, 1_000)?;
    for (key, percent) in archive.percentages() {
        bound(&["archive", key], percent.into(), 0, 100)?;
    }
    Ok(())
}

fn check_provider(s: &Scenario) -> Checked {
    for (section, party) in [("provider", &s.provider), ("mail", &s.mail)] {
        let Some(party) = party else { continue };
        span(&[section, "latency_ms"], party.latency_ms, 1, 60_000)?;
        span(&[section, "slow_ms"], party.slow_ms, 1, 60_000)?;
        for (key, percent) in party.worst().kinds() {
            bound(&[section, key], (*percent).into(), 0, 100)?;
        }
    }
    if s.provider.is_some() && s.load.mix.payout > 0 {
        let text = "0 expected beside a [provider]: clients do not know what it has paid";
        return wrong(&["load", "mix", "payout"], text.to_owned());
    }
    Ok(())
}

fn check_load(s: &Scenario) -> Checked {
    let load = &s.load;
    bound(&["load", "clients"], load.clients.into(), 1, 4_096)?;
    span(&["load", "transactions_per_s"], load.transactions_per_s, 1, 100_000)?;
    bound(&["load", "accounts"], load.accounts.into(), 1, 100_000)?;
    if let Some(operations) = load.operations {
        bound(&["load", "operations"], operations.into(), 1, 100_000)?;
    }
    if let Some(bursts) = &load.bursts {
        span(&["load", "bursts", "per_minute"], bursts.per_minute, 1, 600)?;
        span(&["load", "bursts", "transactions_per_s"], bursts.transactions_per_s, 1, 100_000)?;
        span(&["load", "bursts", "duration_ms"], bursts.duration_ms, 1, 600_000)?;
    }
    if let Some(spike) = &load.spike {
        span(&["load", "spike", "at_ms"], spike.at_ms, 0, 86_400_000)?;
        span(&["load", "spike", "transactions_per_s"], spike.transactions_per_s, 1, 100_000)?;
        span(&["load", "spike", "duration_ms"], spike.duration_ms, 1, 3_600_000)?;
    }
    for (key, surge) in [("herd", load.herd), ("backlog", load.backlog)] {
        if let Some(operations) = surge {
            span(&["load", key], operations, 1, 100_000)?;
        }
    }
    check_durability(load.durability)?;
    check_mix(&load.mix)?;
    check_misbehaviour(&load.misbehaviour)
}

fn check_durability(durability: Durability) -> Checked {
    let Durability { region_percent, geo_percent, final_percent, fail_fast_percent } = durability;
    let grades = [
        ("region_percent", region_percent),
        ("geo_percent", geo_percent),
        ("final_percent", final_percent),
    ];
    for (key, percent) in grades.into_iter().chain([("fail_fast_percent", fail_fast_percent)]) {
        bound(&["load", "durability", key], percent.into(), 0, 100)?;
    }
    let sum: u32 = grades.iter().map(|(_, percent)| u32::from(*percent)).sum();
    if sum > 100 {
        let problem = format!("{sum} percent of the writes name a grade, at most 100 expected");
        return wrong(&["load", "durability"], problem);
    }
    Ok(())
}

fn check_mix(mix: &Mix) -> Checked {
    for (key, weight) in [
        ("open_account", mix.open_account),
        ("payment", mix.payment),
        ("meter_read", mix.meter_read),
        ("adjustment", mix.adjustment),
        ("reversal", mix.reversal),
        ("balance", mix.balance),
        ("history", mix.history),
        ("operation", mix.operation),
        ("trial_balance", mix.trial_balance),
        ("close_account", mix.close_account),
        ("refund", mix.refund),
        ("payout", mix.payout),
        ("invoice", mix.invoice),
        ("statement", mix.statement),
        ("document", mix.document),
        ("suspense", mix.suspense),
        ("outbox", mix.outbox),
        ("payment_race", mix.payment_race),
        ("refund_race", mix.refund_race),
        ("close_race", mix.close_race),
        ("invoice_race", mix.invoice_race),
        ("read_race", mix.read_race),
    ] {
        bound(&["load", "mix", key], weight.into(), 0, 1_000_000)?;
    }
    if mix.payment == 0 {
        return wrong(
            &["load", "mix", "payment"],
            "at least 1 expected: the other operations refer to payments".to_owned(),
        );
    }
    Ok(())
}

fn check_misbehaviour(odd: &Misbehaviour) -> Checked {
    let of_retries = odd.changed_retry_ppm.into();
    bound(&["load", "misbehaviour", "changed_retry_ppm"], of_retries, 0, 1_000_000)?;
    let of_writes = odd.foreign_token_ppm.into();
    bound(&["load", "misbehaviour", "foreign_token_ppm"], of_writes, 0, 1_000_000)?;
    let mut sum = 0;
    for (key, ppm) in [
        ("other_body_ppm", odd.other_body_ppm),
        ("out_of_range_ppm", odd.out_of_range_ppm),
        ("retry_storm_ppm", odd.retry_storm_ppm),
        ("unknown_account_ppm", odd.unknown_account_ppm),
        ("early_reversal_ppm", odd.early_reversal_ppm),
        ("wrong_reversal_ppm", odd.wrong_reversal_ppm),
        ("concurrent_duplicate_ppm", odd.concurrent_duplicate_ppm),
    ] {
        bound(&["load", "misbehaviour", key], ppm.into(), 0, 1_000_000)?;
        sum += u64::from(ppm);
    }
    if sum > 1_000_000 {
        return wrong(&["load", "misbehaviour"], format!("{sum} ppm in all, at most 1000000"));
    }
    Ok(())
}

/// The node itself knows its bounds: both ends of each override are tried on its defaults.
fn check_node(s: &Scenario) -> Checked {
    for (key, between) in s.node.all() {
        let Some(between) = between else { continue };
        span(&["node", key], between, 1, u64::MAX - 1)?;
    }
    // The bounds do not depend on the cluster.
    let genesis = Arc::new(Genesis {
        cluster: ClusterId(0),
        currency: *b"EUR",
        secret: [0; 32],
        regions: Vec::new(),
    });
    for take_max in [false, true] {
        let end = |b: Option<Between>| {
            b.map(|b| if take_max { b.max } else { b.min }).map(|end| Between::from([end, end]))
        };
        // Heart-beats and elections are compared at their worst.
        let other_end = |b: Option<Between>| {
            b.map(|b| if take_max { b.min } else { b.max }).map(|end| Between::from([end, end]))
        };
        let one_end = NodeOverrides {
            tick_ms: end(s.node.tick_ms),
            heartbeat_ticks: other_end(s.node.heartbeat_ticks),
            election_ticks: end(s.node.election_ticks),
            batch_submissions_max: end(s.node.batch_submissions_max),
            uncommitted_entries_max: end(s.node.uncommitted_entries_max),
            in_flight_max: end(s.node.in_flight_max),
            persist_bytes_max: end(s.node.persist_bytes_max),
            segment_bytes: end(s.node.segment_bytes),
            ledger_commit_submissions: end(s.node.ledger_commit_submissions),
            ledger_commit_ms: end(s.node.ledger_commit_ms),
            ledger_cache_rows: end(s.node.ledger_cache_rows),
            write_timeout_ms: end(s.node.write_timeout_ms),
            clock_skew_max_ms: end(s.node.clock_skew_max_ms),
            // No part of the node's own configuration: any value will do.
            scrub_period_ms: None,
            scrub_bytes_per_s: None,
        };
        let mut config = Config::new(NodeId(1), Arc::clone(&genesis));
        one_end.apply(0, &mut config);
        if let Err(error) = config.check() {
            let problem = format!("{} found, {} expected", error.found, error.expected);
            return wrong(&["node", error.key], problem);
        }
    }
    Ok(())
}

/// The edge itself knows its bounds, too.
fn check_edge(s: &Scenario) -> Checked {
    let Some(edge) = &s.edge else { return Ok(()) };
    for (key, between) in edge.all() {
        let Some(between) = between else { continue };
        span(&["edge", key], between, 1, u64::MAX - 1)?;
        for end in [between.min, between.max] {
            let end = Some(Between::from([end, end]));
            let mut one = EdgeOverrides::default();
            match key {
                "in_flight_max" => one.in_flight_max = end,
                "client_per_s" => one.client_per_s = end,
                "client_burst" => one.client_burst = end,
                "attempts_max" => one.attempts_max = end,
                "retry_reserve" => one.retry_reserve = end,
                _ => one.probe_ms = end,
            }
            let mut limits = Limits::default();
            one.apply(0, &mut limits);
            if let Err(error) = limits.check() {
                return wrong(&["edge", key], error.to_string());
            }
        }
    }
    Ok(())
}

fn check_fault(s: &Scenario, kind: FaultKind, draw: &FaultDraw) -> Checked {
    let at = |key| ["faults", kind.name(), key];
    let here = ["faults", kind.name()];
    if kind.is_between_regions() && s.cluster.regions < 2 {
        return wrong(
            &["faults", kind.name()],
            "it needs two regions, the cluster has one: raise cluster.regions".to_owned(),
        );
    }
    if kind.is_of_a_link() && s.cluster.nodes() < 2 {
        return wrong(&here, "a cluster of one node has no links".to_owned());
    }
    bound(&at("percent"), draw.percent.into(), 1, 100)?;
    let end_ms = u64::from(s.phases.safety_s) * 1_000 - 1;
    match (draw.per_minute, draw.at_ms) {
        (Some(often), None) => span(&at("per_minute"), often, 1, 600)?,
        (None, Some(once)) => span(&at("at_ms"), once, 0, end_ms)?,
        _ => {
            let problem = "one of per_minute = [min, max] and at_ms = [min, max] expected";
            return wrong(&here, problem.to_owned());
        }
    }
    if draw.pairs && (kind != FaultKind::Cut || s.cluster.regions == 1) {
        return wrong(&here, "pairs = true is for cuts with several regions".to_owned());
    }
    match (kind.lasts(), draw.duration_ms) {
        (true, Some(between)) => span(&at("duration_ms"), between, 1, 3_600_000)?,
        (true, None) => return wrong(&here, "duration_ms = [min, max] expected".to_owned()),
        (false, None) => {}
        (false, Some(_)) => {
            let problem = "this kind is over when it has fired: leave the key out";
            return wrong(&at("duration_ms"), problem.to_owned());
        }
    }
    match (kind.intensities(), draw.intensity) {
        (Some((low, high, _)), Some(between)) => span(&at("intensity"), between, low, high),
        (Some((low, high, unit)), None) => {
            wrong(&here, format!("intensity = [min, max] expected: {unit}, {low} to {high}"))
        }
        (None, None) => Ok(()),
        (None, Some(_)) => {
            wrong(&at("intensity"), "this kind has no strengths: leave the key out".to_owned())
        }
    }
}

fn bound(path: &[&str], found: u64, low: u64, high: u64) -> Checked {
    if (low..=high).contains(&found) {
        return Ok(());
    }
    wrong(path, format!("{found} found, {low} to {high} expected"))
}

fn span(path: &[&str], found: Between, low: u64, high: u64) -> Checked {
    if found.min > found.max {
        return wrong(path, format!("[{}, {}] is upside down", found.min, found.max));
    }
    bound(path, found.min, low, high)?;
    bound(path, found.max, low, high)
}

fn wrong(path: &[&str], problem: String) -> Checked {
    Err(Wrong { path: path.iter().map(|key| (*key).to_owned()).collect(), problem })
}
