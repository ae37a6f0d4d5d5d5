//! A node on its directory: opening it, and the one dispatch that both worlds run.

use crate::host::{Directory, EIO, Host};
use crate::ledger_database::LedgerDatabase;
use billing_core::journal::{self, RecoverError};
use billing_core::ledger::store::{LedgerStore, StoreError};
use billing_core::{Config, FileName, Input, Node, Now, Output, Outputs, Status};
use std::io;
use std::sync::Arc;
use thiserror::Error;

/// Why a node cannot be opened from its directory.
///
/// [`OpenError::is_full`] tells a full disk from all others.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The directory cannot be read or written.
    #[error("data directory: {0}")]
    Io(#[from] io::Error),
    /// Superblock or log are damaged beyond what recovery may cut.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// Not even an empty ledger database can be made.
    #[error(transparent)]
    Ledger(#[from] StoreError),
}

impl OpenError {
    /// There is no space: nothing is damaged, and it will open when there is.
    pub fn is_full(&self) -> bool {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        matches!(self, Self::Io(error) if full.contains(&error.kind()))
    }
}

/// A node, its ledger database, and a buffer for its outputs.
pub struct Replica {
    node: Node,
    database: Arc<LedgerDatabase>,
    outputs: Outputs,
}

impl Replica {
    /// Recovers the log, makes the result durable, opens the ledger database, opens the node. A
    /// database that cannot be believed is set aside and refilled from the log.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(
        directory: &dyn Directory,
        config: Config,
        cache_bytes: usize,
        now: Now,
    ) -> Result<Self, OpenError> {
        match Self::open_once(directory, config.clone(), cache_bytes, now) {
            Err(OpenError::Ledger(error)) => {
                tracing::warn!(%error, "the ledger database is set aside");
                LedgerDatabase::set_aside(directory)?;
                Self::open_once(directory, config, cache_bytes, now)
            }
            other => other,
        }
    }

    fn open_once(
        directory: &dyn Directory,
        config: Config,
        cache_bytes: usize,
        now: Now,
    ) -> Result<Self, OpenError> {
        let image = read_image(directory)?;
        let (recovered, steps) = journal::recover(&config.genesis, config.node, image)?;
        directory.run(&steps)?;
        let database = LedgerDatabase::open(directory, cache_bytes)?;
        let node = Node::open(config, recovered, database.reader(), now)?;
        Ok(Self { node, database, outputs: Outputs::with_capacity(32) })
    }

    /// Feeds one input and hands every output to the host, in order. After a halt nothing more
    /// is handed over and the replica must be dropped.
    pub fn dispatch<H: Host>(&mut self, now: Now, input: Input, host: &mut H) {
        self.node.step(now, input, &mut self.outputs);
        for output in self.outputs.drain(..) {
            match output {
                Output::Send { to, frame } => host.send(to, frame),
                Output::Persist { token, steps } => host.persist(token, steps),
                Output::AnswerWrite { request, answer } => host.answer_write(request, answer),
                Output::AnswerRead { request, answer } => host.answer_read(request, *answer),
                Output::AnswerProbe { request, probe } => host.answer_probe(request, probe),
                Output::AnswerSeal { request, answer } => host.answer_seal(request, answer),
                Output::Effect(effect) => host.call_effect(effect),
                Output::Mail(notice) => host.send_notice(notice),
                Output::CommitLedger(batch) => host.commit_ledger(&self.database, batch),
                Output::Halt(reason) => {
                    host.halt(reason);
                    break;
                }
            }
        }
    }

    /// What the node says of itself.
    pub fn status(&self) -> Status {
        self.node.status()
    }

    /// The ledger database, to read.
    pub fn database(&self) -> Box<dyn LedgerStore> {
        self.database.reader()
    }

    /// The ledger database itself, to scrub.
    pub fn ledger(&self) -> Arc<LedgerDatabase> {
        Arc::clone(&self.database)
    }

    /// The node, to look at.
    pub fn node(&self) -> &Node {
        &self.node
    }
}

/// A file, with zeros for the sectors that the disk does not give back.
///
/// # Errors
/// As the operating system says, but for `EIO`.
pub(crate) fn read_or_salvage(directory: &dyn Directory, file: FileName) -> io::Result<Vec<u8>> {
    directory.read(file).or_else(|error| {
        let is_damaged = error.raw_os_error() == Some(EIO);
        tracing::error!(%file, %error, is_damaged, "a file cannot be read");
        if is_damaged { directory.salvage(file) } else { Err(error) }
    })
}

/// Superblock and segments of a directory, whole: what recovery and inspection read. What the disk
/// does not give back of a file is zeros: its content is lost. Of a ledger without superblock the
/// name alone: it tells that the directory was a node's.
///
/// # Errors
/// As the operating system says, but for `EIO`.
pub fn read_image(directory: &dyn Directory) -> io::Result<journal::Image> {
    let mut image = journal::Image::new();
    let files = directory.list()?;
    for file in &files {
        match file {
            FileName::Superblock | FileName::Segment { .. } => {
                image.push((*file, read_or_salvage(directory, *file)?));
            }
            FileName::Ledger | FileName::LedgerAside if !files.contains(&FileName::Superblock) => {
                image.push((*file, Vec::new()));
            }
            FileName::Genesis | FileName::Ledger | FileName::LedgerAside => {}
        }
    }
    Ok(image)
}
