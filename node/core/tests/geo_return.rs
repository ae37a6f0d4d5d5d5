//! A region whose neighbour is back waits for it again, however long its log has become. Cores in
//! one process.

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
