//! What every disk and every network must do, whoever makes it: the same cases run against the
//! real machine and against the simulator, so that the two do not drift apart. They say what the
//! node may rely on; what faults do beyond that only the simulator can show.

pub mod disk;
pub mod network;
