//! The release gate: a policy says how much a stored run must have tested and what it must have
//! seen, the judgement is a list of claims with figures, and the evidence keeps both so that others
//! can check them again. Pure functions; nothing here runs a seed or reads a file.

mod canaries;
mod claims;
mod evidence;
mod mutants;
mod policy;
mod waivers;

pub use canaries::{CanariesError, CanaryShown};
pub use claims::{Asked, Beside, Claim, Judged, judge};
pub use evidence::{EVIDENCE_FORMAT, Evidence, EvidenceError, Link, SeedTrace};
pub use mutants::{Equivalents, ModuleScore, MutantEnd, MutantShown, MutantsError, scores, table};
pub use policy::{MutantPolicy, Policies, Policy, PolicyError};
pub use waivers::{Waivers, WaiversError};
