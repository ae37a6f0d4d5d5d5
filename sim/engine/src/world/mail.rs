//! The mail service: outside of every region, with a table of idempotency keys of its own. What it
//! is handed under one key it sends once; beyond that it may be slow, dead, deaf, lose answers, and
//! say that it has not taken what it has. Nodes never see what it sent.

use super::event::{Event, NodeEvent};
use super::service::{Lot, Service};
use super::{Todo, World};
use crate::scenario::Scenario;
use crate::seed::{Purpose, Stream};
use crate::trace::Traced;
use billing_core::{Input, Notice, sometimes};
use billing_wire::OpId;
use billsim_record::{Happening, PlannedService};
use std::collections::BTreeSet;

/// The service's stream among the world's.
const STREAM: u64 = 6_000;

/// A call on its way to the service.
#[derive(Debug)]
pub struct MailCall {
    slot: usize,
    life: u32,
    notice: Notice,
    /// The caller waits no longer, in nanoseconds.
    until: u64,
}

/// The service.
#[derive(Debug)]
pub(super) struct MailService {
    service: Service,
    sent: BTreeSet<OpId>,
}

impl MailService {
    /// The service of a scenario, if it has one.
    pub(super) fn of(scenario: &Scenario, seed: u64, manners: PlannedService) -> Option<Self> {
        let stream = Stream::indexed(seed, Purpose::Net, STREAM);
        let service = Service::new(scenario.mail.as_ref()?, manners, stream);
        Some(Self { service, sent: BTreeSet::new() })
    }
}

impl World {
    /// Notices leave a machine. The oracles know by now what it has committed.
    pub(super) fn notices_leave(&mut self, slot: usize) {
        for notice in std::mem::take(&mut self.notices) {
            let node = self.machines[slot].node;
            self.jury.notice_leaves(self.now, node, notice.key, notice.invoice, notice.total);
            self.trace.add(self.now, Traced::Outside, slot as u8, &notice.key.0.to_le_bytes());
            self.tell_notice(Some(slot), notice.key, || {
                let (total, account) = (notice.total, notice.account);
                format!("has account {account} told of its invoice over {total}")
            });
            self.call_mail(slot, notice);
        }
    }

    fn call_mail(&mut self, slot: usize, notice: Notice) {
        let until = self.now + notice.timeout_ms * 1_000_000;
        let call = MailCall { slot, life: self.machines[slot].life, notice, until };
        let is_cut = self.is_cut_from_clients(slot);
        let arrival = self.mail.as_mut().and_then(|mail| mail.service.arrival(self.now));
        match arrival.filter(|_| !is_cut) {
            Some(at) => self.queue.push(at, Event::MailCalled(Box::new(call))),
            None => self.mail_answers(&call, until, false),
        }
    }

    /// A call arrives at the service.
    pub(super) fn mail_called(&mut self, call: &MailCall) -> Option<Todo> {
        let mail = self.mail.as_mut()?;
        let Lot { is_refused, is_mute, is_lie } = mail.service.lot();
        let answer_at = mail.service.answer_at(self.now);
        let key = call.notice.key;
        if !is_refused {
            if mail.sent.insert(key) {
                self.jury.mailed(key);
                self.tell_notice(None, key, || "sends the notice".to_owned());
            } else {
                sometimes!("mail-asked-for-again");
            }
        }
        let is_heard = !is_mute && answer_at <= call.until && !self.is_cut_from_clients(call.slot);
        let at = if is_heard { answer_at } else { call.until.max(self.now) };
        self.mail_answers(call, at, is_heard && !is_refused && !is_lie);
        None
    }

    /// A node hears of a notice.
    pub(super) fn mail_heard(&mut self, slot: usize, key: OpId, is_taken: bool) -> Input {
        self.trace.add(self.now, Traced::Timer, slot as u8, &key.0.to_le_bytes());
        self.tell_notice(Some(slot), key, || {
            let said = if is_taken { "taken" } else { "not taken" };
            format!("hears of a notice: {said}")
        });
        Input::MailDone { key, is_taken }
    }

    fn mail_answers(&mut self, call: &MailCall, at: u64, is_taken: bool) {
        let (slot, life, key) = (call.slot, call.life, call.notice.key);
        self.queue.push(at, Event::Node { slot, life, event: NodeEvent::MailDone(key, is_taken) });
    }

    /// A node, or the service itself, does something about a notice.
    fn tell_notice(&mut self, slot: Option<usize>, key: OpId, words: impl FnOnce() -> String) {
        self.tell(|world| Happening::Notice {
            node: slot.map(|slot| world.machines[slot].node.0),
            op_id: key.to_string(),
            words: words(),
        });
    }

    /// From here on the service does what it is asked for and says so.
    pub(super) fn calm_mail(&mut self) {
        if let Some(mail) = &mut self.mail {
            mail.service.calm();
        }
    }

    /// Invoices whose customers were not told, where there is a service and nothing in the way.
    pub(super) fn unmailed(&self) -> usize {
        if self.mail.is_some() && !self.has_unsealed_loss() { self.jury.unmailed() } else { 0 }
    }
}
