//! Field tests: real `billing-node` processes with real sockets, files and syncs. What their
//! clients saw and what their disks hold is judged by the oracles that judge simulated runs.

mod api;
mod archive;
mod bad_input;
mod books;
mod cluster;
mod dev;
mod disk_damage;
mod edge;
mod failover;
mod full_disk;
mod http_client;
mod import;
mod judge;
mod kill_nine;
mod load;
mod mail;
mod payouts;
mod ports;
mod readiness;
mod record;
mod session;
mod stopwatch;
mod sync_held_back;
mod transcript;
mod two_regions;
