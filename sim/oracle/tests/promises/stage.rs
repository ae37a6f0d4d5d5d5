//! A pretended cluster of three nodes that does everything right and tells a jury about it, so
//! that a test can break one thing at a time.

use billing_wire::{
    AccountId, ClusterId, Command, Date, Disposition, Frontier, Genesis, Grade, Hash, Hlc,
    Incarnation, LogIndex, NodeId, OpId, Position, Query, QueryResult, Read, ReadAnswer, ReadLevel,
    Receipt, Record, RecordHeader, RecordKind, RecordView, RegionId, RegionMembers, ServicePointId,
    Submission, Token, WriteAnswer,
};
use billsim_model::Model;
use billsim_oracle::{
    Answer, Books, CallId, DurableLogs, Endpoint, Event, History, Jury, LedgerView, NodeView,
    Request,
};
use std::collections::BTreeMap;

/// The only region.
pub(crate) const REGION: RegionId = RegionId(0);
/// Its nodes.
pub(crate) const NODES: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];
/// One second, in nanoseconds.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// Hashes that would survive a power cut.
#[derive(Default)]
pub(crate) struct Disks(pub(crate) BTreeMap<(NodeId, LogIndex), Hash>);

impl DurableLogs for Disks {
    fn record_hash(&self, node: NodeId, _region: RegionId, index: LogIndex) -> Option<Hash> {
        self.0.get(&(node, index)).copied()
    }
}

/// What every node answers, except what one of them says otherwise.
pub(crate) struct Answers<'a>(
    pub(crate) &'a Model,
    pub(crate) Hlc,
    pub(crate) &'a [(NodeId, Query, QueryResult)],
);

impl Books for Answers<'_> {
    fn answer(&self, node: NodeId, query: &Query) -> Option<QueryResult> {
        let lie = self.2.iter().find(|lie| (lie.0, &lie.1) == (node, query));
        let truth = || self.0.answer(query, self.0.step(), self.1);
        Some(lie.map_or_else(truth, |(_, _, answer)| answer.clone()))
    }
}

/// The cluster and its jury.
pub(crate) struct Stage {
    pub(crate) genesis: Genesis,
    pub(crate) jury: Jury,
    pub(crate) disks: Disks,
    pub(crate) now: u64,
    pub(crate) history: History,
    /// What a node answers at the end where that is not the truth.
    pub(crate) lies: Vec<(NodeId, Query, QueryResult)>,
    /// Committed records.
    pub(crate) records: Vec<Vec<u8>>,
    model: Model,
    last: Option<RecordHeader>,
    calls: u64,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let members = RegionMembers {
            region: REGION,
            name: "east".to_owned(),
            incarnation: Incarnation(0),
            nodes: NODES.to_vec(),
        };
        let cluster = ClusterId(1);
        let genesis =
            Genesis { cluster, currency: *b"EUR", secret: [7; 32], regions: vec![members] };
        Self {
            jury: Jury::new(&genesis),
            genesis,
            disks: Disks::default(),
            now: SECOND,
            history: History::new(),
            lies: Vec::new(),
            records: Vec::new(),
            model: Model::new(),
            last: None,
            calls: 0,
        }
    }

    fn client(&mut self, event: Event) {
        self.jury.client(&event);
        self.history.push(event);
    }

    pub(crate) fn invoke(&mut self, session: u32, request: Request) -> CallId {
        self.calls += 1;
        let (at, call, to) = (self.now, CallId(self.calls), Endpoint::Node(NODES[0]));
        self.client(Event::Invoke { at, call, session, to, request, retry: false });
        call
    }

    pub(crate) fn returns(&mut self, call: CallId, answer: Answer) {
        self.client(Event::Return { at: self.now, call, answer });
    }

    pub(crate) fn invoke_write(&mut self, session: u32, op: u128, command: Command) -> CallId {
        self.invoke(session, Request::write(submission(op, command), None))
    }

    /// A client of the only region's edge sends a write.
    pub(crate) fn invoke_at_edge(&mut self, session: u32, op: u128, command: Command) -> CallId {
        self.calls += 1;
        let (at, call, to) = (self.now, CallId(self.calls), Endpoint::Edge(REGION));
        let request = Request::write(submission(op, command), None);
        self.client(Event::Invoke { at, call, session, to, request, retry: false });
        call
    }

    /// A write through an edge, from its first sending to its receipt.
    pub(crate) fn write_through_edge(
        &mut self,
        session: u32,
        op: u128,
        command: Command,
        takes: u64,
    ) {
        let call = self.invoke_at_edge(session, op, command.clone());
        let record = self.log(vec![submission(op, command)]);
        self.commit(&record);
        let receipt = self.receipt(op);
        self.acknowledge(&receipt);
        self.now += takes;
        self.done(call, receipt);
    }

    /// A write that shows what the books say now.
    pub(crate) fn invoke_informed(&mut self, session: u32, op: u128, command: Command) -> CallId {
        let token = self.token();
        self.invoke(session, Request::write(submission(op, command), Some(token)))
    }

    /// Header of the next record.
    pub(crate) fn next_header(&self) -> RecordHeader {
        let (incarnation, last) = (Incarnation(0), self.last.as_ref());
        let mut header = RecordHeader::derived_noop(REGION, incarnation, 1, last);
        header.kind = RecordKind::Submissions;
        header.hlc = Hlc::from_ms(header.index);
        header
    }

    /// The next record, on every disk and in the cluster's own books, not yet told to the jury.
    pub(crate) fn log(&mut self, submissions: Vec<Submission>) -> Vec<u8> {
        let mut record = Record { header: self.next_header(), submissions };
        let bytes = record.encode();
        self.model.apply(&RecordView::decode(&bytes).expect("just encoded"));
        for node in NODES {
            self.disks.0.insert((node, record.header.index), record.header.hash);
        }
        self.last = Some(record.header);
        self.records.push(bytes.clone());
        bytes
    }

    /// Every node commits the record and folds it.
    pub(crate) fn commit(&mut self, record: &[u8]) {
        for node in NODES {
            self.jury.committed(self.now, node, record);
            self.fold(node);
        }
    }

    pub(crate) fn fold(&mut self, node: NodeId) {
        let (frontier, chain) = (self.model.frontier(), self.model.chain());
        self.jury.folded(self.now, node, 0, &frontier, self.watermark(), chain);
    }

    pub(crate) fn frontier(&self) -> Frontier {
        self.model.frontier()
    }

    pub(crate) fn watermark(&self) -> Hlc {
        self.last.map_or(Hlc::ZERO, |header| header.hlc)
    }

    pub(crate) fn token(&self) -> Token {
        Token::sign(&self.genesis.secret, self.frontier(), self.watermark(), self.watermark())
    }

    /// The receipt that an honest node gives for a logged operation.
    pub(crate) fn receipt(&self, op: u128) -> Receipt {
        let logged = self.model.operation(OpId(op)).expect("was logged");
        Receipt {
            op_id: OpId(op),
            grade: Grade::Region,
            disposition: logged.disposition,
            position: logged.position,
            replayed: false,
            token: self.token(),
        }
    }

    /// A receipt for something that is not in the log.
    pub(crate) fn forged_receipt(&self, op: u128, index: LogIndex) -> Receipt {
        let hlc = Hlc::from_ms(index);
        Receipt {
            op_id: OpId(op),
            grade: Grade::Region,
            disposition: Disposition::Applied,
            position: Position { hlc, region: REGION, index, offset: 0 },
            replayed: false,
            token: self.token(),
        }
    }

    pub(crate) fn acknowledge(&mut self, receipt: &Receipt) {
        self.jury.acknowledgement_leaves(self.now, NODES[0], receipt, &self.disks);
    }

    pub(crate) fn done(&mut self, call: CallId, receipt: Receipt) {
        self.returns(call, Answer::Write(WriteAnswer::Done(receipt)));
    }

    /// A write from its first sending to its receipt.
    pub(crate) fn write(&mut self, session: u32, op: u128, command: Command) {
        let call = self.invoke_write(session, op, command.clone());
        let record = self.log(vec![submission(op, command)]);
        self.commit(&record);
        let receipt = self.receipt(op);
        self.acknowledge(&receipt);
        self.now += SECOND / 1000;
        self.done(call, receipt);
    }

    /// What an honest node answers.
    pub(crate) fn answer(&self, read: &Read) -> ReadAnswer {
        let (frontier, watermark) = (self.frontier(), self.watermark());
        ReadAnswer {
            result: self.model.answer(&read.query, self.model.step(), watermark),
            frontier,
            watermark,
            provisional: false,
            stale_ms: 0,
            session_gap: false,
            token: self.token(),
        }
    }

    /// A read whose answer is bent on its way.
    pub(crate) fn read(&mut self, read: Read, bend: impl FnOnce(&mut ReadAnswer)) {
        let call = self.invoke(1, Request::Read(read));
        let mut answer = self.answer(&read);
        bend(&mut answer);
        self.returns(call, Answer::Read(Box::new(answer)));
    }

    /// An honest node at rest.
    pub(crate) fn view(&self, node: NodeId) -> NodeView {
        let (frontier, outcome_chain) = (self.model.frontier(), self.model.chain());
        let ledger = LedgerView { state_hash: 5, outcome_chain, watermark: self.watermark() };
        NodeView {
            node,
            folded: frontier,
            rearranged: Vec::new(),
            committed: frontier,
            ledger,
            refolded: Some(ledger),
            resumed: Some(Ok(ledger)),
            rebuilt: Some(ledger),
        }
    }

    /// What a node answers at the end, bent on its way.
    pub(crate) fn lies(&mut self, node: NodeId, query: Query, bend: impl FnOnce(&mut QueryResult)) {
        let mut answer = self.answer(&local(query)).result;
        bend(&mut answer);
        self.lies.push((node, query, answer));
    }

    /// Quiescence, with one node's view bent.
    pub(crate) fn quiesce(&mut self, bend: impl FnOnce(&mut NodeView)) {
        let mut views = NODES.map(|node| self.view(node));
        bend(&mut views[1]);
        let books = Answers(&self.model, self.watermark(), &self.lies);
        self.jury.quiescent(self.now, &views, &books);
    }
}

pub(crate) fn submission(op: u128, command: Command) -> Submission {
    Submission { op_id: OpId(op), command }
}

pub(crate) fn open(account: u64) -> Command {
    let service_point = ServicePointId(account);
    Command::OpenAccount { account: AccountId(account), service_point, date: Date(20_000) }
}

pub(crate) fn pay(account: u64, amount: i64) -> Command {
    Command::RecordPayment {
        account: AccountId(account),
        amount,
        date: Date(20_000),
        provider: "bank".to_owned(),
        external_ref: String::new(),
    }
}

pub(crate) fn local(query: Query) -> Read {
    Read { query, level: ReadLevel::Local, token: None }
}

pub(crate) fn in_session(query: Query, token: Token) -> Read {
    Read { query, level: ReadLevel::Session, token: Some(token) }
}

/// Makes the checksum of a record fit after its bytes were bent.
pub(crate) fn reseal(record: &mut [u8]) {
    let crc = crc32c::crc32c(&record[8..]);
    record[4..8].copy_from_slice(&crc.to_le_bytes());
}
