//! `dev`: the first thing that a newcomer runs. A whole cluster in one command, ready to curl;
//! stopped and started again, it has its books.

use crate::cluster::{PATIENCE, Process, billing_node};
use crate::http_client::HttpClient;
use crate::ports::free_dev_base;
use crate::stopwatch::wait_for;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

const NODES: u16 = 3;
const TIMEOUT: Duration = Duration::from_secs(10);

/// A running `dev`, in a process group of its own, as a terminal gives it one.
struct Dev {
    process: Process,
    base: u16,
}

/// What it says of the addresses, in order.
fn addresses_said(words: &str) -> Vec<&str> {
    let said = words.lines().filter(|line| line.starts_with("region ") || line.contains("http://"));
    said.take_while(|line| !line.contains("curl")).map(str::trim).collect()
}

impl Dev {
    fn start(dir: &Path) -> Self {
        let dev = Self::start_regions(dir, 1, NODES);
        for node in 1..=NODES {
            wait_for(&format!("node {node}"), PATIENCE, || {
                let reply = dev.client(node).get("/readyz").ok()?;
                (reply.status == 200).then_some(())
            });
        }
        dev
    }

    /// Returns as soon as every node knows who leads its region. In a cluster of several, it is
    /// the clients' writes that let a node fold its first entries for good.
    fn start_regions(dir: &Path, regions: u16, nodes: u16) -> Self {
        let base = free_dev_base(regions * nodes);
        let mut command = billing_node();
        command.args(["dev", "--nodes", &nodes.to_string(), "--dir"]).arg(dir);
        command.args(["--regions", &regions.to_string()]);
        command.args(["--http-port-base", &base.to_string()]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let dev = Self { process: Process::start(&mut command), base };
        for node in 1..=regions * nodes {
            wait_for(&format!("node {node}"), PATIENCE, || {
                let metrics = dev.client(node).get("/metrics").ok()?;
                let mut lines = metrics.text().lines();
                let leader = lines.find_map(|line| line.strip_prefix("billing_leader "))?;
                (leader != "0").then_some(())
            });
        }
        dev
    }

    fn address(&self, node: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.base + node))
    }

    fn client(&self, node: u16) -> HttpClient {
        HttpClient::new(self.address(node), TIMEOUT)
    }

    fn post(&self, node: u16, path: &str, key: u128, body: &str) -> (u16, Value) {
        let key = billing_wire::OpId(key).to_string();
        let headers = [("idempotency-key", key.as_str())];
        let reply = self.client(node).send("POST", path, &headers, body.as_bytes());
        let reply = reply.expect("a healthy node answers");
        (reply.status, reply.json())
    }

    /// The balance of account 1 as soon as a node has folded so many items.
    fn balance(&self, node: u16, items: u64) -> i64 {
        wait_for(&format!("{items} items on node {node}"), PATIENCE, || {
            let reply = self.client(node).get("/v1/accounts/1/balance").ok()?;
            let found = (reply.status == 200).then(|| reply.json())?;
            (found["items"].as_u64() == Some(items)).then(|| found["balance"].as_i64())?
        })
    }

    /// Waits for its end; returns what it said.
    fn finish(self) -> String {
        let (code, words) = self.process.finish();
        assert_eq!(code, 0, "{words}");
        words
    }
}

const OPEN: &str = r#"{"account":1,"service_point":1,"date":"2026-01-01"}"#;
const PAY: &str =
    r#"{"account":1,"amount":4200,"date":"2026-01-02","provider":"bank","external_ref":"A1"}"#;

#[test]
fn a_cluster_in_one_command() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let dev = Dev::start(dir.path());
    assert_eq!(dev.post(1, "/v1/accounts", 1, OPEN).0, 201);
    let (status, receipt) = dev.post(2, "/v1/payments", 2, PAY);
    assert_eq!((status, &receipt["disposition"]), (201, &Value::from("applied")));
    for node in 1..=NODES {
        assert_eq!(dev.balance(node, 2), -4_200, "node {node}");
        look_at_health(&dev, node);
    }
    let addresses: Vec<_> = (1..=NODES).map(|node| dev.address(node).to_string()).collect();
    dev.process.signal(Signal::TERM);
    let words = dev.finish();
    for address in addresses {
        assert!(words.contains(&format!("http://{address}")), "{words}");
    }
    assert_stopped_gracefully(dir.path());

    // Again, on the same directory, with other ports: everything is there.
    let dev = Dev::start(dir.path());
    assert_eq!(dev.balance(3, 2), -4_200);
    assert_eq!(dev.post(3, "/v1/payments", 2, PAY).0, 200, "the key is still known");
    assert_eq!(dev.post(1, "/v1/payments", 3, PAY).0, 201);
    assert_eq!(dev.balance(2, 3), -8_400);
    // Ctrl-C in a terminal reaches the whole process group, not only `dev`.
    interrupt_group(dev.process.id());
    dev.finish();
    assert_stopped_gracefully(dir.path());
}

#[test]
fn two_regions_in_one_command() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let dev = Dev::start_regions(dir.path(), 2, 1);
    let (status, receipt) = dev.post(1, "/v1/accounts", 1, OPEN);
    assert_eq!((status, &receipt["durability"]), (201, &Value::from("geo")), "{receipt}");
    let path = "/v1/payments?min_durability=region";
    let (status, receipt) = dev.post(1, path, 2, PAY);
    assert_eq!((status, &receipt["durability"]), (201, &Value::from("region")), "{receipt}");
    let path = "/v1/payments?min_durability=final";
    let (status, receipt) = dev.post(2, path, 3, PAY);
    assert_eq!((status, &receipt["durability"]), (201, &Value::from("final")), "{receipt}");
    for node in [1, 2] {
        assert_eq!(dev.balance(node, 3), -8_400, "node {node}");
        let metrics = dev.client(node).get("/metrics").expect("a healthy node answers");
        let metrics = metrics.text();
        assert!(metrics.contains("\nbilling_region_mode 0\n"), "{metrics}");
        assert!(metrics.contains("\nbilling_exposure_entries "), "{metrics}");
    }
    let (status, receipt) = dev.post(0, "/v1/payments", 2, PAY);
    assert_eq!(status, 200, "the edge takes it to a node: {receipt}");
    let metrics = dev.client(0).get("/metrics").expect("the edge answers");
    assert!(metrics.text().contains("\nbilling_edge_requests_total 1\n"), "{}", metrics.text());
    let at = [dev.address(1), dev.address(2)];
    let edge = format!("edge: http://{} (goes to another region when one is away)", dev.address(0));
    dev.process.signal(Signal::TERM);
    let words = dev.finish();
    let east = format!("node 1: http://{}", at[0]);
    let west = format!("node 2: http://{}", at[1]);
    assert_eq!(addresses_said(&words), ["region east:", &east, "region west:", &west, &edge]);
}

#[test]
fn another_size_is_refused() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let dev = Dev::start(dir.path());
    dev.process.signal(Signal::TERM);
    dev.finish();
    let mut command = billing_node();
    command.args(["dev", "--nodes", "5", "--dir"]).arg(dir.path());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let (code, words) = Process::start(&mut command).finish();
    assert_eq!(code, 1);
    assert!(words.contains("a cluster of 3 nodes; use `--nodes 3`"), "{words}");
}

fn look_at_health(dev: &Dev, node: u16) {
    let get = |path| dev.client(node).get(path).expect("a healthy node answers");
    assert_eq!(get("/livez").text(), "live\n");
    let ready = get("/readyz").json();
    assert_eq!(ready["node"].as_u64(), Some(u64::from(node)));
    let metrics = get("/metrics");
    for line in [
        "billing_node_open 1".to_owned(),
        format!("billing_leader {}", ready["leader"]),
        "# TYPE billing_http_request_seconds histogram".to_owned(),
    ] {
        assert!(metrics.text().lines().any(|found| found == line), "{}", metrics.text());
    }
    let mut status = billing_node();
    status.args(["status", "--url", &format!("http://{}", dev.address(node))]);
    let (code, words) = Process::start(status.stdout(Stdio::piped())).finish();
    assert_eq!(code, 0);
    let said: Value = serde_json::from_str(&words).expect("the answer of /readyz");
    assert_eq!(said["node"], ready["node"]);
}

fn interrupt_group(leader: Pid) {
    kill_process_group(leader, Signal::INT).expect("the group of an own child");
}

/// Every node finished what was in flight and said so.
fn assert_stopped_gracefully(dir: &Path) {
    for node in 1..=NODES {
        let log: PathBuf = dir.join(format!("n{node}/node.log"));
        let log = fs::read_to_string(log).expect("the node's log");
        assert!(log.trim_end().ends_with("stopped"), "{log}");
    }
}
