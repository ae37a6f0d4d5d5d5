//! Clients talk to an edge and never to a node. All processes of their region are killed; the edge
//! takes them to the other one under the keys that they had, while the dead one is still dead. When
//! it is back, both agree, and nothing is booked twice.

use crate::api::{NEW_YEAR, payment};
use crate::cluster::{Cluster, PATIENCE, Process, billing_node};
use crate::http_client::HttpClient;
use crate::judge::{committed_records, judge, promises_of_payments};
use crate::ports::free_address;
use crate::record::Recorder;
use crate::session::Session;
use crate::stopwatch::{Stopwatch, wait_for};
use billing_wire::{
    AccountId, Command, NodeId, OpId, Query, QueryResult, ReadLevel, RegionId, ServicePointId,
    Submission, WriteAnswer,
};
use billsim_oracle::{Answer, Endpoint};
use std::fs;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

const EAST: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];
const DELAY: Duration = Duration::from_millis(20);
/// A machine that does much else must not look like a region that is away.
const TUNING: &str = "geo_timeout_ms = 2000\ngeo_return_ms = 1000\n";
const EDGE: Endpoint = Endpoint::Edge(RegionId(0));
const CLIENTS: u32 = 6;
const AMOUNT: i64 = 100;
/// A client's own patience is longer than the edge's.
const TIMEOUT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(20);

/// Starts an edge whose nearest region is the first.
fn start_edge(cluster: &Cluster) -> (Process, SocketAddr) {
    let dir = cluster.dir(NodeId(1)).parent().expect("the cluster's directory").join("edge");
    fs::create_dir(&dir).expect("a directory for the edge");
    let http = free_address();
    let mut settings = format!("http = \"{http}\"\n");
    for members in &cluster.genesis.regions {
        settings.push_str(&format!("[[regions]]\nname = \"{}\"\nnodes = [\n", members.name));
        for node in &members.nodes {
            let address = cluster.http(*node);
            settings.push_str(&format!("    {{ node = {node}, http = \"{address}\" }},\n"));
        }
        settings.push_str("]\n");
    }
    let path = dir.join("edge.toml");
    fs::write(&path, settings).expect("settings are written");
    let log = fs::File::create(dir.join("edge.log")).expect("a log of the edge");
    let mut command = billing_node();
    command.args(["edge", "--exit-with-parent", "--config"]).arg(&path);
    let edge = Process::start(command.stdout(Stdio::null()).stderr(log));
    wait_for("the edge to be ready", PATIENCE, || {
        let reply = HttpClient::new(http, TIMEOUT).get("/readyz").ok()?;
        (reply.status == 200).then_some(())
    });
    (edge, http)
}

fn opening(number: u64) -> Submission {
    let (account, service_point) = (AccountId(number), ServicePointId(number));
    let command = Command::OpenAccount { account, service_point, date: NEW_YEAR };
    Submission { op_id: OpId(number.into()), command }
}

/// Pays and looks until it is told to stop; returns how often it paid, and how long it waited at
/// most for one payment, sendings and pauses together.
fn pay_on(mut session: Session<'_>, number: u32, is_over: &AtomicBool) -> (u64, Duration) {
    let (account, mut paid, mut longest) = (AccountId(u64::from(number)), 0, Duration::ZERO);
    while !is_over.load(Ordering::Relaxed) {
        paid += 1;
        let command = payment(account, AMOUNT, &format!("{number}-{paid}"));
        let op_id = OpId(1_000_000 * u128::from(number) + u128::from(paid));
        let (submission, stopwatch) = (Submission { op_id, command }, Stopwatch::start());
        let mut is_retry = false;
        while !matches!(
            session.write(EDGE, &submission, is_retry),
            Answer::Write(WriteAnswer::Done(_))
        ) {
            is_retry = true;
            sleep(PAUSE);
        }
        longest = longest.max(stopwatch.elapsed());
        session.read(EDGE, Query::Balance { account }, ReadLevel::Session);
        sleep(PAUSE);
    }
    (paid, longest)
}

#[test]
#[expect(clippy::print_stdout, reason = "figures for whoever runs it with --nocapture")]
fn clients_of_an_edge_outlive_their_region() {
    let mut cluster = Cluster::found_regions(2, 3, DELAY, TUNING);
    cluster.nodes().into_iter().for_each(|node| cluster.start(node));
    cluster.await_ready();
    let (mut edge, http) = start_edge(&cluster);
    let recorder = Recorder::new();
    let (is_over, mut done) = (AtomicBool::new(false), Vec::new());
    scope(|threads| {
        let (recorder, is_over) = (&recorder, &is_over);
        let clients: Vec<_> = (1..=CLIENTS)
            .map(|number| {
                let mut session = Session::new(number, recorder, [(EDGE, http)], TIMEOUT);
                session.insist(EDGE, &opening(number.into()));
                threads.spawn(move || pay_on(session, number, is_over))
            })
            .collect();
        sleep(Duration::from_secs(3));
        EAST.into_iter().for_each(|node| cluster.kill(node));
        let dead_at = recorder.now();
        wait_for("a payment without the dead region", PATIENCE, || {
            recorder.has_acknowledged_since(dead_at).then_some(())
        });
        sleep(Duration::from_secs(4));
        EAST.into_iter().for_each(|node| cluster.start(node));
        cluster.await_ready();
        sleep(Duration::from_secs(3));
        is_over.store(true, Ordering::Relaxed);
        done = clients.into_iter().map(|client| client.join().expect("a client")).collect();
    });
    let longest: Vec<Duration> = done.iter().map(|(_, longest)| *longest).collect();
    println!("paid and waited at most, by client: {done:.1?}");
    assert!(longest.iter().all(|waited| *waited < PATIENCE), "{longest:?}");
    let last = cluster.await_all_final();
    let nodes = cluster.addresses();
    let mut looker = Session::new(0, &recorder, nodes, TIMEOUT);
    for (number, (paid, _)) in (1..).zip(&done) {
        looker.look(EAST[0], Query::Operation { op_id: OpId(number.into()) });
        let again = looker.insist(EAST[1], &opening(number));
        assert!(again.replayed, "{again:?}");
        for node in cluster.nodes() {
            let account = AccountId(number);
            let QueryResult::Balance(found) = looker.look(node, Query::Balance { account }) else {
                panic!("node {node} knows no account {account}");
            };
            let expected = (-AMOUNT * *paid as i64, 1 + paid);
            assert_eq!((found.balance, found.items), expected, "account {account}, node {node}");
        }
    }
    edge.signal(rustix::process::Signal::TERM);
    assert!(edge.wait().success());
    cluster.stop_all();
    let history = recorder.into_history();
    let logs = committed_records(&cluster, &last);
    judge(&cluster, &history, &logs, &promises_of_payments());
}
