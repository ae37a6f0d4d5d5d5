//! What a leader must know of time, and what every node knows of where entries are safe: the hybrid
//! logical clock, whether the wall clock may be believed, and the custody of each region log.

mod clock;
mod custody;
mod skew;

pub use clock::HybridClock;
pub use custody::{Custody, watermark};
pub use skew::SkewGate;
