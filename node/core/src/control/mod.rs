//! What a leader must know of time, and what every node knows of where entries are safe: the hybrid
//! logical clock, whether the wall clock may be believed, the custody of each region log, and which
//! regions are sealed.

mod chain_parts;
mod clock;
mod custody;
mod seals;
mod skew;

use chain_parts::ChainParts;
pub use clock::HybridClock;
pub use custody::Custody;
pub use seals::{Seals, Standing};
pub use skew::SkewGate;
