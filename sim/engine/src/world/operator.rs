//! People: an operator who seals regions, as the plan says, and keeps at it until a node has done
//! it. Whether a region is lost is the operator's judgement; the nodes refuse to seal one that they
//! hear.

use super::event::{Event, NodeEvent};
use super::machine::Power;
use super::{Todo, World};
use crate::trace::Traced;
use billing_core::RequestId;
use billing_wire::{RegionId, SealAnswer, SealRefusal};
use billsim_record::Happening;

/// The operator asks another node after this, in nanoseconds.
const ASK_AGAIN_NS: u64 = 1_000_000_000;
/// A node that has not answered within this never will, in nanoseconds.
const PATIENCE_NS: u64 = 8_000_000_000;
/// Requests of operators are numbered from here: clients never come so far.
const FIRST_REQUEST: u64 = 1 << 62;

/// What an operator is at.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Errand {
    /// How often the operator came back to it.
    attempts: u64,
    /// A node was asked.
    was_asked: bool,
    pub(super) is_done: bool,
}

impl World {
    /// Plans what the operator does.
    pub(super) fn plan_operator(&mut self) {
        for (number, action) in self.plan.operator.iter().enumerate() {
            self.errands.push(Errand::default());
            self.queue.push(action.at_ms * 1_000_000, Event::Operator { number, attempt: 0 });
        }
    }

    /// The operator asks the next node that could seal the region.
    pub(super) fn operator_asks(&mut self, number: usize, attempt: u64) -> Option<Todo> {
        let region = RegionId(self.plan.operator[number].seal);
        let errand = &mut self.errands[number];
        if errand.is_done || errand.attempts != attempt {
            return None;
        }
        errand.attempts += 1;
        let next = Event::Operator { number, attempt: attempt + 1 };
        let own = self.region_slots(region.0.into());
        let is_up = |slot: &usize| matches!(self.machines[*slot].power, Power::Up);
        if self.waits_for_another(number) {
            if self.region_slots(region.0.into()).all(|slot| is_up(&slot)) {
                // It is back before anybody was asked.
                self.errands[number].is_done = true;
            } else {
                self.queue.push(self.now + ASK_AGAIN_NS, next);
            }
            return None;
        }
        let able = (0..self.machines.len()).filter(is_up).filter(|slot| !own.contains(slot));
        let able: Vec<usize> = able.filter(|slot| self.may_seal(*slot)).collect();
        let Some(slot) = able.get(attempt as usize % able.len().max(1)).copied() else {
            self.queue.push(self.now + ASK_AGAIN_NS, next);
            return None;
        };
        self.queue.push(self.now + PATIENCE_NS, next);
        self.errands[number].was_asked = true;
        if !self.sealed.contains(&region) {
            // From here on it may be without a leader for reasons that are no fault.
            self.health_changes();
            self.sealed.push(region);
            self.note_trouble();
        }
        self.trace.add(self.now, Traced::Request, slot as u8, &[b's', region.0]);
        let node = self.machines[slot].node.0;
        self.tell(|_| Happening::SealAsked { region: region.0, node });
        let request = RequestId(FIRST_REQUEST + number as u64);
        Some(self.feed(slot, NodeEvent::Seal { request, regions: vec![region] }))
    }

    /// Whether the seal of another region was begun and is not done, or another one has lost its
    /// disks: two at once would give up what lies in these two alone.
    fn waits_for_another(&self, number: usize) -> bool {
        let region = self.plan.operator[number].seal;
        let others = self.errands.iter().zip(&self.plan.operator);
        let mut others = others.filter(|(_, action)| action.seal != region);
        let has_lost = |other: u8| other != region && self.has_lost_disks(other);
        !self.errands[number].was_asked
            && (others.any(|(errand, _)| errand.was_asked && !errand.is_done)
                || self.regions().any(|other| has_lost(other as u8)))
    }

    /// Whether a region is sealed and does not work again yet, or its seal is asked for and not
    /// done.
    pub(super) fn is_a_region_out(&self) -> bool {
        let mut regions = self.regions().map(|region| RegionId(region as u8));
        self.errands.iter().any(|errand| errand.was_asked && !errand.is_done)
            || regions.any(|region| self.jury.is_out(region))
    }

    /// Whether a node may be asked to seal others: not one of a region that is sealed, or about to
    /// be. It may not know, and two regions that seal each other are two clusters from then on.
    fn may_seal(&self, slot: usize) -> bool {
        let region = self.genesis.region_of(self.machines[slot].node).unwrap_or_default();
        let mut errands = self.errands.iter().zip(&self.plan.operator);
        let is_asked_for = errands
            .any(|(errand, action)| action.seal == region.0 && errand.was_asked && !errand.is_done);
        !is_asked_for && !self.jury.is_sealed(region)
    }

    /// A node has sealed, or says why not.
    pub(super) fn seal_answered(&mut self, request: RequestId, answer: &SealAnswer) {
        let number = (request.0 - FIRST_REQUEST) as usize;
        let region = self.plan.operator[number].seal;
        let attempt = self.errands[number].attempts;
        self.trace.add(self.now, Traced::Answer, region, &[b's', answer.is_ok().into()]);
        self.tell(|_| answered(region, answer));
        let lives = |slot: usize| matches!(self.machines[slot].power, Power::Up);
        let is_done = match answer {
            Ok(_) | Err(SealRefusal::AlreadySealed { .. }) => true,
            // It was not lost after all: the operator sees that and leaves it, unless a node says
            // that it has promised to take no more of it. From then on only a seal helps.
            Err(SealRefusal::Alive { .. }) => {
                !self.has_lost_disks(region)
                    && self.region_slots(region.into()).any(lives)
                    && !self.has_promised(RegionId(region))
            }
            Err(_) => false,
        };
        if let Err(SealRefusal::Alive { .. }) = answer
            && is_done
        {
            self.health_changes();
            self.sealed.retain(|sealed| sealed.0 != region);
        }
        self.errands[number].is_done = is_done;
        if !is_done {
            let next = Event::Operator { number, attempt };
            self.queue.push(self.now + ASK_AGAIN_NS, next);
        }
    }

    /// Whether a region will not come back by itself: its log has no majority that remembers it.
    fn has_lost_disks(&self, region: u8) -> bool {
        let slots = self.region_slots(region.into());
        let forgot = |slot: &usize| self.machines[*slot].disk().inspector().is_forgotten();
        slots.clone().filter(forgot).count() * 2 > slots.len()
    }

    /// Whether a node says that it has promised to take no more of a region, and has not read its
    /// seal. One that is down says nothing; it may have promised for a seal that is done.
    fn has_promised(&self, region: RegionId) -> bool {
        let mut running = self.machines.iter().filter(|machine| machine.is_running());
        running.any(|machine| {
            machine.disk().inspector().promise(region).is_some_and(|promise| promise.fenced)
        })
    }

    /// A sentence per thing that the operator has still to do.
    pub(super) fn unfinished_errands(&self) -> impl Iterator<Item = String> + '_ {
        let errands = self.errands.iter().zip(&self.plan.operator);
        errands.filter(|(errand, _)| !errand.is_done).map(|(errand, action)| {
            let (region, attempts) = (action.seal, errand.attempts);
            format!("region {region} is not sealed, the operator came {attempts} times")
        })
    }

    /// Whether the operator has still something to do.
    pub(super) fn has_unfinished_errands(&self) -> bool {
        self.errands.iter().any(|errand| !errand.is_done)
    }

    /// Whether a region is gone and nothing says so: then nothing becomes final.
    pub(super) fn has_unsealed_loss(&self) -> bool {
        self.destroyed.iter().any(|region| !self.sealed.contains(region))
    }
}

fn answered(region: u8, answer: &SealAnswer) -> Happening {
    let words = match answer {
        Ok(chains) => {
            let ends = chains.iter().map(|chain| {
                format!("the log of region {} ends at entry {}", chain.region, chain.last_index)
            });
            ends.collect::<Vec<_>>().join(", ")
        }
        Err(refusal) => refusal.to_string(),
    };
    Happening::SealAnswered { region, sealed: answer.is_ok(), words }
}
