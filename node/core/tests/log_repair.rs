//! A damaged region log is fetched again by hash from the other nodes, whoever has it, and takes
//! part in nothing before that is durable. Cores in one process; frames and disks take no time.

#[expect(dead_code, reason = "no power cuts here")]
mod memory_directory;

use billing_core::ledger::store::EmptyStore;
use billing_core::{
    Config, DiskStep, FileName, Input, Monotonic, Node, Now, Output, RequestId, Role, Wall, journal,
};
use billing_wire::{
    AccountId, ClusterId, Command, Date, Frame, FrameKind, Genesis, Incarnation, NodeId, OpId,
    Record, RecordView, RegionId, RegionMembers, ServicePointId, Submission, WriteAnswer,
    WriteOptions,
};
use bytes::Bytes;
use memory_directory::Directory;
use std::collections::VecDeque;
use std::sync::Arc;

const TICK_MS: u64 = 50;
const WRITES: u64 = 60;
const REGION: RegionId = RegionId(0);

struct Machine {
    directory: Directory,
    node: Option<Node>,
}

struct World {
    genesis: Arc<Genesis>,
    machines: Vec<Machine>,
    now_ms: u64,
    asked: u64,
    acknowledged: u64,
    /// Frames of these kinds between the nodes are lost.
    lost: Vec<FrameKind>,
    /// Every frame that was sent since this was emptied.
    sent: Vec<Frame>,
}

impl World {
    /// Regions of three nodes that have acknowledged some writes, and are settled.
    fn new(regions: u8) -> Self {
        let members = |region: u8| RegionMembers {
            region: RegionId(region),
            name: format!("region {region}"),
            incarnation: Incarnation(0),
            nodes: (1..=3).map(|node| NodeId(u16::from(region) * 3 + node)).collect(),
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
        let (lost, sent) = (Vec::new(), Vec::new());
        let mut world =
            Self { genesis, machines, now_ms: 0, asked: 0, acknowledged: 0, lost, sent };
        (0..world.machines.len()).for_each(|place| world.open(place));
        world.ticks(60);
        (0..WRITES).for_each(|_| world.write());
        world.ticks(40);
        assert_eq!(world.acknowledged, WRITES);
        world
    }

    fn now(&self) -> Now {
        let wall = Wall((1_000_000 + self.now_ms) * 1_000_000);
        Now { monotonic: Monotonic(self.now_ms * 1_000_000), wall }
    }

    fn open(&mut self, place: usize) {
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
    fn reopen(&mut self, place: usize, change: impl FnOnce(&mut Directory)) {
        self.machines[place].node = None;
        change(&mut self.machines[place].directory);
        self.open(place);
    }

    fn node(&self, place: usize) -> &Node {
        self.machines[place].node.as_ref().unwrap()
    }

    fn leads(&self, place: usize) -> bool {
        let node = self.machines[place].node.as_ref();
        node.is_some_and(|node| node.status().role == Role::Leader)
    }

    fn ticks(&mut self, count: u64) {
        for _ in 0..count {
            self.now_ms += TICK_MS;
            for place in 0..self.machines.len() {
                self.feed(place, Input::Tick);
            }
        }
    }

    fn write(&mut self) {
        self.asked += 1;
        let (account, service_point) = (AccountId(self.asked), ServicePointId(self.asked));
        let command = Command::OpenAccount { account, service_point, date: Date(20_000) };
        let submission = Submission { op_id: OpId(self.asked.into()), command };
        let (request, options) = (RequestId(self.asked), WriteOptions::default());
        let leads = |place: &usize| self.leads(*place);
        let leader = (0..3).find(leads).expect("somebody leads");
        self.feed(leader, Input::Write { request, submission, options, token: None });
        self.ticks(4);
    }

    /// Feeds a node and carries out everything that follows, on whatever node.
    fn feed(&mut self, place: usize, input: Input) {
        let mut inputs = VecDeque::from([(place, input)]);
        let (now, mut outputs) = (self.now(), Vec::new());
        while let Some((place, input)) = inputs.pop_front() {
            let Some(node) = &mut self.machines[place].node else { continue };
            node.step(now, input, &mut outputs);
            for output in outputs.drain(..) {
                match output {
                    Output::Persist { token, steps } => {
                        self.machines[place].directory.run(&steps);
                        inputs.push_back((place, Input::DiskDone { token, result: Ok(()) }));
                    }
                    Output::Send { to, frame } => {
                        let sent = Frame::decode(&frame).unwrap();
                        if !self.lost.contains(&sent.header.kind) {
                            inputs.push_back((usize::from(to.0) - 1, Input::Message(frame)));
                        }
                        self.sent.push(sent);
                    }
                    Output::AnswerWrite { answer: WriteAnswer::Done(_), .. } => {
                        self.acknowledged += 1;
                    }
                    Output::CommitLedger(_) => {
                        inputs.push_back((place, Input::LedgerDone { result: Ok(()) }));
                    }
                    Output::AnswerWrite { .. }
                    | Output::AnswerRead { .. }
                    | Output::AnswerProbe { .. }
                    | Output::AnswerSeal { .. }
                    | Output::Effect(_)
                    | Output::Halt(_) => panic!("nobody asked for {output:?}"),
                }
            }
        }
    }

    fn records(&self, place: usize, region: RegionId) -> Vec<Bytes> {
        let node = self.node(place);
        (1..=node.last_index(region)).map(|n| node.record(region, n).unwrap().clone()).collect()
    }

    /// Every node has the same logs, and each comes back whole from its directory.
    fn assert_whole_everywhere(&mut self) {
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
fn rot(directory: &mut Directory, region: RegionId, record: &[u8]) {
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

/// A node has sent something, and nothing but questions for what it lost.
fn assert_asks_only(world: &World, node: NodeId) {
    let asks = [FrameKind::RepairRequest, FrameKind::LogEndRequest];
    let mut said = world.sent.iter().filter(|frame| frame.header.from == node);
    assert!(said.clone().next().is_some());
    assert!(said.all(|frame| asks.contains(&frame.header.kind)));
}

fn segments(directory: &Directory) -> Vec<FileName> {
    let names = directory.image().into_iter().map(|(name, _)| name);
    names.filter(|name| matches!(name, FileName::Segment { region: REGION, .. })).collect()
}

#[test]
fn a_rotten_record_is_fetched_and_nothing_else() {
    let mut world = World::new(1);
    let log = world.records(1, REGION);
    world.reopen(1, |directory| {
        rot(directory, REGION, &log[4]);
        rot(directory, REGION, &log[10]);
        rot(directory, REGION, &log[11]);
    });
    assert_eq!(world.node(1).status().missing_records, 3);
    world.ticks(2);
    let status = world.node(1).status();
    assert_eq!((status.missing_records, status.repaired_records), (0, 3));
    world.assert_whole_everywhere();
}

#[test]
fn each_node_is_healed_by_the_others() {
    let mut world = World::new(1);
    let log = world.records(1, REGION);
    for place in 0..3 {
        world.machines[place].node = None;
        for (_, record) in (0..).zip(&log).filter(|(n, _)| n % 3 != place) {
            rot(&mut world.machines[place].directory, REGION, record);
        }
    }
    (0..3).for_each(|place| world.open(place));
    let missing: u64 = (0..3).map(|place| world.node(place).status().missing_records).sum();
    assert_eq!(missing, 2 * log.len() as u64, "one good copy of each record is left");
    world.ticks(100);
    world.assert_whole_everywhere();
    world.write();
    assert_eq!(world.acknowledged, WRITES + 1);
}

#[test]
fn a_log_that_is_gone_but_for_its_promise_comes_back() {
    let mut world = World::new(1);
    let names = segments(&world.machines[2].directory);
    assert!(names.len() > 2, "several segments: {names:?}");
    world.reopen(2, |directory| {
        let removed = names.iter().map(|file| DiskStep::Remove { file: *file });
        directory.run(&removed.collect::<Vec<_>>());
    });
    world.ticks(10);
    assert_eq!(world.node(2).status().repaired_records, world.node(2).last_index(REGION));
    world.assert_whole_everywhere();
}

#[test]
fn a_damaged_node_takes_part_in_nothing_before_it_is_whole() {
    let mut world = World::new(1);
    let log = world.records(1, REGION);
    world.lost = vec![FrameKind::Repair, FrameKind::LogEnd];
    world.reopen(1, |directory| rot(directory, REGION, &log[log.len() - 2]));
    world.sent.clear();
    // The other two go on, then one of them alone cannot.
    world.ticks(60);
    world.write();
    let leader = [0, 2].into_iter().find(|place| world.leads(*place));
    world.machines[leader.unwrap()].node = None;
    world.ticks(100);
    assert_asks_only(&world, NodeId(2));
    assert_eq!(world.node(1).status().role, Role::Follower);
    world.lost.clear();
    world.ticks(100);
    assert_eq!(world.node(1).status().repaired_records, 1);
    world.write();
    assert_eq!(world.acknowledged, WRITES + 2);
    world.open(leader.unwrap());
    world.assert_whole_everywhere();
}

/// A record that verifies in itself and is not the one that was promised.
#[test]
fn only_what_the_promise_pins_fills_a_hole() {
    let mut world = World::new(1);
    let log = world.records(1, REGION);
    world.lost = vec![FrameKind::Repair];
    let last = log.len() - 1;
    world.reopen(1, |directory| rot(directory, REGION, &log[last]));
    world.ticks(1);
    let header = RecordView::decode(&log[last]).unwrap().header;
    let submissions = Record::decode(&log[last - 1]).unwrap().submissions;
    let other = Record { header, submissions }.encode();
    assert_ne!(other, log[last]);
    let frame = |record: &[u8]| {
        let header = billing_wire::FrameHeader {
            kind: FrameKind::Repair,
            from: NodeId(1),
            to: NodeId(2),
            region: REGION,
            cluster: billing_wire::frame::cluster_mark(world.genesis.cluster),
            wall_ms: 1_000_000 + world.now_ms,
        };
        let mut bytes = Vec::new();
        billing_wire::frame::start(&header, &mut bytes);
        bytes.extend_from_slice(&(last as u64 + 1).to_le_bytes());
        bytes.extend_from_slice(record);
        Input::Message(billing_wire::frame::finish(bytes))
    };
    let (lie, truth) = (frame(&other), frame(&log[last]));
    world.feed(1, lie);
    assert_eq!(world.node(1).status().repaired_records, 0, "of another history");
    world.ticks(1);
    world.feed(1, truth);
    assert_eq!(world.node(1).status().repaired_records, 1);
    world.assert_whole_everywhere();
}

/// Older records that were replaced are all that is left: they are contradicted and fetched, too.
#[test]
fn what_does_not_lead_to_the_pinned_record_is_fetched_as_well() {
    let mut world = World::new(1);
    let log = world.records(1, REGION);
    let header = |n: usize| RecordView::decode(&log[n]).unwrap().header;
    let mut stale = Record { header: header(9), submissions: vec![] };
    stale.header.hlc = stale.header.hlc.next();
    let stale_bytes = Bytes::from(stale.encode());
    let genesis = Arc::clone(&world.genesis);
    world.reopen(1, |directory| {
        let read = |directory: &Directory| {
            journal::recover(&genesis, NodeId(2), directory.image()).unwrap().0
        };
        let superblock = read(directory).superblock;
        let mut fresh = Directory::default();
        fresh.run(&journal::first_steps(&genesis, NodeId(2)));
        let start = read(&fresh);
        let tails: Vec<_> = start.logs.iter().map(|log| log.tail).collect();
        let mut writer = journal::Writer::new(ClusterId(1), 1 << 20, start.superblock, &tails);
        (0..9).for_each(|n| writer.append(&header(n), &log[n]));
        writer.append(&stale.header, &stale_bytes);
        (9..log.len()).for_each(|n| writer.append(&header(n), &log[n]));
        let promise = superblock.regions[0];
        writer.hard_state(REGION, promise.term, promise.vote);
        fresh.run(&writer.take_steps());
        fresh.run(&[DiskStep::Remove { file: FileName::Segment { region: REGION, sequence: 2 } }]);
        *directory = fresh;
    });
    assert_eq!(world.node(1).status().missing_records, log.len() as u64 - 10);
    world.ticks(20);
    assert!(world.node(1).status().repaired_records > log.len() as u64 - 10);
    world.assert_whole_everywhere();
}

#[test]
fn a_region_is_healed_from_another_one() {
    let mut world = World::new(2);
    let foreign = world.records(4, REGION);
    for place in 0..3 {
        let names = segments(&world.machines[place].directory);
        world.machines[place].node = None;
        let removed = names.iter().map(|file| DiskStep::Remove { file: *file });
        world.machines[place].directory.run(&removed.collect::<Vec<_>>());
    }
    (0..3).for_each(|place| world.open(place));
    // A learner with a hole in the same log: its own region has the record.
    world.reopen(4, |directory| rot(directory, REGION, &foreign[3]));
    world.ticks(100);
    world.assert_whole_everywhere();
    world.write();
    assert_eq!(world.acknowledged, WRITES + 1);
}

/// A record that this node alone had: the leader never had it, so it was never acknowledged.
#[test]
fn what_is_nowhere_gives_way_to_the_leaders_log() {
    let mut world = World::new(1);
    let follower = (0..3).find(|place| !world.leads(*place)).unwrap();
    let log = world.records(follower, REGION);
    let last = RecordView::decode(log.last().unwrap()).unwrap().header;
    let node = NodeId(follower as u16 + 1);
    let genesis = Arc::clone(&world.genesis);
    let append_alone = |directory: &mut Directory| {
        let (found, steps) = journal::recover(&genesis, node, directory.image()).unwrap();
        directory.run(&steps);
        let tails: Vec<_> = found.logs.iter().map(|log| log.tail).collect();
        let mut writer = journal::Writer::new(ClusterId(1), 4_096, found.superblock, &tails);
        let mut prev = last;
        for _ in 0..3 {
            let index = prev.index + 1;
            let header = billing_wire::RecordHeader {
                kind: billing_wire::RecordKind::CloseTs,
                index,
                hlc: prev.hlc.next(),
                prev_hash: prev.hash,
                ..prev
            };
            let mut record = Record { header, submissions: vec![] };
            let bytes = Bytes::from(record.encode());
            writer.append(&record.header, &bytes);
            directory.run(&writer.take_steps());
            prev = record.header;
            if index == last.index + 2 {
                rot(directory, REGION, &bytes);
            }
        }
    };
    world.reopen(follower, append_alone);
    assert_eq!(world.node(follower).status().missing_records, 1);
    world.sent.clear();
    world.ticks(15);
    assert_asks_only(&world, node);
    world.ticks(140);
    world.write();
    assert_eq!(world.acknowledged, WRITES + 1);
    world.assert_whole_everywhere();
}
