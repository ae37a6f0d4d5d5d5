//! What the jury is told of regions that are cut off from each other, and hear each other again.

use super::Jury;

impl Jury {
    /// From `from` to `to` regions were cut off from each other, all of them whole, and nothing
    /// else was wrong (L3). Told at the end of the window; windows come in order. The caller has
    /// left out the first `geo_timeout`.
    pub fn partition_window(&mut self, from: u64, to: u64) {
        self.partitions.window(from, to);
    }

    /// Regions no longer hear each other; all of them are whole.
    pub fn parted(&mut self) {
        self.catching_up.parted(self.facts.leaders());
    }

    /// The regions hear each other again after `apart_ns`, during which nothing else was wrong:
    /// from now on they catch up (L4).
    pub fn reunited(&mut self, at: u64, apart_ns: u64) {
        if !self.facts.has_unsealed_loss() {
            self.catching_up.begins(&self.facts, at, apart_ns);
        }
    }

    /// Something goes wrong again: whoever was catching up need not be in time (L4).
    pub fn disturbed(&mut self, at: u64) {
        self.catching_up.disturbed(&mut self.verdicts, at);
    }
}
