//! `init`: the explicit act by which a node comes into being. A directory that holds nothing
//! never starts by itself, so that a lost disk is noticed and not taken for a new node.

use billing_core::journal;
use billing_core::{DiskStep, FileName};
use billing_shell::Directory as _;
use billing_shell::tokio_host::{DirectoryLock, DiskDirectory, LockError};
use billing_wire::limits::REGIONS_MAX;
use billing_wire::{ClusterId, DecodeError, Genesis, Incarnation, NodeId, RegionId, RegionMembers};
use clap::Args;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use thiserror::Error;

/// Make the data directory of one node: once, before its first start.
///
/// The first node founds the cluster: `init --dir n1 --node 1 --region main=1,2,3`. Every other
/// node gets a copy of the file `genesis` that this wrote: `init --dir n2 --node 2 --genesis
/// n1/genesis`. The file holds the cluster's secret: treat it like a key.
///
/// A node whose directory was lost is made again with `--lost-disk` and the others' genesis. It
/// takes part in nothing until, for each region log, the leader and all other voters have let it in
/// again; that happens by itself, and its data come back from them.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The directory; made when it is missing
    #[arg(long)]
    dir: PathBuf,
    /// This node's number, from 1, unique in the cluster for ever
    #[arg(long)]
    node: u16,
    /// Found a cluster: a region's name and the numbers of its nodes; once per region
    #[arg(long, value_name = "NAME=N,N,N", conflicts_with = "genesis")]
    #[arg(required_unless_present = "genesis")]
    region: Vec<RegionArgument>,
    /// ISO 4217 code of the cluster's one currency
    #[arg(long, default_value = "EUR", conflicts_with = "genesis")]
    currency: Currency,
    /// Join a cluster: the file `genesis` that its first `init` wrote
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// This node was there before, and lost its directory
    #[arg(long, requires = "genesis")]
    lost_disk: bool,
}

/// `main=1,2,3`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RegionArgument {
    pub(crate) name: String,
    pub(crate) nodes: Vec<NodeId>,
}

/// Three capital letters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Currency(pub(crate) [u8; 3]);

/// Why a directory was not made.
#[derive(Debug, Error)]
pub(crate) enum InitError {
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is no genesis file: {source}", .path.display())]
    Genesis { path: PathBuf, source: DecodeError },
    #[error("the operating system gives no random bytes: {0}")]
    Entropy(getrandom::Error),
    #[error("{0}")]
    Regions(String),
    #[error("node {node} is none of the cluster's nodes ({members})")]
    NoMember { node: NodeId, members: String },
    #[error("{} holds a node already: a node is made once; choose another directory", .0.display())]
    Exists(PathBuf),
    #[error(transparent)]
    Lock(#[from] LockError),
}

impl Init {
    pub(crate) fn run(self) -> Result<(), InitError> {
        let genesis = match &self.genesis {
            Some(path) => read_genesis(path)?,
            None => found(&self.region, self.currency)?,
        };
        let (node, mut drawn) = (NodeId(self.node), [0]);
        if self.lost_disk {
            getrandom::fill(&mut drawn).map_err(InitError::Entropy)?;
            let generation = 1 + drawn[0] % journal::GENERATION_MAX;
            let steps = journal::first_steps_of_lost(&genesis, node, generation);
            make_directory(&self.dir, &genesis, node, steps)?;
        } else {
            make_node(&self.dir, &genesis, node)?;
        }
        #[expect(clippy::print_stdout, reason = "the command line talks to people")]
        {
            println!(
                "node {} of cluster {} is in {}",
                self.node,
                genesis.cluster,
                self.dir.display()
            );
        }
        Ok(())
    }
}

/// Draws a new cluster's identity and secret.
pub(crate) fn found(regions: &[RegionArgument], currency: Currency) -> Result<Genesis, InitError> {
    check_regions(regions)?;
    let (mut cluster, mut secret) = ([0; 16], [0; 32]);
    getrandom::fill(&mut cluster).map_err(InitError::Entropy)?;
    getrandom::fill(&mut secret).map_err(InitError::Entropy)?;
    let member = |(place, argument): (usize, &RegionArgument)| RegionMembers {
        region: RegionId(place as u8),
        name: argument.name.clone(),
        incarnation: Incarnation(0),
        nodes: argument.nodes.clone(),
    };
    Ok(Genesis {
        cluster: ClusterId(u128::from_le_bytes(cluster)),
        currency: currency.0,
        secret,
        regions: regions.iter().enumerate().map(member).collect(),
    })
}

fn check_regions(regions: &[RegionArgument]) -> Result<(), InitError> {
    let refuse = |text: String| Err(InitError::Regions(text));
    if regions.len() > REGIONS_MAX {
        return refuse(format!("{} regions: at most {REGIONS_MAX} are possible", regions.len()));
    }
    let mut seen = BTreeSet::new();
    for node in regions.iter().flat_map(|region| &region.nodes) {
        if !seen.insert(node) {
            return refuse(format!("node {node} is named twice: it belongs to one region"));
        }
    }
    Ok(())
}

/// Writes genesis and first superblock.
pub(crate) fn make_node(dir: &Path, genesis: &Genesis, node: NodeId) -> Result<(), InitError> {
    make_directory(dir, genesis, node, journal::first_steps(genesis, node))
}

fn make_directory(
    dir: &Path,
    genesis: &Genesis,
    node: NodeId,
    first_steps: Vec<DiskStep>,
) -> Result<(), InitError> {
    let io = |source| InitError::Io { path: dir.to_owned(), source };
    if genesis.region_of(node).is_none() {
        let members: Vec<_> = genesis.nodes().map(|node| node.to_string()).collect();
        return Err(InitError::NoMember { node, members: members.join(", ") });
    }
    fs::create_dir_all(dir).map_err(io)?;
    let _lock = DirectoryLock::acquire(dir)?;
    let directory = DiskDirectory::open(dir).map_err(io)?;
    // Genesis alone is an `init` that was interrupted: it may be repeated.
    let files = directory.list().map_err(io)?;
    if files.iter().any(|file| *file != FileName::Genesis) {
        return Err(InitError::Exists(dir.to_owned()));
    }
    let mut steps: Vec<DiskStep> = Vec::new();
    if files.contains(&FileName::Genesis) {
        steps.push(DiskStep::Remove { file: FileName::Genesis });
    }
    steps.extend(first_steps);
    directory.run(&steps).map_err(io)
}

/// Reads and checks a genesis file.
pub(crate) fn read_genesis(path: &Path) -> Result<Genesis, InitError> {
    let bytes = fs::read(path).map_err(|source| InitError::Io { path: path.to_owned(), source })?;
    Genesis::decode(&bytes).map_err(|source| InitError::Genesis { path: path.to_owned(), source })
}

impl FromStr for RegionArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, nodes) = text.split_once('=').ok_or("NAME=N,N,N expected, as main=1,2,3")?;
        if name.is_empty() || name.len() > 32 {
            return Err("a region's name has 1 to 32 bytes".to_owned());
        }
        let nodes: Vec<NodeId> = nodes.split(',').map(node).collect::<Result<_, _>>()?;
        if nodes.len() > 7 {
            return Err("a region has at most 7 nodes".to_owned());
        }
        Ok(Self { name: name.to_owned(), nodes })
    }
}

fn node(text: &str) -> Result<NodeId, String> {
    match text.trim().parse() {
        Ok(number @ 1..) => Ok(NodeId(number)),
        _ => Err(format!("'{text}' is no node number: 1 to 65535 expected")),
    }
}

impl FromStr for Currency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.as_bytes() {
            &[a, b, c] if text.bytes().all(|byte| byte.is_ascii_uppercase()) => Ok(Self([a, b, c])),
            _ => Err("three capital letters expected, as EUR".to_owned()),
        }
    }
}
