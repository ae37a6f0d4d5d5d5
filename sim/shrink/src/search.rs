//! The search: pass after pass over a plan, until a whole round changes nothing.
//!
//! A pass proposes candidates in a fixed order, and the first that fails the same way is taken,
//! whichever of them is done first: how many run at a time does not change the result.

use crate::ddmin::ddmin;
use crate::lower::{lower, milder, shorter};
use crate::memory::Memory;
use crate::{Place, Stopped, Trial};
use billsim_record::{FaultPlan, PlannedFault, PlannedService};
use std::collections::BTreeSet;

/// Candidates that are made at a time: enough for many cores, few enough for memory.
const BATCH: usize = 16;
/// A plan with one fault less may need so many operations more.
const OPERATIONS_PER_FAULT: usize = 3;
/// Rounds at most; the second one rarely finds anything.
const ROUNDS_MAX: u32 = 8;

/// The plan to shrink.
#[derive(Debug, Clone)]
pub struct Start {
    /// It fails.
    pub plan: FaultPlan,
    /// Where.
    pub place: Place,
    /// Length of its scenario's safety phase in milliseconds.
    pub safety_ms: u64,
}

/// What a search came to.
#[derive(Debug, Clone)]
pub struct Shrunk {
    /// The smallest plan that is known to fail the same way.
    pub plan: FaultPlan,
    /// Where it fails.
    pub place: Place,
    /// Whether nothing more could be left out: each fault, each operation and each action of the
    /// operator was left out in turn, and the failure was another one or none. `false`: the budget
    /// was over before.
    pub is_minimal: bool,
}

/// How far a search is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What is being made smaller.
    pub pass: &'static str,
    /// Plans that were tried so far.
    pub trials: u64,
    /// Faults of the smallest plan so far.
    pub faults: usize,
    /// Operations that it sends until it fails.
    pub operations: u64,
}

/// Shrinks a plan. `try_all` tries plans in their order and may leave out those behind one that
/// fails the same way; leaving out one ahead of it ends the search.
pub fn shrink(
    start: Start,
    memory: &mut Memory,
    try_all: &mut dyn FnMut(&[FaultPlan], &Memory) -> Vec<Trial>,
    on_step: &mut dyn FnMut(Step),
) -> Shrunk {
    let Start { plan, place, safety_ms } = start;
    let (best, pass) = (plan, "time");
    let mut search = Search { best, place, safety_ms, memory, try_all, on_step, pass };
    let is_minimal = search.rounds().is_ok();
    Shrunk { plan: search.best, place: search.place, is_minimal }
}

/// The same faults, with every operation of every client, as long as before.
fn with_whole_load(plan: &FaultPlan) -> FaultPlan {
    let mut plan = plan.clone();
    (plan.load.only, plan.load.clients) = (None, None);
    plan
}

/// How much a person has to read: a fault as much as some operations.
fn cost(plan: &FaultPlan) -> usize {
    let sent = plan.load.only.as_ref().map_or(usize::MAX / 2, BTreeSet::len);
    sent + plan.faults.len() * OPERATIONS_PER_FAULT
}

struct Search<'a> {
    best: FaultPlan,
    place: Place,
    safety_ms: u64,
    memory: &'a mut Memory,
    try_all: &'a mut dyn FnMut(&[FaultPlan], &Memory) -> Vec<Trial>,
    on_step: &'a mut dyn FnMut(Step),
    pass: &'static str,
}

impl Search<'_> {
    fn rounds(&mut self) -> Result<(), Stopped> {
        for _ in 0..ROUNDS_MAX {
            let before = self.best.clone();
            self.cut()?;
            self.faults()?;
            self.operator()?;
            self.cut()?;
            self.operations()?;
            self.clients()?;
            self.phase_end()?;
            self.faults_with_other_operations()?;
            self.sooner()?;
            self.gaps()?;
            self.provider()?;
            self.weaken("durations", shorter)?;
            self.weaken("strengths", milder)?;
            if self.best == before {
                return Ok(());
            }
        }
        // Each round shrank something: still a small plan, but not proved minimal.
        Err(Stopped)
    }

    /// What comes behind the failure cannot matter to it, unless it was seen after the phase.
    fn cut(&mut self) -> Result<(), Stopped> {
        self.pass = "time";
        let Place { at_ms, operations } = self.place;
        let end = self.best.load.until_ms.unwrap_or(self.safety_ms);
        let mut plan = self.best.clone();
        plan.load.only = Some(self.numbers(operations).into_iter().collect());
        if at_ms + 1 < end {
            plan.faults.retain(|planned| planned.at_ms <= at_ms);
            plan.operator.retain(|planned| planned.at_ms <= at_ms);
            plan.load.until_ms = Some(at_ms + 1);
        }
        self.first(1, &|_| plan.clone()).map(|_| ())
    }

    /// Operations that are sent, up to a number.
    fn numbers(&self, last: u64) -> Vec<u64> {
        (1..=last).filter(|number| self.best.load.sends(*number)).collect()
    }

    fn faults(&mut self) -> Result<(), Stopped> {
        self.pass = "faults";
        let base = self.best.clone();
        let with = |faults| FaultPlan { faults, ..base.clone() };
        ddmin(base.faults.clone(), |count, candidate| {
            self.first(count, &|number| with(candidate(number)))
        })?;
        Ok(())
    }

    /// Without what people do: each is as much to read as a fault.
    fn operator(&mut self) -> Result<(), Stopped> {
        self.pass = "operator";
        let base = self.best.clone();
        let with = |operator| FaultPlan { operator, ..base.clone() };
        ddmin(base.operator.clone(), |count, candidate| {
            self.first(count, &|number| with(candidate(number)))
        })?;
        Ok(())
    }

    /// Without each kind of the provider's misbehaviour, and of the mail service's.
    fn provider(&mut self) -> Result<(), Stopped> {
        self.pass = "provider";
        let parties: [fn(&mut FaultPlan) -> &mut PlannedService; 2] =
            [|plan| &mut plan.provider, |plan| &mut plan.mail];
        for party in parties {
            for kind in 0..party(&mut self.best).kinds().len() {
                let mut plan = self.best.clone();
                let (_, percent) = &mut party(&mut plan).kinds()[kind];
                if std::mem::take(*percent) > 0 {
                    self.first(1, &|_| plan.clone())?;
                }
            }
        }
        Ok(())
    }

    fn operations(&mut self) -> Result<(), Stopped> {
        self.pass = "operations";
        let base = self.best.clone();
        let with = |numbers: Vec<u64>| {
            let mut plan = base.clone();
            plan.load.only = Some(numbers.into_iter().collect::<BTreeSet<u64>>());
            plan
        };
        ddmin(self.numbers(self.place.operations), |count, candidate| {
            self.first(count, &|number| with(candidate(number)))
        })?;
        Ok(())
    }

    /// From one client on, twice as many each time; nobody matters where nothing is sent.
    fn clients(&mut self) -> Result<(), Stopped> {
        self.pass = "clients";
        if self.best.load.only.as_ref().is_some_and(BTreeSet::is_empty) {
            return Ok(());
        }
        let now = self.best.load.clients.unwrap_or(u32::MAX);
        let fewer: Vec<u32> =
            (0..10).map(|power| 1 << power).filter(|clients| *clients < now).collect();
        let base = self.best.clone();
        let with = |number: usize| {
            let mut plan = base.clone();
            plan.load.clients = Some(fewer[number]);
            plan
        };
        self.first(fewer.len(), &with).map(|_| ())
    }

    /// A failure that was seen after the phase may need less of it.
    fn phase_end(&mut self) -> Result<(), Stopped> {
        self.pass = "time";
        loop {
            let base = self.best.clone();
            let end = base.load.until_ms.unwrap_or(self.safety_ms);
            if self.place.at_ms < end {
                return Ok(());
            }
            let least = base.faults.last().map_or(1, |planned| planned.at_ms + 1);
            let earlier = lower(end, least);
            let with = |number: usize| {
                let mut plan = base.clone();
                plan.load.until_ms = Some(earlier[number]);
                plan
            };
            if self.first(earlier.len(), &with)?.is_none() {
                return Ok(());
            }
        }
    }

    /// Each fault, with all behind it, comes sooner after the one before.
    fn gaps(&mut self) -> Result<(), Stopped> {
        let mut number = 0;
        while number < self.best.faults.len() {
            let is_smaller = self.gap(number, false)?
                || self.with_other_operations(|search| search.gap(number, true))?;
            number += usize::from(!is_smaller);
        }
        Ok(())
    }

    /// Other operations may show the same with less of the rest: tries something with the whole
    /// load, and shrinks that again. Nothing is won if that costs more.
    fn with_other_operations(
        &mut self,
        attempt: impl FnOnce(&mut Self) -> Result<bool, Stopped>,
    ) -> Result<bool, Stopped> {
        let (best, place) = (self.best.clone(), self.place);
        if !attempt(self)? {
            return Ok(false);
        }
        let result = self.cut().and_then(|()| self.operations());
        let is_better = cost(&self.best) <= cost(&best);
        if !is_better {
            (self.best, self.place) = (best, place);
        }
        result.map(|()| is_better)
    }

    /// A fault that only made chance fall otherwise is not needed with other operations, or with
    /// more time for chance to fall.
    fn faults_with_other_operations(&mut self) -> Result<(), Stopped> {
        let mut number = 0;
        while number < self.best.faults.len() {
            let is_fewer = self.with_other_operations(|search| {
                search.pass = "faults";
                let mut plan = with_whole_load(&search.best);
                plan.faults.remove(number);
                plan.load.until_ms = None;
                Ok(search.first(1, &|_| plan.clone())?.is_some())
            })?;
            number += usize::from(!is_fewer);
        }
        Ok(())
    }

    /// Earlier operations may show the same sooner.
    fn sooner(&mut self) -> Result<(), Stopped> {
        loop {
            let end = self.best.load.until_ms.unwrap_or(self.safety_ms);
            let sooner = self.place.at_ms / 16 * 15;
            let least = self.best.faults.last().map_or(0, |planned| planned.at_ms);
            let is_late = self.place.at_ms >= end;
            let is_sooner = !is_late
                && sooner > least
                && self.with_other_operations(|search| {
                    search.pass = "time";
                    let mut plan = with_whole_load(&search.best);
                    plan.load.until_ms = Some(sooner);
                    Ok(search.first(1, &|_| plan.clone())?.is_some())
                })?;
            if !is_sooner {
                return Ok(());
            }
        }
    }

    /// Makes the gap before a fault smaller, with the operations as they are, or all of them.
    fn gap(&mut self, number: usize, with_all: bool) -> Result<bool, Stopped> {
        self.pass = "time";
        let base = self.best.clone();
        let before = number.checked_sub(1).map_or(0, |before| base.faults[before].at_ms);
        let gap = base.faults[number].at_ms - before;
        let smaller = lower(gap, 0);
        let with = |candidate: usize| {
            let mut plan = if with_all { with_whole_load(&base) } else { base.clone() };
            for planned in &mut plan.faults[number..] {
                planned.at_ms -= gap - smaller[candidate];
            }
            plan
        };
        Ok(self.first(smaller.len(), &with)?.is_some())
    }

    /// Each fault in a weaker version.
    fn weaken(
        &mut self,
        pass: &'static str,
        weaker: fn(&PlannedFault) -> Vec<PlannedFault>,
    ) -> Result<(), Stopped> {
        self.pass = pass;
        let mut number = 0;
        while number < self.best.faults.len() {
            let base = self.best.clone();
            let versions = weaker(&base.faults[number]);
            let with = |candidate: usize| {
                let mut plan = base.clone();
                plan.faults[number] = versions[candidate];
                plan
            };
            if self.first(versions.len(), &with)?.is_none() {
                number += 1;
            }
        }
        Ok(())
    }

    /// The first of some candidates that fails the same way; it is the best plan from then on.
    fn first(
        &mut self,
        count: usize,
        candidate: &dyn Fn(usize) -> FaultPlan,
    ) -> Result<Option<usize>, Stopped> {
        for from in (0..count).step_by(BATCH) {
            let batch: Vec<FaultPlan> = (from..count.min(from + BATCH)).map(candidate).collect();
            let found = self.first_of(&batch);
            self.report();
            if let Some((number, place)) = found? {
                (self.best, self.place) = (batch[number].clone(), place);
                self.report();
                return Ok(Some(from + number));
            }
        }
        Ok(None)
    }

    fn first_of(&mut self, batch: &[FaultPlan]) -> Result<Option<(usize, Place)>, Stopped> {
        let keys: Vec<String> = batch.iter().map(Memory::key).collect();
        let mut unknown: Vec<(usize, FaultPlan)> = Vec::new();
        for (number, key) in keys.iter().enumerate() {
            match self.memory.recall(key) {
                Trial::Same(_) => break,
                Trial::Other => {}
                Trial::NotRun if keys[..number].contains(key) => {}
                Trial::NotRun => unknown.push((number, batch[number].clone())),
            }
        }
        if !unknown.is_empty() {
            let (numbers, plans): (Vec<usize>, Vec<FaultPlan>) = unknown.into_iter().unzip();
            let trials = (self.try_all)(&plans, self.memory);
            for (number, trial) in numbers.into_iter().zip(trials) {
                self.memory.note(keys[number].clone(), trial);
            }
        }
        for (number, key) in keys.iter().enumerate() {
            match self.memory.recall(key) {
                Trial::NotRun => return Err(Stopped),
                Trial::Other => {}
                Trial::Same(place) => return Ok(Some((number, place))),
            }
        }
        Ok(None)
    }

    fn report(&mut self) {
        let operations = match &self.best.load.only {
            Some(only) => only.len() as u64,
            None => self.place.operations,
        };
        let (pass, trials, faults) = (self.pass, self.memory.trials(), self.best.faults.len());
        (self.on_step)(Step { pass, trials, faults, operations });
    }
}
