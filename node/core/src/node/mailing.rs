//! Notices: the leader of a region has the customers told of the invoices that its region issued,
//! once they are final (billing.md §4). Those of a sealed region are sent by the lowest region that
//! is open. Nothing waits for the mail, and mail waits for everything: while many writes are open
//! no notice is sent.

use super::Node;
use crate::canary;
use crate::consensus::Consensus;
use crate::io::{HaltReason, Notice, Output, Outputs, Role};
use crate::ledger::Numbered;
use crate::ledger::store::StoreError;
use crate::sometimes;
use crate::time::Now;
use billing_wire::{DocumentKind, DocumentNumber, OpId, RegionId};

/// No notice is sent while more writes are open than one in so many of those that may be.
const SHED_ABOVE: usize = 4;
/// Invoices that are looked at in one tick.
const LOOKED_AT: usize = 64;

impl Node {
    /// Sends what may be sent; called at each tick.
    pub(super) fn work_at_mail(&mut self, now: Now, out: &mut Outputs) {
        let is_sender = self.config.sends_notices
            && self.own_log().role() == Role::Leader
            && self.seals.is_open(self.region);
        if !is_sender {
            return;
        }
        self.mail.expire(now.monotonic);
        if self.sessions.len() * SHED_ABOVE > self.config.in_flight_max {
            sometimes!("mail-shed");
            return;
        }
        if self.find_notices().is_err() {
            self.halt(HaltReason::Ledger, out);
            return;
        }
        if !self.stopping {
            self.mail.start_calls(now.monotonic, |notice| {
                sometimes!("mail-called");
                out.push(Output::Mail(notice));
            });
        }
    }

    /// Takes notices of final invoices in hand.
    fn find_notices(&mut self) -> Result<(), StoreError> {
        if !self.mail.has_room() {
            return Ok(());
        }
        for place in 0..self.logs.len() {
            let region = RegionId(place as u8);
            if !self.pays_for(region) {
                continue;
            }
            for (incarnation, last) in self.ledger.invoice_series(region)? {
                let first = self.mail.next_of(region, incarnation, last);
                for ordinal in (first..=last).take(LOOKED_AT) {
                    let kind = DocumentKind::Invoice;
                    let number = DocumentNumber { region, incarnation, kind, ordinal };
                    if !self.mail.has_room() || !self.take_notice(number)? {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes the notice of one invoice in hand, if there is one; `false` while it is not final.
    fn take_notice(&mut self, number: DocumentNumber) -> Result<bool, StoreError> {
        let Some(numbered) = self.ledger.numbered(number)? else { return Ok(false) };
        if numbered.position.hlc > self.ledger.watermark() && !canary!("mail-before-final") {
            return Ok(false);
        }
        self.mail.searched(&number);
        let Numbered { op_id: key, account, total, .. } = numbered;
        if let Some(total) = total {
            if number.region != self.region {
                sometimes!("mail-of-a-sealed-region");
            }
            let currency = self.config.genesis.currency;
            let timeout_ms = self.config.effect_timeout_ms;
            self.mail.take(Notice { key, account, invoice: number, total, currency, timeout_ms });
        }
        Ok(true)
    }

    /// A call ended.
    pub(super) fn mail_done(&mut self, now: Now, key: OpId, is_taken: bool) {
        if !is_taken {
            sometimes!("mail-failed");
        }
        self.mail.done(now.monotonic, key, is_taken);
    }
}
