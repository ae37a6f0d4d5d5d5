//! With sync held back on two of three nodes no write can be durable on a majority, so no answer
//! may leave, whichever node is asked. With sync held back on one, the other two go on, also when
//! that one leads. A small library that is loaded into the nodes holds `fsync` and `fdatasync`
//! back; the nodes know nothing of it.

use crate::api::{NEW_YEAR, payment};
use crate::cluster::{Cluster, PATIENCE};
use crate::judge::{committed_records, judge};
use crate::record::Recorder;
use crate::session::Session;
use crate::stopwatch::Stopwatch;
use billing_wire::{
    AccountId, Command, NodeId, OpId, Query, QueryResult, ServicePointId, Submission, WriteAnswer,
};
use billsim_oracle::Answer;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::thread::{scope, sleep};
use std::time::Duration;

/// A node says after so long that it does not know; a retry is then a submission of its own.
const TUNING: &str = "write_timeout_ms = 2500\n";
/// How long an answer is awaited that must not come.
const SILENCE: Duration = Duration::from_secs(3);
/// Above what a write takes, below an election.
const ATTEMPT: Duration = Duration::from_millis(300);
const ACCOUNT: AccountId = AccountId(1);
/// Judged over these short histories.
const COMPARED: [&str; 8] = ["D2", "D4", "O1", "O2", "A9", "I1", "I2", "R1"];

#[test]
fn no_answer_leaves_while_two_of_three_cannot_sync() {
    let mut stage = Stage::new();
    let leader = stage.cluster.await_leader();
    let followers: Vec<_> =
        stage.cluster.nodes().into_iter().filter(|node| *node != leader).collect();
    stage.write_everywhere();
    // The counter-check: one disk that hangs does not silence the other two.
    stage.hold(&followers[..1]);
    let answers = stage.write_once_everywhere();
    assert!(answers.iter().all(is_done), "one of three silenced the cluster: {answers:?}");
    stage.release();
    for held in [vec![followers[0], followers[1]], vec![leader, followers[0]]] {
        stage.cluster.await_ready();
        stage.write_everywhere();
        stage.hold(&held);
        let answers = stage.write_once_everywhere();
        let done: Vec<_> = answers.iter().filter(|answer| is_done(answer)).collect();
        assert!(done.is_empty(), "answered with {held:?} held back: {done:?}");
        stage.release();
        stage.write_everywhere();
    }
    stage.finish();
}

/// Heartbeats need no disk, so the others cannot see it: the leader itself must give up.
#[test]
fn another_node_leads_while_the_leader_cannot_sync() {
    let mut stage = Stage::new();
    stage.write_everywhere();
    let leader = stage.cluster.await_leader();
    stage.hold(&[leader]);
    let took = stage.write_until_led_by_another(leader);
    stage.release();
    stage.cluster.await_ready();
    stage.write_everywhere();
    stage.finish();
    #[expect(clippy::print_stdout, reason = "figures for whoever runs it with --nocapture")]
    {
        println!("leader without sync: next write after {took:.2?}");
    }
}

fn is_done(answer: &Answer) -> bool {
    matches!(answer, Answer::Write(WriteAnswer::Done(_)))
}

/// A cluster whose syncs can be held back, and everything that was sent to it.
struct Stage {
    cluster: Cluster,
    recorder: Recorder,
    sent: Vec<Submission>,
    sessions: u32,
}

impl Stage {
    fn new() -> Self {
        let mut cluster = Cluster::found(3, TUNING);
        let library = compile_library(cluster.dir(NodeId(1)));
        cluster.set_environment("LD_PRELOAD", library);
        cluster.start_all();
        let mut stage = Self { cluster, recorder: Recorder::new(), sent: Vec::new(), sessions: 0 };
        let (service_point, date) = (ServicePointId(1), NEW_YEAR);
        let command = Command::OpenAccount { account: ACCOUNT, service_point, date };
        let opening = stage.submission(command);
        stage.session(Duration::from_secs(10)).insist(NodeId(1), &opening);
        stage
    }

    fn submission(&mut self, command: Command) -> Submission {
        let submission = Submission { op_id: OpId(self.sent.len() as u128 + 1), command };
        self.sent.push(submission.clone());
        submission
    }

    fn payment(&mut self) -> Submission {
        let number = self.sent.len() as i64;
        self.submission(payment(ACCOUNT, 100 + number, &number.to_string()))
    }

    fn session(&mut self, timeout: Duration) -> Session<'_> {
        self.sessions += 1;
        let nodes = self.cluster.addresses();
        Session::new(self.sessions, &self.recorder, nodes, timeout)
    }

    fn hold(&self, nodes: &[NodeId]) {
        for node in nodes {
            fs::write(hold_file(self.cluster.dir(*node)), "").expect("the file can be made");
        }
        // A sync that had begun before may still come to its end.
        sleep(Duration::from_millis(200));
    }

    fn release(&self) {
        for node in self.cluster.nodes() {
            let file = hold_file(self.cluster.dir(node));
            if file.exists() {
                fs::remove_file(file).expect("the file can be removed");
            }
        }
    }

    /// A payment to each node at the same time; each is awaited for [`SILENCE`].
    fn write_once_everywhere(&mut self) -> Vec<Answer> {
        let nodes = self.cluster.nodes();
        let payments: Vec<_> = nodes.iter().map(|_| self.payment()).collect();
        let (cluster, recorder, first) = (&self.cluster, &self.recorder, self.sessions + 1);
        self.sessions += nodes.len() as u32;
        scope(|threads| {
            let mut waiting = Vec::new();
            for ((node, payment), number) in nodes.iter().zip(&payments).zip(first..) {
                let address = [(*node, cluster.http(*node))];
                waiting.push(threads.spawn(move || {
                    let mut session = Session::new(number, recorder, address, SILENCE);
                    session.write(*node, payment, false)
                }));
            }
            waiting.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        })
    }

    /// A new payment again and again, to one of the other nodes after the other, until there is a
    /// receipt of another leader; says how long it took. What was sent to the old one waits there,
    /// but for the first: its followers have that on disk before the leader misses its own sync.
    fn write_until_led_by_another(&mut self, leader: NodeId) -> Duration {
        let stopwatch = Stopwatch::start();
        let nodes = self.cluster.nodes();
        for node in nodes.iter().cycle().filter(|node| **node != leader) {
            let status = self.cluster.status(*node);
            let leads = status.and_then(|status| status["leader"].as_u64());
            let payment = self.payment();
            let answer = self.session(ATTEMPT).write(*node, &payment, false);
            let took = stopwatch.elapsed();
            if is_done(&answer) && leads.is_some_and(|leads| leads != u64::from(leader.0)) {
                return took;
            }
            assert!(took < PATIENCE, "no other node leads after {took:.1?}");
        }
        unreachable!("there are nodes to ask")
    }

    /// Everything that was ever sent, again, then one new payment through every node.
    fn write_everywhere(&mut self) {
        let old = self.sent.clone();
        let nodes = self.cluster.nodes();
        let fresh: Vec<_> = nodes.iter().map(|_| self.payment()).collect();
        let mut session = self.session(Duration::from_secs(10));
        for (submission, node) in old.iter().zip(nodes.iter().cycle()) {
            session.insist(*node, submission);
        }
        for (payment, node) in fresh.iter().zip(&nodes) {
            session.insist(*node, payment);
        }
    }

    /// Each payment is on the account exactly once, on every node, and the judges agree.
    fn finish(mut self) {
        let acknowledged = self.recorder.acknowledged_index();
        let last = self.cluster.await_settled(acknowledged);
        let expected: i64 = self.sent.iter().map(|submission| amount_of(&submission.command)).sum();
        let count = self.sent.len() as u64;
        for node in self.cluster.nodes() {
            let mut session = self.session(Duration::from_secs(10));
            let QueryResult::Balance(found) =
                session.look(node, Query::Balance { account: ACCOUNT })
            else {
                panic!("the account is open");
            };
            assert_eq!((found.balance, found.items), (-expected, count), "on node {node}");
        }
        self.cluster.stop_all();
        let logs = committed_records(&self.cluster, &[last]);
        judge(&self.cluster, &self.recorder.into_history(), &logs, &COMPARED);
    }
}

fn amount_of(command: &Command) -> i64 {
    match command {
        Command::RecordPayment { amount, .. } => *amount,
        _ => 0,
    }
}

fn hold_file(dir: &Path) -> PathBuf {
    dir.join("hold-sync")
}

/// Compiles the library with the system's C compiler.
pub(crate) fn compile_library(dir: &Path) -> PathBuf {
    let library = dir.join("libhold_sync.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/field/hold_sync.c");
    let mut compiler = process::Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]);
    compiler.arg(&library).arg(source).arg("-ldl");
    let status = compiler.status();
    let status = status.expect("`cc` is needed to hold syncs back: install a C compiler (gcc)");
    assert!(status.success(), "hold_sync.c does not compile: {status}");
    library
}
