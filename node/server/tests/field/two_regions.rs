//! Two regions, one of which stops answering. The other goes on alone after a moment and says so
//! in every answer; when the silent one is back, both have the same books, and nothing that a
//! client was told is lost. So it is when it was given up and sealed in the meantime.

use crate::api::{NEW_YEAR, payment};
use crate::cluster::{Cluster, PATIENCE, Process, billing_node};
use crate::http_client::HttpClient;
use crate::judge::{committed_records, judge, promises_of_payments};
use crate::record::Recorder;
use crate::session::Session;
use crate::stopwatch::{Stopwatch, wait_for};
use billing_wire::{
    AccountId, BalanceView, Command, Grade, NodeId, OpId, OperationState, Query, QueryResult,
    ReadLevel, ServicePointId, Submission, WriteAnswer,
};
use billsim_oracle::Answer;
use rustix::process::Signal;
use std::process::Stdio;
use std::time::Duration;

const EAST: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];
const WEST: [NodeId; 3] = [NodeId(4), NodeId(5), NodeId(6)];
/// One of each region; the payments of a round go to both.
const ACCOUNTS: [AccountId; 2] = [AccountId(1), AccountId(2)];
const AMOUNT: i64 = 100;
/// One way between the regions.
const DELAY: Duration = Duration::from_millis(20);
const TIMEOUT: Duration = Duration::from_secs(10);
/// A machine that does much else must not look like a region that is away, so the region waits
/// longer than usual before it goes on alone; and less before another one counts again.
const TUNING: &str = "geo_timeout_ms = 2000\ngeo_return_ms = 1000\n";
const PAYMENTS_PER_NODE: u64 = 5;

/// A cluster of two regions, every node of which was started.
fn two_regions() -> Cluster {
    let mut cluster = Cluster::found_regions(2, 3, DELAY, TUNING);
    cluster.nodes().into_iter().for_each(|node| cluster.start(node));
    cluster
}

/// Payments with numbers of their own.
struct Payer<'a> {
    session: Session<'a>,
    paid: u64,
}

impl<'a> Payer<'a> {
    /// Opens an account in each region, and waits until both are ready.
    fn of_open_accounts(cluster: &Cluster, recorder: &'a Recorder) -> Self {
        let addresses = cluster.addresses();
        let mut payer = Self { session: Session::new(0, recorder, addresses, TIMEOUT), paid: 0 };
        for (node, account) in [EAST[0], WEST[0]].into_iter().zip(ACCOUNTS) {
            open(&mut payer.session, node, account);
        }
        cluster.await_ready();
        payer
    }

    /// Every node says the same of every account.
    ///
    /// # Panics
    /// When one does not.
    fn sees_equal_balances(&mut self, cluster: &Cluster) {
        for account in ACCOUNTS {
            let expected = self.balance(EAST[0], account);
            for node in cluster.nodes() {
                assert_eq!(self.balance(node, account), expected, "node {node}");
            }
        }
    }

    fn pay(&mut self, node: NodeId, account: AccountId) -> (Submission, Grade, u16) {
        self.paid += 1;
        let command = payment(account, AMOUNT, &self.paid.to_string());
        let submission = Submission { op_id: OpId(1_000 + u128::from(self.paid)), command };
        let (grade, status) = self.send(node, &submission, false);
        (submission, grade, status)
    }

    /// Durability and status of the answer.
    fn send(&mut self, node: NodeId, submission: &Submission, retry: bool) -> (Grade, u16) {
        let answer = self.session.write(node, submission, retry);
        let Answer::Write(WriteAnswer::Done(receipt)) = answer else {
            panic!("node {node} answers {answer:?}")
        };
        (receipt.grade, self.session.last_status().expect("it was answered"))
    }

    fn balance(&mut self, node: NodeId, account: AccountId) -> Option<BalanceView> {
        match self.session.look(node, Query::Balance { account }) {
            QueryResult::Balance(found) => Some(found),
            _ => None,
        }
    }
}

/// Nodes that were stopped with SIGSTOP; they go on when it is dropped.
struct Frozen<'a> {
    cluster: &'a Cluster,
    nodes: &'a [NodeId],
}

impl<'a> Frozen<'a> {
    fn freeze(cluster: &'a Cluster, nodes: &'a [NodeId]) -> Self {
        let frozen = Self { cluster, nodes };
        nodes.iter().for_each(|node| cluster.signal(*node, Signal::STOP));
        frozen
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.nodes.iter().for_each(|node| self.cluster.signal(*node, Signal::CONT));
    }
}

#[test]
fn a_region_alone_goes_on_and_says_so() {
    let mut cluster = two_regions();
    let recorder = Recorder::new();
    let mut payer = Payer::of_open_accounts(&cluster, &recorder);
    together(&mut payer);
    let alone = without_west(&cluster, &mut payer);
    wait_for("both regions to be geo again", PATIENCE, || {
        cluster.nodes().into_iter().all(|node| is_geo(&cluster, node)).then_some(())
    });
    for submission in &alone {
        let (grade, status) = payer.send(WEST[1], submission, true);
        assert_eq!(status, 200, "the other region knows its key");
        assert!(grade >= Grade::Geo, "it holds it too, and says {grade:?}");
    }
    together(&mut payer);
    let last = cluster.await_all_final();
    let expected: Vec<_> = ACCOUNTS.map(|account| payer.balance(EAST[0], account)).to_vec();
    let sum: i64 = expected.iter().flatten().map(|found| found.balance).sum();
    assert_eq!(sum, -AMOUNT * payer.paid as i64, "{expected:?}");
    for node in cluster.nodes() {
        let found = ACCOUNTS.map(|account| payer.balance(node, account));
        assert_eq!(found.as_slice(), expected, "node {node}");
    }
    cluster.stop_all();
    let history = recorder.into_history();
    let logs = committed_records(&cluster, &last);
    judge(&cluster, &history, &logs, &promises_of_payments());
}

/// An operator gives the silent region up: what the other one does is final again. Then the region
/// is back after all, is let in under its next incarnation, and both go on together.
#[test]
fn a_sealed_region_comes_back() {
    let mut cluster = two_regions();
    let recorder = Recorder::new();
    let mut payer = Payer::of_open_accounts(&cluster, &recorder);
    assert_eq!(ask_for_seal(&cluster), 409, "the west is alive");
    let term = |node| cluster.status(node).and_then(|status| status["term"].as_u64());
    let before = term(WEST[0]).expect("it is ready");
    let alone = {
        let _frozen = Frozen::freeze(&cluster, &WEST);
        let (submission, grade, _) = payer.pay(EAST[1], ACCOUNTS[0]);
        assert_eq!(grade, Grade::Region);
        assert_provisional(&mut payer, EAST[1], &submission);
        wait_for("the west to be sealed", PATIENCE, || {
            (ask_for_seal(&cluster) == 200).then_some(())
        });
        let query = Query::Operation { op_id: submission.op_id };
        wait_for("a payment to be final without the west", PATIENCE, || {
            let found = payer.session.look(EAST[2], query);
            matches!(found, QueryResult::Operation(OperationState::Final { .. })).then_some(())
        });
        assert_eq!(ask_for_seal(&cluster), 409, "it is sealed already");
        submission
    };
    wait_for("the west to serve under its next incarnation", PATIENCE, || {
        WEST.into_iter().all(|node| term(node) > Some(before)).then_some(())
    });
    wait_for("both regions to be geo again", PATIENCE, || {
        cluster.nodes().into_iter().all(|node| is_geo(&cluster, node)).then_some(())
    });
    let (_, status) = payer.send(WEST[1], &alone, true);
    assert_eq!(status, 200, "the region that is back knows what was done without it");
    together(&mut payer);
    let last = cluster.await_all_final();
    payer.sees_equal_balances(&cluster);
    cluster.stop_all();
    let history = recorder.into_history();
    let logs = committed_records(&cluster, &last);
    let promises = [promises_of_payments(), vec!["S2"]].concat();
    judge(&cluster, &history, &logs, &promises);
}

/// Disks of a region are lost, all or all but one. Made again, its nodes fetch everything from the
/// other region: what they logged before comes back by a seal, and they are let in under their next
/// incarnation.
#[expect(clippy::print_stdout, reason = "figures for whoever runs it with --nocapture")]
fn rebuild_after_loss(lost: &[NodeId]) {
    let mut cluster = two_regions();
    let recorder = Recorder::new();
    let mut payer = Payer::of_open_accounts(&cluster, &recorder);
    together(&mut payer);
    cluster.await_all_final();
    WEST.into_iter().for_each(|node| cluster.kill(node));
    let stopwatch = Stopwatch::start();
    lost.iter().for_each(|node| cluster.lose_disk(*node));
    WEST.into_iter().for_each(|node| cluster.start(node));
    let mut rebuild = billing_node();
    rebuild.args(["rebuild", "region1", "--patience-s", "60"]);
    let url = |node| format!("http://{}", cluster.http(node));
    rebuild.args(EAST.into_iter().flat_map(|node| ["--url".to_owned(), url(node)]));
    rebuild.args(WEST.into_iter().flat_map(|node| ["--node-url".to_owned(), url(node)]));
    rebuild.stdout(Stdio::piped()).stderr(Stdio::piped());
    let (code, words) = Process::start(&mut rebuild).finish();
    let took = stopwatch.elapsed();
    assert_eq!(code, 0, "{words}");
    assert!(words.contains("sealed by") && words.contains("is back after"), "{words}");
    // Another session: the connections of the first one ended with the nodes.
    let addresses = cluster.addresses();
    let session = Session::new(1, &recorder, addresses, TIMEOUT);
    payer = Payer { session, ..payer };
    together(&mut payer);
    let last = cluster.await_all_final();
    payer.sees_equal_balances(&cluster);
    let hashes: Vec<_> = cluster.nodes().into_iter().map(|node| cluster.status(node)).collect();
    let hash =
        |status: &Option<serde_json::Value>| status.as_ref().map(|s| s["state_hash"].clone());
    assert!(hashes.iter().all(|status| hash(status) == hash(&hashes[0])), "{hashes:?}");
    cluster.stop_all();
    let history = recorder.into_history();
    let logs = committed_records(&cluster, &last);
    let bytes: usize = logs[0].iter().map(Vec::len).sum();
    println!("{} lost disks: back after {took:.1?}, {bytes} bytes of logs\n{words}", lost.len());
    // Nothing was sent a second time here.
    judge(&cluster, &history, &logs, &["D2", "D4"]);
}

#[test]
fn a_region_whose_disks_are_lost_comes_back_from_the_other() {
    rebuild_after_loss(&WEST);
}

#[test]
fn a_region_with_one_disk_left_comes_back_from_the_other() {
    rebuild_after_loss(&WEST[1..]);
}

/// Asks every node of the east to seal the west: the leader's status, or the last one's.
fn ask_for_seal(cluster: &Cluster) -> u16 {
    let mut status = 0;
    for node in EAST {
        let mut client = HttpClient::new(cluster.http(node), TIMEOUT);
        let reply = client.send("POST", "/v1/seal", &[], br#"{"regions":["region1"]}"#);
        status = reply.expect("a healthy node answers").status;
        if status != 503 {
            break;
        }
    }
    status
}

/// Both regions write, and each write is on both before it is answered.
#[expect(clippy::print_stdout, reason = "figures for whoever runs it with --nocapture")]
fn together(payer: &mut Payer<'_>) {
    let mut took = Vec::new();
    for _ in 0..PAYMENTS_PER_NODE {
        for node in EAST.into_iter().chain(WEST) {
            for account in ACCOUNTS {
                let stopwatch = Stopwatch::start();
                let (_, grade, status) = payer.pay(node, account);
                took.push(stopwatch.elapsed());
                assert_eq!((grade, status), (Grade::Geo, 201), "node {node}");
                // For the judge: what the node shows meanwhile.
                payer.session.read(node, Query::Balance { account }, ReadLevel::Session);
            }
        }
    }
    took.sort();
    let (least, median, most) = (took[0], took[took.len() / 2], took[took.len() - 1]);
    println!("geo writes: {least:.1?} at least, {median:.1?} median, {most:.1?} most");
    assert!(least >= 2 * DELAY, "no frame can be there and back in {least:.1?}");
}

/// Returns what was paid in the east while the west was silent.
#[expect(clippy::print_stdout, reason = "figures for whoever runs it with --nocapture")]
fn without_west(cluster: &Cluster, payer: &mut Payer<'_>) -> Vec<Submission> {
    let _frozen = Frozen::freeze(cluster, &WEST);
    let (mut alone, mut took) = (Vec::new(), Vec::new());
    for node in EAST {
        let stopwatch = Stopwatch::start();
        let (submission, grade, status) = payer.pay(node, ACCOUNTS[0]);
        took.push(stopwatch.elapsed());
        assert_eq!((grade, status), (Grade::Region, 202), "node {node}");
        alone.push(submission);
    }
    println!("without the other region: {took:.1?}");
    for node in EAST {
        wait_for("a node to say that its region is alone", PATIENCE, || {
            let status = cluster.status(node)?;
            let is_said = status["mode"] == "degraded" && status["is_unfinal"] == true;
            (is_said && status["exposure"].as_u64()? >= 3).then_some(())
        });
        assert!(!is_geo(cluster, node), "status and metrics of node {node} differ");
        assert_provisional(payer, node, &alone[0]);
    }
    refuses_when_asked_to_fail_fast(cluster);
    alone
}

/// Whether a node's region waits for another one, as the metrics say.
fn is_geo(cluster: &Cluster, node: NodeId) -> bool {
    let metrics = HttpClient::new(cluster.http(node), TIMEOUT).get("/metrics");
    let metrics = metrics.expect("a healthy node answers");
    let mut lines = metrics.text().lines();
    let mode = lines.find_map(|line| line.strip_prefix("billing_region_mode "));
    mode.expect("an open node says its mode") == "0"
}

/// What a region booked alone can be read at once, marked as what it is.
fn assert_provisional(payer: &mut Payer<'_>, node: NodeId, paid: &Submission) {
    let query = Query::Operation { op_id: paid.op_id };
    wait_for("a payment of the region that is alone", PATIENCE, || {
        let found = payer.session.read(node, query, ReadLevel::Local)?;
        match found.result {
            QueryResult::Operation(OperationState::NotSeen) => None,
            QueryResult::Operation(OperationState::Provisional { .. }) => Some(()),
            _ => panic!("nothing can become final now: {found:?}"),
        }
    });
    let query = Query::Balance { account: ACCOUNTS[0] };
    let found = payer.session.read(node, query, ReadLevel::Local).expect("it is healthy");
    assert!(found.provisional, "node {node}: {found:?}");
    let frontier = found.frontier.0;
    assert!(frontier[0] > 0 && frontier[1] > 0 && frontier[2..] == [0; 3], "{found:?}");
}

/// Such a write is not logged: it is none of the history.
fn refuses_when_asked_to_fail_fast(cluster: &Cluster) {
    let key = OpId(1).to_string();
    let headers = [("idempotency-key", key.as_str())];
    let body =
        r#"{"account":1,"amount":1,"date":"2026-01-02","provider":"bank","external_ref":"F"}"#;
    for node in EAST {
        let mut client = HttpClient::new(cluster.http(node), TIMEOUT);
        for query in ["on_unmet=fail_fast", "on_unmet=fail_fast&min_durability=final"] {
            let path = format!("/v1/payments?{query}");
            let reply = client.send("POST", &path, &headers, body.as_bytes());
            let reply = reply.expect("a healthy node answers");
            assert_eq!(reply.status, 503, "node {node}, {query}: {}", reply.text());
            assert!(reply.text().contains("grade-unreachable"), "{}", reply.text());
        }
        let reply = client.get(&format!("/v1/operations/{key}")).expect("it is healthy").json();
        assert_eq!(reply["state"], "not_seen", "{reply}");
    }
}

fn open(session: &mut Session<'_>, node: NodeId, account: AccountId) {
    let (service_point, date) = (ServicePointId(account.0), NEW_YEAR);
    let command = Command::OpenAccount { account, service_point, date };
    let op_id = OpId(100 + u128::from(account.0));
    let receipt = session.insist(node, &Submission { op_id, command });
    assert_eq!(receipt.grade, Grade::Geo, "{receipt:?}");
}
