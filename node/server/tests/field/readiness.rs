//! A node that was killed and says that it is ready again has the books whole: everything that was
//! ever acknowledged, by whichever node. Slow syncs make the moments last in which it knows its
//! leader, and not yet which of its last entries are committed.

use crate::api::{NEW_YEAR, payment};
use crate::cluster::{Cluster, PATIENCE};
use crate::record::Recorder;
use crate::session::Session;
use crate::stopwatch::wait_for;
use crate::sync_held_back::compile_library;
use billing_wire::{
    AccountId, Command, NodeId, OpId, Query, QueryResult, ServicePointId, Submission,
};
use std::fs;
use std::thread::scope;
use std::time::Duration;

const ACCOUNT: AccountId = AccountId(1);
const ROUNDS: i64 = 3;
const TIMEOUT: Duration = Duration::from_secs(10);

#[test]
fn a_node_that_is_ready_has_the_books_whole() {
    let mut cluster = Cluster::found(3, "");
    let library = compile_library(cluster.dir(NodeId(1)));
    cluster.set_environment("LD_PRELOAD", library);
    cluster.start_all();
    let recorder = Recorder::new();
    let addresses = cluster.addresses();
    let mut session = Session::new(0, &recorder, addresses, TIMEOUT);
    let (service_point, date) = (ServicePointId(1), NEW_YEAR);
    let command = Command::OpenAccount { account: ACCOUNT, service_point, date };
    session.insist(NodeId(1), &Submission { op_id: OpId(1), command });
    for round in 1..=ROUNDS {
        let command = payment(ACCOUNT, 100, &round.to_string());
        session.insist(NodeId(1), &Submission { op_id: OpId(100 + round as u128), command });
        for node in cluster.nodes() {
            cluster.kill(node);
            fs::write(cluster.dir(node).join("slow-sync"), "").expect("the file can be made");
        }
        for node in cluster.nodes() {
            cluster.start(node);
        }
        let (cluster, recorder) = (&cluster, &recorder);
        scope(|threads| {
            for node in cluster.nodes() {
                threads.spawn(move || assert_whole_when_ready(cluster, recorder, node, round));
            }
        });
        for node in cluster.nodes() {
            let file = cluster.dir(node).join("slow-sync");
            fs::remove_file(file).expect("the file can be removed");
        }
    }
    cluster.stop_all();
}

#[test]
fn what_was_answered_is_in_the_next_status() {
    let mut cluster = Cluster::found(1, "");
    cluster.start_all();
    cluster.await_ready();
    let (recorder, node) = (Recorder::new(), cluster.nodes()[0]);
    let mut session = Session::new(0, &recorder, [(node, cluster.http(node))], TIMEOUT);
    let folded = || {
        let status = cluster.status(node).expect("it is ready");
        status["folded"][0].as_u64().expect("an index")
    };
    let before = folded();
    for number in 1..=50 {
        let command = payment(ACCOUNT, 1, &number.to_string());
        session.insist(node, &Submission { op_id: OpId(number.into()), command });
        assert_eq!(folded(), before + number, "a record for each");
    }
    cluster.stop_all();
}

/// Looks at the account as soon as a node says that it is ready.
fn assert_whole_when_ready(cluster: &Cluster, recorder: &Recorder, node: NodeId, payments: i64) {
    let mut session =
        Session::new(u32::from(node.0), recorder, [(node, cluster.http(node))], TIMEOUT);
    let status = wait_for("a node to be ready", PATIENCE, || cluster.status(node));
    let QueryResult::Balance(found) = session.look(node, Query::Balance { account: ACCOUNT })
    else {
        panic!("node {node} was ready without the account: {status}");
    };
    let expected = (-100 * payments, 1 + payments as u64);
    assert_eq!((found.balance, found.items), expected, "node {node} was ready: {status}");
}
