//! The outbox: which dues a leader has in hand, which of them are being paid, and when the next
//! try is (billing.md §4). What is due is in the ledger, and nowhere else: all of this may be lost
//! at any moment, and a leader that knows nothing pays again under the same key.
//!
//! It decides neither what is due nor what may be paid: its node shows it dues that are final and
//! its region's to pay. It gives up none of them.

pub mod mail;
#[cfg(test)]
mod tests;

use crate::canary;
use crate::io::{Effect, EffectId, EffectResult};
use crate::sometimes;
use crate::time::Monotonic;
use billing_wire::{Date, OpId, OutboxItem, Position};
use std::collections::BTreeMap;

/// Dues in hand, at most; the others wait in the ledger.
const IN_HAND_MAX: usize = 4_096;
/// Bits of a call's number that count; those above are drawn anew in each life of a node.
const COUNTING_BITS: u32 = 24;
/// The host has so many milliseconds more than the provider before a call counts as unanswered.
const HOST_GRACE_MS: u64 = 250;

/// No clock shows it.
const NEVER: Monotonic = Monotonic(u64::MAX);

/// What of [`crate::Config`] the outbox needs.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Stream of the jitter.
    pub seed: u64,
    /// The cluster's currency.
    pub currency: [u8; 3],
    /// Calls that are open at once, at most.
    pub in_flight_max: usize,
    /// The provider has so many milliseconds to answer.
    pub timeout_ms: u64,
    /// Pause after the first failure; doubled after each further one, up to ...
    pub retry_ms: u64,
    /// ... so many milliseconds.
    pub retry_max_ms: u64,
}

/// How far a due is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It is called from this time on.
    Waits(Monotonic),
    /// The provider has it since this time.
    Called(EffectId, Monotonic),
    /// It is paid; its confirmation is submitted from this time on.
    Paid(Date, Monotonic),
    /// Its confirmation is on its way into the log.
    Confirming(Date),
}

#[derive(Debug, Clone, Copy)]
struct Due {
    item: OutboxItem,
    failures: u32,
    stage: Stage,
}

/// A payout that the ledger should know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmation {
    /// The refund.
    pub refund: OpId,
    /// Minor units.
    pub amount: i64,
    /// When the provider paid.
    pub on: Date,
}

/// The dues that a leader has in hand.
#[derive(Debug)]
pub struct Outbox {
    pace: Pace,
    in_hand: BTreeMap<OpId, Due>,
    /// Open calls.
    calls: BTreeMap<EffectId, OpId>,
    next_call: u64,
    /// Draws so far.
    draws: u64,
    /// The ledger is searched for dues behind this place.
    pub searched: Position,
}

impl Outbox {
    /// Nothing in hand. Calls are numbered from a place that the seed decides, so that an answer
    /// to an earlier life of this node finds nothing.
    pub fn new(pace: Pace) -> Self {
        Self {
            in_hand: BTreeMap::new(),
            calls: BTreeMap::new(),
            next_call: pace.seed << COUNTING_BITS,
            draws: 0,
            searched: Position::default(),
            pace,
        }
    }

    /// This node leads no longer: the next leader pays.
    pub fn clear(&mut self) {
        self.in_hand.clear();
        self.calls.clear();
        self.searched = Position::default();
    }

    /// Whether there is room for another due.
    pub fn has_room(&self) -> bool {
        self.in_hand.len() < IN_HAND_MAX
    }

    /// Calls that are open.
    pub fn open_calls(&self) -> usize {
        self.calls.len()
    }

    /// Takes a due in hand; `false` when it already is.
    pub fn take(&mut self, now: Monotonic, item: OutboxItem) -> bool {
        let is_new = !self.in_hand.contains_key(&item.refund);
        if is_new {
            let due = Due { item, failures: 0, stage: Stage::Waits(now) };
            self.in_hand.insert(item.refund, due);
        }
        is_new
    }

    /// Lets go of what is due no longer. A call that is open ends by itself.
    pub fn retain(&mut self, mut is_due: impl FnMut(&OutboxItem) -> bool) {
        self.in_hand.retain(|_, due| is_due(&due.item));
    }

    /// Calls that were not answered in time end without an answer: the host may have lost it.
    pub fn expire(&mut self, now: Monotonic) {
        let limit_ms = self.pace.timeout_ms + HOST_GRACE_MS;
        let overdue = |due: &Due| match due.stage {
            Stage::Called(id, since) if now.ms_since(since) > limit_ms => Some(id),
            _ => None,
        };
        let late: Vec<EffectId> = self.in_hand.values().filter_map(overdue).collect();
        for id in late {
            self.done(now, id, EffectResult::Unknown);
        }
        // What was let go of while it was called has no due any more.
        self.calls.retain(|_, refund| self.in_hand.contains_key(refund));
    }

    /// Opens calls for what may be tried now, as many as may be open.
    pub fn start_calls(&mut self, now: Monotonic, mut call: impl FnMut(Effect)) {
        for (refund, due) in &mut self.in_hand {
            if self.calls.len() >= self.pace.in_flight_max {
                return;
            }
            if !matches!(due.stage, Stage::Waits(until) if until <= now) {
                continue;
            }
            let id = EffectId(self.next_call);
            self.next_call += 1;
            if due.failures > 0 {
                sometimes!("effect-retried");
            }
            due.stage = Stage::Called(id, now);
            self.calls.insert(id, *refund);
            let mut key = *refund;
            if canary!("payout-key-drawn-anew") {
                key = OpId(key.0 ^ u128::from(id.0));
            }
            call(Effect {
                id,
                key,
                refund: *refund,
                account: due.item.account,
                amount: due.item.amount,
                currency: self.pace.currency,
                timeout_ms: self.pace.timeout_ms,
            });
        }
    }

    /// A call ended. One that is not open any more says nothing: whoever has the due now asks
    /// under the same key and hears the same.
    pub fn done(&mut self, now: Monotonic, id: EffectId, result: EffectResult) {
        let Some(refund) = self.calls.remove(&id) else { return };
        let Some(due) = self.in_hand.get(&refund).filter(|due| due.is_called(id)) else { return };
        let failures = due.failures;
        match result {
            EffectResult::Paid { on } => self.set(refund, 0, Stage::Paid(on, now)),
            EffectResult::Refused | EffectResult::Unknown => {
                if result == EffectResult::Refused {
                    sometimes!("effect-refused");
                } else {
                    sometimes!("effect-unknown");
                }
                let until = now.plus_ms(self.pause_ms(refund, failures));
                let until = if canary!("failed-payout-given-up") { NEVER } else { until };
                self.set(refund, failures + 1, Stage::Waits(until));
            }
        }
    }

    /// Payouts whose confirmation is to be submitted now; they are on their way from here on.
    pub fn take_confirmations(&mut self, now: Monotonic) -> Vec<Confirmation> {
        let mut ready = Vec::new();
        for (refund, due) in &mut self.in_hand {
            if let Stage::Paid(on, from) = due.stage
                && from <= now
            {
                due.stage = Stage::Confirming(on);
                ready.push(Confirmation { refund: *refund, amount: due.item.amount, on });
            }
        }
        ready
    }

    /// A confirmation did not get into the log, or may not have: it is submitted again.
    pub fn confirm_again(&mut self, now: Monotonic, refund: OpId) {
        let Some(due) = self.in_hand.get(&refund) else { return };
        if let Stage::Confirming(on) = due.stage {
            sometimes!("payout-confirmed-again");
            let failures = due.failures;
            let from = now.plus_ms(self.pause_ms(refund, failures));
            self.set(refund, failures + 1, Stage::Paid(on, from));
        }
    }

    fn set(&mut self, refund: OpId, failures: u32, stage: Stage) {
        if let Some(due) = self.in_hand.get_mut(&refund) {
            (due.failures, due.stage) = (failures, stage);
        }
    }

    fn pause_ms(&mut self, refund: OpId, failures: u32) -> u64 {
        self.draws += 1;
        self.pace.pause_ms(refund, failures, self.draws)
    }
}

impl Pace {
    /// Milliseconds until the next try: doubled with each failure, and anywhere in the upper half
    /// of that, so that what failed together does not come back together (M. Brooker,
    /// "Exponential Backoff and Jitter", 2015).
    fn pause_ms(&self, key: OpId, failures: u32, draws: u64) -> u64 {
        let longest = self.retry_ms << failures.min(20);
        let longest = longest.clamp(1, self.retry_max_ms);
        let draw = crate::consensus::mix(self.seed ^ key.0 as u64 ^ draws << 40);
        longest.div_ceil(2) + draw % (longest / 2 + 1)
    }
}

impl Due {
    fn is_called(&self, id: EffectId) -> bool {
        matches!(self.stage, Stage::Called(open, _) if open == id)
    }
}
