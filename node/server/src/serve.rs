//! `serve`: one node as a process, from its settings to a clean end.

use crate::http;
use crate::init::{InitError, read_genesis};
use crate::logging::{self, FilterError, LogFormat};
use crate::settings::{Settings, SettingsError};
use billing_shell::tokio_host::{DirectoryLock, DiskDirectory, LockError, RunError, Setup, run};
use clap::Args;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Run one node until ctrl-C or SIGTERM.
///
/// Both stop it gracefully: no new writes are taken, what is in flight is finished and answered,
/// then it exits with 0. The real addresses are written to `addresses.json` in the data
/// directory, so that port 0 can be used.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The settings: `node`, `dir`, `http`, `peer`, `peers = [{ node = 2, address = "..." }]`,
    /// `ledger_cache_mib`, `drain_ms`, `inter_region_delay_ms`, `[tuning]`,
    /// `[outbox] provider = "http://HOST:PORT/PATH"`, which pays refunds out, `mail = "..."`
    /// beside it, which tells customers of their invoices,
    /// `[scrub] period_s = 86400, mib_per_s = 8`: everything is read once in so long, so that
    /// damage is found (0: never), and `[archive] to = "DIR", period_s = 600, late_after_s = 3600`:
    /// the node is archived once in so long, see `billing-node archive --help`
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

/// Why a node does not run, or does no longer.
#[derive(Debug, Error)]
pub(crate) enum ServeError {
    #[error(transparent)]
    Log(#[from] FilterError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("there is no node in {}: run `billing-node init` first", .0.display())]
    NotMade(PathBuf),
    #[error(transparent)]
    Genesis(InitError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("{what} {address}: {source}")]
    Listen { what: &'static str, address: SocketAddr, source: io::Error },
    #[error("{what}: {source}")]
    Io { what: &'static str, source: io::Error },
    #[error("the operating system gives no random bytes: {0}")]
    Entropy(getrandom::Error),
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Serve {
    pub(crate) fn run(self) -> Result<(), ServeError> {
        logging::start(&self.log, self.log_format)?;
        let settings = Settings::read(&self.config)?;
        if self.exit_with_parent {
            exit_with_parent()?;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|source| ServeError::Io { what: "cannot start threads", source })?;
        runtime.block_on(serve(&self.config, &settings))
    }
}

async fn serve(path: &Path, settings: &Settings) -> Result<(), ServeError> {
    let dir = &settings.dir;
    let genesis = read_genesis(&dir.join("genesis")).map_err(|error| match error {
        InitError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            ServeError::NotMade(dir.clone())
        }
        other => ServeError::Genesis(other),
    })?;
    let genesis = Arc::new(genesis);
    let config = settings.config(path, Arc::clone(&genesis), seed()?)?;
    let (provider, mail) = (settings.provider(path)?, settings.mail(path, &genesis)?);
    let _lock = DirectoryLock::acquire(dir)?;
    let io = |what| move |source| ServeError::Io { what, source };
    let peer = listen("cannot listen for peers on", settings.peer).await?;
    let http = listen("cannot listen for clients on", settings.http).await?;
    publish_addresses(dir, &http, &peer).map_err(io("cannot write addresses.json"))?;
    let directory = DiskDirectory::open(dir).map_err(io("cannot open the data directory"))?;
    let setup = Setup {
        config,
        directory: Arc::new(directory),
        cache_bytes: settings.ledger_cache_mib << 20,
        listener: peer,
        peers: settings.peers(),
        provider,
        mail,
        inter_region_delay: Duration::from_millis(settings.inter_region_delay_ms),
        scrub: settings.scrub.pace(),
        archive: settings.archive_plan(),
        drain: Duration::from_millis(settings.drain_ms),
    };
    let (handle, running) = run(setup);
    let stopped = handle.clone();
    tokio::spawn(stop_on_signal(move || stopped.stop()));
    let serving = tokio::spawn(http::serve(http, handle, genesis));
    let ended = running.await;
    // Answers that are on their way still leave; the accept loop ends with the node.
    if ended.is_ok() && tokio::time::timeout(Duration::from_secs(5), serving).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
    tracing::info!("stopped");
    Ok(ended?)
}

pub(crate) async fn listen(
    what: &'static str,
    address: SocketAddr,
) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Listen { what, address, source })
}

/// Election jitter differs between nodes and starts.
pub(crate) fn seed() -> Result<u64, ServeError> {
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).map_err(ServeError::Entropy)?;
    Ok(u64::from_le_bytes(seed))
}

fn publish_addresses(dir: &Path, http: &TcpListener, peer: &TcpListener) -> io::Result<()> {
    let (http, peer) = (http.local_addr()?, peer.local_addr()?);
    tracing::info!(%http, %peer, "listening");
    let fresh = dir.join("addresses.json.new");
    fs::write(&fresh, format!("{{\"http\":\"{http}\",\"peer\":\"{peer}\"}}\n"))?;
    fs::rename(fresh, dir.join("addresses.json"))
}

/// Ctrl-C and SIGTERM stop gracefully; a second one ends the process at once.
pub(crate) async fn stop_on_signal(stop: impl Fn()) {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::error!("signals cannot be received: it stops only by kill -9");
        return;
    };
    for is_first in [true, false] {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if is_first {
            tracing::info!("stopping: finishing what is in flight");
            stop();
        } else {
            tracing::warn!("stopping at once");
            std::process::abort();
        }
    }
}

#[cfg(target_os = "linux")]
pub(crate) fn exit_with_parent() -> Result<(), ServeError> {
    use rustix::process::{Signal, set_parent_process_death_signal};
    set_parent_process_death_signal(Some(Signal::TERM))
        .map_err(|errno| ServeError::Io { what: "--exit-with-parent", source: errno.into() })
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn exit_with_parent() -> Result<(), ServeError> {
    Err(ServeError::Io {
        what: "--exit-with-parent",
        source: io::Error::new(io::ErrorKind::Unsupported, "only Linux can do that"),
    })
}
