//! What a deposed leader had proposed and no later leader logged is answered as soon as that is
//! known, and nothing is answered so for what another region does. Cores in one process.

#[expect(dead_code, reason = "no damage here")]
mod cluster_support;
#[expect(dead_code, reason = "no power cuts here")]
mod memory_directory;

use billing_wire::WriteAnswer;
use billing_wire::answer::Unavailable;
use cluster_support::{WRITES, World};
use std::ops::Range;

fn leader(world: &World, mut places: Range<usize>) -> usize {
    places.find(|place| world.leads(*place)).expect("somebody leads")
}

/// The leader is cut off for so long that another one is elected; who leads then.
fn depose(world: &mut World, places: Range<usize>) -> usize {
    let deposed = leader(world, places.clone());
    world.apart = vec![deposed];
    world.ticks(60);
    world.apart.clear();
    world.ticks(10);
    let next = leader(world, places);
    assert_ne!(next, deposed);
    next
}

#[test]
fn a_write_that_a_later_term_overtook_is_answered_long_before_its_time() {
    for regions in [1, 2] {
        let mut world = World::new(regions);
        world.refusals = Some(Vec::new());
        let deposed = leader(&world, 0..3);
        world.apart = vec![deposed];
        world.write_at(deposed);
        world.ticks(60);
        assert_eq!(world.refusals, Some(vec![]), "it does not know yet");
        world.apart.clear();
        world.ticks(10);
        let refusals = world.refusals.take().unwrap();
        let is_told = match (&refusals[..], regions) {
            ([WriteAnswer::Unavailable { reason, .. }], 1) => *reason == Unavailable::NoLeader,
            // The same operation may be in the log of the other region.
            ([WriteAnswer::Unknown], 2) => true,
            _ => false,
        };
        assert!(is_told, "{regions} regions: {refusals:?}");
        world.write();
        assert_eq!(world.acknowledged, WRITES + 1);
    }
}

#[test]
fn terms_of_another_region_overtake_nothing() {
    let mut world = World::new(2);
    for _ in 0..3 {
        depose(&mut world, 3..6);
    }
    let (here, there) = (leader(&world, 0..3), leader(&world, 3..6));
    assert!(world.node(there).status().term > world.node(here).status().term);
    world.write();
    // It waits for the disks of its region while the other one goes on.
    world.apart = (0..3).filter(|place| *place != here).collect();
    world.refusals = Some(Vec::new());
    world.write_at(here);
    world.write_at(there);
    world.ticks(8);
    assert_eq!(world.acknowledged, WRITES + 2);
    world.apart.clear();
    world.ticks(20);
    assert_eq!((world.acknowledged, world.refusals), (WRITES + 3, Some(vec![])));
}
