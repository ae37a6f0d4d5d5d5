//! `node.toml`: what an operator sets. Unknown keys are refused and errors show the line.

use crate::mail::HttpMail;
use crate::provider::HttpProvider;
use crate::service::ServiceError;
use billing_core::Config;
use billing_core::config::ConfigError;
use billing_shell::ScrubPace;
use billing_shell::tokio_host::{ArchivePlan, MailService, PaymentProvider};
use billing_wire::{Genesis, NodeId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// A node's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// This node's number, as given to `init`.
    pub(crate) node: u16,
    /// Its data directory; a relative path starts at the directory of this file.
    pub(crate) dir: PathBuf,
    /// Where clients call; port 0 takes a free one (see `addresses.json` in the directory).
    #[serde(default = "default_http")]
    pub(crate) http: SocketAddr,
    /// Where peers call. There is no authentication between nodes: keep it on a private network.
    #[serde(default = "default_peer")]
    pub(crate) peer: SocketAddr,
    /// Where this node calls its peers; it may name itself.
    #[serde(default)]
    pub(crate) peers: Vec<PeerSetting>,
    /// Page cache of the ledger database, in MiB.
    #[serde(default = "default_cache")]
    pub(crate) ledger_cache_mib: usize,
    /// How long a stopping node may take to finish what is in flight, in milliseconds.
    #[serde(default = "default_drain")]
    pub(crate) drain_ms: u64,
    /// How long a frame to a node of another region waits before it leaves, in milliseconds,
    /// 0 to 1000: makes nodes of one machine as far apart as real sites. 0 in production.
    #[serde(default)]
    pub(crate) inter_region_delay_ms: u64,
    /// How refunds leave.
    #[serde(default)]
    pub(crate) outbox: OutboxSettings,
    /// How damage is looked for.
    #[serde(default)]
    pub(crate) scrub: ScrubSettings,
    /// Where the node is archived to, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) archive: Option<ArchiveSettings>,
    /// Tuning; each key has a default.
    #[serde(default)]
    pub(crate) tuning: Tuning,
}

/// A peer's number and address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PeerSetting {
    pub(crate) node: u16,
    /// `host:port`.
    pub(crate) address: String,
}

/// How a node looks for damage in what it keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ScrubSettings {
    /// Everything is read once in so many seconds; 0: never.
    period_s: u64,
    /// Read so many MiB per second at most.
    mib_per_s: NonZeroU32,
}

impl Default for ScrubSettings {
    fn default() -> Self {
        let ScrubPace { period, bytes_per_s } = ScrubPace::default();
        let mib_per_s = NonZeroU32::new((bytes_per_s >> 20) as u32).unwrap_or(NonZeroU32::MIN);
        Self { period_s: period.as_secs(), mib_per_s }
    }
}

impl ScrubSettings {
    pub(crate) fn pace(&self) -> ScrubPace {
        let bytes_per_s = u64::from(self.mib_per_s.get()) << 20;
        ScrubPace { period: Duration::from_secs(self.period_s), bytes_per_s }
    }
}

/// How a running node is archived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ArchiveSettings {
    /// The archive's directory, on other disks than the node's; a relative path starts at `dir`.
    to: PathBuf,
    /// Seconds between two archives.
    #[serde(default = "default_archive_period")]
    period_s: NonZeroU32,
    /// The archive is late when it has not had everything for so many seconds.
    #[serde(default = "default_archive_late")]
    late_after_s: NonZeroU32,
}

/// The outbox: payouts of refunds, and mail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutboxSettings {
    /// The payment provider that is asked for payouts: `http://HOST:PORT/PATH`. Without one refunds
    /// wait, listed at `/v1/outbox`. The same on every node of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provider: Option<String>,
    /// The mail service that tells customers of their invoices: `http://HOST:PORT/PATH`. Without
    /// one nobody does. The same on every node of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mail: Option<String>,
}

/// See `billing_core::Config`; what is missing keeps its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tuning {
    tick_ms: Option<u64>,
    heartbeat_ticks: Option<u32>,
    election_ticks: Option<u32>,
    batch_submissions_max: Option<usize>,
    uncommitted_entries_max: Option<usize>,
    in_flight_max: Option<usize>,
    segment_bytes: Option<u64>,
    ledger_commit_submissions: Option<usize>,
    ledger_commit_ms: Option<u64>,
    ledger_cache_rows: Option<usize>,
    write_timeout_ms: Option<u64>,
    close_ts_ms: Option<u64>,
    geo_timeout_ms: Option<u64>,
    geo_return_ms: Option<u64>,
    clock_skew_max_ms: Option<u64>,
    effects_in_flight_max: Option<usize>,
    effect_timeout_ms: Option<u64>,
    effect_retry_ms: Option<u64>,
    effect_retry_max_ms: Option<u64>,
}

/// Why settings cannot be used.
#[derive(Debug, Error)]
pub(crate) enum SettingsError {
    #[error("cannot read {}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: {source}", .path.display())]
    Toml { path: PathBuf, source: Box<toml::de::Error> },
    #[error("{}: tuning: {source}", .path.display())]
    Tuning { path: PathBuf, source: ConfigError },
    #[error("{}: outbox.provider: {source}", .path.display())]
    Provider { path: PathBuf, source: ServiceError },
    #[error("{}: outbox.mail: {source}", .path.display())]
    Mail { path: PathBuf, source: ServiceError },
    #[error("{}: node {node} is none of the nodes of this cluster ({members})", .path.display())]
    NoMember { path: PathBuf, node: u16, members: String },
    #[error("{}: peers: the address of node {node} is missing", .path.display())]
    PeerMissing { path: PathBuf, node: NodeId },
    #[error(
        "{}: inter_region_delay_ms = {found}: 0 to {INTER_REGION_DELAY_MS_MAX} expected",
        .path.display()
    )]
    InterRegionDelay { path: PathBuf, found: u64 },
}

/// More than twice the way around the world.
pub(crate) const INTER_REGION_DELAY_MS_MAX: u64 = 1_000;

fn default_archive_period() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(599)
}

fn default_archive_late() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(3599)
}

fn default_http() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8100))
}

fn default_peer() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8200))
}

fn default_cache() -> usize {
    64
}

fn default_drain() -> u64 {
    10_000
}

impl Settings {
    /// Reads a file; a relative `dir` is taken from where the file lies.
    pub(crate) fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = fs::read_to_string(path)
            .map_err(|source| SettingsError::Io { path: path.to_owned(), source })?;
        let mut settings: Self = toml::from_str(&text).map_err(|source| SettingsError::Toml {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        if let Some(parent) = path.parent() {
            // By components, which leaves out a `.` that would look odd in messages.
            settings.dir = parent.join(&settings.dir).components().collect();
        }
        Ok(settings)
    }

    /// How the node is archived.
    pub(crate) fn archive_plan(&self) -> Option<ArchivePlan> {
        let seconds = |seconds: NonZeroU32| Duration::from_secs(seconds.get().into());
        self.archive.as_ref().map(|archive| ArchivePlan {
            to: self.dir.join(&archive.to),
            period: seconds(archive.period_s),
            late_after: seconds(archive.late_after_s),
        })
    }

    /// The core's configuration, checked; `path` is for messages.
    pub(crate) fn config(
        &self,
        path: &Path,
        genesis: Arc<Genesis>,
        seed: u64,
    ) -> Result<Config, SettingsError> {
        let node = NodeId(self.node);
        if genesis.region_of(node).is_none() {
            let members: Vec<_> = genesis.nodes().map(|node| node.to_string()).collect();
            let (path, members) = (path.to_owned(), members.join(", "));
            return Err(SettingsError::NoMember { path, node: self.node, members });
        }
        let peers = self.peers();
        let missing = genesis.nodes().find(|peer| *peer != node && !peers.contains_key(peer));
        if let Some(node) = missing {
            return Err(SettingsError::PeerMissing { path: path.to_owned(), node });
        }
        let found = self.inter_region_delay_ms;
        if found > INTER_REGION_DELAY_MS_MAX {
            return Err(SettingsError::InterRegionDelay { path: path.to_owned(), found });
        }
        let mut config = Config::new(node, genesis);
        config.seed = seed;
        self.tuning.apply(&mut config);
        config.check().map_err(|source| SettingsError::Tuning { path: path.to_owned(), source })?;
        Ok(config)
    }

    /// Who pays refunds out.
    pub(crate) fn provider(
        &self,
        path: &Path,
    ) -> Result<Option<Arc<dyn PaymentProvider>>, SettingsError> {
        let Some(url) = &self.outbox.provider else { return Ok(None) };
        let provider = HttpProvider::at(url)
            .map_err(|source| SettingsError::Provider { path: path.to_owned(), source })?;
        Ok(Some(Arc::new(provider)))
    }

    /// Who tells customers of their invoices.
    pub(crate) fn mail(
        &self,
        path: &Path,
        genesis: &Arc<Genesis>,
    ) -> Result<Option<Arc<dyn MailService>>, SettingsError> {
        let Some(url) = &self.outbox.mail else { return Ok(None) };
        let mail = HttpMail::at(url, Arc::clone(genesis))
            .map_err(|source| SettingsError::Mail { path: path.to_owned(), source })?;
        Ok(Some(Arc::new(mail)))
    }

    /// Addresses by node.
    pub(crate) fn peers(&self) -> BTreeMap<NodeId, String> {
        self.peers.iter().map(|peer| (NodeId(peer.node), peer.address.clone())).collect()
    }
}

fn set<T: Copy>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

impl Tuning {
    fn apply(&self, config: &mut Config) {
        set(&mut config.tick_ms, self.tick_ms);
        set(&mut config.heartbeat_ticks, self.heartbeat_ticks);
        set(&mut config.election_ticks, self.election_ticks);
        set(&mut config.batch_submissions_max, self.batch_submissions_max);
        set(&mut config.uncommitted_entries_max, self.uncommitted_entries_max);
        set(&mut config.in_flight_max, self.in_flight_max);
        set(&mut config.segment_bytes, self.segment_bytes);
        set(&mut config.ledger_commit_submissions, self.ledger_commit_submissions);
        set(&mut config.ledger_commit_ms, self.ledger_commit_ms);
        set(&mut config.ledger_cache_rows, self.ledger_cache_rows);
        set(&mut config.write_timeout_ms, self.write_timeout_ms);
        set(&mut config.close_ts_ms, self.close_ts_ms);
        set(&mut config.geo_timeout_ms, self.geo_timeout_ms);
        set(&mut config.geo_return_ms, self.geo_return_ms);
        set(&mut config.clock_skew_max_ms, self.clock_skew_max_ms);
        set(&mut config.effects_in_flight_max, self.effects_in_flight_max);
        set(&mut config.effect_timeout_ms, self.effect_timeout_ms);
        set(&mut config.effect_retry_ms, self.effect_retry_ms);
        set(&mut config.effect_retry_max_ms, self.effect_retry_max_ms);
    }
}
