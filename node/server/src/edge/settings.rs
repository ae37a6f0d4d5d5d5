//! `edge.toml`: what an operator sets. Unknown keys are refused and errors show the line.

use billing_edge::config::Limits;
use billing_edge::{ConfigError, Nearest, Site};
use billing_wire::{NodeId, RegionId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// An edge's settings.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Where clients call; port 0 takes a free one (see `addresses.json` beside this file).
    pub(crate) http: SocketAddr,
    /// What makes a region the nearest: its place in `regions`, or the time of its probes.
    #[serde(default)]
    pub(crate) nearest: NearestSetting,
    /// The regions.
    pub(crate) regions: Vec<RegionSetting>,
    /// Bounds; each key has a default.
    #[serde(default)]
    pub(crate) limits: LimitSettings,
}

/// What makes a region the nearest.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NearestSetting {
    /// Its place in the list.
    #[default]
    Configured,
    /// The time that its probes take.
    Measured,
}

/// A region and where its nodes serve clients.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegionSetting {
    /// For people.
    pub(crate) name: String,
    pub(crate) nodes: Vec<NodeSetting>,
}

/// A node's number and address.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeSetting {
    pub(crate) node: u16,
    pub(crate) http: SocketAddr,
}

/// See `billing_edge::Limits`; what is missing keeps its default.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitSettings {
    in_flight_max: Option<usize>,
    client_per_s: Option<u64>,
    client_burst: Option<u64>,
    attempts_max: Option<usize>,
    answer_ms: Option<u64>,
    patient_answer_ms: Option<u64>,
    request_ms: Option<u64>,
    retry_percent: Option<u64>,
    retry_reserve: Option<u64>,
    retry_per_s: Option<u64>,
    failures_max: Option<u32>,
    probe_ms: Option<u64>,
    probe_ejected_ms: Option<u64>,
}

/// Why settings cannot be used.
#[derive(Debug, Error)]
pub(crate) enum SettingsError {
    #[error("cannot read {}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: {source}", .path.display())]
    Toml { path: PathBuf, source: Box<toml::de::Error> },
    #[error("{}: limits: {source}", .path.display())]
    Limits { path: PathBuf, source: ConfigError },
    #[error("{}: node {node} is named twice", .path.display())]
    Twice { path: PathBuf, node: u16 },
}

impl Settings {
    pub(crate) fn read(path: &Path) -> Result<Self, SettingsError> {
        let path_of = || path.to_owned();
        let text = fs::read_to_string(path)
            .map_err(|source| SettingsError::Io { path: path_of(), source })?;
        let settings: Self = toml::from_str(&text)
            .map_err(|source| SettingsError::Toml { path: path_of(), source: Box::new(source) })?;
        let check = settings.limits().check();
        check.map_err(|source| SettingsError::Limits { path: path_of(), source })?;
        let mut named = BTreeMap::new();
        for node in settings.regions.iter().flat_map(|region| &region.nodes) {
            if named.insert(node.node, ()).is_some() {
                return Err(SettingsError::Twice { path: path_of(), node: node.node });
            }
        }
        Ok(settings)
    }

    /// The regions, nearest first.
    pub(crate) fn sites(&self) -> Vec<Site> {
        let site = |(place, region): (u8, &RegionSetting)| Site {
            region: RegionId(place),
            nodes: region.nodes.iter().map(|node| NodeId(node.node)).collect(),
        };
        (0..).zip(&self.regions).map(site).collect()
    }

    /// Addresses by node.
    pub(crate) fn addresses(&self) -> BTreeMap<NodeId, SocketAddr> {
        let nodes = self.regions.iter().flat_map(|region| &region.nodes);
        nodes.map(|node| (NodeId(node.node), node.http)).collect()
    }

    pub(crate) fn nearest(&self) -> Nearest {
        match self.nearest {
            NearestSetting::Configured => Nearest::Configured,
            NearestSetting::Measured => Nearest::Measured,
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        let (mut limits, set) = (Limits::default(), self.limits);
        macro_rules! apply {
            ($($key:ident)+) => {$( limits.$key = set.$key.unwrap_or(limits.$key); )+};
        }
        apply!(in_flight_max client_per_s client_burst attempts_max answer_ms patient_answer_ms);
        apply!(request_ms retry_percent retry_reserve retry_per_s failures_max);
        apply!(probe_ms probe_ejected_ms);
        limits
    }
}
