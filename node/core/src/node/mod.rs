//! The node: takes one input at a time through consensus, journal, merge, ledger and sessions.
//! This file is the order of things; each thing itself lies in its own room.

mod adoption;
mod chain_end;
mod chain_records;
mod closing;
mod desk;
mod frames;
mod full_disk;
mod grades;
mod log_end;
mod mailing;
mod order;
mod payouts;
mod presence;
mod probe;
mod proposals;
mod readmission;
mod reads;
mod repair;
mod sealed_end;
mod sealing;
mod status;
mod writes;

use crate::canary;
use crate::config::Config;
use crate::consensus::{Consensus, GroupConfig, RegionLog};
use crate::control::{Custody, HybridClock, Seals, SkewGate};
use crate::io::{DiskFault, HaltReason, Input, Output, Outputs, PersistToken, RequestId, Role};
use crate::journal::{Recovered, Writer};
use crate::ledger::Ledger;
use crate::ledger::store::{LedgerStore, StoreError};
use crate::outbox::Outbox;
use crate::outbox::mail::Mail;
use crate::session::Sessions;
use crate::sometimes;
use crate::time::{Monotonic, Now};
use adoption::{Fetching, Staged};
use billing_wire::{Control, Hash, Hlc, LogIndex, NodeId, Query, QueryResult, RegionId};
use bytes::Bytes;
use closing::Outlook;
use desk::Desk;
use grades::Reach;
use log_end::DueEnd;
use presence::Presented;
use probe::Progress;
use readmission::{Orphan, Returning};
use repair::Repair;
use sealed_end::SealedEnds;
use sealing::{DueReport, Sealing};
use status::Counts;
use std::collections::{BTreeMap, VecDeque};
use writes::Asked;

/// A leader gives up when its disk owes it an answer for longer than so many election timeouts:
/// long enough for a slow disk to be no reason, short enough for writes to go on within 3 s.
const STALL_ELECTIONS: u64 = 2;

/// One billing node.
pub struct Node {
    config: Config,
    region: RegionId,
    cluster_mark: u64,
    logs: Vec<RegionLog>,
    writer: Writer,
    ledger: Ledger,
    sessions: Sessions,
    clock: HybridClock,
    skew: SkewGate,
    /// The open persist and when it began.
    persist: Option<(PersistToken, Monotonic)>,
    next_persist: u64,
    committing_ledger: bool,
    ledger_committed_at: Monotonic,
    /// When this node last heard the leader of each region log; at first, when it was opened.
    heard_at: Vec<Monotonic>,
    was_leader: bool,
    /// Highest term among the entries of the own region log that this life has folded.
    folded_term: u64,
    /// What the region logs say of themselves, in order; read in a cluster of several regions.
    custodies: Vec<Custody>,
    /// Which regions are sealed.
    seals: Seals,
    /// The seal that this leader works at.
    sealing: Option<Sealing>,
    next_sealing: u64,
    due_reports: Vec<DueReport>,
    /// What is fetched of sealed chains.
    fetching: BTreeMap<RegionId, Fetching>,
    /// Chains that were fetched before they are sealed.
    staged: BTreeMap<RegionId, Staged>,
    /// What is fetched of damaged region logs.
    repairs: BTreeMap<RegionId, Repair>,
    /// What the others may know of this node's superblock.
    presented: Presented,
    /// When this node last asked to be let in again.
    asked_for_ends: Option<Monotonic>,
    /// Who waits to be told where the own region log ends.
    due_ends: Vec<DueEnd>,
    counts: Counts,
    /// How logs ended whose seals have no effect here yet.
    sealed_ends: SealedEnds,
    /// Records that seals left out and that are not known to be readmitted.
    orphans: Vec<Orphan>,
    /// What is under way for regions that come back.
    returning: Returning,
    /// What this leader is about to log beside submissions.
    to_log: VecDeque<Control>,
    orphans_to_log: VecDeque<(Hash, Bytes)>,
    /// How far entries were safe when answers were last looked through.
    reached: Reach,
    /// What this leader pays.
    outbox: Outbox,
    mail: Mail,
    outlook: Outlook,
    progress: Progress,
    /// When the disk was found full, by this life's opening.
    found_full_at: Option<Monotonic>,
    stopping: bool,
    halted: bool,
}

impl Node {
    /// A node over what recovery found and the committed rows of its ledger database. Emits
    /// nothing: the first outputs follow the first input.
    ///
    /// # Errors
    /// When the database cannot be believed, or has folded more than the log durably holds.
    ///
    /// # Panics
    /// When the configuration is illegal or names a node outside the cluster: check it first.
    pub fn open(
        config: Config,
        recovered: Recovered,
        store: Box<dyn LedgerStore>,
        now: Now,
    ) -> Result<Self, StoreError> {
        assert!(config.check().is_ok(), "the configuration is checked before a node opens");
        let region = config.genesis.region_of(config.node).expect("the node is in genesis");
        let ledger = Ledger::open(config.ledger_cache_rows, store)?;
        let (superblock, cluster) = (recovered.superblock, config.genesis.cluster);
        let mut logs = Vec::with_capacity(recovered.logs.len());
        let mut tails = Vec::with_capacity(recovered.logs.len());
        let mut orphans = Vec::new();
        for (promise, mut log) in superblock.regions.iter().zip(recovered.logs) {
            let folded = ledger.frontier().of(log.region);
            if folded > promise.durable_index {
                let durable = promise.durable_index;
                let text = format!("has folded entry {folded}, the log ends at {durable}");
                return Err(StoreError(text));
            }
            tails.push(log.tail);
            orphans.append(&mut log.orphans);
            let group = GroupConfig {
                node: config.node,
                seed: config.seed,
                heartbeat_ticks: config.heartbeat_ticks,
                election_ticks: config.election_ticks,
                folded,
            };
            logs.push(RegionLog::new(&config.genesis, group, promise, log));
        }
        let mut node = Self {
            region,
            cluster_mark: billing_wire::frame::cluster_mark(cluster),
            logs,
            presented: Presented::of(&superblock),
            writer: Writer::new(cluster, config.segment_bytes, superblock, &tails),
            ledger,
            sessions: Sessions::new(config.write_timeout_ms, config.seed),
            clock: HybridClock::default(),
            skew: SkewGate::new(config.clock_skew_max_ms),
            persist: None,
            next_persist: 0,
            committing_ledger: false,
            ledger_committed_at: now.monotonic,
            heard_at: vec![now.monotonic; config.genesis.regions.len()],
            was_leader: false,
            folded_term: 0,
            custodies: vec![Custody::default(); config.genesis.regions.len()],
            seals: Seals::new(&config.genesis),
            sealing: None,
            next_sealing: 0,
            due_reports: Vec::new(),
            fetching: BTreeMap::new(),
            staged: BTreeMap::new(),
            repairs: BTreeMap::new(),
            asked_for_ends: None,
            due_ends: Vec::new(),
            counts: Counts::default(),
            sealed_ends: SealedEnds::default(),
            orphans: Vec::new(),
            returning: Returning::default(),
            to_log: VecDeque::new(),
            orphans_to_log: VecDeque::new(),
            reached: Reach::default(),
            outbox: Outbox::new(payouts::pace(&config)),
            mail: Mail::new(payouts::pace(&config)),
            outlook: Outlook::default(),
            progress: Progress::default(),
            found_full_at: full_disk::found_full_at(config.disk_was_full, now),
            stopping: false,
            halted: false,
            config,
        };
        orphans.into_iter().for_each(|orphan| node.orphaned(orphan));
        Ok(node)
    }

    /// Takes one input and appends what is to be done to `out`, in the order in which it is to
    /// be done. After a halt every input is ignored.
    pub fn step(&mut self, now: Now, input: Input, out: &mut Outputs) {
        if self.halted {
            return;
        }
        if self.presented.is_outdated() {
            return self.step_forgetting(now, &input, out);
        }
        match input {
            Input::Tick => self.tick(now, out),
            Input::Message(bytes) => self.receive(now, &bytes, out),
            Input::DiskDone { token, result } => self.disk_done(now, token, result, out),
            Input::LedgerDone { result } => self.ledger_done(result, out),
            Input::Write { request, submission, options, token } => {
                self.write(now, Asked { request, options, token }, submission, out);
            }
            Input::Read { request, read } => self.read(now, request, &read, out),
            Input::Probe { request } => {
                out.push(Output::AnswerProbe { request, probe: self.probe(now) });
                return;
            }
            Input::Seal { request, regions, force } => {
                self.seal(now, request, regions, force, out);
            }
            Input::EffectDone { id, result } => self.effect_done(now, id, result, out),
            Input::MailDone { key, is_taken } => self.mail_done(now, key, is_taken),
            Input::Damaged { file } => self.found_damaged(file, out),
            Input::Stop => self.stopping = true,
        }
        if !self.presented.is_outdated() {
            self.work(now, out);
        }
    }

    fn tick(&mut self, now: Now, out: &mut Outputs) {
        let is_off = self.skew.is_off(now);
        let (is_stalled, is_full) = (self.disk_stalls(now), self.is_full(now));
        for log in &mut self.logs {
            if (is_off || is_stalled) && log.role() == Role::Leader {
                if is_off {
                    sometimes!("leader-clock-off");
                } else {
                    sometimes!("leader-disk-stalled");
                }
                log.step_down();
            }
            // A node that is not fit to lead must not stand for election either.
            if !(is_off || is_stalled || is_full) || log.role() == Role::Learner {
                log.tick();
            }
        }
        self.work_at_repair(now, out);
        self.tell_log_ends(now, out);
        self.work_at_being_let_in(now, out);
        if self.logs.len() > 1 {
            self.work_at_seal(now, out);
            self.look_after_chains(now, out);
            self.work_at_return(now, out);
            self.ask_for_sealed_ends(now, out);
        }
        self.expire_writes(now, out);
        self.work_at_payouts(now, out);
        self.work_at_mail(now, out);
    }

    /// Whether the disk has owed an answer for longer than a leader may keep its region waiting.
    /// The others cannot see it: heartbeats need no disk.
    fn disk_stalls(&self, now: Now) -> bool {
        let limit_ms = STALL_ELECTIONS * self.config.election_ms();
        self.persist.is_some_and(|(_, since)| now.monotonic.ms_since(since) > limit_ms)
    }

    fn disk_done(
        &mut self,
        now: Now,
        token: PersistToken,
        result: Result<(), DiskFault>,
        out: &mut Outputs,
    ) {
        let open = self.persist.map(|(token, _)| token);
        assert_eq!(open, Some(token), "the answer belongs to the open persist");
        self.persist = None;
        if let Err(fault) = result
            && !canary!("failed-sync-ignored")
            && !(fault == DiskFault::Full && canary!("full-disk-taken-for-done"))
        {
            sometimes!("sync-failed");
            self.halt(HaltReason::Disk(fault), out);
            return;
        }
        self.presented.persisted();
        let (logs, mut desk) = self.logs_and_desk(now, out);
        for log in logs {
            log.persisted(&mut desk);
        }
        self.reports_persisted(now, out);
        if canary!("ack-on-one-of-three") {
            self.answer_persisted(out);
        }
    }

    fn ledger_done(&mut self, result: Result<(), DiskFault>, out: &mut Outputs) {
        assert!(self.committing_ledger, "the answer belongs to the open ledger commit");
        self.committing_ledger = false;
        match result {
            Ok(()) => {
                sometimes!("ledger-committed");
                self.ledger.batch_committed();
            }
            // What it holds is sound; there is only no space for more.
            Err(DiskFault::Full) => self.halt(HaltReason::Disk(DiskFault::Full), out),
            Err(_) => self.halt(HaltReason::Ledger, out),
        }
    }

    fn halt(&mut self, reason: HaltReason, out: &mut Outputs) {
        tracing::warn!(?reason, "memory may no longer be believed: opening again");
        self.halted = true;
        out.push(Output::Halt(reason));
    }

    /// Carries everything forward as far as it goes without another input.
    fn work(&mut self, now: Now, out: &mut Outputs) {
        while !self.halted {
            self.drain_logs(now, out);
            let folded = self.fold(now, out);
            if !folded && !self.propose(now) {
                break;
            }
        }
        if !self.halted {
            self.note_progress(now);
            self.start_persist(now, out);
            self.commit_ledger(now, out);
        }
    }

    fn drain_logs(&mut self, now: Now, out: &mut Outputs) {
        let (logs, mut desk) = self.logs_and_desk(now, out);
        for log in logs {
            log.ready(&mut desk);
        }
        let leads = self.own_log().role() == Role::Leader;
        if self.was_leader && !leads {
            self.drop_queued(now, out);
            self.to_log.clear();
            self.orphans_to_log.clear();
            self.outbox.clear();
            self.mail.clear();
        }
        if leads && !self.was_leader {
            self.outlook = Outlook::of_new_leader(now.monotonic);
        }
        self.was_leader = leads;
    }

    /// The region logs, and where what they put out passes.
    fn logs_and_desk<'a>(
        &'a mut self,
        now: Now,
        out: &'a mut Outputs,
    ) -> (&'a mut [RegionLog], Desk<'a>) {
        let desk = Desk {
            writer: &mut self.writer,
            out,
            me: self.config.node,
            cluster: self.cluster_mark,
            wall_ms: now.wall.ms(),
            presented: &mut self.presented,
        };
        (&mut self.logs, desk)
    }

    fn start_persist(&mut self, now: Now, out: &mut Outputs) {
        if self.persist.is_some() || !self.writer.is_dirty() {
            return;
        }
        let token = PersistToken(self.next_persist);
        self.next_persist += 1;
        self.persist = Some((token, now.monotonic));
        for log in &mut self.logs {
            log.persist_started();
        }
        self.reports_persist();
        let steps = self.writer.take_steps();
        self.presented.persists(self.writer.sequence());
        out.push(Output::Persist { token, steps });
    }

    fn commit_ledger(&mut self, now: Now, out: &mut Outputs) {
        let dirty = self.ledger.dirty_submissions();
        if self.committing_ledger || dirty == 0 || self.is_full(now) {
            return;
        }
        let waited = now.monotonic.ms_since(self.ledger_committed_at);
        let is_due = waited >= self.config.ledger_commit_ms
            || dirty >= self.config.ledger_commit_submissions
            || self.stopping;
        if is_due {
            self.committing_ledger = true;
            self.ledger_committed_at = now.monotonic;
            // The database holds what is final and nothing else.
            self.ledger.rewind();
            out.push(Output::CommitLedger(self.ledger.take_batch()));
            self.fold(now, out);
        }
    }

    fn own_log(&self) -> &RegionLog {
        &self.logs[usize::from(self.region.0)]
    }

    /// When this node last heard who leads its own region log.
    fn heard_own_leader_at(&self) -> Monotonic {
        self.heard_at[usize::from(self.region.0)]
    }

    /// Whether everything that was accepted is answered and durable: a stopping process may
    /// end.
    pub fn is_drained(&self) -> bool {
        (self.sessions.is_empty() || canary!("stops-before-it-has-answered"))
            && self.persist.is_none()
            && !self.committing_ledger
            && self.ledger.dirty_submissions() == 0
    }

    /// Whether another region takes part: then there is more to know of an entry than that it is
    /// committed.
    fn has_company(&self) -> bool {
        self.logs.len() > 1 && self.seals.alone().is_none()
    }

    /// Last index of a region log in memory; 0 when there is no such log.
    pub fn last_index(&self, region: RegionId) -> u64 {
        self.logs.get(usize::from(region.0)).map_or(0, |log| log.window().last_index())
    }

    /// Submissions and entries of the system that wait for a place in the own region log; for
    /// inspection.
    pub fn waiting_to_be_logged(&self) -> usize {
        self.sessions.queued() + self.to_log.len() + self.orphans_to_log.len()
    }

    /// The encoded record of a region log, durable or not; for inspection.
    pub fn record(&self, region: RegionId, index: u64) -> Option<&Bytes> {
        self.logs.get(usize::from(region.0))?.window().get(index).map(|slot| &slot.bytes)
    }

    /// Whether a region log is damaged, and not whole and durable again yet.
    pub fn is_repairing(&self, region: RegionId) -> bool {
        self.logs.get(usize::from(region.0)).is_some_and(RegionLog::is_damaged)
    }

    /// As the leader of a region log: up to here it counts a node's copy of that; `None`: it does
    /// not lead.
    pub fn counted(&self, region: RegionId, node: NodeId) -> Option<LogIndex> {
        self.logs.get(usize::from(region.0))?.counted(node)
    }

    /// Which node this is.
    pub fn id(&self) -> NodeId {
        self.config.node
    }

    /// What this node's books have to say; for inspection.
    ///
    /// # Errors
    /// When the database cannot be believed.
    pub fn query(&self, query: &Query) -> Result<QueryResult, StoreError> {
        self.ledger.query(query)
    }

    /// Highest stamp that this node was told: by any region log that it holds, committed or not,
    /// or by a session. The clock moves with what it receives (billing.md §2). `ZERO` when all
    /// logs are empty.
    fn last_stamp(&self) -> Hlc {
        let last = RegionLog::last_stamp;
        if canary!("hlc-not-advanced-on-receive") {
            return last(self.own_log());
        }
        self.logs.iter().map(last).fold(self.clock.told(), Hlc::max)
    }
}

/// An answer that nobody waits for is dropped; this names the ones that clients wait for.
fn answer_client(request: RequestId, answer: billing_wire::WriteAnswer, out: &mut Outputs) {
    out.push(Output::AnswerWrite { request, answer });
}
