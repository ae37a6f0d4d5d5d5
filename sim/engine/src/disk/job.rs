//! A persist in progress: its steps with the times at which they complete.

use super::Disk;
use billing_core::{DiskFault, DiskStep, PersistToken};
use std::collections::VecDeque;

/// Steps that are still to come.
#[derive(Debug)]
pub(super) struct Job {
    token: PersistToken,
    steps: VecDeque<(u64, DiskStep)>,
    /// How the last step fails.
    fault: Option<DiskFault>,
}

impl Job {
    pub(super) fn new(
        token: PersistToken,
        steps: Vec<(u64, DiskStep)>,
        fault: Option<DiskFault>,
    ) -> Self {
        Self { token, steps: steps.into(), fault }
    }

    /// The next step that is complete by `now`, and how it failed if it did.
    pub(super) fn next_done(&mut self, now: u64) -> Option<(DiskStep, Option<DiskFault>)> {
        if self.steps.front()?.0 > now {
            return None;
        }
        let (_, step) = self.steps.pop_front()?;
        let fault = if self.steps.is_empty() { self.fault } else { None };
        Some((step, fault))
    }

    pub(super) fn is_done(&self) -> bool {
        self.steps.is_empty()
    }

    /// The step that a crash interrupts.
    pub(super) fn in_progress(mut self) -> Option<DiskStep> {
        self.steps.pop_front().map(|(_, step)| step)
    }

    /// From now on each step takes so long at most. Returns when the last is complete.
    fn hasten(&mut self, now: u64, takes_max: impl Fn(&DiskStep) -> u64) -> u64 {
        let mut done_at = now;
        for (at, step) in &mut self.steps {
            done_at = (*at).min(done_at + takes_max(step));
            *at = done_at;
        }
        done_at
    }
}

/// A persist that ends earlier than was said when it was submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hastened {
    /// Which.
    pub token: PersistToken,
    /// How.
    pub result: Result<(), DiskFault>,
    /// When.
    pub done_at: u64,
}

impl Disk {
    /// Nothing makes it slow any more or holds it up, what it is at included: that is done in the
    /// time that it usually takes at most.
    pub fn hasten(&mut self, now: u64) -> Option<Hastened> {
        if std::mem::replace(&mut self.held_up_until, 0) <= now {
            return None;
        }
        self.advance(now);
        let timing = self.timing;
        let job = self.job.as_mut()?;
        let done_at = job.hasten(now, |step| timing.of(step).1);
        let result = job.fault.map_or(Ok(()), Err);
        Some(Hastened { token: job.token, result, done_at })
    }

    /// Whether the end of this persist is still to be told: that of one that was hastened comes
    /// twice. It is told with that.
    pub fn tells(&mut self, token: PersistToken) -> bool {
        self.untold.take_if(|untold| *untold == token).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::{Hastened, Job};
    use crate::disk::{Disk, DiskTiming};
    use crate::seed::{Purpose, Stream};
    use billing_core::{DiskStep, FileName, PersistToken};

    const SYNC: DiskStep = DiskStep::Sync { file: FileName::Superblock };

    #[test]
    fn a_step_that_is_hastened_is_never_later_than_it_was() {
        let mut job = Job::new(PersistToken(1), vec![(105, SYNC), (9_000, SYNC)], None);
        assert_eq!(job.hasten(100, |_| 50), 155);
        assert_eq!((job.steps[0].0, job.steps[1].0), (105, 155));
        assert_eq!(job.hasten(110, |_| 50), 155, "again");
    }

    #[test]
    fn what_a_slow_disk_is_at_ends_soon_after_it_is_healed_and_is_told_once() {
        let timing = DiskTiming { write_ns: (10, 20), sync_ns: (100, 200) };
        let mut disk = Disk::new(timing, Stream::new(1, Purpose::Disk));
        let token = PersistToken(7);
        disk.faults.slow = 1_000;
        let submitted = disk.submit(0, token, vec![SYNC]);
        assert!(submitted.done_at >= 100_000);
        disk.faults.slow = 0;
        assert_eq!(disk.is_free_from(), submitted.done_at, "as it would be without a healing");
        let hastened = Hastened { token, result: Ok(()), done_at: 1_200 };
        assert_eq!(disk.hasten(1_000), Some(hastened));
        assert_eq!((disk.hasten(1_000), disk.is_free_from()), (None, 0));
        assert_eq!((disk.tells(token), disk.tells(token)), (true, false));
    }

    #[test]
    fn what_nothing_holds_up_takes_its_time() {
        let timing = DiskTiming { write_ns: (10, 20), sync_ns: (100, 200) };
        let mut disk = Disk::new(timing, Stream::new(1, Purpose::Disk));
        disk.submit(0, PersistToken(1), vec![SYNC, SYNC]);
        assert_eq!(disk.hasten(50), None);
    }
}
