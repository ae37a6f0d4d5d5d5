//! When a region acknowledges alone, and when it waits for its neighbour again. Cores in one
//! process.

#[expect(dead_code, reason = "no damage here")]
mod cluster_support;
#[expect(dead_code, reason = "no power cuts here")]
mod memory_directory;

use billing_wire::RegionMode;
use cluster_support::{WRITES, World};

#[test]
fn a_long_log_returns_to_geo_mode_when_the_other_region_is_back() {
    let mut world = World::new(2);
    (0..WRITES).for_each(|_| world.write());
    let leader = (0..3).find(|place| world.leads(*place)).unwrap();
    let mode = |world: &World| world.node(leader).status().mode;
    assert_eq!(mode(&world), RegionMode::Geo);
    let paused: Vec<_> = (3..6).map(|place| world.machines[place].node.take()).collect();
    world.write();
    world.ticks(40);
    assert_eq!(mode(&world), RegionMode::Degraded);
    for (place, node) in (3..6).zip(paused) {
        world.machines[place].node = node;
    }
    // Five seconds of good answers are asked for.
    world.ticks(200);
    assert_eq!(mode(&world), RegionMode::Geo);
}

#[test]
fn a_write_after_the_outage_began_does_not_wait_as_if_it_had_begun_with_it() {
    let mut world = World::new(2);
    let leader = (0..3).find(|place| world.leads(*place)).unwrap();
    let mode = |world: &World| world.node(leader).status().mode;
    (3..6).for_each(|place| world.machines[place].node = None);
    // A quarter of a second, and a tick.
    world.ticks(6);
    assert_eq!(mode(&world), RegionMode::Geo, "nothing was written that had to go elsewhere");
    world.write_at(leader);
    assert_eq!(mode(&world), RegionMode::Degraded);
}

#[test]
fn a_region_of_which_one_node_answers_is_out_of_reach() {
    let mut world = World::new(2);
    let leader = (0..3).find(|place| world.leads(*place)).unwrap();
    let mode = |world: &World| world.node(leader).status().mode;
    (4..6).for_each(|place| world.machines[place].node = None);
    world.write_at(leader);
    world.ticks(5);
    assert_eq!(mode(&world), RegionMode::Geo, "a quarter of a second");
    world.ticks(1);
    assert_eq!(mode(&world), RegionMode::Degraded);
}

#[test]
fn a_leader_that_was_paused_takes_nobody_for_silent() {
    let mut world = World::new(2);
    let leader = (0..3).find(|place| world.leads(*place)).unwrap();
    let paused = world.machines[leader].node.take();
    // Shorter than an election timeout.
    world.ticks(9);
    world.machines[leader].node = paused;
    assert!(world.leads(leader));
    world.apart.extend(3..6);
    world.write_at(leader);
    assert_eq!(world.node(leader).status().mode, RegionMode::Geo, "they may be there");
}

#[test]
fn of_five_nodes_three_make_an_entry_geo_durable() {
    let mut world = World::of(2, 5);
    let leader = (0..5).find(|place| world.leads(*place)).unwrap();
    let geo_index = |world: &World| world.node(leader).status().geo_index;
    for stopped in 5..7 {
        world.machines[stopped].node = None;
    }
    world.ticks(100);
    world.write();
    world.ticks(20);
    let before = geo_index(&world);
    world.write();
    world.ticks(20);
    assert!(geo_index(&world) > before, "three of five are a majority");
    world.machines[7].node = None;
    let before = geo_index(&world);
    world.write();
    world.ticks(20);
    assert_eq!(geo_index(&world), before, "two of five are none");
}
