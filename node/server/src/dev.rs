//! `dev`: a whole cluster on this machine in one command. Each node is a process of its own, the
//! same program with generated settings, so that a node can be killed and started again by hand.

use crate::init::{self, Currency, InitError, RegionArgument};
use crate::settings::{PeerSetting, Settings};
use billing_wire::NodeId;
use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Duration, interval};

/// Run a local cluster on loopback in one command, ready to curl.
///
/// Nodes, settings and logs lie in DIR/n1, DIR/n2 and so on; run it again on the same directory
/// to go on where it stopped. Ctrl-C stops every node gracefully.
#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// How many nodes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=7))]
    nodes: u16,
    /// Where everything is kept; made when it is missing
    #[arg(long)]
    dir: PathBuf,
    /// Node n serves clients at this port + n, and peers at this port + 100 + n
    #[arg(long, default_value_t = 8100)]
    #[arg(value_parser = clap::value_parser!(u16).range(1024..=65_000))]
    http_port_base: u16,
}

/// Why there is no cluster.
#[derive(Debug, Error)]
pub(crate) enum DevError {
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{what}: {source}")]
    Process { what: &'static str, source: io::Error },
    #[error(transparent)]
    Init(#[from] InitError),
    #[error(
        "{}: a cluster of {found} nodes; use `--nodes {found}` or another directory",
        .dir.display()
    )]
    OtherSize { dir: PathBuf, found: usize },
    #[error("every node has ended: see the logs in {}", .0.display())]
    AllEnded(PathBuf),
}

/// A node's process.
struct Running {
    node: u16,
    child: Child,
    has_ended: bool,
}

impl Dev {
    pub(crate) fn run(self) -> Result<(), DevError> {
        self.prepare()?;
        let mut running = Vec::new();
        for node in 1..=self.nodes {
            running.push(Running { node, child: self.start(node)?, has_ended: false });
        }
        self.greet();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| DevError::Process { what: "cannot wait for signals", source })?;
        let ended = runtime.block_on(self.watch(&mut running));
        stop(&mut running);
        ended
    }

    /// Makes the nodes that do not exist yet.
    fn prepare(&self) -> Result<(), DevError> {
        let genesis_path = self.node_dir(1).join("genesis");
        let genesis = if genesis_path.exists() {
            init::read_genesis(&genesis_path)?
        } else {
            let nodes = (1..=self.nodes).map(NodeId).collect();
            let region = RegionArgument { name: "main".to_owned(), nodes };
            init::found(&[region], Currency(*b"EUR"))?
        };
        let found = genesis.nodes().count();
        if found != usize::from(self.nodes) {
            return Err(DevError::OtherSize { dir: self.dir.clone(), found });
        }
        for node in 1..=self.nodes {
            let dir = self.node_dir(node);
            if !dir.join("superblock").exists() {
                init::make_node(&dir, &genesis, NodeId(node))?;
            }
            let path = dir.join("node.toml");
            fs::write(&path, self.settings(node))
                .map_err(|source| DevError::Io { path, source })?;
        }
        Ok(())
    }

    fn node_dir(&self, node: u16) -> PathBuf {
        self.dir.join(format!("n{node}"))
    }

    fn address(&self, offset: u16, node: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.http_port_base + offset + node))
    }

    fn settings(&self, node: u16) -> String {
        let peer = |node| PeerSetting { node, address: self.address(100, node).to_string() };
        let settings = Settings {
            node,
            dir: PathBuf::from("."),
            http: self.address(0, node),
            peer: self.address(100, node),
            peers: (1..=self.nodes).map(peer).collect(),
            ledger_cache_mib: 64,
            drain_ms: 10_000,
            tuning: Default::default(),
        };
        toml::to_string(&settings).expect("settings are made of texts and numbers")
    }

    fn start(&self, node: u16) -> Result<Child, DevError> {
        let dir = self.node_dir(node);
        let path = dir.join("node.log");
        let log = fs::File::options().create(true).append(true).open(&path);
        let log = log.map_err(|source| DevError::Io { path, source })?;
        let program = std::env::current_exe()
            .map_err(|source| DevError::Process { what: "cannot find this program", source })?;
        Command::new(program)
            .args(["serve", "--exit-with-parent", "--config"])
            .arg(dir.join("node.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            // Ctrl-C reaches every process of the terminal's group. A node must get only the
            // one signal of `stop`: its second one would end it at once.
            .process_group(0)
            .spawn()
            .map_err(|source| DevError::Process { what: "cannot start a node", source })
    }

    #[expect(clippy::print_stdout, reason = "the command line talks to people")]
    fn greet(&self) {
        println!(
            "{} nodes run; ctrl-C stops them. Logs: {}/n*/node.log",
            self.nodes,
            show(&self.dir)
        );
        for node in 1..=self.nodes {
            println!("  node {node}: http://{}", self.address(0, node));
        }
        let at = self.address(0, 1);
        println!("\nTry, with a new UUID for each operation:");
        println!(
            "  curl -i http://{at}/v1/accounts -H 'Idempotency-Key: '$(uuidgen) \\\n    \
             -d '{{\"account\":1,\"service_point\":1,\"date\":\"2026-01-01\"}}'"
        );
        println!(
            "  curl -i http://{at}/v1/payments -H 'Idempotency-Key: '$(uuidgen) \\\n    \
             -d '{{\"account\":1,\"amount\":4200,\"date\":\"2026-01-02\",\"provider\":\"bank\",\
             \"external_ref\":\"A1\"}}'"
        );
        println!("  curl http://{}/v1/accounts/1/balance", self.address(0, self.nodes));
        println!("  curl http://{at}/v1/trial-balance");
    }

    /// Until ctrl-C or SIGTERM; says so when a node ends by itself.
    #[expect(clippy::print_stdout, reason = "the command line talks to people")]
    async fn watch(&self, running: &mut [Running]) -> Result<(), DevError> {
        let signals = |kind| {
            signal(kind)
                .map_err(|source| DevError::Process { what: "cannot wait for signals", source })
        };
        let mut interrupt = signals(SignalKind::interrupt())?;
        let mut terminate = signals(SignalKind::terminate())?;
        let mut ticks = interval(Duration::from_millis(200));
        loop {
            tokio::select! {
                _ = interrupt.recv() => return Ok(()),
                _ = terminate.recv() => return Ok(()),
                _ = ticks.tick() => {}
            }
            for node in running.iter_mut().filter(|node| !node.has_ended) {
                if let Ok(Some(status)) = node.child.try_wait() {
                    node.has_ended = true;
                    let dir = self.node_dir(node.node);
                    println!(
                        "node {} has ended ({status}), see {}/node.log",
                        node.node,
                        show(&dir)
                    );
                    println!("  again: billing-node serve --config {}/node.toml", show(&dir));
                }
            }
            if running.iter().all(|node| node.has_ended) {
                return Err(DevError::AllEnded(self.dir.clone()));
            }
        }
    }
}

/// Tells every node to stop, then waits for all.
fn stop(running: &mut [Running]) {
    for node in running.iter().filter(|node| !node.has_ended) {
        if let Some(pid) = i32::try_from(node.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended just now; waiting says the same.
            let _ = kill_process(pid, Signal::TERM);
        }
    }
    for node in running.iter_mut() {
        if let Err(error) = node.child.wait() {
            tracing::warn!(node = node.node, %error, "cannot wait for a node");
        }
    }
}

fn show(path: &Path) -> std::path::Display<'_> {
    path.display()
}
