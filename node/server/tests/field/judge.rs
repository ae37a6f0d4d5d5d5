//! Reads what the nodes left on their disks and hands it to the oracles.

use crate::cluster::Cluster;
use billing_core::journal::inspect;
use billing_shell::read_image;
use billing_shell::tokio_host::DiskDirectory;
use billing_wire::{LogIndex, RecordView, RegionId};
use billsim_checker::{Exported, Rule, check};
use billsim_oracle::{CATALOGUE, History, Judgement, judge_real_run};

/// Promises that need to look into machines (disks, moments of commits and folds), which only
/// the simulator can.
const NOT_OF_REAL_RUNS: [&str; 31] = [
    "D1", "D3", "D6", "D7", "D8", "D9", "D10", "D11", "D12", "C1", "C2", "C3", "C5", "O5", "O7",
    "O8", "O9", "A2", "A3", "A5", "R4", "S2", "S3", "S4", "L1", "L2", "L3", "L4", "L5", "L6", "L7",
];

/// The committed records of every node that was stopped, from its directory, region by region.
/// `last`: per region, the last index that was committed everywhere.
///
/// # Panics
/// When a directory is damaged or does not hold all of them.
pub(crate) fn committed_records(cluster: &Cluster, last: &[LogIndex]) -> Vec<Vec<Vec<u8>>> {
    let records_of = |node| {
        let directory = DiskDirectory::open(cluster.dir(node)).expect("a data directory");
        let image = read_image(&directory).expect("a data directory");
        let inspection = inspect(&cluster.genesis, node, image);
        assert!(inspection.damage.is_empty(), "node {node}: {:?}", inspection.damage);
        let mut records = Vec::new();
        for (region, (log, last)) in inspection.logs.iter().zip(last).enumerate() {
            assert!(
                log.durable_index >= *last,
                "node {node} had committed {last} records of region {region} and kept {}",
                log.durable_index
            );
            records.extend(log.records.iter().take(*last as usize).map(|record| record.to_vec()));
        }
        records
    };
    cluster.nodes().into_iter().map(records_of).collect()
}

/// Judges a run that is over, by the oracles and by the second checker. The promises in `compared`
/// must each have compared something.
///
/// # Panics
/// When a promise broke; says which.
pub(crate) fn judge(
    cluster: &Cluster,
    history: &History,
    logs: &[Vec<Vec<u8>>],
    compared: &[&str],
) -> Judgement {
    let judgement = judge_real_run(&cluster.genesis, history, logs);
    assert!(judgement.violations.is_empty(), "{:#?}", judgement.violations);
    for id in compared {
        assert!(judgement.comparisons[id] > 0, "{id} compared nothing");
    }
    second_opinion(history, &logs[0]);
    judgement
}

fn second_opinion(history: &History, records: &[Vec<u8>]) {
    let views = records.iter().map(|record| RecordView::decode(record).expect("it verified"));
    let mut logs: Vec<Vec<RecordView<'_>>> = Vec::new();
    for view in views {
        let RegionId(region) = view.header.region;
        logs.resize_with(logs.len().max(usize::from(region) + 1), Vec::new);
        logs[usize::from(region)].push(view);
    }
    let report = check(&Exported { history, logs });
    assert_eq!(report.findings, [], "the oracles held, the second checker does not");
    assert!(report.comparisons[&Rule::Stands] > 0, "{:?}", report.comparisons);
}

/// Every promise that can be judged over a real run.
pub(crate) fn promises_of_real_runs() -> Vec<&'static str> {
    let ids = CATALOGUE.iter().map(|(id, _)| *id);
    ids.filter(|id| !NOT_OF_REAL_RUNS.contains(id)).collect()
}

/// Those that a run without refunds and invoices gives reason to judge.
pub(crate) fn promises_of_payments() -> Vec<&'static str> {
    let of_bills = ["A4", "A6", "A7", "A8"];
    promises_of_real_runs().into_iter().filter(|id| !of_bills.contains(id)).collect()
}
