//! The ledger: a pure fold of the merged order into rows, kept in memory and committed in
//! batches to a database that can be thrown away.

pub mod store;
