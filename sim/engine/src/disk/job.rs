//! A persist in progress: its steps with the times at which they complete.

use billing_core::{DiskFault, DiskStep};
use std::collections::VecDeque;

/// Steps that are still to come.
#[derive(Debug)]
pub(super) struct Job {
    steps: VecDeque<(u64, DiskStep)>,
    /// How the last step fails.
    fault: Option<DiskFault>,
}

impl Job {
    pub(super) fn new(steps: Vec<(u64, DiskStep)>, fault: Option<DiskFault>) -> Self {
        Self { steps: steps.into(), fault }
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
}
