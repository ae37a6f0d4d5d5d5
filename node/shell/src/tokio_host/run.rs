//! The run loop: one task owns the node and feeds it one input at a time, in a fixed order of
//! preference. When the node halts it is dropped and opened again from its directory.

use super::archive_thread::{ArchivePlan, Archiving};
use super::clock::Clock;
use super::counters::Counters;
use super::directory::DiskDirectory;
use super::disk_threads::DiskThreads;
use super::handle::{Handle, Request};
use super::listener::accept_peers;
use super::machine::{Machine, Outside};
use super::mail::MailService;
use super::peers::Peers;
use super::provider::PaymentProvider;
use super::scrub_thread::Scrubbing;
use super::side_thread::SideThread;
use crate::ledger_database::LedgerDatabase;
use crate::replica::{OpenError, Replica};
use crate::scrubber::{ScrubPace, Scrubber};
use billing_core::{Config, DiskFault, HaltReason, Input, Status};
use billing_wire::NodeId;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

/// Requests that wait to be fed to the node, at most; beyond, callers are told to come back.
const REQUESTS_MAX: usize = 4_096;
/// Frames that wait to be fed to the node, at most; beyond, connections wait.
const FRAMES_MAX: usize = 4_096;
/// Openings after a halt before the process gives up.
const REOPENINGS_MAX: u32 = 5;
/// A node that ran for so long has recovered: the count starts again.
const REOPENING_FORGIVEN: Duration = Duration::from_secs(60);
const REOPENING_BACKOFF: Duration = Duration::from_millis(200);
/// A node that found its disk full is opened again after this, to serve reads.
const FULL_BACKOFF: Duration = Duration::from_millis(200);

/// Everything that a node needs to run.
#[derive(Debug)]
pub struct Setup {
    /// The node's configuration, checked.
    pub config: Config,
    /// Its files.
    pub directory: Arc<DiskDirectory>,
    /// Bytes of the ledger database's page cache.
    pub cache_bytes: usize,
    /// Where peers call.
    pub listener: TcpListener,
    /// Where to call the peers.
    pub peers: BTreeMap<NodeId, String>,
    /// How long a frame to a node of another region waits before it leaves; zero in production.
    pub inter_region_delay: Duration,
    /// Who pays refunds out; without one they wait.
    pub provider: Option<Arc<dyn PaymentProvider>>,
    /// Who tells customers of their invoices; without one nobody does.
    pub mail: Option<Arc<dyn MailService>>,
    /// How it looks for damage.
    pub scrub: ScrubPace,
    /// Where it archives to; without one it does not.
    pub archive: Option<ArchivePlan>,
    /// How long a stopping node may take to finish what is in flight.
    pub drain: Duration,
}

/// Why a node ended that was not asked to.
#[derive(Debug, Error)]
pub enum RunError {
    /// It cannot be opened from its directory.
    #[error("cannot open the node: {0}")]
    Open(#[from] OpenError),
    /// No thread can be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
    /// It halted again and again.
    #[error(
        "the node halted {REOPENINGS_MAX} times in a row, at last because of {reason:?}: check \
         the disk"
    )]
    Halts {
        /// The last reason.
        reason: HaltReason,
    },
}

/// Where inputs come from; outlives the node when that is opened again.
struct Inlets {
    frames: mpsc::Receiver<Bytes>,
    requests: mpsc::Receiver<Request>,
    stop: watch::Receiver<bool>,
    status: watch::Sender<Option<Status>>,
}

/// How one opening of a node ended.
enum Ending {
    Stopped,
    Halted(HaltReason),
}

/// A handle, and the future that runs the node until it is stopped or cannot go on. Must be
/// called within a tokio runtime.
pub fn run(setup: Setup) -> (Handle, impl Future<Output = Result<(), RunError>>) {
    let (requests, request_inlet) = mpsc::channel(REQUESTS_MAX);
    let (stop, stop_inlet) = watch::channel(false);
    let (status, status_outlet) = watch::channel(None);
    let handle =
        Handle { requests, status: status_outlet, stop: Arc::new(stop), counters: Arc::default() };
    let counters = Arc::clone(&handle.counters);
    let running = async move {
        let (frames, frame_inlet) = mpsc::channel(FRAMES_MAX);
        let inlets =
            Inlets { frames: frame_inlet, requests: request_inlet, stop: stop_inlet, status };
        let (genesis, node) = (Arc::clone(&setup.config.genesis), setup.config.node);
        let delay = setup.inter_region_delay;
        let peers = Peers::connect(&genesis, node, &setup.peers, delay, &counters);
        let accepting = accept_peers(setup.listener, genesis, node, frames, Arc::clone(&counters));
        tokio::spawn(accepting);
        let directory = setup.directory;
        let life = Life {
            config: Config {
                pays_refunds: setup.provider.is_some(),
                sends_notices: setup.mail.is_some(),
                ..setup.config
            },
            provider: setup.provider,
            mail: setup.mail,
            directory,
            cache_bytes: setup.cache_bytes,
            scrub: setup.scrub,
            archive: setup.archive,
            drain: setup.drain,
            counters,
            clock: Clock::new(),
        };
        life.live(inlets, &peers).await
    };
    (handle, running)
}

/// What stays the same over all openings.
struct Life {
    config: Config,
    provider: Option<Arc<dyn PaymentProvider>>,
    mail: Option<Arc<dyn MailService>>,
    directory: Arc<DiskDirectory>,
    cache_bytes: usize,
    scrub: ScrubPace,
    archive: Option<ArchivePlan>,
    drain: Duration,
    counters: Arc<Counters>,
    clock: Clock,
}

impl Life {
    async fn live(mut self, mut inlets: Inlets, peers: &Peers) -> Result<(), RunError> {
        let mut reopenings = 0;
        loop {
            let started = Instant::now();
            let reason = match self.open_and_feed(&mut inlets, peers).await {
                Ok(Ending::Stopped) => return Ok(()),
                Ok(Ending::Halted(reason)) => reason,
                Err(RunError::Open(error)) if error.is_full() => HaltReason::Disk(DiskFault::Full),
                Err(error) => return Err(error),
            };
            self.counters.halts.fetch_add(1, Relaxed);
            inlets.status.send_replace(None);
            self.config.disk_was_full = reason == HaltReason::Disk(DiskFault::Full);
            if self.config.disk_was_full {
                // It is not the node's fault, and may take hours; nobody must start it again.
                tracing::error!("the disk is full: make space, the node tries again by itself");
                if asked_to_stop_within(&mut inlets.stop, FULL_BACKOFF).await {
                    return Ok(());
                }
                self.config.seed = self.config.seed.wrapping_add(1);
                continue;
            }
            if started.elapsed() > REOPENING_FORGIVEN {
                reopenings = 0;
            }
            reopenings += 1;
            tracing::error!(?reason, reopenings, "the node halted and is opened again");
            if reopenings > REOPENINGS_MAX {
                return Err(RunError::Halts { reason });
            }
            if reason == HaltReason::Ledger {
                LedgerDatabase::set_aside(&*self.directory).map_err(OpenError::Io)?;
            }
            sleep(REOPENING_BACKOFF * 2_u32.pow(reopenings - 1)).await;
            self.config.seed = self.config.seed.wrapping_add(1);
        }
    }

    async fn open_and_feed(&self, inlets: &mut Inlets, peers: &Peers) -> Result<Ending, RunError> {
        let mut replica = self.open().await?;
        let (done, results) = mpsc::unbounded_channel();
        let disk = DiskThreads::start(&self.directory, &self.counters, &done)?;
        let scrub = Scrubbing {
            scrubber: Scrubber::new(Arc::clone(&self.config.genesis), self.config.node),
            directory: Arc::clone(&self.directory),
            database: replica.ledger(),
            pace: self.scrub,
            counters: Arc::clone(&self.counters),
            done: done.clone(),
        };
        let scrub = scrub.start()?;
        let archive = self.start_archive(inlets)?;
        let (provider, mail) = (self.provider.clone(), self.mail.clone());
        let outside =
            Outside { provider, mail, results: done, counters: Arc::clone(&self.counters) };
        let mut machine = Machine::new(peers, disk, outside);
        let ending = self.feed(inlets, results, &mut replica, &mut machine).await;
        // Whoever waits learns now that the outcome is unknown, not after the disk is done.
        let disk = machine.into_disk();
        drop(replica);
        // The directory must be at rest before anybody opens it again.
        let joined = tokio::task::spawn_blocking(move || {
            scrub.join();
            archive.into_iter().for_each(SideThread::join);
            disk.join();
        })
        .await;
        joined.expect("joining threads does not panic");
        Ok(ending)
    }

    fn start_archive(&self, inlets: &Inlets) -> io::Result<Option<SideThread>> {
        let Some(plan) = self.archive.clone() else { return Ok(None) };
        let archiving = Archiving {
            plan,
            genesis: Arc::clone(&self.config.genesis),
            node: self.config.node,
            directory: Arc::clone(&self.directory),
            status: inlets.status.subscribe(),
            counters: Arc::clone(&self.counters),
            clock: self.clock,
        };
        archiving.start().map(Some)
    }

    async fn open(&self) -> Result<Replica, OpenError> {
        let (directory, config) = (Arc::clone(&self.directory), self.config.clone());
        let (cache_bytes, now) = (self.cache_bytes, self.clock.now());
        let opening = move || Replica::open(&*directory, config, cache_bytes, now);
        let opened = tokio::task::spawn_blocking(opening).await;
        opened.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    async fn feed(
        &self,
        inlets: &mut Inlets,
        mut results: mpsc::UnboundedReceiver<Input>,
        replica: &mut Replica,
        machine: &mut Machine<'_>,
    ) -> Ending {
        let mut ticks = interval(Duration::from_millis(self.config.tick_ms));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_moment: Option<Instant> = None;
        loop {
            // Results first: they release answers. Requests last: they make new work.
            let input = tokio::select! {
                biased;
                () = asked_to_stop(&mut inlets.stop), if last_moment.is_none() => {
                    last_moment = Some(Instant::now() + self.drain);
                    Input::Stop
                }
                _ = ticks.tick() => Input::Tick,
                Some(result) = results.recv() => result,
                Some(frame) = inlets.frames.recv() => Input::Message(frame),
                Some(request) = inlets.requests.recv() => machine.input_of(request),
            };
            let is_tick = matches!(input, Input::Tick);
            if matches!(input, Input::Probe { .. }) {
                // Whoever asks how the node is reads this after the answer to the probe.
                inlets.status.send_replace(Some(replica.status()));
            }
            replica.dispatch(self.clock.now(), input, machine);
            if let Some(reason) = machine.halted {
                return Ending::Halted(reason);
            }
            if is_tick {
                inlets.status.send_replace(Some(replica.status()));
            }
            if let Some(last_moment) = last_moment {
                let is_late = Instant::now() >= last_moment;
                if is_late {
                    tracing::warn!("stopped before everything in flight was finished");
                }
                if is_late || replica.node().is_drained() {
                    return Ending::Stopped;
                }
            }
        }
    }
}

/// Whether somebody asks the node to stop within that time.
async fn asked_to_stop_within(stop: &mut watch::Receiver<bool>, within: Duration) -> bool {
    tokio::time::timeout(within, asked_to_stop(stop)).await.is_ok()
}

/// Ends when somebody asks the node to stop, or nobody is left who could.
async fn asked_to_stop(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
