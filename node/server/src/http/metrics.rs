//! `/metrics` in Prometheus' text format: the four golden signals and the node's own state.
//! Durations are seconds, sizes bytes, as Prometheus wants them.

use super::Api;
use super::health::role_name;
use axum::extract::State;
use axum::http::{HeaderName, header};
use billing_core::{Role, Status};
use billing_shell::tokio_host::{Counters, HISTOGRAM_BOUNDS_US, Histogram};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Writing to a text cannot fail.
const INFALLIBLE: &str = "a String takes every text";

pub(super) async fn metrics(State(api): State<Api>) -> ([(HeaderName, &'static str); 1], String) {
    let mut out = String::with_capacity(8 << 10);
    traffic(&api, &mut out);
    host(api.node.counters(), &mut out);
    let status = api.node.status();
    let is_open = u64::from(status.is_some());
    gauge(&mut out, "billing_node_open", "1 while the node is open, 0 while it opens.", is_open);
    if let Some(status) = status {
        node(&status, &mut out);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], out)
}

fn traffic(api: &Api, out: &mut String) {
    let name = "billing_http_requests_total";
    describe(out, name, "counter", "Requests by route and status.");
    api.traffic.each(|route, traffic| {
        for (status, count) in &traffic.answers {
            writeln!(out, "{name}{{route=\"{route}\",status=\"{status}\"}} {count}")
                .expect(INFALLIBLE);
        }
    });
    let name = "billing_http_request_seconds";
    describe(out, name, "histogram", "Time from a request's head to its answer.");
    api.traffic.each(|route, traffic| {
        histogram(out, name, &format!("route=\"{route}\""), &traffic.latency);
    });
}

fn host(counters: &Counters, out: &mut String) {
    let open = counters.requests_open.load(Relaxed);
    gauge(out, "billing_requests_open", "Requests that wait for an answer.", open);
    let totals: [(&str, &str, &AtomicU64); 18] = [
        ("billing_frames_sent_total", "Frames sent to peers.", &counters.frames_sent),
        ("billing_frames_received_total", "Frames from peers.", &counters.frames_received),
        ("billing_frames_dropped_total", "Frames without room or link.", &counters.frames_dropped),
        ("billing_connections_made_total", "Connections to peers.", &counters.connections_made),
        ("billing_payouts_called_total", "Payouts asked for.", &counters.payouts_called),
        ("billing_payouts_paid_total", "Payouts said to be paid.", &counters.payouts_paid),
        ("billing_payouts_refused_total", "Payouts refused for now.", &counters.payouts_refused),
        ("billing_payouts_unknown_total", "Payouts without an answer.", &counters.payouts_unknown),
        ("billing_notices_called_total", "Notices to be mailed.", &counters.notices_called),
        ("billing_notices_taken_total", "Notices that were taken.", &counters.notices_taken),
        ("billing_notices_failed_total", "Notices that were not.", &counters.notices_failed),
        ("billing_scrubbed_bytes_total", "Read to find damage.", &counters.scrubbed_bytes),
        ("billing_scrub_passes_total", "Times everything was read.", &counters.scrub_passes),
        ("billing_scrub_findings_total", "Damaged files found so.", &counters.scrub_findings),
        ("billing_archive_runs_total", "Archives begun.", &counters.archive_runs),
        ("billing_archive_failures_total", "Archives not complete.", &counters.archive_failures),
        ("billing_archived_bytes_total", "Put into the archive.", &counters.archived_bytes),
        ("billing_halts_total", "Times the node was opened again.", &counters.halts),
    ];
    for (name, help, value) in totals {
        describe(out, name, "counter", help);
        writeln!(out, "{name} {}", value.load(Relaxed)).expect(INFALLIBLE);
    }
    for (name, help, ms) in [
        (
            "billing_archive_complete_timestamp_seconds",
            "When the archive last had everything; 0: unknown.",
            &counters.archive_complete_ms,
        ),
        (
            "billing_archive_watermark_timestamp_seconds",
            "Up to here the archive can be restored; 0: unknown.",
            &counters.archive_watermark_ms,
        ),
    ] {
        gauge(out, name, help, ms.load(Relaxed) / 1_000);
    }
    let name = "billing_persist_seconds";
    describe(out, name, "histogram", "Time of a persist: write and sync log and superblock.");
    histogram(out, name, "", &counters.persist);
    let name = "billing_ledger_commit_seconds";
    describe(out, name, "histogram", "Time of a commit to the ledger database.");
    histogram(out, name, "", &counters.ledger_commit);
}

fn node(status: &Status, out: &mut String) {
    let name = "billing_role";
    describe(out, name, "gauge", "1 for the node's part in its region log.");
    for role in [Role::Follower, Role::Candidate, Role::Leader, Role::Learner] {
        let is_role = u8::from(status.role == role);
        writeln!(out, "{name}{{role=\"{}\"}} {is_role}", role_name(role)).expect(INFALLIBLE);
    }
    gauge(out, "billing_term", "Raft term of the own region log.", status.term);
    let leader = status.leader.map_or(0, |leader| u64::from(leader.0));
    gauge(out, "billing_leader", "Node that leads the own region log; 0: unknown.", leader);
    gauge(out, "billing_last_index", "Last index of the own region log.", status.last_index);
    let name = "billing_region_mode";
    let help = "How the own region acknowledges: 0 geo, 1 degraded (alone).";
    gauge(out, name, help, status.mode as u64);
    let name = "billing_exposure_entries";
    let help = "Committed entries of the own region that no other one is known to hold.";
    gauge(out, name, help, status.exposure);
    let help = "Records that a seal left out here and that are not known to be logged again.";
    gauge(out, "billing_orphan_records", help, status.orphans);
    let name = "billing_unsealed_promises";
    let help = "Region logs of which the node takes no more, for a seal that it has not read.";
    gauge(out, name, help, status.unsealed_promises);
    let durable = status.durable_index;
    gauge(out, "billing_durable_index", "Last durable index of the own region log.", durable);
    let missing = status.missing_records;
    gauge(out, "billing_missing_records", "Records that are damaged here, all logs.", missing);
    for (name, help, count) in [
        (
            "billing_repaired_records_total",
            "Damaged records fetched from other nodes.",
            status.repaired_records,
        ),
        (
            "billing_frames_refused_total",
            "Frames dropped: damaged, for others, or of what is not known yet.",
            status.frames_refused,
        ),
    ] {
        describe(out, name, "counter", help);
        writeln!(out, "{name} {count}").expect(INFALLIBLE);
    }
    for (name, help, frontier) in [
        ("billing_committed_index", "Last committed index per region log.", status.committed),
        ("billing_folded_index", "Last folded index per region log.", status.folded),
    ] {
        describe(out, name, "gauge", help);
        for (region, index) in frontier.0.iter().enumerate() {
            writeln!(out, "{name}{{region=\"{region}\"}} {index}").expect(INFALLIBLE);
        }
    }
}

pub(crate) fn describe(out: &mut String, name: &str, kind: &str, help: &str) {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}").expect(INFALLIBLE);
}

pub(crate) fn gauge(out: &mut String, name: &str, help: &str, value: u64) {
    describe(out, name, "gauge", help);
    writeln!(out, "{name} {value}").expect(INFALLIBLE);
}

fn histogram(out: &mut String, name: &str, labels: &str, histogram: &Histogram) {
    let (comma, whole) =
        if labels.is_empty() { ("", String::new()) } else { (",", format!("{{{labels}}}")) };
    let counts = histogram.counts();
    let mut below = 0;
    for (count, bound) in counts.iter().zip(HISTOGRAM_BOUNDS_US) {
        below += count;
        let (seconds, micros) = (bound / 1_000_000, bound % 1_000_000);
        writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{seconds}.{micros:06}\"}} {below}")
            .expect(INFALLIBLE);
    }
    let all: u64 = counts.iter().sum();
    let sum = histogram.sum_us();
    writeln!(out, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {all}").expect(INFALLIBLE);
    let (seconds, micros) = (sum / 1_000_000, sum % 1_000_000);
    writeln!(out, "{name}_sum{whole} {seconds}.{micros:06}").expect(INFALLIBLE);
    writeln!(out, "{name}_count{whole} {all}").expect(INFALLIBLE);
}
