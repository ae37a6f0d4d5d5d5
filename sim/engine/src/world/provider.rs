//! The payment provider: a bank outside of every region with books and a table of idempotency keys
//! of its own. What it is asked for under one key it pays once, however often it is asked; beyond
//! that it may be slow, refuse for no reason, lose calls and answers, and say that it refused what
//! it has paid. Nodes never see its books.

use super::event::{Event, NodeEvent};
use super::service::{Lot, Service};
use super::{Todo, World};
use crate::scenario::Scenario;
use crate::seed::{Purpose, Stream};
use crate::trace::Traced;
use billing_core::{Effect, EffectId, EffectResult, Input, sometimes};
use billing_wire::{Date, OpId};
use billsim_oracle::evidence::Payout;
use billsim_record::{Happening, PlannedService};
use std::collections::BTreeMap;

/// The provider's stream among the world's.
const STREAM: u64 = 5_000;
/// The bank's books have days, and a run is shorter than one.
const TODAY: Date = Date(20_100);

/// A call on its way to the provider.
#[derive(Debug)]
pub struct ProviderCall {
    slot: usize,
    life: u32,
    effect: Effect,
    /// The caller waits no longer, in nanoseconds.
    until: u64,
}

/// The provider.
#[derive(Debug)]
pub(super) struct Provider {
    service: Service,
    /// What was asked for under each key, and paid.
    paid: BTreeMap<OpId, Payout>,
}

impl Provider {
    /// The provider of a scenario, if it has one.
    pub(super) fn of(scenario: &Scenario, seed: u64, manners: PlannedService) -> Option<Self> {
        let stream = Stream::indexed(seed, Purpose::Net, STREAM);
        let service = Service::new(scenario.provider.as_ref()?, manners, stream);
        Some(Self { service, paid: BTreeMap::new() })
    }

    /// What the provider does with a call: whether it pays, and what it says; `None`: nothing.
    fn decide(&mut self) -> (bool, Option<EffectResult>) {
        let Lot { is_refused, is_mute, is_lie } = self.service.lot();
        let said = match (is_refused, is_mute, is_lie) {
            (true, ..) | (_, _, true) => Some(EffectResult::Refused),
            (_, true, _) => None,
            _ => Some(EffectResult::Paid { on: TODAY }),
        };
        (!is_refused, said)
    }
}

fn payout_of(effect: &Effect) -> Payout {
    let Effect { key, refund, account, amount, .. } = *effect;
    Payout { key, refund, account, amount }
}

impl World {
    /// Calls leave a machine. The oracles know by now what it has committed.
    pub(super) fn effects_leave(&mut self, slot: usize) {
        for effect in std::mem::take(&mut self.effects) {
            let node = self.machines[slot].node;
            self.jury.payout_leaves(self.now, node, &payout_of(&effect));
            self.trace.add(self.now, Traced::Outside, slot as u8, &effect.key.0.to_le_bytes());
            self.tell_payout(Some(slot), Some(effect.refund), || {
                let (amount, account) = (effect.amount, effect.account);
                format!("asks the bank to pay {amount} to account {account}")
            });
            self.call_provider(slot, effect);
        }
    }

    fn call_provider(&mut self, slot: usize, effect: Effect) {
        let until = self.now + effect.timeout_ms * 1_000_000;
        let call = ProviderCall { slot, life: self.machines[slot].life, effect, until };
        let is_cut = self.is_cut_from_clients(slot);
        let arrival =
            self.provider.as_mut().and_then(|provider| provider.service.arrival(self.now));
        match arrival.filter(|_| !is_cut) {
            Some(at) => self.queue.push(at, Event::ProviderCalled(Box::new(call))),
            None => self.provider_answers(&call, until, EffectResult::Unknown),
        }
    }

    /// A call arrives at the provider.
    pub(super) fn provider_called(&mut self, call: &ProviderCall) -> Option<Todo> {
        let provider = self.provider.as_mut()?;
        let (pays, said) = provider.decide();
        let answer_at = provider.service.answer_at(self.now);
        let payout = payout_of(&call.effect);
        if pays {
            match provider.paid.get(&payout.key) {
                None => {
                    provider.paid.insert(payout.key, payout);
                    self.jury.paid_out(self.now, &payout, TODAY);
                    let bytes = payout.key.0.to_le_bytes();
                    self.trace.add(self.now, Traced::Outside, u8::MAX, &bytes);
                    self.tell_payout(None, Some(payout.refund), || {
                        format!("pays {} to account {}", payout.amount, payout.account)
                    });
                }
                Some(_) => sometimes!("payout-asked-for-again"),
            }
            if self.now > call.until {
                sometimes!("payout-after-its-caller-gave-up");
            }
        }
        let is_cut = self.is_cut_from_clients(call.slot);
        match said {
            Some(said) if answer_at <= call.until && !is_cut => {
                self.provider_answers(call, answer_at, said);
            }
            _ => self.provider_answers(call, call.until.max(self.now), EffectResult::Unknown),
        }
        None
    }

    fn provider_answers(&mut self, call: &ProviderCall, at: u64, result: EffectResult) {
        let (slot, life, id) = (call.slot, call.life, call.effect.id);
        self.queue.push(at, Event::Node { slot, life, event: NodeEvent::EffectDone(id, result) });
    }

    /// A node hears of a payout.
    pub(super) fn provider_heard(
        &mut self,
        slot: usize,
        id: EffectId,
        result: EffectResult,
    ) -> Input {
        self.trace.add(self.now, Traced::Timer, slot as u8, &id.0.to_le_bytes());
        self.tell_payout(Some(slot), None, || {
            let said = match result {
                EffectResult::Paid { .. } => "paid",
                EffectResult::Refused => "not now",
                EffectResult::Unknown => "nothing",
            };
            format!("hears of a payout: {said}")
        });
        Input::EffectDone { id, result }
    }

    fn tell_payout(
        &mut self,
        slot: Option<usize>,
        refund: Option<OpId>,
        words: impl FnOnce() -> String,
    ) {
        self.tell(|world| Happening::Payout {
            node: slot.map(|slot| world.machines[slot].node.0),
            op_id: refund.map(|refund| refund.to_string()),
            words: words(),
        });
    }

    /// From here on the provider does what it is asked for and says so.
    pub(super) fn calm_provider(&mut self) {
        if let Some(provider) = &mut self.provider {
            provider.service.calm();
        }
    }

    /// Whether payouts are waited for: there is somebody who pays, and nothing stands in the way.
    pub(super) fn waits_for_payouts(&self) -> bool {
        self.provider.is_some() && !self.has_unsealed_loss()
    }
}
