//! A damaged region log is fetched again by hash from the other nodes, whoever has it, and takes
//! part in nothing before that is durable. Cores in one process; frames and disks take no time.

#[expect(dead_code, reason = "nothing is held up here")]
mod cluster_support;
#[expect(dead_code, reason = "no power cuts here")]
mod memory_directory;

use billing_core::{DiskStep, FileName, Input, Role, journal};
use billing_wire::{ClusterId, FrameKind, NodeId, Record, RecordView, RegionId};
use bytes::Bytes;
use cluster_support::{Directory, REGION, WRITES, World, rot, segments};
use std::sync::Arc;

/// A node has sent something, and nothing but questions for what it lost.
fn assert_asks_only(world: &World, node: NodeId) {
    let asks = [FrameKind::RepairRequest, FrameKind::LogEndRequest];
    let mut said = world.sent.iter().filter(|frame| frame.header.from == node);
    assert!(said.clone().next().is_some());
    assert!(said.all(|frame| asks.contains(&frame.header.kind)));
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

/// What stands before a hole may be what an earlier seal left out, where a segment lost its header.
#[test]
fn nothing_is_read_of_a_log_before_it_is_whole() {
    let mut world = World::new(2);
    let log = world.records(1, REGION);
    world.lost = vec![FrameKind::Repair, FrameKind::LogEnd];
    world.reopen(1, |directory| rot(directory, REGION, &log[log.len() - 2]));
    world.ticks(5);
    assert_eq!(world.node(1).status().geo_index, 0);
    world.lost.clear();
    world.ticks(60);
    assert!(world.node(1).status().geo_index >= log.len() as u64 - 2);
}

/// Found by the simulator: a region was alone, and what it logged then lies behind the end of the
/// chain that it is sealed with. Nobody has that at its place any more.
#[test]
fn damage_behind_the_end_of_a_sealed_chain_keeps_nobody_out() {
    let mut world = World::new(2);
    let first: Vec<_> = (0..3).map(|place| world.machines[place].node.take()).collect();
    world.ticks(40);
    let end = world.node(3).last_index(RegionId(1)) as usize;
    for _ in 0..10 {
        let leader = (3..6).find(|place| world.leads(*place)).unwrap();
        world.write_at(leader);
        world.ticks(4);
    }
    let log = world.records(4, RegionId(1));
    assert!(log.len() > end + 8);
    (3..6).for_each(|place| world.machines[place].node = None);
    (0..3).zip(first).for_each(|(place, node)| world.machines[place].node = node);
    world.ticks(40);
    world.seal(RegionId(1));
    rot(&mut world.machines[4].directory, RegionId(1), &log[end + 5]);
    (3..6).for_each(|place| world.open(place));
    assert!(world.node(4).is_repairing(RegionId(1)));
    world.ticks(400);
    world.assert_whole_everywhere();
    // The two others had it all.
    assert_eq!(world.operations(0).len() as u64, world.acknowledged);
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
    world.reopen(follower, |directory| {
        append_alone(directory);
        rot(directory, REGION, &log[4]);
    });
    assert_eq!(world.node(follower).status().missing_records, 2);
    world.sent.clear();
    world.ticks(15);
    assert_asks_only(&world, node);
    world.ticks(140);
    world.write();
    assert_eq!(world.acknowledged, WRITES + 1);
    world.assert_whole_everywhere();
    // The hole, and what the leader appended to show that it leads: not what was left behind it.
    assert!(world.node(follower).status().repaired_records < 5);
}
