//! What the oracles share: which records are committed, what clients sent and were told, and the
//! reference fold. Facts are collected here once per event; promises are judged elsewhere.

use crate::finality::Finality;
use crate::history::{CallId, Endpoint, Request};
use crate::orphans::Orphans;
use crate::promises::a10_nothing_wraps;
use crate::region_loss::{Acknowledgement, Destruction};
use billing_wire::limits::REGIONS_MAX;
use billing_wire::{
    Command, CommandClass, Disposition, Frontier, Genesis, Grade, Hash, Hlc, Incarnation, LogIndex,
    NodeId, OpId, Position, Read, Receipt, RecordHeader, RecordView, RegionId, RegionMembers,
    RegionMode, Submission, Term, Token, WriteOptions,
};
use billsim_model::{Model, Step};
use std::collections::BTreeMap;

/// A stamp per region; `ZERO` for none.
pub(crate) type Stamps = [Hlc; REGIONS_MAX];

/// Position and disposition as told to a client.
pub(crate) type End = (Position, Disposition);

/// A body that a client submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) fingerprint: Hash,
    pub(crate) class: CommandClass,
}

/// What is known of an operation from its clients.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) body: Body,
    /// Other bodies under the same `op_id`; nearly always empty.
    pub(crate) other_bodies: Vec<Body>,
    /// Whether a call with it was invoked; a real run's bodies are noted before.
    pub(crate) invoked: bool,
    /// When it was sent first.
    pub(crate) first_asked_at: u64,
    /// Per region the highest stamp acknowledged there before the first call.
    pub(crate) region_floors: Stamps,
    /// Per region the highest stamp acknowledged there to the session before the first call.
    pub(crate) session_floors: Stamps,
    /// Highest position acknowledged anywhere to the session of a call that its token covers; the
    /// lowest of the calls'.
    pub(crate) token_floor: Option<Position>,
    /// Highest stamp that a call's token covers; the lowest of the calls'.
    pub(crate) seen: Hlc,
    pub(crate) calls: u32,
    /// Calls of which the client knows that nothing was logged.
    pub(crate) refused_calls: u32,
    /// It was committed after its first call; a real run's commits are told before.
    pub(crate) is_logged: bool,
    /// The first receipt.
    pub(crate) told: Option<End>,
    /// Position of the first receipt that was no replay.
    pub(crate) effect_at: Option<Position>,
    /// The first `final` answer of `GetOp`.
    pub(crate) told_final: Option<End>,
    /// The body that a client was told is logged, before that was final.
    pub(crate) told_logged: Option<Hash>,
    /// What its clients were told of each body, in a cluster of several regions.
    pub(crate) acknowledged: Vec<Acknowledgement>,
}

impl Operation {
    fn new(body: Body) -> Self {
        Self {
            body,
            other_bodies: Vec::new(),
            invoked: false,
            first_asked_at: 0,
            region_floors: Stamps::default(),
            session_floors: Stamps::default(),
            token_floor: None,
            seen: Hlc::ZERO,
            calls: 0,
            refused_calls: 0,
            is_logged: false,
            told: None,
            effect_at: None,
            told_final: None,
            told_logged: None,
            acknowledged: Vec::new(),
        }
    }

    /// Whether its clients know of every call that nothing was logged.
    pub(crate) fn is_refused(&self) -> bool {
        self.calls > 0 && self.refused_calls == self.calls
    }

    /// Whether a client submitted this body.
    pub(crate) fn has_body(&self, fingerprint: &Hash) -> bool {
        self.body.fingerprint == *fingerprint
            || self.other_bodies.iter().any(|body| body.fingerprint == *fingerprint)
    }
}

/// What a call asked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ask {
    Write { op_id: OpId, fingerprint: Hash },
    Read(Read),
}

/// A call that has not returned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) at: u64,
    pub(crate) session: u32,
    /// The node's region; an edge may send it anywhere.
    pub(crate) region: Option<RegionId>,
    /// It records a payment.
    pub(crate) pays: bool,
    /// It asks for nothing that is out of its range, with no token of another cluster.
    pub(crate) is_legal: bool,
    pub(crate) ask: Ask,
    /// How durable a write's answer is to be.
    pub(crate) options: WriteOptions,
}

/// A region log as far as any node committed it.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) hashes: Vec<Hash>,
    stamps: Vec<Hlc>,
    /// The records themselves, in a cluster of several regions.
    records: Vec<Vec<u8>>,
    /// The newest logged geo index up to each entry, in a cluster of several regions.
    geo_indexes: Vec<LogIndex>,
    /// The term of each entry.
    terms: Vec<Term>,
    /// The last entry that says that its region acknowledges alone.
    pub(crate) last_degraded: LogIndex,
    pub(crate) last_hlc: Hlc,
    /// Stamp of the last entry with submissions.
    pub(crate) last_submissions: Hlc,
}

impl Log {
    /// The committed records from index 1 on; none in a cluster of one region.
    pub(crate) fn records(&self) -> &[Vec<u8>] {
        &self.records
    }

    /// How far the log is geo-durable as it says itself up to an index.
    pub(crate) fn logged_geo(&self, index: LogIndex) -> LogIndex {
        let place = usize::try_from(index).ok().and_then(|index| index.checked_sub(1));
        place.and_then(|place| self.geo_indexes.get(place)).copied().unwrap_or(0)
    }

    /// Term of the committed entry at an index.
    pub(crate) fn term(&self, index: LogIndex) -> Option<Term> {
        self.terms.get(usize::try_from(index.checked_sub(1)?).ok()?).copied()
    }

    /// Hash of the committed entry at an index.
    pub(crate) fn hash(&self, index: LogIndex) -> Option<&Hash> {
        self.hashes.get(usize::try_from(index.checked_sub(1)?).ok()?)
    }

    /// Stamp of the committed entry at an index; `ZERO` when there is none.
    pub(crate) fn stamp(&self, index: LogIndex) -> Hlc {
        let place = index.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        place.and_then(|place| self.stamps.get(place)).copied().unwrap_or(Hlc::ZERO)
    }

    /// Index of the last committed entry.
    pub(crate) fn last_index(&self) -> LogIndex {
        self.hashes.len() as LogIndex
    }
}

/// Everything known.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) genesis: Genesis,
    pub(crate) model: Model,
    pub(crate) finality: Finality,
    pub(crate) orphans: Orphans,
    logs: [Log; REGIONS_MAX],
    /// The furthest that each node's commit index ever was.
    committed: BTreeMap<NodeId, Frontier>,
    /// The incarnation of what each node committed last of a sealed region's log.
    pub(crate) reached: BTreeMap<(NodeId, RegionId), Incarnation>,
    pub(crate) operations: BTreeMap<OpId, Operation>,
    pub(crate) calls: BTreeMap<CallId, Call>,
    acknowledged: Stamps,
    /// Provisional answers so far.
    pub(crate) provisional_answers: u64,
    /// Per session and region.
    acknowledged_to: BTreeMap<u32, [Option<Position>; REGIONS_MAX]>,
    /// When a seal or a return last took effect, in nanoseconds.
    pub(crate) returned_at: u64,
    /// Regions that are gone for good.
    pub(crate) destructions: Vec<Destruction>,
}

impl Facts {
    pub(crate) fn new(genesis: &Genesis) -> Self {
        Self {
            genesis: genesis.clone(),
            model: Model::new(),
            finality: Finality::new(genesis),
            orphans: Orphans::default(),
            logs: std::array::from_fn(|_| Log::default()),
            committed: BTreeMap::new(),
            reached: BTreeMap::new(),
            operations: BTreeMap::new(),
            calls: BTreeMap::new(),
            acknowledged: Stamps::default(),
            provisional_answers: 0,
            acknowledged_to: BTreeMap::new(),
            returned_at: 0,
            destructions: Vec::new(),
        }
    }

    /// A region log. Record decoding and genesis bound the region.
    pub(crate) fn log(&self, region: RegionId) -> &Log {
        &self.logs[usize::from(region.0)]
    }

    /// The view of a committed record that is, byte for byte, one that was verified before.
    pub(crate) fn known_copy<'a>(&self, record: &'a [u8]) -> Option<RecordView<'a>> {
        let header = RecordHeader::read(record).ok()?;
        let place = usize::try_from(header.index.checked_sub(1)?).ok()?;
        let first = self.log(header.region).records.get(place)?;
        (first == record).then(|| RecordView::of_verified(header, record))
    }

    /// Whether a region is gone for good.
    pub(crate) fn is_destroyed(&self, region: RegionId) -> bool {
        self.destructions.iter().any(|gone| gone.region == region)
    }

    /// Whether a region is gone and not sealed: nothing is final behind its end.
    pub(crate) fn has_unsealed_loss(&self) -> bool {
        self.destructions.iter().any(|gone| self.finality.sealed(gone.region).is_none())
    }

    /// The regions that are left.
    pub(crate) fn standing(&self) -> impl Iterator<Item = &RegionMembers> {
        self.genesis.regions.iter().filter(|members| !self.is_destroyed(members.region))
    }

    /// The last committed index of every region log.
    pub(crate) fn log_ends(&self) -> Frontier {
        let mut ends = Frontier::default();
        for (end, log) in ends.0.iter_mut().zip(&self.logs) {
            *end = log.last_index();
        }
        ends
    }

    /// Incarnation and term of every region log, which change with its leader.
    pub(crate) fn leaders(&self) -> Vec<(Incarnation, Term)> {
        let regions = self.genesis.regions.iter().map(|members| members.region);
        let of = |region| {
            let log = self.log(region);
            (self.finality.incarnation(region), log.term(log.last_index()).unwrap_or(0))
        };
        regions.map(of).collect()
    }

    /// Stamp of the last entry of any region log that carries submissions.
    pub(crate) fn last_submissions(&self) -> Hlc {
        self.logs.iter().map(|log| log.last_submissions).max().unwrap_or(Hlc::ZERO)
    }

    /// A model of the books at any frontier: every entry up to there in merged order. Folds all
    /// of them, so this is for samples. `None` when an entry is not committed.
    pub(crate) fn books_at(&self, frontier: &Frontier) -> Option<Model> {
        let mut records = Vec::new();
        for (log, last) in self.logs.iter().zip(frontier.0) {
            for bytes in log.records.get(..usize::try_from(last).ok()?)? {
                records.push(RecordView::decode(bytes).ok()?);
            }
        }
        records.sort_by_key(|view| (view.header.hlc, view.header.region, view.header.index));
        let mut model = Model::new();
        for view in &records {
            model.apply(view);
        }
        Some(model)
    }

    /// The step of the reference fold that has the books of a frontier: what the frontier names
    /// beyond it carries no submission. `None` when there is none.
    pub(crate) fn step_of_books(&self, frontier: &Frontier) -> Option<Step> {
        if let Some(step) = self.model.step_at(frontier) {
            return Some(step);
        }
        let step = self.model.last_step_within(frontier);
        let folded = self.model.frontier_at(step)?;
        for ((log, from), to) in self.logs.iter().zip(folded.0).zip(frontier.0) {
            let beyond = usize::try_from(from).ok()?..usize::try_from(to).ok()?;
            let is_empty = |bytes: &Vec<u8>| {
                RecordView::decode(bytes).is_ok_and(|view| !view.header.kind.has_submissions())
            };
            if !log.records.get(beyond)?.iter().all(is_empty) {
                return None;
            }
        }
        Some(step)
    }

    pub(crate) fn append(&mut self, record: &RecordView<'_>) {
        let header = &record.header;
        let keeps = self.genesis.regions.len() > 1;
        let log = &mut self.logs[usize::from(header.region.0)];
        log.hashes.push(header.hash);
        log.stamps.push(header.hlc);
        log.terms.push(header.term);
        log.last_hlc = header.hlc;
        if keeps {
            log.records.push(record.bytes().to_vec());
            let newest = log.geo_indexes.last().copied().unwrap_or(0);
            log.geo_indexes.push(newest.max(header.geo_index));
            if header.mode == RegionMode::Degraded {
                log.last_degraded = header.index;
            }
        }
        if header.kind.has_submissions() {
            log.last_submissions = header.hlc;
        }
        if keeps {
            self.finality.note(record, &self.logs[usize::from(header.region.0)]);
        }
    }

    /// Cuts a region log behind `kept`; what was there, the first entry last.
    pub(crate) fn cut_log(&mut self, region: RegionId, kept: LogIndex) -> Vec<Vec<u8>> {
        let log = &mut self.logs[usize::from(region.0)];
        let kept = usize::try_from(kept).unwrap_or(usize::MAX).min(log.hashes.len());
        log.hashes.truncate(kept);
        log.stamps.truncate(kept);
        log.geo_indexes.truncate(kept);
        log.terms.truncate(kept);
        log.last_degraded = log.last_degraded.min(kept as LogIndex);
        log.last_hlc = log.stamps.last().copied().unwrap_or(Hlc::ZERO);
        let mut cut = log.records.split_off(kept.min(log.records.len()));
        cut.reverse();
        let carries = |bytes: &&Vec<u8>| {
            RecordView::decode(bytes).is_ok_and(|view| view.header.kind.has_submissions())
        };
        let last =
            log.records.iter().rfind(carries).and_then(|bytes| RecordView::decode(bytes).ok());
        log.last_submissions = last.map_or(Hlc::ZERO, |view| view.header.hlc);
        cut
    }

    /// Takes the next entry that has its final place, in a cluster of several regions, and shows
    /// it to `next` with the reference fold.
    pub(crate) fn take_final(&mut self, mut next: impl FnMut(&mut Model, &RecordView<'_>)) {
        while let Some((_, region, index)) = self.finality.next_final() {
            let records = &self.logs[usize::from(region.0)].records;
            let bytes = &records[index as usize - 1];
            let view = RecordView::decode(bytes).expect("it was decoded when it came");
            next(&mut self.model, &view);
        }
    }

    pub(crate) fn note_committed(&mut self, node: NodeId, header: &RecordHeader) {
        let reached = self.committed.entry(node).or_default();
        let index = reached.of(header.region).max(header.index);
        reached.set(header.region, index);
        if header.incarnation > Incarnation::default() {
            self.reached.insert((node, header.region), header.incarnation);
        }
    }

    /// The furthest that a node's commit index ever was.
    pub(crate) fn committed_by(&self, node: NodeId) -> Frontier {
        self.committed.get(&node).copied().unwrap_or_default()
    }

    /// A client has, or had, this body to submit.
    pub(crate) fn note_body(&mut self, submission: &Submission) -> Body {
        let body = Body {
            fingerprint: submission.command.fingerprint(),
            class: submission.command.class(),
        };
        let known = self.operations.entry(submission.op_id).or_insert_with(|| Operation::new(body));
        if !known.has_body(&body.fingerprint) {
            known.other_bodies.push(body);
        }
        body
    }

    pub(crate) fn note_invoke(
        &mut self,
        at: u64,
        call: CallId,
        session: u32,
        to: Endpoint,
        request: &Request,
    ) {
        let region = match to {
            Endpoint::Node(node) => self.genesis.region_of(node),
            Endpoint::Edge(_) => None,
        };
        let asked = match request {
            Request::Read(read) => Call {
                at,
                session,
                region,
                pays: false,
                is_legal: true,
                ask: Ask::Read(*read),
                options: WriteOptions::default(),
            },
            Request::Write(submission, token, options) => {
                let fingerprint = self.note_body(submission).fingerprint;
                let own = token.filter(|token| token.verify(&self.genesis.secret));
                self.note_call(at, submission.op_id, session, &own.unwrap_or_default());
                Call {
                    at,
                    session,
                    region,
                    pays: matches!(submission.command, Command::RecordPayment { .. }),
                    is_legal: own == *token && a10_nothing_wraps::is_legal(&submission.command),
                    ask: Ask::Write { op_id: submission.op_id, fingerprint },
                    options: *options,
                }
            }
        };
        self.calls.insert(call, asked);
    }

    /// A call that shows nothing has the default token.
    fn note_call(&mut self, at: u64, op_id: OpId, session: u32, token: &Token) {
        let region_floors = self.acknowledged;
        let to_session = self.acknowledged_to.get(&session).copied().unwrap_or_default();
        let session_floors = to_session.map(|floor| floor.map_or(Hlc::ZERO, |floor| floor.hlc));
        let regions = || (0_u8..).map(RegionId).zip(token.frontier.0);
        let stamps = regions().map(|(region, index)| self.log(region).stamp(index));
        let seen = stamps.max().unwrap_or(Hlc::ZERO);
        let floors = to_session.into_iter().zip(token.frontier.0);
        let token_floor =
            floors.filter_map(|(floor, seen)| floor.filter(|floor| floor.index <= seen)).max();
        let Some(known) = self.operations.get_mut(&op_id) else { return };
        known.calls += 1;
        if !known.invoked {
            known.invoked = true;
            known.first_asked_at = at;
            known.region_floors = region_floors;
            known.session_floors = session_floors;
            (known.token_floor, known.seen) = (token_floor, seen);
        }
        known.token_floor = known.token_floor.min(token_floor);
        known.seen = known.seen.min(seen);
    }

    /// Whether a receipt is about something final. In a cluster of one region everything that is
    /// folded is. The token's watermark says nothing: it may be one that the session brought from a
    /// node that is further.
    pub(crate) fn is_settled(&self, receipt: &Receipt) -> bool {
        self.genesis.regions.len() == 1 || receipt.grade == Grade::Final
    }

    /// A client was told that this body is logged; where it ends up is not final yet.
    pub(crate) fn note_provisional(&mut self, op_id: OpId, fingerprint: Hash) {
        if let Some(known) = self.operations.get_mut(&op_id) {
            known.told_logged.get_or_insert(fingerprint);
        }
    }

    /// A client has a receipt; what may be lost with a region is remembered.
    pub(crate) fn note_receipt(
        &mut self,
        at: u64,
        session: u32,
        fingerprint: Hash,
        receipt: &Receipt,
    ) {
        if self.genesis.regions.len() == 1 {
            return;
        }
        let Some(known) = self.operations.get_mut(&receipt.op_id) else { return };
        let Receipt { grade, position, .. } = *receipt;
        let first = Acknowledgement { session, grade, position, at, fingerprint };
        // A region that is cut off may log another body under the same operation.
        match known.acknowledged.iter_mut().find(|noted| noted.fingerprint == fingerprint) {
            Some(noted) => noted.grade = noted.grade.max(grade),
            None => known.acknowledged.push(first),
        }
    }

    /// A client has a receipt for this position.
    pub(crate) fn note_acknowledged(&mut self, session: u32, position: Position) {
        let region = usize::from(position.region.0);
        let Some(last) = self.acknowledged.get_mut(region) else { return };
        *last = (*last).max(position.hlc);
        let last = &mut self.acknowledged_to.entry(session).or_default()[region];
        *last = (*last).max(Some(position));
    }
}
