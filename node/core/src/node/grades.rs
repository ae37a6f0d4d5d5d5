//! Answers by grade in a cluster of several regions (billing.md §3): a write that was folded waits
//! until its entry is as durable as its client asked for, or its region gives up waiting.

use super::Node;
use crate::canary;
use crate::consensus::Consensus;
use crate::io::{HaltReason, Outputs, Role};
use crate::session::Waiter;
use crate::sometimes;
use crate::time::Now;
use billing_wire::{
    Grade, Hlc, LogIndex, OnUnmet, OpId, RecordView, RegionId, RegionMode, WriteAnswer,
    WriteOptions,
};

/// How far the entries of the own region log are safe, as this node knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Reach {
    /// Geo-durable up to this index.
    geo: LogIndex,
    /// Sum over the region logs of the newest geo index that each has logged: a duplicate of
    /// another region's entry waits for what that region says.
    logged: u64,
    /// Final up to this stamp.
    watermark: Hlc,
    /// Other regions are out of reach and nobody waits for them.
    is_degraded: bool,
    /// A bit for each other region that will not say for now how far its log is geo-durable.
    silent: u8,
}

impl Reach {
    fn grade(&self, index: LogIndex, hlc: Hlc) -> Grade {
        if canary!("region-acknowledged-as-geo") {
            return Grade::Geo;
        }
        if hlc <= self.watermark {
            Grade::Final
        } else if index <= self.geo {
            Grade::Geo
        } else {
            Grade::Region
        }
    }

    /// Whether an entry of this grade may be answered now.
    fn releases(&self, grade: Grade, options: WriteOptions) -> bool {
        let wanted = options.wanted();
        let wanted = if canary!("final-not-waited-for") { wanted.min(Grade::Geo) } else { wanted };
        grade >= wanted || self.is_degraded
    }
}

impl Node {
    /// Notes where the submissions of a record of the own region stand; their waiters are
    /// answered when their grade is reached.
    pub(super) fn place_folded(&mut self, view: &RecordView<'_>) {
        if view.header.region != self.region || self.sessions.is_empty() {
            return;
        }
        for submission in view.submissions().flatten() {
            let position = view.header.position(submission.offset);
            self.sessions.place(submission.op_id, &submission.fingerprint, position);
        }
    }

    /// Answers whoever waits for a grade that is reached now.
    pub(super) fn answer_reached(&mut self, now: Now, out: &mut Outputs) {
        if self.sessions.waiting_for_grade() == 0 {
            return;
        }
        let reach = Reach { silent: self.silent_regions(now), ..self.reach() };
        if !self.sessions.has_new_places() && reach == self.reached {
            return;
        }
        self.reached = reach;
        for op_id in self.sessions.placed() {
            let Ok(known) = self.ledger.operation(op_id) else {
                self.halt(HaltReason::Ledger, out);
                return;
            };
            // The same operation may have been submitted in another region before: the answer
            // names that place, so it too must be safe.
            let (named, is_silent) = known.map_or((Grade::Region, false), |known| {
                let region = known.position.region;
                (self.grade_now(known.position), reach.silent & 1 << region.0 != 0)
            });
            let Some(released) = self.sessions.release(op_id, |options, position| {
                let is_later = reach.is_degraded && position.offset > 0;
                if canary!("degraded-answers-first-of-entry") && is_later {
                    return false;
                }
                let own = reach.grade(position.index, position.hlc);
                let told = if is_silent { own } else { own.min(named) };
                reach.releases(told, options)
            }) else {
                continue;
            };
            self.answer_placed(now, op_id, &released, out);
        }
    }

    /// Answers waiters of an operation that is in the log, with the grade that it has.
    pub(super) fn answer_placed(
        &mut self,
        now: Now,
        op_id: OpId,
        released: &crate::session::Released,
        out: &mut Outputs,
    ) {
        let Ok(known) = self.ledger.operation(op_id) else {
            self.halt(HaltReason::Ledger, out);
            return;
        };
        let known = known.expect("a folded submission has its row");
        for waiter in &released.waiters {
            let answer = if known.fingerprint == released.fingerprint {
                let replayed = known.position != released.position;
                let receipt = self.receipt(op_id, &known, replayed, waiter.options());
                note_grade(receipt.grade, *waiter);
                WriteAnswer::Done(receipt)
            } else {
                WriteAnswer::Conflict { op_id }
            };
            self.answer(now, *waiter, answer, out);
        }
    }

    /// How far entries of the own region log are safe. The leader knows more than its log says.
    fn reach(&self) -> Reach {
        let custody = &self.custodies[usize::from(self.region.0)];
        Reach {
            geo: custody.geo_index.max(self.geo_live()),
            logged: self.custodies.iter().map(|custody| custody.geo_index).sum(),
            watermark: self.ledger.watermark(),
            is_degraded: custody.mode == RegionMode::Degraded || !self.has_company(),
            silent: 0,
        }
    }

    /// Regions that acknowledge alone, or were not heard for as long as a region waits before it
    /// does: who waits for what their logs say next may wait as long as the cut lasts. What stands
    /// there is answered as it is known, as every replay is.
    fn silent_regions(&self, now: Now) -> u8 {
        if canary!("duplicate-waits-for-the-silent") {
            return 0;
        }
        let is_silent = |region: RegionId| {
            let place = usize::from(region.0);
            let is_alone = self.custodies[place].mode == RegionMode::Degraded;
            let unheard_ms = now.monotonic.ms_since(self.heard_at[place]);
            region != self.region && (is_alone || unheard_ms >= self.config.geo_timeout_ms)
        };
        let regions = (0..self.logs.len() as u8).map(RegionId).filter(|region| is_silent(*region));
        regions.fold(0, |silent, region| silent | 1 << region.0)
    }

    /// The own region log is geo-durable up to here, as far as this node knows; 0 in a cluster of
    /// one region.
    pub(super) fn geo_index(&self) -> LogIndex {
        if self.logs.len() == 1 { 0 } else { self.reach().geo }
    }

    /// Committed entries of the own region that are not known to be geo-durable.
    pub(super) fn exposure(&self) -> u64 {
        match self.logs.len() {
            1 => 0,
            _ => {
                let exposed = self.own_log().committed().saturating_sub(self.reach().geo);
                let in_flight = if canary!("exposure-forgets-in-flight") {
                    self.sessions.waiting_for_grade()
                } else {
                    0
                };
                exposed.saturating_sub(in_flight)
            }
        }
    }

    /// The grade that an operation has now, for a replayed answer.
    pub(super) fn grade_now(&self, position: billing_wire::Position) -> Grade {
        let own = position.region == self.region;
        let reach = self.reach();
        let custody = &self.custodies[usize::from(position.region.0)];
        let geo = if own { reach.geo } else { custody.geo_index };
        Reach { geo, ..reach }.grade(position.index, position.hlc)
    }

    /// Up to here the own region log is geo-durable, as its leader knows from its learners.
    pub(super) fn geo_live(&self) -> LogIndex {
        match self.own_log().role() {
            Role::Leader => self.own_log().geo_durable(),
            Role::Follower | Role::Candidate | Role::Learner => 0,
        }
    }

    /// Whether a write that insists on its grade must be refused before it is appended.
    pub(super) fn cannot_reach(&self, options: WriteOptions) -> bool {
        let wanted = options.wanted();
        self.logs.len() > 1
            && (options.on_unmet == OnUnmet::FailFast || canary!("refused-for-any-grade"))
            && wanted > Grade::Region
            && self.reach().is_degraded
    }
}

fn note_grade(grade: Grade, waiter: Waiter) {
    match grade {
        Grade::Region if waiter.options().min_durability == Some(Grade::Region) => {}
        Grade::Region => sometimes!("answered-below-its-grade"),
        Grade::Geo => sometimes!("answered-geo"),
        Grade::Final => sometimes!("answered-final"),
    }
}
