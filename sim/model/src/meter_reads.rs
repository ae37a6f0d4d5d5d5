//! The best read per meter and day, and whether it looks wrong against the day before it.

use crate::Model;
use crate::bounds::REGISTER_JUMP;
use billing_wire::command_view::ReadsView;
use billing_wire::{Disposition, ReadQuality};

/// The read that counts for a meter and a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BestRead {
    /// The register in base units.
    pub register: u64,
    /// How it was obtained.
    pub quality: ReadQuality,
    /// The register fell, or rose by more than [`REGISTER_JUMP`], since the latest earlier day.
    pub flagged: bool,
}

impl Model {
    pub(crate) fn note_reads(&mut self, reads: &ReadsView<'_>) -> Disposition {
        for read in reads.iter() {
            let key = (read.meter, read.date);
            if self.reads.get(&key).is_some_and(|best| best.quality > read.quality) {
                continue;
            }
            let first_day = (read.meter, billing_wire::Date(0));
            let before = self.reads.range(first_day..key).next_back().map(|(_, r)| r.register);
            let flagged = before.is_some_and(|register| {
                read.register < register || read.register - register > REGISTER_JUMP
            });
            let best = BestRead { register: read.register, quality: read.quality, flagged };
            self.reads.insert(key, best);
        }
        Disposition::Applied
    }
}
