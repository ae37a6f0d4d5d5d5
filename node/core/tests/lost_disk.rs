//! A node whose directory was lost takes part in nothing before the others let it in again, in
//! every group, and its data come back from them. Cores in one process.

#[expect(dead_code, reason = "nothing is held up here")]
mod cluster_support;
#[expect(dead_code, reason = "no power cuts here")]
mod memory_directory;

use billing_core::{DiskStep, FileName, Input, journal};
use billing_wire::{FrameKind, NodeId, RegionId};
use cluster_support::{Directory, WRITES, World, rot, segments};
use std::sync::Arc;

/// Makes the directory of a node anew, as an operator does after a lost disk.
fn lose(world: &mut World, place: usize, generation: u8) {
    let genesis = Arc::clone(&world.genesis);
    world.reopen(place, |directory| {
        *directory = Directory::default();
        let node = NodeId(place as u16 + 1);
        directory.run(&journal::first_steps_of_lost(&genesis, node, generation));
    });
}

fn follower(world: &World) -> usize {
    (0..3).find(|place| !world.leads(*place)).unwrap()
}

/// Since `sent` was emptied, a node asked and said nothing else.
fn assert_asks_only(world: &World, place: usize) {
    let asks = [
        FrameKind::RepairRequest,
        FrameKind::LogEndRequest,
        FrameKind::Repair,
        FrameKind::SealedEndRequest,
    ];
    let node = NodeId(place as u16 + 1);
    let mut said = world.sent.iter().filter(|frame| frame.header.from == node);
    assert!(said.clone().next().is_some());
    let other = said.find(|frame| !asks.contains(&frame.header.kind));
    assert!(other.is_none(), "{:?}", other.map(|frame| frame.header.kind));
}

#[test]
fn a_lost_node_is_let_in_again_and_counts_again() {
    for regions in [1, 2] {
        let mut world = World::new(regions);
        let place = follower(&world);
        lose(&mut world, place, 5);
        world.ticks(40);
        world.assert_whole_everywhere();
        // Its vote and its disk count now: another one may fail.
        let other = (0..3).find(|p| *p != place && !world.leads(*p)).unwrap_or(0);
        world.machines[other].node = None;
        world.ticks(100);
        world.write();
        assert_eq!(world.acknowledged, WRITES + 1);
        world.open(other);
        world.assert_whole_everywhere();
    }
}

#[test]
fn a_lost_node_casts_no_vote_while_another_one_is_away() {
    let mut world = World::new(1);
    let place = follower(&world);
    let leader = (0..3).find(|p| world.leads(*p)).unwrap();
    world.machines[leader].node = None;
    world.sent.clear();
    lose(&mut world, place, 5);
    world.ticks(200);
    assert_asks_only(&world, place);
    assert!((0..3).all(|p| !world.leads(p)), "one voter of three is left");
    world.open(leader);
    world.ticks(100);
    world.assert_whole_everywhere();
    world.write();
    assert_eq!(world.acknowledged, WRITES + 1);
}

#[test]
fn every_other_voter_must_have_heard_of_it() {
    let mut world = World::new(1);
    let place = follower(&world);
    let away = (0..3).find(|p| *p != place && !world.leads(*p)).unwrap();
    world.machines[away].node = None;
    world.sent.clear();
    lose(&mut world, place, 5);
    world.ticks(100);
    assert_asks_only(&world, place);
    world.open(away);
    world.ticks(100);
    world.assert_whole_everywhere();
}

#[test]
fn a_superblock_of_which_no_copy_verifies_is_a_lost_disk() {
    for change in [0, 1] {
        let mut world = World::new(2);
        let place = follower(&world);
        world.sent.clear();
        world.reopen(place, |directory| {
            let file = FileName::Superblock;
            directory.run(&[match change {
                0 => DiskStep::Remove { file },
                _ => DiskStep::Write { file, offset: 0, bytes: vec![0xff; 16_384].into() },
            }]);
        });
        assert_asks_only_after_tick(&mut world, place);
        world.ticks(60);
        world.assert_whole_everywhere();
        world.write();
        assert_eq!(world.acknowledged, WRITES + 1);
        // And once more, with what the last life left.
        world.reopen(place, |directory| {
            directory.run(&[DiskStep::Remove { file: FileName::Superblock }]);
        });
        world.ticks(60);
        world.assert_whole_everywhere();
    }
}

fn assert_asks_only_after_tick(world: &mut World, place: usize) {
    world.lost = vec![FrameKind::LogEnd];
    world.ticks(40);
    assert_asks_only(world, place);
    world.lost.clear();
}

#[test]
fn a_lost_learner_comes_back_and_damage_meanwhile_does_not_stop_it() {
    let mut world = World::new(2);
    let log = world.records(0, RegionId(0));
    lose(&mut world, 4, 9);
    world.reopen(1, |directory| rot(directory, RegionId(0), &log[6]));
    world.ticks(60);
    world.assert_whole_everywhere();
    assert!(segments(&world.machines[4].directory).len() > 1);
    lose(&mut world, 4, 10);
    world.ticks(60);
    world.assert_whole_everywhere();
}

/// As many as the others have seen, and more: whoever repairs his log writes them, before he hears
/// anybody.
#[test]
fn superblocks_that_are_written_since_do_not_hide_that_a_disk_is_older() {
    let mut world = World::new(1);
    let place = follower(&world);
    let old = world.machines[place].directory.clone();
    (0..5).for_each(|_| world.write());
    world.ticks(20);
    world.reopen(place, |directory| *directory = old);
    for _ in 0..40 {
        world.feed(place, Input::Damaged { file: FileName::Superblock });
    }
    assert_eq!(world.halts, 0, "it has heard nobody");
    world.ticks(100);
    assert_eq!(world.halts, 1, "it opened again as one that forgot");
    world.assert_whole_everywhere();
}

/// An operator makes a lost directory as if the node were new, or puts an old copy of it back: the
/// others know better, and no vote is cast.
#[test]
fn a_node_that_is_not_what_the_others_know_is_found_out() {
    for is_copy in [true, false] {
        let mut world = World::new(2);
        let place = follower(&world);
        let (node, genesis) = (NodeId(place as u16 + 1), Arc::clone(&world.genesis));
        let mut old = Directory::default();
        old.run(&journal::first_steps(&genesis, node));
        if is_copy {
            old = world.machines[place].directory.clone();
            (0..5).for_each(|_| world.write());
            world.ticks(20);
        }
        let acknowledged = world.acknowledged;
        world.sent.clear();
        world.lost = vec![FrameKind::LogEnd];
        world.reopen(place, |directory| *directory = old);
        // Nobody leads: whoever asks for its vote says what it knows.
        for other in (0..3).filter(|other| *other != place) {
            world.reopen(other, |_| ());
        }
        world.ticks(60);
        assert!(world.halts > 0, "it opened again as one that forgot");
        let votes = world.sent.iter().filter(|frame| frame.header.from == node);
        let granted = votes.filter_map(billing_core::consensus::message::granted_vote);
        assert_eq!(granted.count(), 0);
        world.lost.clear();
        world.ticks(100);
        world.assert_whole_everywhere();
        world.write();
        assert_eq!(world.acknowledged, acknowledged + 1);
        assert_eq!(world.halts, 1);
    }
}

/// A region that lost every disk is rebuilt, in a cluster whose other region was sealed and let in
/// before: the log of that one waits, where it came back, for what the lost log says of it. It
/// grows meanwhile; nodes that start once more then must not wait for what they cannot take.
#[test]
fn lost_nodes_that_start_again_while_their_region_is_rebuilt_do_not_wait_for_ever() {
    let mut world = World::new(2);
    (3..6).for_each(|place| world.machines[place].node = None);
    world.seal(RegionId(1));
    (3..6).for_each(|place| world.open(place));
    world.ticks(200);
    world.assert_whole_everywhere();

    (0..3).for_each(|place| lose(&mut world, place, 7));
    world.ticks(100);
    for place in 0..3 {
        assert!(world.node(place).is_repairing(RegionId(0)), "nobody leads what was lost");
        assert!(!world.node(place).is_repairing(RegionId(1)), "the other log is back");
    }
    let held = world.node(1).last_index(RegionId(1));
    assert!(world.node(3).last_index(RegionId(1)) > held, "the other log has grown");
    (0..3).for_each(|place| world.reopen(place, |_| ()));
    world.ticks(40);
    world.seal(RegionId(0));
    world.ticks(400);
    world.assert_whole_everywhere();
}

/// Who led when a node lost its disk knows of that life of it. After the next loss another leader
/// lets it in, and then these two must be able to elect one of them.
#[test]
fn who_led_before_hears_a_node_that_somebody_else_let_in() {
    let mut world = World::new(1);
    let (lost, told) = (follower(&world), (0..3).find(|p| world.leads(*p)).unwrap());
    let other = (0..3).find(|p| *p != lost && *p != told).unwrap();
    lose(&mut world, lost, 5);
    world.ticks(60);
    while !world.leads(other) {
        let leader = (0..3).find(|p| world.leads(*p)).unwrap();
        world.pause(leader);
    }
    lose(&mut world, lost, 6);
    world.ticks(60);
    world.assert_whole_everywhere();
    assert!(world.leads(other), "it let the node in");
    world.machines[other].node = None;
    world.ticks(200);
    world.write();
    assert_eq!(world.acknowledged, WRITES + 1);
}

/// The disk becomes what it was while its node asked to be let in: that is the same life by its
/// number, and what was acknowledged in between is gone all the same.
#[test]
fn what_a_disk_acknowledged_counts_no_more_when_its_node_asks_again_as_before() {
    let mut world = World::new(1);
    let place = follower(&world);
    let (region, node) = (RegionId(0), NodeId(place as u16 + 1));
    lose(&mut world, place, 5);
    let image = world.machines[place].directory.clone();
    world.ticks(60);
    let leader = (0..3).find(|p| world.leads(*p)).unwrap();
    assert!(world.node(leader).counted(region, node) > Some(0), "it was let in");
    // Without the third one nobody lets it in.
    let third = (0..3).find(|p| *p != place && *p != leader).unwrap();
    world.machines[third].node = None;
    world.reopen(place, |directory| *directory = image);
    world.ticks(2);
    assert_eq!(world.node(leader).counted(region, node), Some(0));
    world.open(third);
    world.ticks(60);
    world.assert_whole_everywhere();
}
