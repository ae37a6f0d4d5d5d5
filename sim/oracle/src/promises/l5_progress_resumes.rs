//! L5: once the core of the cluster is healed, writes that begin afterwards succeed.

use crate::catalogue::Promise;
use crate::verdicts::Verdicts;
use crate::words;

pub(crate) const WORDS: &str = "when two nodes of each region are healed, the cluster works again";

/// Writes since the faults ended.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    healed_at: Option<u64>,
    wanted: u64,
    succeeded: u64,
}

impl Progress {
    /// The faults are over, from here on for good.
    pub(crate) fn healed(&mut self, at: u64) {
        *self = Self { healed_at: Some(at), wanted: 0, succeeded: 0 };
    }

    /// A write that began at `began` returned.
    pub(crate) fn returned(&mut self, began: u64, succeeded: bool) {
        if self.healed_at.is_some_and(|healed| began >= healed) {
            self.wanted += 1;
            self.succeeded += u64::from(succeeded);
        }
    }

    /// Judged when something was wanted; a run without writes after its healing compares nothing.
    pub(crate) fn settled(&self, verdicts: &mut Verdicts, at: u64) {
        if self.wanted == 0 {
            return;
        }
        verdicts.check(Promise::L5, at, None, self.succeeded > 0, || {
            let shape = "no write succeeded after the faults were over".to_owned();
            let since = words::seconds(self.healed_at.unwrap_or_default());
            (shape, format!("{} writes were tried since {since}, and none succeeded", self.wanted))
        });
    }
}
