//! A cluster in one process: cores over directories in memory; frames and disks take no time.

use billing_core::ledger::store::EmptyStore;
use billing_core::{
    Config, DiskStep, FileName, HaltReason, Input, Monotonic, Node, Now, Output, RequestId, Role,
    Wall, journal,
};
use billing_wire::{
    AccountId, ClusterId, Command, Date, Frame, FrameKind, Genesis, Incarnation, NodeId, OpId,
    Receipt, RecordView, RegionId, RegionMembers, ServicePointId, Submission, WriteAnswer,
    WriteOptions,
};
use bytes::Bytes;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

pub(crate) use crate::memory_directory::Directory;

const TICK_MS: u64 = 50;
/// Writes that a new world has acknowledged.
pub(crate) const WRITES: u64 = 60;
/// The region in which clients write.
pub(crate) const REGION: RegionId = RegionId(0);

pub(crate) struct Machine {
    pub(crate) directory: Directory,
    pub(crate) node: Option<Node>,
}

pub(crate) struct World {
    pub(crate) genesis: Arc<Genesis>,
    pub(crate) machines: Vec<Machine>,
    pub(crate) now_ms: u64,
    asked: u64,
    /// Sendings of clients, which number their requests.
    pub(crate) sendings: u64,
    pub(crate) acknowledged: u64,
    /// What clients were told, in order.
    pub(crate) receipts: Vec<(RequestId, Receipt)>,
    /// How often a node opened again because it forgot.
    pub(crate) halts: u64,
    /// Frames of these kinds between the nodes are lost.
    pub(crate) lost: Vec<FrameKind>,
    /// Nothing reaches these machines, and nothing comes from them.
    pub(crate) apart: Vec<usize>,
    /// Frames that are on their way for as long as a test wants; `None`: they take no time.
    pub(crate) held: Option<Vec<(usize, Bytes)>>,
    /// Every frame that was sent since this was emptied.
    pub(crate) sent: Vec<Frame>,
    /// What clients were told that is no receipt; `None`: nothing else is expected.
    pub(crate) refusals: Option<Vec<WriteAnswer>>,
    nodes_each: u16,
}

impl World {
    /// Regions of three nodes that have acknowledged some writes, and are settled.
    pub(crate) fn new(regions: u8) -> Self {
        Self::of(regions, 3)
    }

    /// As [`Self::new`], of so many nodes each.
    pub(crate) fn of(regions: u8, nodes_each: u16) -> Self {
        let members = |region: u8| RegionMembers {
            region: RegionId(region),
            name: format!("region {region}"),
            incarnation: Incarnation(0),
            nodes: (1..=nodes_each)
                .map(|node| NodeId(u16::from(region) * nodes_each + node))
                .collect(),
        };
        let genesis = Arc::new(Genesis {
            cluster: ClusterId(1),
            currency: *b"EUR",
            secret: [7; 32],
            regions: (0..regions).map(members).collect(),
        });
        let machines = genesis.nodes().map(|node| {
            let mut directory = Directory::default();
            directory.run(&journal::first_steps(&genesis, node));
            Machine { directory, node: None }
        });
        let machines = machines.collect();
        let mut world = Self {
            genesis,
            machines,
            now_ms: 0,
            asked: 0,
            sendings: 0,
            acknowledged: 0,
            receipts: Vec::new(),
            halts: 0,
            lost: Vec::new(),
            held: None,
            apart: Vec::new(),
            sent: Vec::new(),
            refusals: None,
            nodes_each,
        };
        (0..world.machines.len()).for_each(|place| world.open(place));
        world.ticks(60);
        (0..WRITES).for_each(|_| world.write());
        world.ticks(40);
        assert_eq!(world.acknowledged, WRITES);
        world
    }

    pub(crate) fn now(&self) -> Now {
        let wall = Wall((1_000_000 + self.now_ms) * 1_000_000);
        Now { monotonic: Monotonic(self.now_ms * 1_000_000), wall }
    }

    pub(crate) fn open(&mut self, place: usize) {
        let (now, genesis) = (self.now(), Arc::clone(&self.genesis));
        let machine = &mut self.machines[place];
        let id = NodeId(place as u16 + 1);
        let (recovered, steps) = journal::recover(&genesis, id, machine.directory.image()).unwrap();
        machine.directory.run(&steps);
        let config = Config { segment_bytes: 4_096, seed: self.now_ms, ..Config::new(id, genesis) };
        let node = Node::open(config, recovered, Box::new(EmptyStore), now).unwrap();
        machine.node = Some(node);
    }

    /// Stops a node, lets its files be changed, and opens it again.
    pub(crate) fn reopen(&mut self, place: usize, change: impl FnOnce(&mut Directory)) {
        self.machines[place].node = None;
        change(&mut self.machines[place].directory);
        self.open(place);
    }

    pub(crate) fn node(&self, place: usize) -> &Node {
        self.machines[place].node.as_ref().unwrap()
    }

    pub(crate) fn leads(&self, place: usize) -> bool {
        let node = self.machines[place].node.as_ref();
        node.is_some_and(|node| node.status().role == Role::Leader)
    }

    pub(crate) fn ticks(&mut self, count: u64) {
        for _ in 0..count {
            self.now_ms += TICK_MS;
            for place in 0..self.machines.len() {
                self.feed(place, Input::Tick);
            }
        }
    }

    pub(crate) fn write(&mut self) {
        let leads = |place: &usize| self.leads(*place);
        let leader = (0..usize::from(self.nodes_each)).find(leads).expect("somebody leads");
        self.write_at(leader);
        self.ticks(4);
    }

    /// A client writes at this node.
    pub(crate) fn write_at(&mut self, place: usize) {
        let op = self.new_operation();
        self.send_at(place, op, WriteOptions::default());
    }

    /// A number that no operation had before.
    pub(crate) fn new_operation(&mut self) -> u64 {
        self.asked += 1;
        self.asked
    }

    /// A client sends an operation to this node, and says how durable the answer is to be.
    pub(crate) fn send_at(&mut self, place: usize, op: u64, options: WriteOptions) {
        self.sendings += 1;
        let (account, service_point) = (AccountId(op), ServicePointId(op));
        let command = Command::OpenAccount { account, service_point, date: Date(20_000) };
        let submission = Submission { op_id: OpId(op.into()), command };
        let request = RequestId(self.sendings);
        self.feed(place, Input::Write { request, submission, options, token: None });
    }

    /// What was held up arrives.
    pub(crate) fn release(&mut self) {
        for (place, frame) in self.held.take().into_iter().flatten() {
            self.feed(place, Input::Message(frame));
        }
    }

    /// The operations in the logs as a node has them.
    pub(crate) fn operations(&self, place: usize) -> BTreeSet<OpId> {
        let regions = (0..self.genesis.regions.len() as u8).map(RegionId);
        let records = regions.flat_map(|region| self.records(place, region));
        let of_record = |record: Bytes| -> Vec<OpId> {
            let view = RecordView::decode(&record).unwrap();
            view.submissions().flatten().map(|submission| submission.op_id).collect()
        };
        records.flat_map(of_record).collect()
    }

    /// An operator seals a region through the leader of another one.
    pub(crate) fn seal(&mut self, region: RegionId) {
        let each = usize::from(self.nodes_each);
        let is_elsewhere = |place: &usize| place / each != usize::from(region.0);
        let leads = |place: &usize| is_elsewhere(place) && self.leads(*place);
        let leader = (0..self.machines.len()).find(leads).expect("somebody leads");
        let request = RequestId(u64::MAX);
        self.feed(leader, Input::Seal { request, regions: vec![region], force: true });
        self.ticks(40);
    }

    /// Stops a process for a while; it wakes up as it was.
    pub(crate) fn pause(&mut self, place: usize) {
        let paused = self.machines[place].node.take();
        self.ticks(100);
        self.machines[place].node = paused;
        self.ticks(40);
    }

    /// Feeds a node and carries out everything that follows, on whatever node.
    pub(crate) fn feed(&mut self, place: usize, input: Input) {
        let mut inputs = VecDeque::from([(place, input)]);
        let (now, mut outputs) = (self.now(), Vec::new());
        while let Some((place, input)) = inputs.pop_front() {
            let Some(node) = &mut self.machines[place].node else { continue };
            node.step(now, input, &mut outputs);
            let mut halted = None;
            for output in outputs.drain(..) {
                match output {
                    Output::Persist { token, steps } => {
                        self.machines[place].directory.run(&steps);
                        inputs.push_back((place, Input::DiskDone { token, result: Ok(()) }));
                    }
                    Output::Send { to, frame } => {
                        let sent = Frame::decode(&frame).unwrap();
                        let target = usize::from(to.0) - 1;
                        let is_cut = self.apart.contains(&place) || self.apart.contains(&target);
                        if is_cut || self.lost.contains(&sent.header.kind) {
                            // It is lost.
                        } else if let Some(held) = &mut self.held {
                            held.push((target, frame));
                        } else {
                            inputs.push_back((target, Input::Message(frame)));
                        }
                        self.sent.push(sent);
                    }
                    Output::AnswerWrite { request, answer: WriteAnswer::Done(receipt) } => {
                        self.acknowledged += 1;
                        self.receipts.push((request, receipt));
                    }
                    Output::Halt(HaltReason::Forgot) => {
                        self.halts += 1;
                        halted = Some(place);
                    }
                    Output::CommitLedger(_) => {
                        inputs.push_back((place, Input::LedgerDone { result: Ok(()) }));
                    }
                    Output::AnswerSeal { answer, .. } => {
                        assert!(answer.is_ok(), "the seal is refused: {answer:?}");
                    }
                    Output::AnswerWrite { answer, .. } => match &mut self.refusals {
                        Some(refusals) => refusals.push(answer),
                        None => panic!("a write ends with {answer:?}"),
                    },
                    Output::AnswerRead { .. }
                    | Output::AnswerProbe { .. }
                    | Output::Effect(_)
                    | Output::Mail(_)
                    | Output::Halt(HaltReason::Disk(_) | HaltReason::Ledger | HaltReason::Damage) =>
                    {
                        panic!("nobody asked for {output:?}")
                    }
                }
            }
            if let Some(place) = halted {
                inputs.retain(|(other, _)| *other != place);
                self.open(place);
            }
        }
    }

    pub(crate) fn records(&self, place: usize, region: RegionId) -> Vec<Bytes> {
        let node = self.node(place);
        (1..=node.last_index(region)).map(|n| node.record(region, n).unwrap().clone()).collect()
    }

    /// Every node has the same logs, and each comes back whole from its directory.
    pub(crate) fn assert_whole_everywhere(&mut self) {
        self.lost.clear();
        self.ticks(60);
        for region in (0..self.genesis.regions.len() as u8).map(RegionId) {
            let common = (0..self.machines.len()).map(|place| self.node(place).last_index(region));
            let common = common.min().unwrap() as usize;
            assert!(common > WRITES as usize / 2, "region {region} has {common} records");
            let expected = self.records(0, region)[..common].to_vec();
            for place in 0..self.machines.len() {
                assert_eq!(self.records(place, region)[..common], expected, "node {}", place + 1);
                assert_eq!(self.node(place).status().missing_records, 0);
                let image = self.machines[place].directory.image();
                let node = NodeId(place as u16 + 1);
                let found = journal::recover(&self.genesis, node, image).unwrap().0;
                let log = &found.logs[usize::from(region.0)];
                assert!(log.holes.is_empty() && log.behind.is_empty(), "node {node}");
                assert_eq!(log.records[..common], expected, "node {node}");
            }
        }
        let state = |place: usize| self.node(place).status().state_hash;
        let first = state(0);
        assert!((1..self.machines.len()).all(|place| state(place) == first));
    }
}

/// Flips a bit in the middle of the record at an index, wherever it lies.
pub(crate) fn rot(directory: &mut Directory, region: RegionId, record: &[u8]) {
    let files = directory.image().into_iter();
    let of_region =
        |name: &FileName| matches!(name, FileName::Segment { region: r, .. } if *r == region);
    let mut hits = 0;
    for (file, bytes) in files.filter(|(name, _)| of_region(name)) {
        for at in 0..=bytes.len().saturating_sub(record.len()) {
            if bytes[at..].starts_with(record) {
                let middle = at + record.len() / 2;
                let bytes = vec![bytes[middle] ^ 4].into();
                let offset = middle as u64;
                directory.run(&[DiskStep::Write { file, offset, bytes }]);
                hits += 1;
            }
        }
    }
    assert!(hits > 0, "the record lies in a segment");
}

pub(crate) fn segments(directory: &Directory) -> Vec<FileName> {
    let names = directory.image().into_iter().map(|(name, _)| name);
    names.filter(|name| matches!(name, FileName::Segment { region: REGION, .. })).collect()
}
