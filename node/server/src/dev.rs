//! `dev`: a whole cluster on this machine in one command. Each node is a process of its own, the
//! same program with generated settings, so that a node can be killed and started again by hand.

use crate::edge;
use crate::init::{self, Currency, InitError, RegionArgument};
use crate::service::{HttpService, ServiceError};
use crate::settings::{INTER_REGION_DELAY_MS_MAX, OutboxSettings, PeerSetting, Settings};
use billing_wire::{Genesis, NodeId};
use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use std::fmt;
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
    /// How many regions (sites)
    ///
    /// With several, a write is answered when two of them hold it: 201, durability geo. Stop or
    /// freeze (`kill -STOP`) all nodes of one and the other goes on alone: 202, durability region.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=5))]
    regions: u16,
    /// How many nodes in each region
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=7))]
    nodes: u16,
    /// Where everything is kept; made when it is missing
    #[arg(long)]
    dir: PathBuf,
    /// Node n serves clients at this port + n, and peers at this port + 100 + n
    #[arg(long, default_value_t = 8100)]
    #[arg(value_parser = clap::value_parser!(u16).range(1024..=65_000))]
    http_port_base: u16,
    /// How long a message between regions is on its way, in milliseconds each way, 0 to 1000
    /// [default: 20]
    ///
    /// From about 120 on, an answer takes longer than the 250 ms after which a region counts as
    /// out of reach: each then goes on alone.
    #[arg(long, value_name = "MS")]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=INTER_REGION_DELAY_MS_MAX))]
    region_delay: Option<u64>,
    /// The payment provider that pays refunds out: http://HOST:PORT/PATH
    ///
    /// It is asked with `POST`, the refund as `Idempotency-Key`, and answers with `status` (`paid`
    /// or `refused`), `refund`, `amount` and `paid_on`. Without one refunds wait in `/v1/outbox`.
    #[arg(long, value_name = "URL")]
    provider: Option<String>,
    /// The mail service that tells customers of their invoices: http://HOST:PORT/PATH
    ///
    /// It is asked with `POST`, the `op_id` of the invoice as `Idempotency-Key`; any status of
    /// success means that it took the notice. Without one nobody tells them.
    #[arg(long, value_name = "URL")]
    mail: Option<String>,
}

/// Names of the regions; a cluster of one is called [`ONE_REGION`].
const REGIONS: [&str; 5] = ["east", "west", "north", "south", "centre"];
const ONE_REGION: &str = "main";
const REGION_DELAY_MS: u64 = 20;

/// How many regions, and nodes in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    regions: usize,
    nodes: usize,
}

impl Shape {
    /// `None` when the regions differ in size: `dev` makes no such clusters.
    fn of(genesis: &Genesis) -> Option<Self> {
        let nodes = genesis.regions.first()?.nodes.len();
        let is_even = genesis.regions.iter().all(|region| region.nodes.len() == nodes);
        is_even.then_some(Self { regions: genesis.regions.len(), nodes })
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { regions, nodes } = self;
        match regions {
            1 => write!(f, "a cluster of {nodes} nodes; use `--nodes {nodes}`"),
            _ => write!(
                f,
                "a cluster of {regions} regions of {nodes} nodes; use `--regions {regions} \
                 --nodes {nodes}`"
            ),
        }
    }
}

/// Why there is no cluster.
#[derive(Debug, Error)]
pub(crate) enum DevError {
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{what}: {source}")]
    Process { what: &'static str, source: io::Error },
    #[error("--provider: {0}")]
    Provider(ServiceError),
    #[error("--mail: {0}")]
    Mail(ServiceError),
    #[error(transparent)]
    Init(#[from] InitError),
    #[error("{}: {found} or another directory", .dir.display())]
    OtherShape { dir: PathBuf, found: Shape },
    #[error("{}: not a cluster that `dev` made; use another directory", .0.display())]
    Foreign(PathBuf),
    #[error("every node has ended: see the logs in {}", .0.display())]
    AllEnded(PathBuf),
}

/// A process of the cluster.
struct Running {
    /// For people.
    name: String,
    dir: PathBuf,
    /// How it is started, and the name of its settings and its log.
    what: &'static str,
    command: &'static str,
    child: Child,
    has_ended: bool,
}

impl Dev {
    pub(crate) fn run(self) -> Result<(), DevError> {
        if let Some(url) = &self.provider {
            HttpService::at(url).map_err(DevError::Provider)?;
        }
        if let Some(url) = &self.mail {
            HttpService::at(url).map_err(DevError::Mail)?;
        }
        let genesis = self.prepare()?;
        let mut running = Vec::new();
        for node in self.every_node() {
            let (name, dir) = (format!("node {node}"), self.node_dir(node));
            running.push(start(name, dir, "node", "serve")?);
        }
        if self.has_edge() {
            running.push(start("the edge".to_owned(), self.dir.join("edge"), "edge", "edge")?);
        }
        self.greet(&genesis);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| DevError::Process { what: "cannot wait for signals", source })?;
        let ended = runtime.block_on(self.watch(&mut running));
        stop(&mut running);
        ended
    }

    /// Makes the nodes that do not exist yet.
    fn prepare(&self) -> Result<Genesis, DevError> {
        let genesis_path = self.node_dir(1).join("genesis");
        let genesis = if genesis_path.exists() {
            init::read_genesis(&genesis_path)?
        } else {
            init::found(&self.new_regions(), Currency(*b"EUR"))?
        };
        let Some(found) = Shape::of(&genesis) else {
            return Err(DevError::Foreign(self.dir.clone()));
        };
        if found != (Shape { regions: self.regions.into(), nodes: self.nodes.into() }) {
            return Err(DevError::OtherShape { dir: self.dir.clone(), found });
        }
        for node in self.every_node() {
            let dir = self.node_dir(node);
            if !dir.join("superblock").exists() {
                init::make_node(&dir, &genesis, NodeId(node))?;
            }
            let path = dir.join("node.toml");
            fs::write(&path, self.settings(node))
                .map_err(|source| DevError::Io { path, source })?;
        }
        if self.has_edge() {
            self.prepare_edge(&genesis)?;
        }
        Ok(genesis)
    }

    /// With one region there is nowhere else to go.
    fn has_edge(&self) -> bool {
        self.regions > 1
    }

    fn prepare_edge(&self, genesis: &Genesis) -> Result<(), DevError> {
        let node =
            |node: &NodeId| edge::NodeSetting { node: node.0, http: self.address(0, node.0) };
        let regions = genesis.regions.iter().map(|region| edge::RegionSetting {
            name: region.name.clone(),
            nodes: region.nodes.iter().map(node).collect(),
        });
        let settings = edge::Settings {
            http: self.address(0, 0),
            nearest: Default::default(),
            regions: regions.collect(),
            limits: Default::default(),
        };
        let (dir, settings) = (self.dir.join("edge"), toml::to_string(&settings));
        let path = dir.join("edge.toml");
        fs::create_dir_all(&dir)
            .and_then(|()| fs::write(&path, settings.expect("settings are made of plain values")))
            .map_err(|source| DevError::Io { path, source })
    }

    /// The regions of a new cluster, their nodes numbered through.
    fn new_regions(&self) -> Vec<RegionArgument> {
        let region = |place: u16| {
            let first = 1 + place * self.nodes;
            let name = if self.regions == 1 { ONE_REGION } else { REGIONS[usize::from(place)] };
            let nodes = (first..first + self.nodes).map(NodeId).collect();
            RegionArgument { name: name.to_owned(), nodes }
        };
        (0..self.regions).map(region).collect()
    }

    fn every_node(&self) -> impl Iterator<Item = u16> + use<> {
        1..=self.regions * self.nodes
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
            peers: self.every_node().map(peer).collect(),
            ledger_cache_mib: 64,
            drain_ms: 10_000,
            inter_region_delay_ms: self.region_delay_ms(),
            outbox: OutboxSettings { provider: self.provider.clone(), mail: self.mail.clone() },
            scrub: Default::default(),
            archive: None,
            tuning: Default::default(),
        };
        toml::to_string(&settings).expect("settings are made of texts and numbers")
    }

    fn region_delay_ms(&self) -> u64 {
        let default = if self.regions > 1 { REGION_DELAY_MS } else { 0 };
        self.region_delay.unwrap_or(default)
    }

    #[expect(clippy::print_stdout, reason = "the command line talks to people")]
    fn greet(&self, genesis: &Genesis) {
        println!(
            "{} nodes run; ctrl-C stops them. Logs: {}/n*/node.log",
            self.every_node().count(),
            show(&self.dir)
        );
        for region in &genesis.regions {
            if self.regions > 1 {
                println!("region {}:", region.name);
            }
            for node in &region.nodes {
                println!("  node {node}: http://{}", self.address(0, node.0));
            }
        }
        if self.has_edge() {
            println!("edge: http://{} (goes to another region when one is away)", self.edge());
            println!("Between regions a message takes {} ms each way.", self.region_delay_ms());
        }
        let at = if self.has_edge() { self.edge() } else { self.address(0, 1) };
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
        println!(
            "  curl http://{}/v1/accounts/1/balance",
            self.address(0, self.regions * self.nodes)
        );
        println!("  curl http://{at}/v1/trial-balance");
    }

    fn edge(&self) -> SocketAddr {
        self.address(0, 0)
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
            for process in running.iter_mut().filter(|process| !process.has_ended) {
                if let Ok(Some(status)) = process.child.try_wait() {
                    process.has_ended = true;
                    let Running { name, what, command, .. } = process;
                    let dir = show(&process.dir);
                    println!("{name} has ended ({status}), see {dir}/{what}.log");
                    println!("  again: billing-node {command} --config {dir}/{what}.toml");
                }
            }
            if running.iter().all(|process| process.has_ended) {
                return Err(DevError::AllEnded(self.dir.clone()));
            }
        }
    }
}

fn start(
    name: String,
    dir: PathBuf,
    what: &'static str,
    command: &'static str,
) -> Result<Running, DevError> {
    let path = dir.join(what).with_extension("log");
    let log = fs::File::options().create(true).append(true).open(&path);
    let log = log.map_err(|source| DevError::Io { path, source })?;
    let program = std::env::current_exe()
        .map_err(|source| DevError::Process { what: "cannot find this program", source })?;
    let child = Command::new(program)
        .args([command, "--exit-with-parent", "--config"])
        .arg(dir.join(what).with_extension("toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        // Ctrl-C reaches every process of the terminal's group. A node must get only the one
        // signal of `stop`: its second one would end it at once.
        .process_group(0)
        .spawn()
        .map_err(|source| DevError::Process { what: "cannot start a process", source })?;
    Ok(Running { name, dir, what, command, child, has_ended: false })
}

/// Tells every process to stop, then waits for all.
fn stop(running: &mut [Running]) {
    for process in running.iter().filter(|process| !process.has_ended) {
        if let Some(pid) = i32::try_from(process.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended just now; waiting says the same.
            let _ = kill_process(pid, Signal::TERM);
        }
    }
    for process in running.iter_mut() {
        if let Err(error) = process.child.wait() {
            tracing::warn!(process = process.name, %error, "cannot wait for it");
        }
    }
}

fn show(path: &Path) -> std::path::Display<'_> {
    path.display()
}
