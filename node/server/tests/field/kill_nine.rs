//! Under load, nodes are killed with `kill -9` again and again: one, two or all three at once,
//! and started again. Nothing that a client was told may be lost, changed or booked twice.

use crate::cluster::{Cluster, PATIENCE};
use crate::judge::{committed_records, judge, promises_of_real_runs};
use crate::load::{Customer, Dice};
use crate::record::Recorder;
use crate::session::Session;
use crate::stopwatch::{Stopwatch, wait_for};
use billing_wire::NodeId;
use billsim_oracle::judge_real_run;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

const ROUNDS: u32 = 20;
const CLIENTS: u64 = 6;
const CLIENT_TIMEOUT: Duration = Duration::from_secs(2);
/// Small segments and frequent commits of the ledger, so that kills hit their changes too.
const TUNING: &str = "segment_bytes = 65536\nledger_commit_submissions = 100\n\
                      ledger_commit_ms = 300\n";
/// Far below what a slow machine manages; a cluster that is mostly down stays below it.
const ACKNOWLEDGED_MIN: u64 = 500;

#[test]
fn nothing_is_lost_when_nodes_are_killed() {
    let seed = 1;
    let total = Stopwatch::start();
    let mut cluster = Cluster::found(3, TUNING);
    cluster.start_all();
    let recorder = Recorder::new();
    let stop = AtomicBool::new(false);
    let addresses = cluster.addresses();
    let longest = scope(|threads| {
        // Also when a round fails: the clients must end before the panic can leave the scope.
        let _stopping = StopOnDrop(&stop);
        for number in 0..CLIENTS {
            let (recorder, stop, addresses) = (&recorder, &stop, addresses.clone());
            threads.spawn(move || {
                let nodes = addresses.iter().map(|(node, _)| *node).collect();
                let session = Session::new(number as u32, recorder, addresses, CLIENT_TIMEOUT);
                let dice = Dice::new(seed, number);
                Customer::new(session, dice, nodes, (number, CLIENTS)).live(stop);
            });
        }
        let mut dice = Dice::new(seed, CLIENTS);
        let rounds = (0..ROUNDS).map(|_| kill_and_restart(&mut cluster, &recorder, &mut dice));
        rounds.max().expect("there is a round")
    });
    let (acknowledged, acknowledged_index) =
        (recorder.acknowledged(), recorder.acknowledged_index());
    let last = cluster.await_settled(acknowledged_index);
    cluster.stop_all();
    let history = recorder.into_history();
    let logs = committed_records(&cluster, &[last]);
    let judgement = judge(&cluster, &history, &logs, &promises_of_real_runs());
    assert!(acknowledged >= ACKNOWLEDGED_MIN, "only {acknowledged} writes were acknowledged");
    #[expect(clippy::print_stdout, reason = "figures for whoever runs it with --nocapture")]
    {
        println!(
            "kill -9: seed {seed}, {ROUNDS} rounds, {acknowledged} acknowledged, {} events, {last} \
             records, longest recovery {longest:.2?}, {:.1?} in all\n{:?}",
            history.len(),
            total.elapsed(),
            judgement.comparisons
        );
    }
    // The judge sees a loss where there is one: here, of the last record with a receipt.
    let kept = acknowledged_index as usize - 1;
    let cut: Vec<Vec<_>> = logs.iter().map(|log| log[..kept].to_vec()).collect();
    let judgement = judge_real_run(&cluster.genesis, &history, &cut);
    assert!(judgement.violations.iter().any(|violation| violation.oracle == "D2"));
}

/// One round. Returns the time from the kill until a write that began after it was acknowledged.
fn kill_and_restart(cluster: &mut Cluster, recorder: &Recorder, dice: &mut Dice) -> Duration {
    let victims = draw_victims(&cluster.nodes(), dice);
    let (began, stopwatch) = (recorder.now(), Stopwatch::start());
    for node in &victims {
        cluster.kill(*node);
    }
    sleep(dice.milliseconds(0, 400));
    for node in &victims {
        cluster.start(*node);
        sleep(dice.milliseconds(0, 50));
    }
    wait_for("a write after a kill", PATIENCE, || {
        recorder.has_acknowledged_since(began).then_some(())
    });
    let recovered = stopwatch.elapsed();
    sleep(dice.milliseconds(50, 600));
    recovered
}

fn draw_victims(nodes: &[NodeId], dice: &mut Dice) -> Vec<NodeId> {
    let count = match dice.below(10) {
        0..6 => 1,
        6..9 => 2,
        _ => 3,
    };
    let mut left = nodes.to_vec();
    (0..count).map(|_| left.swap_remove(dice.below(left.len() as u64) as usize)).collect()
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
