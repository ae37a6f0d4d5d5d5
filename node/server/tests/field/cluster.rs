//! A cluster of real processes of the built binary in a temporary directory. Every process is
//! started, killed and awaited through its own handle, and none outlives the test.

use crate::http_client::HttpClient;
use crate::ports::free_address;
use crate::stopwatch::wait_for;
use billing_wire::{Genesis, LogIndex, NodeId};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// How long anything may take that takes seconds on a machine that does nothing else. Limits here
/// tell a cluster that hangs from one that goes on; how fast it goes on is judged where time is not
/// the machine's: in the simulator (L1, L2).
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
const STATUS_TIMEOUT: Duration = Duration::from_secs(5);

/// The program under test.
pub(crate) fn billing_node() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_billing-node"));
    command.stdin(Stdio::null());
    command
}

/// A started process; killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.spawn().expect("the program starts"))
    }

    pub(crate) fn id(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.0.kill().expect("an own child can be killed");
        self.0.wait().expect("an own child can be awaited");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.id(), signal).expect("an own child takes signals");
    }

    /// Waits for its end; returns its exit code and what it wrote, standard output first. Its
    /// output must be piped and short: nobody reads it meanwhile.
    pub(crate) fn finish(mut self) -> (i32, String) {
        let code = self.wait().code().expect("it ended by itself");
        let mut words = String::new();
        if let Some(mut output) = self.0.stdout.take() {
            output.read_to_string(&mut words).expect("its output is text");
        }
        if let Some(mut output) = self.0.stderr.take() {
            output.read_to_string(&mut words).expect("its output is text");
        }
        (code, words)
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait_for("the end of a process", PATIENCE, || {
            self.0.try_wait().expect("an own child can be awaited")
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended; there is nothing else that could fail here.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One node: where it lies and listens, and its process while it runs.
#[derive(Debug)]
struct Machine {
    node: NodeId,
    dir: PathBuf,
    http: SocketAddr,
    peer: SocketAddr,
    process: Option<Process>,
}

/// A cluster of one region, or several.
#[derive(Debug)]
pub(crate) struct Cluster {
    // Before the directory: the processes must be gone when that is removed.
    machines: Vec<Machine>,
    pub(crate) genesis: Genesis,
    environment: Vec<(OsString, OsString)>,
    dir: Option<TempDir>,
}

impl Cluster {
    /// Makes the directories of a cluster; nothing runs yet. `tuning` are lines of that section
    /// of `node.toml`.
    pub(crate) fn found(nodes: u16, tuning: &str) -> Self {
        Self::found_regions(1, nodes, Duration::ZERO, tuning)
    }

    /// The same with several regions of so many nodes, numbered through. `delay`: of frames
    /// between regions.
    pub(crate) fn found_regions(regions: u16, nodes: u16, delay: Duration, tuning: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let region_of = |place: u16| {
            let first = 1 + place * nodes;
            let ids: Vec<_> = (first..first + nodes).map(|node| node.to_string()).collect();
            format!("region{place}={}", ids.join(","))
        };
        let peers: Vec<_> = (1..=regions * nodes).map(|node| (node, free_address())).collect();
        let mut machines = Vec::new();
        for (node, peer) in &peers {
            let machine = dir.path().join(format!("n{node}"));
            let mut init = billing_node();
            init.args(["init", "--node", &node.to_string(), "--dir"]).arg(&machine);
            match node {
                1 => init.args((0..regions).flat_map(|r| ["--region".to_owned(), region_of(r)])),
                _ => init.arg("--genesis").arg(dir.path().join("n1/genesis")),
            };
            assert!(init.stdout(Stdio::null()).status().expect("init runs").success());
            let http = free_address();
            let settings = settings(*node, http, *peer, &peers, delay, tuning);
            fs::write(machine.join("node.toml"), settings).expect("settings are written");
            let (node, peer) = (NodeId(*node), *peer);
            machines.push(Machine { node, dir: machine, http, peer, process: None });
        }
        let genesis = fs::read(dir.path().join("n1/genesis")).expect("init wrote it");
        let genesis = Genesis::decode(&genesis).expect("init wrote it whole");
        Self { machines, genesis, environment: Vec::new(), dir: Some(dir) }
    }

    /// Environment of the processes that are started from now on. Each also has its own
    /// directory as `FIELD_NODE_DIR`.
    pub(crate) fn set_environment(&mut self, name: &str, value: impl Into<OsString>) {
        self.environment.push((name.into(), value.into()));
    }

    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        self.machines.iter().map(|machine| machine.node).collect()
    }

    pub(crate) fn http(&self, node: NodeId) -> SocketAddr {
        self.machine(node).http
    }

    pub(crate) fn peer(&self, node: NodeId) -> SocketAddr {
        self.machine(node).peer
    }

    /// The data directory of a node.
    pub(crate) fn dir(&self, node: NodeId) -> &Path {
        &self.machine(node).dir
    }

    pub(crate) fn start_all(&mut self) {
        for node in self.nodes() {
            self.start(node);
        }
        self.await_ready();
    }

    pub(crate) fn start(&mut self, node: NodeId) {
        let mut serve = billing_node();
        let machine = self.machine(node);
        let log = File::options().create(true).append(true).open(machine.dir.join("node.log"));
        serve.args(["serve", "--exit-with-parent", "--config"]).arg(machine.dir.join("node.toml"));
        serve.stdout(Stdio::null()).stderr(log.expect("the log of a node can be written"));
        serve.envs(self.environment.iter().cloned());
        serve.env("FIELD_NODE_DIR", &machine.dir);
        let process = Process::start(&mut serve);
        self.machine_mut(node).process = Some(process);
    }

    /// Removes the data of a node that does not run, and makes it again as one that lost them.
    pub(crate) fn lose_disk(&self, node: NodeId) {
        let machine = self.machine(node);
        let genesis = machine.dir.parent().expect("a directory of its own").join("genesis");
        fs::copy(machine.dir.join("genesis"), &genesis).expect("every node has the same");
        self.remove_data(node);
        let mut init = billing_node();
        init.args(["init", "--node", &node.to_string(), "--lost-disk", "--dir"]).arg(&machine.dir);
        init.arg("--genesis").arg(genesis).stdout(Stdio::null());
        assert!(init.status().expect("init runs").success());
    }

    /// Removes the data of a node that does not run; its settings stay.
    fn remove_data(&self, node: NodeId) {
        let dir = self.dir(node);
        fs::remove_dir_all(dir.join("log")).expect("it has a log");
        for file in ["genesis", "superblock", "ledger.redb", "ledger.damaged"] {
            let path = dir.join(file);
            if path.exists() {
                fs::remove_file(path).expect("it can be removed");
            }
        }
    }

    /// Puts restored data in the place of those of a node that does not run.
    pub(crate) fn replace_data(&self, node: NodeId, restored: &Path) {
        self.remove_data(node);
        for part in ["genesis", "superblock", "ledger.redb", "log"] {
            let (from, to) = (restored.join(part), self.dir(node).join(part));
            fs::rename(from, to).expect("it was restored, on the same disk");
        }
    }

    /// A path beside the nodes' directories.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.as_ref().expect("there until the end").path().join(name)
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self, node: NodeId) {
        let mut process = self.machine_mut(node).process.take().expect("it runs");
        process.kill();
    }

    /// Sends a signal to the process of a node that runs.
    pub(crate) fn signal(&self, node: NodeId, signal: Signal) {
        self.machine(node).process.as_ref().expect("it runs").signal(signal);
    }

    /// Waits until every node says that it can serve.
    pub(crate) fn await_ready(&self) {
        for node in self.nodes() {
            wait_for(&format!("node {node} to be ready"), PATIENCE, || self.status(node));
        }
    }

    /// Every node with where it serves clients.
    pub(crate) fn addresses(&self) -> Vec<(NodeId, SocketAddr)> {
        self.nodes().into_iter().map(|node| (node, self.http(node))).collect()
    }

    /// What a node says of itself, when it is ready.
    pub(crate) fn status(&self, node: NodeId) -> Option<Value> {
        let reply = HttpClient::new(self.http(node), STATUS_TIMEOUT).get("/readyz").ok()?;
        (reply.status == 200).then(|| reply.json())
    }

    /// The node that leads, as soon as all agree on one.
    pub(crate) fn await_leader(&self) -> NodeId {
        wait_for("a leader", PATIENCE, || {
            let said: Vec<_> = self.nodes().into_iter().map(|node| self.status(node)).collect();
            let leaders: Option<Vec<u64>> =
                said.iter().map(|status| status.as_ref()?["leader"].as_u64()).collect();
            let leaders = leaders?;
            let first = *leaders.first()?;
            let is_agreed = leaders.iter().all(|leader| *leader == first);
            is_agreed.then_some(NodeId(first as u16))
        })
    }

    /// Waits until every node has committed, folded and synced the same and all of it, at least
    /// to `acknowledged`. Returns the last index. No client may write meanwhile.
    pub(crate) fn await_settled(&self, acknowledged: LogIndex) -> LogIndex {
        wait_for("the nodes to agree", PATIENCE, || {
            let said: Option<Vec<_>> =
                self.nodes().into_iter().map(|node| self.status(node)).collect();
            let said = said?;
            let last = said.first()?["last_index"].as_u64()?;
            let is_settled = said.iter().all(|status| {
                let all = [
                    &status["last_index"],
                    &status["durable_index"],
                    &status["committed"][0],
                    &status["folded"][0],
                ];
                all.iter().all(|index| index.as_u64() == Some(last))
                    && status["outcome_chain"] == said[0]["outcome_chain"]
                    && status["state_hash"] == said[0]["state_hash"]
            });
            (is_settled && last >= acknowledged).then_some(last)
        })
    }

    /// Waits until everything that clients submitted is final on every node of every region, and
    /// all have the same books. Returns the last committed index per region; beyond, a region
    /// that closes its time may have logged more. No client may write meanwhile.
    pub(crate) fn await_all_final(&self) -> Vec<LogIndex> {
        wait_for("everything to be final everywhere", PATIENCE, || {
            let said: Option<Vec<_>> =
                self.nodes().into_iter().map(|node| self.status(node)).collect();
            let said = said?;
            let same = ["committed", "outcome_chain", "state_hash"];
            let is_final = said.iter().all(|status| {
                status["is_unfinal"] == false && same.iter().all(|key| status[key] == said[0][key])
            });
            let committed = said[0]["committed"].as_array()?.iter();
            let committed: Option<Vec<_>> = committed.map(Value::as_u64).collect();
            committed.filter(|_| is_final).map(|mut committed| {
                committed.truncate(self.genesis.regions.len());
                committed
            })
        })
    }

    /// SIGTERM to all; each must end with 0.
    pub(crate) fn stop_all(&mut self) {
        for process in self.machines.iter().filter_map(|machine| machine.process.as_ref()) {
            process.signal(Signal::TERM);
        }
        for machine in &mut self.machines {
            if let Some(mut process) = machine.process.take() {
                let status = process.wait();
                assert!(status.success(), "node {} ended with {status}", machine.node);
            }
        }
    }

    fn machine(&self, node: NodeId) -> &Machine {
        self.machines.iter().find(|machine| machine.node == node).expect("a node of the cluster")
    }

    fn machine_mut(&mut self, node: NodeId) -> &mut Machine {
        let mut machines = self.machines.iter_mut();
        machines.find(|machine| machine.node == node).expect("a node of the cluster")
    }
}

impl Drop for Cluster {
    #[expect(clippy::print_stderr, reason = "a failed test says where its evidence is")]
    fn drop(&mut self) {
        self.machines.clear();
        if std::thread::panicking()
            && let Some(dir) = self.dir.take()
        {
            eprintln!("kept for you to look at: {}", dir.keep().display());
        }
    }
}

fn settings(
    node: u16,
    http: SocketAddr,
    peer: SocketAddr,
    peers: &[(u16, SocketAddr)],
    delay: Duration,
    tuning: &str,
) -> String {
    let mut text = format!("node = {node}\ndir = \".\"\nhttp = \"{http}\"\npeer = \"{peer}\"\n");
    text.push_str("peers = [\n");
    for (node, address) in peers {
        text.push_str(&format!("    {{ node = {node}, address = \"{address}\" }},\n"));
    }
    text.push_str("]\n");
    if !delay.is_zero() {
        text.push_str(&format!("inter_region_delay_ms = {}\n", delay.as_millis()));
    }
    text.push_str("[tuning]\n");
    text.push_str(tuning);
    text
}
