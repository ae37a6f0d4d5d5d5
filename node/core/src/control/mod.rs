//! What a leader must know of time: its hybrid logical clock, and whether its wall clock may be
//! believed.

mod clock;
mod skew;

pub use clock::HybridClock;
pub use skew::SkewGate;
