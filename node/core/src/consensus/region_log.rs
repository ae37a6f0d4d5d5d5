//! One region log as a Raft group on raft-rs: pre-vote, check-quorum, pipelined appends,
//! asynchronous persists, and no randomness but ours.
//!
//! Source: D. Ongaro, "Consensus: Bridging Theory and Practice" (2014), §3, §9.6 and §10.2.1.

use super::damage::Damage;
use super::incarnation::Adopted;
use super::screen::{Refused, Screen};
use super::stagger::Stagger;
use super::window::LogWindow;
use super::{Consensus, Sink, message};
use crate::io::Role;
use crate::journal::{RecoveredLog, RegionPromise};
use crate::{canary, sometimes};
use billing_wire::limits::MEMBERS_MAX;
use billing_wire::{Genesis, Incarnation, LogIndex, NodeId, RegionId, Term};
use bytes::Bytes;
use raft::eraftpb::{ConfState, Entry, HardState, Message, MessageType};
use raft::{Progress, RawNode, StateRole};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Bytes of entries in one append message, at most.
const APPEND_BYTES_MAX: u64 = 1 << 20;
/// Append messages to one peer that wait for their answer, at most.
const APPENDS_IN_FLIGHT_MAX: usize = 64;

/// What a group needs to know of its node's configuration.
#[derive(Debug, Clone, Copy)]
pub struct GroupConfig {
    /// This node.
    pub node: NodeId,
    /// Stream of election timeouts.
    pub seed: u64,
    /// A leader shows itself every so many ticks.
    pub heartbeat_ticks: u32,
    /// A follower stands for election after 1 to 2 times so many silent ticks.
    pub election_ticks: u32,
    /// Last folded index: nothing up to here is handed over again.
    pub folded: LogIndex,
}

/// Messages that wait for a persist.
pub(super) struct Waiting {
    number: u64,
    needs_sync: bool,
    messages: Vec<Message>,
}

/// One region log.
pub struct RegionLog {
    pub(super) region: RegionId,
    pub(super) incarnation: Incarnation,
    pub(super) config: GroupConfig,
    stagger: Stagger,
    pub(super) raft: RawNode<LogWindow>,
    pub(super) waiting: VecDeque<Waiting>,
    /// Last ready that was handed over.
    pub(super) handed_over: u64,
    /// Last ready that the running persist covers.
    pub(super) persisting: Option<u64>,
    pub(super) committed: LogIndex,
    elections: u64,
    role: Role,
    /// The nodes of each other region that is open.
    elsewhere: Vec<(RegionId, Vec<NodeId>)>,
    /// Ticks of this leader since one of them answered it.
    ticks_unanswered: u32,
    /// This node has promised to take no more of this incarnation.
    pub(super) fenced: bool,
    /// The region has a new incarnation that was not let in yet.
    pub(super) is_dormant: bool,
    /// The end of an adopted chain, which is committed once it is durable.
    pub(super) adopted: Option<Adopted>,
    /// What is left of it behind a stretch that is missing.
    pub(super) damage: Option<Damage>,
    /// Where the log ended when its leader said so.
    pub(super) known_end: LogIndex,
    /// This node's generation in the group.
    pub(super) generation: u8,
    /// Generations of nodes that lost what they had promised, as they said themselves since this
    /// node's role changed last.
    pub(super) generations: BTreeMap<NodeId, u8>,
    /// Who may be in the group.
    pub(super) genesis: Arc<Genesis>,
}

impl RegionLog {
    /// A group over what recovery found.
    ///
    /// # Panics
    /// When the recovered state contradicts itself; recovery has checked it.
    pub fn new(
        genesis: &Arc<Genesis>,
        config: GroupConfig,
        promise: &RegionPromise,
        log: RecoveredLog,
    ) -> Self {
        let (voters, learners): (Vec<NodeId>, Vec<NodeId>) =
            genesis.nodes().partition(|node| genesis.region_of(*node) == Some(log.region));
        let ids = |nodes: &[NodeId]| nodes.iter().map(|node| node.0.into()).collect::<Vec<u64>>();
        let committed = promise.commit.max(config.folded);
        assert!(committed <= promise.durable_index, "only durable entries are folded");
        let hard_state = HardState {
            term: promise.term,
            vote: promise.vote,
            commit: committed,
            ..HardState::default()
        };
        let members = ConfState::from((ids(&voters), ids(&learners)));
        let (region, incarnation) = (log.region, log.incarnation);
        let held = log.records.len() as u64;
        let is_damaged = held < promise.durable_index || promise.forgotten;
        let damage = is_damaged.then(|| Damage::of(promise, log.behind, hard_state.clone()));
        let damage = damage.filter(|_| !(promise.forgotten && canary!("amnesiac-voter")));
        let hard_state = HardState { commit: committed.min(held), ..hard_state };
        let window = LogWindow::new(region, incarnation, log.records, hard_state, members);
        let raft = group(config, config.folded.min(held), window);
        let role = if voters.contains(&config.node) { Role::Follower } else { Role::Learner };
        let timeouts = (config.seed, config.election_ticks);
        let mut log = Self {
            region,
            incarnation,
            config,
            stagger: Stagger::new(timeouts, region, config.node, &voters),
            raft,
            waiting: VecDeque::new(),
            handed_over: 0,
            persisting: None,
            committed: config.folded.min(held),
            elections: 0,
            role,
            elsewhere: Vec::new(),
            ticks_unanswered: 0,
            fenced: log.fenced,
            is_dormant: incarnation > genesis.regions[usize::from(region.0)].incarnation,
            adopted: None,
            damage,
            known_end: 0,
            generation: promise.generation,
            generations: BTreeMap::new(),
            genesis: Arc::clone(genesis),
        };
        log.count_open(|_| true);
        log.stand_in_turn();
        log
    }

    /// Whose log it is.
    pub fn region(&self) -> RegionId {
        self.region
    }

    /// Copies count as geo-durable in these regions only, and never in the log's own.
    pub fn count_open(&mut self, is_open: impl Fn(RegionId) -> bool) {
        let others = self.genesis.regions.iter().filter(|members| members.region != self.region);
        self.elsewhere = others
            .filter(|members| is_open(members.region))
            .map(|members| (members.region, members.nodes.clone()))
            .collect();
    }

    /// The records.
    pub fn window(&self) -> &LogWindow {
        self.raft.store()
    }

    /// Raft term.
    pub fn term(&self) -> Term {
        self.raft.raft.term
    }

    /// Gives up leadership at once, without naming a successor.
    pub fn step_down(&mut self) {
        let term = self.raft.raft.term;
        self.raft.raft.become_follower(term, raft::INVALID_ID);
        self.stand_in_turn();
    }

    /// The library draws its election timeouts from the machine's entropy; ours replace them after
    /// every step, so that a run depends on its seed alone.
    pub(super) fn stand_in_turn(&mut self) {
        let term = self.raft.raft.term;
        let ticks = match self.raft.raft.state {
            StateRole::Candidate => self.stagger.again(term, self.elections),
            _ => self.stagger.first(term, self.elections),
        };
        self.raft.raft.set_randomized_election_timeout(ticks as usize);
    }

    pub(super) fn note_role(&mut self) {
        let role = match self.raft.raft.state {
            StateRole::Leader => Role::Leader,
            StateRole::Candidate | StateRole::PreCandidate => Role::Candidate,
            StateRole::Follower if self.raft.raft.promotable() => Role::Follower,
            StateRole::Follower => Role::Learner,
        };
        if role == self.role {
            return;
        }
        self.elections += 1;
        // Only leaders are told, and count: whoever led before must not refuse what nodes say that
        // were let in by somebody else since.
        self.generations.clear();
        self.ticks_unanswered = 0;
        if role == Role::Leader {
            sometimes!("leader-elected");
            tracing::info!(region = self.region.0, term = self.term(), "leads the region log");
        } else if self.role == Role::Leader {
            sometimes!("leader-deposed");
            tracing::info!(region = self.region.0, term = self.term(), "no longer leads");
        }
        self.role = role;
    }

    fn hand_over<S: Sink>(&mut self, sink: &mut S) {
        let mut ready = self.raft.ready();
        for message in ready.take_messages() {
            self.send(&message, sink);
        }
        if let Some(last) = ready.take_committed_entries().last() {
            self.committed = last.index;
        }
        let entries = ready.take_entries();
        let forgets_vote = canary!("vote-not-persisted") && entries.is_empty();
        let needs_sync = ready.must_sync() && !forgets_vote;
        if let Some(hard_state) = ready.hs() {
            if needs_sync {
                sink.hard_state(self.region, hard_state.term, hard_state.vote);
            }
            sink.commit(self.region, hard_state.commit);
        }
        for entry in &entries {
            let slot = self.raft.mut_store().append(entry);
            sink.append(&slot.header, &slot.bytes);
        }
        let messages = ready.take_persisted_messages();
        let number = ready.number();
        self.raft.advance_append_async(ready);
        self.raft.advance_apply();
        self.handed_over = number;
        let must_wait = needs_sync && (entries.is_empty() || !canary!("ack-before-sync"));
        if must_wait || !self.waiting.is_empty() {
            self.waiting.push_back(Waiting { number, needs_sync, messages });
            return;
        }
        self.raft.on_persist_ready(number);
        for message in messages {
            self.send(&message, sink);
        }
    }

    fn send<S: Sink>(&self, message: &Message, sink: &mut S) {
        if message.msg_type == MessageType::MsgRequestVoteResponse {
            if message.reject {
                sometimes!("vote-refused");
            } else {
                sometimes!("vote-granted");
            }
        }
        if canary!("heartbeat-commits-everything") && message.msg_type == MessageType::MsgHeartbeat
        {
            let commit = self.raft.raft.raft_log.committed;
            let message = Message { commit, ..message.clone() };
            return sink.send(self.region, self.life(), &message);
        }
        if message::travels(message) {
            sink.send(self.region, self.life(), message);
        }
    }

    /// Tells every node at once how far the log is committed. They hear it with the next entry or
    /// heartbeat anyway, and a message more for each commit would be most of the traffic.
    pub fn tell_commit(&mut self) {
        if self.role == Role::Leader {
            self.raft.raft.bcast_append();
        }
    }

    /// Up to here the log lies synced on a majority of the nodes of one other region, as their
    /// leader knows from its learners; 0 when it is not the leader or has none.
    pub fn geo_matched(&self) -> LogIndex {
        self.matched_elsewhere(|_| true)
    }

    /// As [`Self::geo_matched`], of those nodes only that answered within an election timeout.
    pub fn geo_matched_lately(&self) -> LogIndex {
        self.matched_elsewhere(|progress| progress.recent_active)
    }

    /// For so many ticks this leader has heard no node of another region. A leader that did not
    /// run for a while has not ticked: it is not they who were silent.
    pub fn ticks_unanswered(&self) -> u32 {
        self.ticks_unanswered
    }

    fn is_elsewhere(&self, node: u64) -> bool {
        self.elsewhere.iter().any(|(_, nodes)| nodes.iter().any(|other| u64::from(other.0) == node))
    }

    fn matched_elsewhere(&self, counts: impl Fn(&Progress) -> bool) -> LogIndex {
        let progress = self.raft.raft.prs();
        let matched = |node: &NodeId| {
            progress.get(node.0.into()).filter(|p| counts(p)).map_or(0, |p| p.matched)
        };
        let of_region = |(_, nodes): &(RegionId, Vec<NodeId>)| {
            // Asked for at every step of a leader: it must allocate nothing.
            let mut reached: [LogIndex; MEMBERS_MAX] = [0; MEMBERS_MAX];
            let reached = &mut reached[..nodes.len()];
            reached.iter_mut().zip(nodes).for_each(|(reached, node)| *reached = matched(node));
            reached.sort_unstable_by(|a, b| b.cmp(a));
            reached.get(nodes.len() / 2).copied().unwrap_or(0)
        };
        self.elsewhere.iter().map(of_region).max().unwrap_or(0)
    }

    /// The highest index that is geo-durable: committed, synced on a majority of the nodes of one
    /// other region, and of the leader's own term. That last condition is Raft's commit rule
    /// (§5.4.2, Figure 8) applied to learners. 0 when there is none.
    pub fn geo_durable(&self) -> LogIndex {
        let index = self.geo_matched().min(self.raft.raft.raft_log.committed);
        let own_term = self.window().get(index).is_some_and(|slot| slot.header.term == self.term());
        if own_term || canary!("geo-without-own-term") { index } else { 0 }
    }

    /// Entries that were proposed and are not committed.
    pub fn uncommitted(&self) -> u64 {
        if canary!("flow-control-waits-for-the-slowest") {
            let slowest = self.raft.raft.prs().iter().map(|(_, progress)| progress.matched).min();
            return self.window().last_index() - slowest.unwrap_or(0);
        }
        self.window().last_index() - self.raft.raft.raft_log.committed
    }
}

impl Consensus for RegionLog {
    fn tick(&mut self) {
        if canary!("deposed-node-never-campaigns")
            && self.elections > 3
            && self.role != Role::Leader
        {
            return;
        }
        if self.is_out() {
            return;
        }
        self.ticks_unanswered = self.ticks_unanswered.saturating_add(1);
        self.raft.tick();
        self.stand_in_turn();
    }

    fn step(&mut self, mut message: Message) -> Result<(), Refused> {
        if canary!("heartbeat-commits-everything") && message.msg_type == MessageType::MsgHeartbeat
        {
            message.commit = message.commit.min(self.window().last_index());
        }
        let from = message.from;
        if self.raft.raft.prs().get(from).is_none() {
            return Err(Refused::Stranger(from));
        }
        if self.is_damaged() {
            return Err(Refused::Damaged);
        }
        if self.is_out() {
            return Err(Refused::Sealed);
        }
        let screen = Screen {
            region: self.region,
            incarnation: self.incarnation,
            window: self.raft.store(),
            committed: self.raft.raft.raft_log.committed,
        };
        screen.check(&message)?;
        if self.is_elsewhere(from) {
            self.ticks_unanswered = 0;
        }
        // The library's own refusals (a stale term, a dropped proposal) need no answer.
        let _ = self.raft.step(message);
        self.stand_in_turn();
        Ok(())
    }

    fn propose(&mut self, record: Bytes) -> bool {
        let expected = self.window().last_index() + 1;
        let entry = Entry { data: record, ..Entry::default() };
        let mut message = Message { msg_type: MessageType::MsgPropose, ..Message::default() };
        message.from = self.config.node.0.into();
        message.entries = vec![entry].into();
        if self.role != Role::Leader || self.raft.raft.step(message).is_err() {
            return false;
        }
        let last = self.raft.raft.raft_log.last_index();
        assert_eq!(last, expected, "a record is proposed for the place that it gets");
        true
    }

    fn ready<S: Sink>(&mut self, sink: &mut S) {
        if self.is_damaged() {
            return;
        }
        while self.raft.has_ready() {
            self.hand_over(sink);
        }
        self.note_role();
        self.stand_in_turn();
    }

    fn persist_started(&mut self) {
        self.adoption_persists();
        self.repair_persists();
        self.persisting = Some(self.handed_over);
    }

    fn persisted<S: Sink>(&mut self, sink: &mut S) {
        self.adoption_persisted();
        self.repair_persisted();
        let Some(number) = self.persisting.take() else { return };
        let mut covered = number;
        while let Some(front) = self.waiting.front() {
            if front.needs_sync && front.number > number {
                break;
            }
            let Some(waiting) = self.waiting.pop_front() else { break };
            covered = covered.max(waiting.number);
            for message in waiting.messages {
                self.send(&message, sink);
            }
        }
        self.raft.on_persist_ready(covered);
    }

    fn committed(&self) -> LogIndex {
        self.committed
    }

    fn role(&self) -> Role {
        self.role
    }

    fn leader(&self) -> Option<NodeId> {
        if self.is_out() {
            return None;
        }
        let leader = self.raft.raft.leader_id;
        (leader != raft::INVALID_ID).then_some(NodeId(leader as u16))
    }
}

/// A group over a log.
pub(super) fn group(
    config: GroupConfig,
    applied: LogIndex,
    window: LogWindow,
) -> RawNode<LogWindow> {
    let raft_config = raft::Config {
        id: config.node.0.into(),
        election_tick: config.election_ticks as usize,
        heartbeat_tick: config.heartbeat_ticks as usize,
        applied,
        max_size_per_msg: APPEND_BYTES_MAX,
        max_inflight_msgs: APPENDS_IN_FLIGHT_MAX,
        check_quorum: true,
        pre_vote: true,
        batch_append: true,
        skip_bcast_commit: true,
        ..raft::Config::default()
    };
    let silent = slog::Logger::root(slog::Discard, slog::o!());
    RawNode::new(&raft_config, window, &silent).expect("the configuration is legal")
}
