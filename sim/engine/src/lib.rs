//! The simulator: a library that never prints.

pub mod clients;
pub mod plan;
pub mod scenario;
pub mod seed;
