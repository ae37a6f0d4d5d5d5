//! When the node that leads is killed, writes succeed again after a short time without anybody's
//! doing.

use crate::api::payment;
use crate::cluster::{Cluster, PATIENCE};
use crate::record::Recorder;
use crate::session::Session;
use crate::stopwatch::Stopwatch;
use billing_wire::{AccountId, OpId, Submission, WriteAnswer};
use billsim_oracle::Answer;
use std::thread::sleep;
use std::time::Duration;

const ROUNDS: u32 = 5;
/// Above what a write takes, below an election.
const ATTEMPT: Duration = Duration::from_millis(300);

#[test]
fn another_node_leads_when_the_leader_is_killed() {
    let mut cluster = Cluster::found(3, "");
    cluster.start_all();
    let recorder = Recorder::new();
    let mut took = Vec::new();
    for round in 0..ROUNDS {
        let leader = cluster.await_leader();
        cluster.kill(leader);
        let left: Vec<_> = cluster.nodes().into_iter().filter(|node| *node != leader).collect();
        let addresses: Vec<_> = left.iter().map(|node| (*node, cluster.http(*node))).collect();
        let mut session = Session::new(round, &recorder, addresses, ATTEMPT);
        let stopwatch = Stopwatch::start();
        for attempt in 0.. {
            // A new payment each time: what was forwarded to the dead leader waits there.
            let number = u128::from(round) << 32 | attempt;
            let command = payment(AccountId(1), 1, &number.to_string());
            let node = left[attempt as usize % left.len()];
            let answer = session.write(node, &Submission { op_id: OpId(number), command }, false);
            if matches!(answer, Answer::Write(WriteAnswer::Done(_))) {
                break;
            }
            let elapsed = stopwatch.elapsed();
            assert!(elapsed < PATIENCE, "no write for {elapsed:.1?} without node {leader}");
            sleep(Duration::from_millis(20));
        }
        took.push(stopwatch.elapsed());
        cluster.start(leader);
        cluster.await_ready();
    }
    #[expect(clippy::print_stdout, reason = "figures for whoever runs it with --nocapture")]
    {
        println!("failover: next write after {took:.2?}");
    }
    cluster.stop_all();
}
