//! How durable an answer is, and that its client was asked. Cores in one process.

#[expect(dead_code, reason = "logs are not compared here")]
mod cluster_support;
#[expect(dead_code, reason = "no power cuts here")]
mod memory_directory;

use billing_core::RequestId;
use billing_wire::answer::Unavailable;
use billing_wire::{FrameKind, Grade, OnUnmet, RegionId, WriteAnswer, WriteOptions};
use cluster_support::{World, rot};

fn wants(grade: Grade) -> WriteOptions {
    WriteOptions { min_durability: Some(grade), ..WriteOptions::default() }
}

fn follower(world: &World) -> usize {
    (0..3).find(|place| !world.leads(*place)).unwrap()
}

fn leader(world: &World) -> usize {
    (0..3).find(|place| world.leads(*place)).unwrap()
}

/// The grade of the answer to a client's sending, by its number.
fn grade_of(world: &World, sending: u64) -> Option<Grade> {
    let mut of_it = world.receipts.iter().filter(|(request, _)| *request == RequestId(sending));
    of_it.next().map(|(_, receipt)| receipt.grade)
}

/// A client writes at a node, and is answered within some time.
fn told(world: &mut World, place: usize, options: WriteOptions) -> Option<Grade> {
    let op = world.new_operation();
    world.send_at(place, op, options);
    let sending = world.sendings;
    world.ticks(20);
    grade_of(world, sending)
}

/// Nobody hears the second region any more.
fn lose_the_other_region(world: &mut World) {
    (3..6).for_each(|place| world.machines[place].node = None);
    world.ticks(40);
}

#[test]
fn each_client_gets_the_grade_that_it_asks_for() {
    let mut world = World::new(2);
    for place in [leader(&world), follower(&world)] {
        for grade in [Grade::Region, Grade::Geo, Grade::Final] {
            let found = told(&mut world, place, wants(grade));
            assert!(found >= Some(grade), "asked for {grade:?}, told of {found:?}");
        }
    }
}

#[test]
fn a_region_that_is_alone_tells_of_a_weaker_grade_or_refuses_as_asked() {
    let mut world = World::new(2);
    lose_the_other_region(&mut world);
    for place in [leader(&world), follower(&world)] {
        let found = told(&mut world, place, wants(Grade::Final));
        assert_eq!(found, Some(Grade::Region));
        world.refusals = Some(Vec::new());
        let fails = WriteOptions { on_unmet: OnUnmet::FailFast, ..wants(Grade::Geo) };
        assert_eq!(told(&mut world, place, fails), None);
        let refusals = world.refusals.take().unwrap();
        let reason = Unavailable::GradeUnreachable;
        assert!(
            matches!(&refusals[..], [WriteAnswer::Unavailable { reason: r, .. }] if *r == reason),
            "{refusals:?}"
        );
        // Its own region is there.
        let content = WriteOptions { min_durability: Some(Grade::Region), ..fails };
        assert_eq!(told(&mut world, place, content), Some(Grade::Region));
    }
}

/// Found by the simulator: the leader is told what the first one wants, and both got that.
#[test]
fn who_joins_a_forward_waits_for_its_own_grade() {
    let mut world = World::new(2);
    let place = follower(&world);
    let op = world.new_operation();
    let first = world.sendings + 1;
    // The forward is on its way when the second client comes.
    world.held = Some(Vec::new());
    world.send_at(place, op, wants(Grade::Region));
    world.send_at(place, op, wants(Grade::Final));
    world.release();
    world.ticks(20);
    assert!(grade_of(&world, first) >= Some(Grade::Region));
    assert_eq!(grade_of(&world, first + 1), Some(Grade::Final));
}

#[test]
fn what_is_folded_is_called_final_only_when_its_place_is() {
    let mut world = World::new(2);
    let damaged = follower(&world);
    let other_log = world.records(damaged, RegionId(1));
    // This node cannot have the end of the other log, so it does not know what comes before its
    // own entries.
    world.lost = vec![FrameKind::Repair, FrameKind::Chain, FrameKind::LogEnd];
    world.reopen(damaged, |directory| rot(directory, RegionId(1), &other_log[8]));
    lose_the_other_region(&mut world);
    world.seal(RegionId(1));
    while !world.leads(damaged) {
        let leader = leader(&world);
        world.pause(leader);
    }
    assert!(world.node(damaged).is_repairing(RegionId(1)));
    assert_eq!(told(&mut world, damaged, wants(Grade::Final)), Some(Grade::Region));
    world.lost.clear();
    world.ticks(60);
    assert!(!world.node(damaged).is_repairing(RegionId(1)));
    assert_eq!(told(&mut world, damaged, wants(Grade::Final)), Some(Grade::Final));
    assert_eq!(told(&mut world, damaged, wants(Grade::Geo)), Some(Grade::Region));
}
