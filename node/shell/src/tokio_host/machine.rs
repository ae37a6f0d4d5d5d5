//! The host of one opening of a node: hands outputs to threads, connections and callers.

use super::counters::Counters;
use super::disk_threads::DiskThreads;
use super::handle::Request;
use super::mail::{self, MailService};
use super::peers::Peers;
use super::provider::{self, PaymentProvider};
use crate::host::Host;
use crate::ledger_database::LedgerDatabase;
use billing_core::ledger::store::LedgerBatch;
use billing_core::{DiskStep, Effect, HaltReason, Input, Notice, PersistToken, Probe, RequestId};
use billing_wire::{NodeId, ReadAnswer, SealAnswer, WriteAnswer};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Who waits for an answer.
#[derive(Debug)]
enum Caller {
    Write(oneshot::Sender<WriteAnswer>),
    Read(oneshot::Sender<ReadAnswer>),
    Probe(oneshot::Sender<Probe>),
    Seal(oneshot::Sender<SealAnswer>),
}

/// Who pays refunds and who sends mail, and where their answers go.
#[derive(Debug)]
pub(super) struct Outside {
    pub(super) provider: Option<Arc<dyn PaymentProvider>>,
    pub(super) mail: Option<Arc<dyn MailService>>,
    pub(super) results: mpsc::UnboundedSender<Input>,
    pub(super) counters: Arc<Counters>,
}

/// Implements [`Host`]. Dropped with the node: whoever still waits learns that the outcome is
/// unknown.
#[derive(Debug)]
pub(super) struct Machine<'a> {
    peers: &'a Peers,
    disk: DiskThreads,
    outside: Outside,
    callers: BTreeMap<RequestId, Caller>,
    next_request: u64,
    pub(super) halted: Option<HaltReason>,
}

impl<'a> Machine<'a> {
    pub(super) fn new(peers: &'a Peers, disk: DiskThreads, outside: Outside) -> Self {
        Self { peers, disk, outside, callers: BTreeMap::new(), next_request: 0, halted: None }
    }

    /// Lets everybody who still waits go, and gives the threads back.
    pub(super) fn into_disk(self) -> DiskThreads {
        self.disk
    }

    /// Remembers who asks and turns the request into an input.
    pub(super) fn input_of(&mut self, request: Request) -> Input {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        match request {
            Request::Write { submission, options, token, answer } => {
                self.callers.insert(id, Caller::Write(answer));
                Input::Write { request: id, submission, options, token }
            }
            Request::Probe { answer } => {
                self.callers.insert(id, Caller::Probe(answer));
                Input::Probe { request: id }
            }
            Request::Seal { regions, force, answer } => {
                self.callers.insert(id, Caller::Seal(answer));
                Input::Seal { request: id, regions, force }
            }
            Request::Read { read, answer } => {
                self.callers.insert(id, Caller::Read(answer));
                Input::Read { request: id, read }
            }
        }
    }
}

impl Host for Machine<'_> {
    fn persist(&mut self, token: PersistToken, steps: Vec<DiskStep>) {
        self.disk.persist(token, steps);
    }

    fn send(&mut self, to: NodeId, frame: Bytes) {
        self.peers.send(to, frame);
    }

    fn answer_write(&mut self, request: RequestId, answer: WriteAnswer) {
        // A caller that hung up has dropped its end: nobody is left to tell.
        if let Some(Caller::Write(caller)) = self.callers.remove(&request) {
            let _ = caller.send(answer);
        }
    }

    fn answer_read(&mut self, request: RequestId, answer: ReadAnswer) {
        if let Some(Caller::Read(caller)) = self.callers.remove(&request) {
            let _ = caller.send(answer);
        }
    }

    fn answer_probe(&mut self, request: RequestId, probe: Probe) {
        if let Some(Caller::Probe(caller)) = self.callers.remove(&request) {
            let _ = caller.send(probe);
        }
    }

    fn answer_seal(&mut self, request: RequestId, answer: SealAnswer) {
        if let Some(Caller::Seal(caller)) = self.callers.remove(&request) {
            let _ = caller.send(answer);
        }
    }

    fn call_effect(&mut self, effect: Effect) {
        let Outside { provider, results, counters, .. } = &self.outside;
        let provider = provider.as_ref().expect("a node without a provider asks for no payout");
        provider::call(provider, effect, results.clone(), Arc::clone(counters));
    }

    fn send_notice(&mut self, notice: Notice) {
        let Outside { mail, results, counters, .. } = &self.outside;
        let mail = mail.as_ref().expect("a node without a mail service sends no notice");
        mail::call(mail, notice, results.clone(), Arc::clone(counters));
    }

    fn commit_ledger(&mut self, database: &Arc<LedgerDatabase>, batch: LedgerBatch) {
        self.disk.commit(Arc::clone(database), batch);
    }

    fn halt(&mut self, reason: HaltReason) {
        self.halted = Some(reason);
    }
}
