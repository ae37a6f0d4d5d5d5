//! `edge`: the edge as a process. It is a command of the node's program and no program of its own:
//! one build, one version and one set of flags to ship, and the HTTP parts are the node's.

mod asks;
pub(crate) mod calls;
mod driver;
mod front;
mod settings;

pub(crate) use settings::{NodeSetting, RegionSetting, Settings};

use crate::logging::{self, FilterError, LogFormat};
use crate::serve::{self, ServeError};
use billing_edge::{ConfigError, Edge};
use billing_shell::tokio_host::Clock;
use calls::Nodes;
use clap::Args;
use driver::{Dice, Driver};
use settings::SettingsError;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

/// Events that wait for the driver, at most; beyond, whoever has one waits.
const EVENTS_MAX: usize = 4_096;
/// Answers that are on their way when the edge has ended may take so long.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Run an edge until ctrl-C or SIGTERM.
///
/// Clients talk to it as to a node. It sends each request to the nearest region that can commit,
/// retries it elsewhere under the same key when there is no answer, and sheds what is too much.
#[derive(Debug, Args)]
pub(crate) struct EdgeCommand {
    /// The settings: `http`, `nearest`, `regions = [{ name = "...", nodes = [{ node = 1, http =
    /// "..." }] }]`, `[limits]`
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// What to log: a level, or `target=level,...`
    #[arg(long, default_value = "info")]
    log: String,
    /// How a line of the log looks
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogFormat,
    /// Stop when the process that started this one ends
    #[arg(long)]
    exit_with_parent: bool,
}

/// Why an edge does not run.
#[derive(Debug, Error)]
pub(crate) enum EdgeError {
    #[error(transparent)]
    Log(#[from] FilterError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Process(#[from] ServeError),
    #[error("{what}: {source}")]
    Io { what: &'static str, source: io::Error },
}

impl EdgeCommand {
    pub(crate) fn run(self) -> Result<(), EdgeError> {
        logging::start(&self.log, self.log_format)?;
        let settings = Settings::read(&self.config)?;
        if self.exit_with_parent {
            serve::exit_with_parent()?;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|source| EdgeError::Io { what: "cannot start threads", source })?;
        runtime.block_on(run(&self.config, &settings))
    }
}

async fn run(path: &Path, settings: &Settings) -> Result<(), EdgeError> {
    let listener = serve::listen("cannot listen for clients on", settings.http).await?;
    publish_address(path, &listener)
        .map_err(|source| EdgeError::Io { what: "cannot write addresses.json", source })?;
    let (clock, mut dice) = (Clock::new(), Dice(serve::seed()?));
    let (nearest, limits) = (settings.nearest(), settings.limits());
    let now = clock.now().monotonic;
    let edge = Edge::new(&settings.sites(), nearest, limits, now, &mut dice)?;
    let (events, inlet) = mpsc::channel(EVENTS_MAX);
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(serve::stop_on_signal(move || {
        stop.send_replace(true);
    }));
    let nodes = Nodes::new(settings.addresses());
    let driver = Driver::new(edge, dice, clock, nodes, events.clone());
    let front = tokio::spawn(front::serve(listener, events, stopping.clone()));
    driver.run(inlet, stopping).await;
    if tokio::time::timeout(LAST_ANSWERS, front).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
    tracing::info!("stopped");
    Ok(())
}

fn publish_address(path: &Path, listener: &TcpListener) -> io::Result<()> {
    let http = listener.local_addr()?;
    tracing::info!(%http, "listening");
    let dir = path.parent().unwrap_or_else(|| Path::new("."));
    let fresh = dir.join("addresses.json.new");
    fs::write(&fresh, format!("{{\"http\":\"{http}\"}}\n"))?;
    fs::rename(fresh, dir.join("addresses.json"))
}
