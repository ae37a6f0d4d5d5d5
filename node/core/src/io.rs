//! What happens to a node and what it wants done. The shell feeds exactly one [`Input`], then
//! drains the [`Outputs`] in order; the order is law.

use crate::ledger::store::LedgerBatch;
use billing_wire::{
    AccountId, Date, DocumentNumber, Frontier, Hlc, LogIndex, NodeId, OpId, OutcomeChain, Read,
    ReadAnswer, RegionId, RegionMode, SealAnswer, Submission, Term, Token, WriteAnswer,
    WriteOptions,
};
use bytes::Bytes;

/// Names a request of a client until its answer; chosen by the shell, unique while open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Names a [`Output::Persist`] until its [`Input::DiskDone`]; increases by 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersistToken(pub u64);

/// Names a call of an [`Output::Effect`] until its [`Input::EffectDone`]; unique in a cluster's
/// node, over its lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EffectId(pub u64);

/// A payout that is asked of the payment provider. Its cause is final: it will not be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Effect {
    /// For the answer.
    pub id: EffectId,
    /// What the provider must know it by: everything asked under one key takes place once.
    pub key: OpId,
    /// The refund.
    pub refund: OpId,
    /// Whose it is.
    pub account: AccountId,
    /// Minor units, positive.
    pub amount: i64,
    /// ISO 4217.
    pub currency: [u8; 3],
    /// The call ends after so many milliseconds.
    pub timeout_ms: u64,
}

/// A notice of an invoice that is asked of the mail service. The invoice is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Notice {
    /// What the service must know it by, for the answer too: the operation of the invoice.
    pub key: OpId,
    /// Whose it is.
    pub account: AccountId,
    /// The number of the invoice.
    pub invoice: DocumentNumber,
    /// Minor units.
    pub total: i64,
    /// ISO 4217.
    pub currency: [u8; 3],
    /// The call ends after so many milliseconds.
    pub timeout_ms: u64,
}

/// How a call for an effect ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EffectResult {
    /// It took place, now or when it was asked for before.
    Paid {
        /// When, by the provider's books: the same each time.
        on: Date,
    },
    /// It did not take place; it may when it is asked for later.
    Refused,
    /// Nobody knows whether it took place.
    Unknown,
}

/// How a disk failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DiskFault {
    /// A read or write failed (EIO).
    Io,
    /// A sync failed: nothing written since the last good one may be believed.
    Sync,
    /// The disk is full (ENOSPC).
    Full,
}

/// One thing that happened.
#[derive(Debug)]
pub enum Input {
    /// `Config::tick_ms` passed.
    Tick,
    /// A frame arrived, unverified.
    Message(Bytes),
    /// All steps of a persist are done, or one failed and the later ones were skipped.
    DiskDone {
        /// Which persist.
        token: PersistToken,
        /// How it went.
        result: Result<(), DiskFault>,
    },
    /// A ledger commit is done.
    LedgerDone {
        /// How it went.
        result: Result<(), DiskFault>,
    },
    /// A client submits a command.
    Write {
        /// For the answer.
        request: RequestId,
        /// What is submitted.
        submission: Submission,
        /// How it is to be acknowledged.
        options: WriteOptions,
        /// What the session has seen, unverified: the write is stamped above it.
        token: Option<Token>,
    },
    /// A client reads.
    Read {
        /// For the answer.
        request: RequestId,
        /// What is read.
        read: Read,
    },
    /// Somebody wants to know whether this node can serve.
    Probe {
        /// For the answer.
        request: RequestId,
    },
    /// An operator declares regions lost (billing.md §7).
    Seal {
        /// For the answer.
        request: RequestId,
        /// The lost regions.
        regions: Vec<RegionId>,
        /// Even when somebody hears them.
        force: bool,
    },
    /// A call of an effect ended.
    EffectDone {
        /// Which call.
        id: EffectId,
        /// How it went, as far as the host knows.
        result: EffectResult,
    },
    /// A call of an [`Output::Mail`] ended.
    MailDone {
        /// The key of the notice.
        key: OpId,
        /// Whether the service has it now, as far as the host knows.
        is_taken: bool,
    },
    /// A file was found damaged while the node runs.
    Damaged {
        /// The superblock, a segment, or the ledger database.
        file: FileName,
    },
    /// The process is about to stop: refuse new writes, finish what is in flight.
    Stop,
}

/// A file of a node's directory. The shell maps it to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileName {
    /// `genesis`: written once by `init`.
    Genesis,
    /// `superblock`: four slots, see `journal::superblock`.
    Superblock,
    /// `log/R/SSSSSSSS.seg`: a segment of a region log.
    Segment {
        /// The region log.
        region: RegionId,
        /// Creation order within the region log, from 1.
        sequence: u32,
    },
    /// `ledger.redb`: the ledger database.
    Ledger,
    /// `ledger.damaged`: a database that was set aside.
    LedgerAside,
}

/// One step of a persist. Steps run in order; the first failure skips the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskStep {
    /// Write at an offset; creates and extends the file as needed.
    Write {
        /// The file.
        file: FileName,
        /// First byte to write.
        offset: u64,
        /// What to write.
        bytes: Bytes,
    },
    /// Cut or extend (with zeros) to a length.
    SetLength {
        /// The file.
        file: FileName,
        /// The new length in bytes.
        length: u64,
    },
    /// Make everything written to the file durable (fdatasync), and the file's directory entry.
    Sync {
        /// The file.
        file: FileName,
    },
    /// Remove a file; durable after the next [`DiskStep::Sync`] of any file.
    Remove {
        /// The file.
        file: FileName,
    },
}

impl DiskStep {
    /// The file that it is about.
    pub fn file(&self) -> FileName {
        match self {
            Self::Write { file, .. }
            | Self::SetLength { file, .. }
            | Self::Sync { file }
            | Self::Remove { file } => *file,
        }
    }
}

/// Why a node's memory may no longer be believed. The shell drops the node and opens it again
/// from its directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HaltReason {
    /// A write or sync of log or superblock failed.
    Disk(DiskFault),
    /// Others know a later superblock of this node: it opens again as one that forgot.
    Forgot,
    /// A segment was found damaged: a recovery finds out what is missing.
    Damage,
    /// The ledger database failed or holds damaged blocks: set it aside and rebuild.
    Ledger,
}

/// What the node wants done.
#[derive(Debug)]
pub enum Output {
    /// Run the steps in order, then feed [`Input::DiskDone`]. At most one persist is open.
    Persist {
        /// For the answer.
        token: PersistToken,
        /// What to do.
        steps: Vec<DiskStep>,
    },
    /// Send a frame, best effort.
    Send {
        /// To whom.
        to: NodeId,
        /// The whole frame.
        frame: Bytes,
    },
    /// Answer a write.
    AnswerWrite {
        /// Which request.
        request: RequestId,
        /// The answer.
        answer: WriteAnswer,
    },
    /// Answer a read.
    AnswerRead {
        /// Which request.
        request: RequestId,
        /// The answer.
        answer: Box<ReadAnswer>,
    },
    /// Answer a probe.
    AnswerProbe {
        /// Which request.
        request: RequestId,
        /// The answer.
        probe: Probe,
    },
    /// Answer an operator who sealed regions.
    AnswerSeal {
        /// Which request.
        request: RequestId,
        /// The answer.
        answer: SealAnswer,
    },
    /// Ask somebody outside for an effect, then feed [`Input::EffectDone`]; several may be open.
    Effect(Effect),
    /// Ask the mail service to send a notice, then feed [`Input::MailDone`]; several may be open.
    Mail(Notice),
    /// Commit rows to the ledger database, then feed [`Input::LedgerDone`]. At most one is open.
    CommitLedger(LedgerBatch),
    /// Drop this node and open it again; nothing that follows may be carried out.
    Halt(HaltReason),
}

/// Outputs in the order in which they are to be carried out.
pub type Outputs = Vec<Output>;

/// A node's part in a region log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Role {
    /// Follows a leader or waits for one.
    #[default]
    Follower,
    /// Stands for election.
    Candidate,
    /// Leads.
    Leader,
    /// Receives a foreign region's log.
    Learner,
}

/// Why a node cannot serve now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unfit {
    /// It is stopping.
    Stopping,
    /// It knows no leader of its region log.
    NoLeader,
    /// It has not heard its leader for an election timeout.
    LeaderSilent,
    /// Which of its last entries are committed is not known to it yet.
    NotCaughtUp,
    /// Entries wait and none was committed for two election timeouts.
    LogStalled,
    /// Its disk owes an answer for two election timeouts.
    DiskStalled,
    /// Its clock is off from the majority's.
    ClockOff,
}

/// What a node says to a probe: from the state of its log, at the moment of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// The node.
    pub node: NodeId,
    /// Who leads its region log, as far as it knows.
    pub leader: Option<NodeId>,
    /// Why it cannot serve; `None`: it can.
    pub unfit: Option<Unfit>,
}

/// What a node says of itself: for metrics, `status`, and the oracles. Cheap to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// The node.
    pub node: NodeId,
    /// Its part in its own region's log.
    pub role: Role,
    /// Who leads that log, as far as it knows.
    pub leader: Option<NodeId>,
    /// Raft term of that log.
    pub term: Term,
    /// Last index of that log in memory.
    pub last_index: LogIndex,
    /// Last durable index of that log.
    pub durable_index: LogIndex,
    /// Records of all region logs that were promised and are not readable: they are fetched from
    /// other nodes.
    pub missing_records: u64,
    /// Such records that were fetched, since the node was opened.
    pub repaired_records: u64,
    /// Frames of other nodes that were dropped, since the node was opened: damaged, not for this
    /// node, or of what it does not know yet.
    pub frames_refused: u64,
    /// Committed per region.
    pub committed: Frontier,
    /// Whether something that a client submitted is committed and not final yet; never in a
    /// cluster of one region.
    pub is_unfinal: bool,
    /// How the own region acknowledges, as its log says.
    pub mode: RegionMode,
    /// Committed entries of the own region that no other region is known to hold; 0 in a cluster
    /// of one region.
    pub exposure: u64,
    /// Records here that a seal left out and that are not known to be logged again; 0 in a
    /// cluster of one region.
    pub orphans: u64,
    /// Region logs of which the node has promised to take no more, for a seal that it has not read:
    /// that seal must be carried through.
    pub unsealed_promises: u64,
    /// The own region log is geo-durable up to here, as far as the node knows; may lie beyond
    /// what it has committed itself.
    pub geo_index: LogIndex,
    /// Folded for good per region.
    pub folded: Frontier,
    /// Term of the last folded entry of that log; 0 when none is. Equal to `term` when the node
    /// knows all that was committed in earlier terms.
    pub folded_term: Term,
    /// Finality watermark.
    pub watermark: Hlc,
    /// Chain over everything folded.
    pub outcome_chain: OutcomeChain,
    /// Order-free hash over all ledger rows.
    pub state_hash: u128,
}
