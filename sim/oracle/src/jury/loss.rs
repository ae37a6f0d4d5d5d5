//! What the jury is told of regions that are gone for good, and what it says of their transactions.

use super::Jury;
use crate::evidence::DurableLogs;
use crate::promises::d3_exposure_is_exact::Exposed;
use crate::region_loss::{self, Destruction, LossReport};
use billing_wire::RegionId;

impl Jury {
    /// A region goes for good, with its disks; `disks` are those before that, `announced` is what
    /// it said that it would lose.
    pub fn region_destroyed(
        &mut self,
        at: u64,
        region: RegionId,
        announced: Option<Exposed>,
        disks: &dyn DurableLogs,
    ) {
        let destruction = Destruction::note(&self.facts, (region, at), announced, disks);
        self.facts.destructions.push(destruction);
    }

    /// The fate of every acknowledged transaction, at the end of a run in which a region was
    /// destroyed (D2); `None` in any other.
    pub fn losses(&mut self, at: u64, disks: &dyn DurableLogs) -> Option<LossReport> {
        let destructions = self.facts.destructions.clone();
        if destructions.is_empty() {
            return None;
        }
        let fates = region_loss::fates(&self.facts, &mut self.verdicts, at, disks);
        Some(LossReport { destructions, fates })
    }

    /// Whether a region is sealed, or was let in again and has committed nothing since: its nodes
    /// need not know that they are.
    pub fn is_out(&self, region: RegionId) -> bool {
        self.facts.finality.is_out(region)
    }

    /// Whether a region is sealed for good, by the logs, and was not let in again since.
    pub fn is_sealed(&self, region: RegionId) -> bool {
        self.facts.finality.sealed(region).is_some()
    }
}
