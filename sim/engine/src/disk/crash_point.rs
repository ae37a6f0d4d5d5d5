//! A power cut at one numbered disk step, whoever takes it: a persist, the ledger database, the
//! opening of a node; and, where that is asked for, at one step of the recovery that follows.
//!
//! Which part of the step takes place, and what becomes of everything that was not synced, is
//! decided at its extremes: nothing, any part, all. What lies between them is drawn.

use billing_core::{DiskStep, FileName};
use billsim_record::{InRecovery, Moment};

/// What a disk step is, for reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepName {
    /// The deed.
    pub deed: &'static str,
    /// The kind of file.
    pub file: &'static str,
}

impl StepName {
    pub(super) fn new(deed: &'static str, file: FileName) -> Self {
        let file = match file {
            FileName::Genesis => "genesis",
            FileName::Superblock => "superblock",
            FileName::Segment { .. } => "segment",
            FileName::Ledger => "ledger",
            FileName::LedgerAside => "ledger that was set aside",
        };
        Self { deed, file }
    }

    pub(super) fn of(step: &DiskStep) -> Self {
        match step {
            DiskStep::Write { file, .. } => Self::new("write", *file),
            DiskStep::SetLength { file, .. } => Self::new("set length", *file),
            DiskStep::Sync { file } => Self::new("sync", *file),
            DiskStep::Remove { file } => Self::new("remove", *file),
        }
    }
}

/// What a crash point came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CrashSeen {
    /// Steps up to and with the one that the power went at; all of the safety phase if it did not.
    pub steps: Vec<StepName>,
    /// What the disk held after each power cut, as a hash.
    pub images: Vec<u64>,
    /// Steps of the first opening that followed, if it was finished or cut.
    pub recovery: Vec<StepName>,
    /// A node was opened after the last power cut.
    pub recovered: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The power goes at the step with this number from now, from 1.
    Armed(u32),
    /// It goes soon: the step was handed over.
    Due,
    /// It is gone; nothing more takes place until the machine is switched on again.
    Gone,
    /// It went, and the machine is not open again.
    Down,
    /// All is over.
    Spent,
}

/// A planned crash point of a disk.
#[derive(Debug)]
pub struct CrashPoint {
    state: State,
    moment: Moment,
    again: Option<InRecovery>,
    /// How long the machine is without power, in nanoseconds.
    pub down_ns: u64,
    seen: CrashSeen,
}

/// What becomes of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Goes,
    Dies(Moment),
    Never,
}

impl CrashPoint {
    /// Armed for the step with this number from now.
    pub fn new(step: u32, moment: Moment, again: Option<InRecovery>, down_ns: u64) -> Self {
        let seen = CrashSeen::default();
        Self { state: State::Armed(step), moment, again, down_ns, seen }
    }

    /// A step is taken, at once or handed over for later.
    pub(super) fn step(&mut self, name: StepName, at_once: bool) -> Fate {
        if self.seen.images.is_empty() && matches!(self.state, State::Armed(_)) {
            self.seen.steps.push(name);
        } else if self.seen.images.len() == 1 && matches!(self.state, State::Armed(_) | State::Down)
        {
            self.seen.recovery.push(name);
        }
        match self.state {
            State::Armed(1) => {
                self.state = if at_once { State::Gone } else { State::Due };
                Fate::Dies(self.moment)
            }
            State::Armed(left) => {
                self.state = State::Armed(left - 1);
                Fate::Goes
            }
            // What was handed over later than the step that dies does not take place; what takes
            // place at once still does, until then.
            State::Due if at_once => Fate::Goes,
            State::Due | State::Gone => Fate::Never,
            State::Down | State::Spent => Fate::Goes,
        }
    }

    /// Nothing takes place any more, and nobody was told yet.
    pub fn is_power_gone(&self) -> bool {
        self.state == State::Gone
    }

    /// The power goes, for whatever reason. `Some`: because of this point.
    pub(super) fn power_goes(&mut self) -> Option<Moment> {
        if !matches!(self.state, State::Due | State::Gone) {
            return None;
        }
        let moment = self.moment;
        self.state = match self.again.take() {
            Some(again) => {
                self.moment = again.moment;
                State::Armed(again.step)
            }
            None => State::Down,
        };
        Some(moment)
    }

    pub(super) fn note_image(&mut self, image: u64) {
        self.seen.images.push(image);
    }

    /// The process is gone for another reason: what was handed over is void.
    pub(super) fn killed(&mut self) {
        if matches!(self.state, State::Due | State::Gone) {
            self.state = State::Spent;
        }
    }

    /// A node was opened.
    pub(super) fn opened(&mut self) {
        if !self.seen.images.is_empty() {
            self.seen.recovered = true;
            self.state = State::Spent;
        }
    }

    /// What it came to.
    pub fn into_seen(self) -> CrashSeen {
        self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::{CrashPoint, Fate, StepName};
    use billing_core::FileName;
    use billsim_record::{InRecovery, Moment};

    const SYNC: StepName = StepName { deed: "sync", file: "superblock" };

    #[test]
    fn the_power_goes_at_its_step_and_once_more_in_the_recovery() {
        let again = InRecovery { step: 2, moment: Moment::Before };
        let mut point = CrashPoint::new(2, Moment::After, Some(again), 7);
        assert_eq!(point.step(SYNC, false), Fate::Goes);
        assert_eq!(point.step(SYNC, false), Fate::Dies(Moment::After));
        assert_eq!(point.step(SYNC, true), Fate::Goes, "the power has not gone yet");
        assert_eq!(point.step(SYNC, false), Fate::Never);
        assert_eq!(point.power_goes(), Some(Moment::After));
        point.note_image(1);
        assert_eq!(point.step(StepName::new("write", FileName::Ledger), true), Fate::Goes);
        assert_eq!(point.step(SYNC, true), Fate::Dies(Moment::Before));
        assert!(point.is_power_gone());
        assert_eq!(point.step(SYNC, true), Fate::Never);
        assert_eq!(point.power_goes(), Some(Moment::Before));
        point.note_image(2);
        assert_eq!(point.power_goes(), None, "another reason");
        assert_eq!(point.step(SYNC, true), Fate::Goes);
        point.opened();
        let seen = point.into_seen();
        assert_eq!((seen.steps.len(), seen.recovery.len()), (2, 2));
        assert_eq!((seen.images, seen.recovered), (vec![1, 2], true));
    }

    #[test]
    fn a_recovery_that_takes_fewer_steps_is_left_alone() {
        let again = InRecovery { step: 9, moment: Moment::Before };
        let mut point = CrashPoint::new(1, Moment::Amid, Some(again), 7);
        assert_eq!(point.step(SYNC, true), Fate::Dies(Moment::Amid));
        assert_eq!(point.power_goes(), Some(Moment::Amid));
        point.note_image(1);
        assert_eq!(point.step(SYNC, true), Fate::Goes);
        point.opened();
        for _ in 0..20 {
            assert_eq!(point.step(SYNC, true), Fate::Goes);
        }
        assert_eq!(point.into_seen().recovery.len(), 1);
    }
}
