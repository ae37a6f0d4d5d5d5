//! Payouts: the leader of a region has what its region's log granted paid, once that is final, and
//! logs that it was (billing.md §4). The dues of a region that is sealed are those of the lowest
//! region that is open.

use super::Node;
use super::writes::unavailable;
use crate::canary;
use crate::config::Config;
use crate::consensus::Consensus;
use crate::io::{EffectId, EffectResult, HaltReason, Output, Outputs, Role};
use crate::ledger::store::StoreError;
use crate::outbox::{Confirmation, Pace};
use crate::session::Waiter;
use crate::sometimes;
use crate::time::Now;
use billing_wire::{
    Command, Disposition, Hlc, OpId, OutboxItem, Position, Refusal, RegionId, Submission,
    WriteAnswer, WriteOptions, derived_op_id,
};

/// Dues that are looked at in one tick.
const PAGE: u16 = 128;

/// How payouts are tried.
pub(super) fn pace(config: &Config) -> Pace {
    Pace {
        seed: config.seed,
        currency: config.genesis.currency,
        in_flight_max: config.effects_in_flight_max,
        timeout_ms: config.effect_timeout_ms,
        retry_ms: config.effect_retry_ms,
        retry_max_ms: config.effect_retry_max_ms,
    }
}

impl Node {
    /// Carries every payout as far as it goes; called at each tick.
    pub(super) fn work_at_payouts(&mut self, now: Now, out: &mut Outputs) {
        let is_payer = self.config.pays_refunds
            && self.own_log().role() == Role::Leader
            && self.seals.is_open(self.region);
        if !is_payer {
            return;
        }
        if self.find_dues(now).is_err() {
            self.halt(HaltReason::Ledger, out);
            return;
        }
        self.outbox.expire(now.monotonic);
        self.confirm_payouts(now, out);
        if !self.stopping {
            self.outbox.start_calls(now.monotonic, |effect| {
                sometimes!("effect-called");
                out.push(Output::Effect(effect));
            });
        }
    }

    /// Takes dues in hand that may be paid, and lets go of those that are paid.
    fn find_dues(&mut self, now: Now) -> Result<(), StoreError> {
        let mut failed = None;
        let ledger = &self.ledger;
        self.outbox.retain(|item| {
            ledger.is_due(item.position).unwrap_or_else(|error| {
                failed = Some(error);
                true
            })
        });
        if let Some(error) = failed {
            return Err(error);
        }
        if !self.outbox.has_room() {
            return Ok(());
        }
        let page = self.ledger.outbox(self.outbox.searched, PAGE)?;
        self.outbox.searched = page.next.unwrap_or_default();
        let watermark = self.ledger.watermark();
        for item in page.items {
            if item.position.hlc > watermark && !canary!("effect-before-final") {
                // Those behind it are not final either: from the start again.
                self.outbox.searched = Position::default();
                break;
            }
            if self.pays_for(item.position.region) && !self.is_forgotten(&item) {
                self.take_due(now, item);
            }
        }
        Ok(())
    }

    /// Refuses a client's word that a refund was paid where the provider is asked for it: a wrong
    /// one would take the `op_id` of the true one, for good.
    pub(super) fn check_payout(&self, command: &Command) -> Result<(), Refusal> {
        match command {
            Command::ConfirmPayout { .. } if self.config.pays_refunds => {
                let detail = "refunds are paid out by the cluster: nobody else confirms payouts";
                Err(Refusal { field: "refund".to_owned(), detail: detail.to_owned() })
            }
            _ => Ok(()),
        }
    }

    /// Whether this region pays, and mails, what that region's log granted.
    pub(super) fn pays_for(&self, region: RegionId) -> bool {
        let is_sealed = !self.seals.is_open(region);
        region == self.region || (is_sealed && self.seals.open().next() == Some(self.region))
    }

    /// A planted bug: what an earlier leader granted counts as paid by it.
    fn is_forgotten(&self, item: &OutboxItem) -> bool {
        canary!("due-forgotten-at-failover") && self.was_granted_before(item)
    }

    /// Whether an earlier leader granted it.
    fn was_granted_before(&self, item: &OutboxItem) -> bool {
        let Position { region, index, .. } = item.position;
        let own = self.own_log();
        let granted = own.window().get(index).map(|slot| slot.header.term);
        region == self.region && granted.is_some_and(|term| term < own.term())
    }

    fn take_due(&mut self, now: Now, item: OutboxItem) {
        let is_of_another = item.position.region != self.region;
        let was_granted_before = self.was_granted_before(&item);
        if self.outbox.take(now.monotonic, item) {
            if is_of_another {
                sometimes!("effect-of-a-sealed-region");
            }
            if was_granted_before {
                sometimes!("effect-after-failover");
            }
        }
    }

    /// A call ended.
    pub(super) fn effect_done(
        &mut self,
        now: Now,
        id: EffectId,
        result: EffectResult,
        out: &mut Outputs,
    ) {
        self.outbox.done(now.monotonic, id, result);
        self.confirm_payouts(now, out);
    }

    fn confirm_payouts(&mut self, now: Now, out: &mut Outputs) {
        for confirmation in self.outbox.take_confirmations(now.monotonic) {
            self.confirm_payout(now, confirmation, out);
        }
    }

    /// Submits that a refund was paid out, as a client would.
    fn confirm_payout(&mut self, now: Now, confirmation: Confirmation, out: &mut Outputs) {
        let Confirmation { refund, amount, on: date } = confirmation;
        let op_id = derived_op_id(refund, "paid");
        let command = Command::ConfirmPayout { refund, amount, date };
        let fingerprint = command.fingerprint();
        let waiter = Waiter::Outbox { refund };
        if self.settle_at_once(now, op_id, &fingerprint, waiter, out) {
            return;
        }
        match self.refuses_writes(WriteOptions::default()) {
            Some(reason) => self.answer(now, waiter, unavailable(reason), out),
            None => {
                let submission = Submission { op_id, command };
                self.accept(now, Hlc::ZERO, submission, fingerprint, waiter, out);
            }
        }
    }

    /// The confirmation of a payout was answered. One that has its effect took its due away; any
    /// other is tried again, for ever: the money left, and a person has to see why it is not
    /// booked.
    pub(super) fn payout_answered(&mut self, now: Now, refund: OpId, answer: &WriteAnswer) {
        match answer {
            WriteAnswer::Done(receipt) if receipt.disposition == Disposition::Applied => {}
            WriteAnswer::Done(_) | WriteAnswer::Conflict { .. } | WriteAnswer::Refused(_) => {
                tracing::warn!(%refund, ?answer, "a payout is not booked as paid");
                self.outbox.confirm_again(now.monotonic, refund);
            }
            WriteAnswer::Unavailable { .. } | WriteAnswer::Unknown => {
                self.outbox.confirm_again(now.monotonic, refund);
            }
        }
    }
}
