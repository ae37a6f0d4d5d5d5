//! O9: stamps are no later than the clocks of the cluster. Judged when the first node commits an
//! entry, against the highest time that any clock ever showed by then, wrong clocks included: a
//! stamp is taken from a clock or follows another stamp, so it can never be ahead of all of them.
//! Of a real run the clocks are not known, and nothing is compared.

use crate::catalogue::Promise;
use crate::verdicts::Verdicts;
use billing_wire::RecordHeader;

pub(crate) const WORDS: &str = "no entry is stamped ahead of every clock in the cluster";

/// The clocks of all machines.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    /// The highest time that one ever showed, in milliseconds since 1970.
    highest_ms: Option<u64>,
}

impl Clocks {
    /// One of them shows this.
    pub(crate) fn show(&mut self, ms: u64) {
        self.highest_ms = self.highest_ms.max(Some(ms));
    }

    /// The first node commits an entry.
    pub(crate) fn committed(&self, verdicts: &mut Verdicts, at: u64, header: &RecordHeader) {
        let Some(highest) = self.highest_ms else { return };
        let stamp = header.hlc.ms();
        verdicts.check(Promise::O9, at, None, stamp <= highest, || {
            let (region, index, ahead) = (header.region, header.index, stamp - highest);
            let shape = "stamped ahead of every clock".to_owned();
            (shape, format!("region {region}: entry {index} is {ahead} ms ahead of every clock"))
        });
    }
}
