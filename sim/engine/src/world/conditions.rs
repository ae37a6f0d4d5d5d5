//! Under which conditions a run is judged as a whole: a spike with nothing wrong (L6), mail with
//! nothing else wrong (S4), a long run with one thing wrong at a time (L7). All of it can be read
//! from what was drawn.

use super::World;
use billsim_record::PlannedFault;

/// From the end of one fault until the next one the cluster finds back, in milliseconds.
const APART_MS: u64 = 20_000;

impl World {
    /// Tells the oracles what kind of run this is.
    pub(super) fn announce_conditions(&mut self) {
        if self.provider.is_some() {
            self.jury.bank_opens();
        }
        if self.mail.is_some() {
            self.jury.mail_opens();
        }
        let faults = &self.plan.faults;
        if faults.is_empty()
            && let Some((from, until)) = self.clients.spike()
        {
            self.jury.spike(from, until);
        }
        if faults.is_empty() && self.mail.is_some() && self.clients.spike().is_none() {
            self.jury.only_mail_fails();
        }
        if !faults.is_empty() && are_single(faults) {
            self.jury.one_fault_at_a_time();
        }
    }
}

/// Whether no fault begins before the one before it is long over. What is drawn as one fault may
/// be several links with the same times.
fn are_single(faults: &[PlannedFault]) -> bool {
    let times = |planned: &PlannedFault| (planned.at_ms, planned.for_ms);
    faults.windows(2).all(|pair| {
        let (before, next) = (times(&pair[0]), times(&pair[1]));
        before == next || before.0 + before.1 + APART_MS <= next.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use billsim_record::Fault;

    #[test]
    fn what_overlaps_or_follows_closely_is_not_single() {
        let fault = |at_ms, for_ms| PlannedFault { at_ms, for_ms, fault: Fault::PowerCutAll };
        assert!(are_single(&[fault(1_000, 500), fault(1_000, 500), fault(21_500, 0)]));
        assert!(!are_single(&[fault(1_000, 500), fault(21_499, 0)]));
        assert!(!are_single(&[fault(1_000, 500), fault(1_000, 600)]));
    }
}
