//! All oracles together: the engine (or the judge of a real run) tells them what happens, they
//! say which promise broke and how many comparisons they made.

mod booking;
mod disks;
mod ending;
mod loss;
mod outside;
mod partitions;
mod stress;

use crate::catalogue::Promise;
use crate::evidence::{DurableLogs, Judgement, Violation};
use crate::facts::{Ask, Call, Facts};
use crate::history::{Answer, CallId, Event, Request};
use crate::orphans::Resolved;
use crate::promises::d3_exposure_is_exact::Exposed;
use crate::promises::*;
use crate::verdicts::Verdicts;
use billing_wire::{
    Command, Frontier, Genesis, Hash, Hlc, NodeId, OpId, OperationState, OutcomeChain, Query,
    QueryResult, Read, ReadAnswer, Receipt, RecordView, RegionId, Submission, WriteAnswer,
};
use booking::book;
use std::collections::BTreeSet;

/// Every oracle, fed with what happens, in order of time.
#[derive(Debug)]
pub struct Jury {
    facts: Facts,
    verdicts: Verdicts,
    durabilities: d12_durable_as_asked::Durabilities,
    votes: d8_votes_are_durable::Votes,
    failed_syncs: d10_failed_sync_is_silent::FailedSyncs,
    watermarks: o5_watermark_rises::Watermarks,
    finals: o8_final_is_geo::Finals,
    clocks: o9_stamps_within_clocks::Clocks,
    sessions: r2_reads_never_go_back::Sessions,
    writes: l1_writes_continue::Writes,
    reroutes: l2_region_gone::Reroutes,
    partitions: l3_partition_serves::Payments,
    catching_up: l4_watermark_catches_up::CatchingUp,
    progress: l5_progress_resumes::Progress,
    owed: l8_every_call_ends::Owed,
    issued: a7_documents_stand::Issued,
    series: a8_numbers_without_gap::Series,
    reported: a3_cash_is_the_banks::Reported,
    payouts: a5_paid_out_once::Payouts,
    /// Operations of the invoices that the mail service sent; `None`: there is none.
    mailed: Option<BTreeSet<OpId>>,
    undisturbed: s4_mail_slows_nothing::Undisturbed,
    sums: a10_nothing_wraps::Sums,
    spike: l6_spike_is_survived::Spike,
    availability: l7_available::Availability,
    finals_read: r4_final_reads_agree::Answered,
}

impl Jury {
    /// A jury for one cluster.
    pub fn new(genesis: &Genesis) -> Self {
        Self {
            facts: Facts::new(genesis),
            verdicts: Verdicts::new(),
            durabilities: d12_durable_as_asked::Durabilities::default(),
            votes: d8_votes_are_durable::Votes::default(),
            failed_syncs: d10_failed_sync_is_silent::FailedSyncs::default(),
            watermarks: o5_watermark_rises::Watermarks::default(),
            finals: o8_final_is_geo::Finals::default(),
            clocks: o9_stamps_within_clocks::Clocks::default(),
            sessions: r2_reads_never_go_back::Sessions::default(),
            writes: l1_writes_continue::Writes::default(),
            reroutes: l2_region_gone::Reroutes::default(),
            partitions: l3_partition_serves::Payments::default(),
            catching_up: l4_watermark_catches_up::CatchingUp::default(),
            progress: l5_progress_resumes::Progress::default(),
            owed: l8_every_call_ends::Owed::default(),
            issued: a7_documents_stand::Issued::default(),
            series: a8_numbers_without_gap::Series::default(),
            reported: a3_cash_is_the_banks::Reported::default(),
            payouts: a5_paid_out_once::Payouts::default(),
            mailed: None,
            undisturbed: s4_mail_slows_nothing::Undisturbed::default(),
            sums: a10_nothing_wraps::Sums::default(),
            spike: l6_spike_is_survived::Spike::default(),
            availability: l7_available::Availability::default(),
            finals_read: r4_final_reads_agree::Answered::default(),
        }
    }

    /// A node answers each write after so many nanoseconds at the latest, whatever its grade is.
    pub fn writes_wait(&mut self, shortest: u64) {
        self.durabilities.write_timeout = shortest;
    }

    /// Says nothing of what these promises' oracles see, so that those that see it later can be
    /// shown to.
    pub fn pass_over(&mut self, ids: &[String]) {
        self.verdicts.pass_over(ids);
    }

    /// A client sent something or has its answer. A submission is known before it can be
    /// committed, an answer comes after the commits that it rests on.
    pub fn client(&mut self, event: &Event) {
        match event {
            Event::Invoke { at, call, session, to, request, retry: _ } => {
                self.facts.note_invoke(*at, *call, *session, *to, request);
                if let Request::Write(submission, ..) = request {
                    self.reroutes.invoked(*at, *session, *to, submission.op_id);
                    if matches!(submission.command, Command::RecordPayment { .. }) {
                        self.availability.invoked(*at, submission.op_id);
                    }
                }
            }
            Event::Return { at, call, answer } => self.returned(*at, *call, answer),
        }
    }

    fn returned(&mut self, at: u64, id: CallId, answer: &Answer) {
        let call = self.facts.calls.remove(&id);
        l8_every_call_ends::returned(&mut self.verdicts, at, id, call.as_ref());
        let Some(call) = call else { return };
        self.undisturbed.returned(at, &call, answer);
        match (&call.ask, answer) {
            (Ask::Write { op_id, fingerprint }, _) => {
                self.writes.returned(at, &call, answer, || self.owed.is_held(id));
                self.write_returned(at, &call, (*op_id, fingerprint), answer);
            }
            (Ask::Read(read), Answer::Read(found)) => {
                self.read_returned(at, call.session, read, found);
            }
            (Ask::Read(_), Answer::Write(_) | Answer::TimedOut | Answer::Refused) => {}
        }
    }

    fn write_returned(
        &mut self,
        at: u64,
        call: &Call,
        (op_id, fingerprint): (OpId, &Hash),
        answer: &Answer,
    ) {
        self.partitions.returned(at, call, answer);
        self.spike.returned(at, call, op_id, answer);
        self.availability.returned(at, call, op_id, answer);
        self.reroutes.returned(&mut self.verdicts, at, call, answer);
        let succeeded = matches!(answer, Answer::Write(WriteAnswer::Done(_)));
        self.progress.returned(call.at, succeeded);
        a10_nothing_wraps::answered(&mut self.verdicts, at, op_id, call.is_legal, answer);
        match answer {
            Answer::Write(WriteAnswer::Done(receipt)) => {
                self.durabilities.acknowledged(&self.facts, &mut self.verdicts, at, call, receipt);
                self.acknowledged(at, call.session, (op_id, fingerprint), receipt);
            }
            Answer::Write(WriteAnswer::Conflict { .. }) => {
                let (facts, verdicts) = (&self.facts, &mut self.verdicts);
                i3_foreign_body_never_posts::refused(facts, verdicts, at, op_id, fingerprint);
            }
            Answer::Write(WriteAnswer::Refused(_) | WriteAnswer::Unavailable { .. })
            | Answer::Refused => {
                let (facts, verdicts) = (&self.facts, &mut self.verdicts);
                self.durabilities.refused(facts, verdicts, at, (call, op_id), answer);
                d5_told_ends_stand::refused(&mut self.facts, &mut self.verdicts, at, op_id);
            }
            Answer::Write(WriteAnswer::Unknown) | Answer::TimedOut | Answer::Read(_) => {}
        }
    }

    fn acknowledged(
        &mut self,
        at: u64,
        session: u32,
        (op_id, fingerprint): (OpId, &Hash),
        receipt: &Receipt,
    ) {
        let end = (receipt.position, receipt.disposition);
        let (facts, verdicts) = (&mut self.facts, &mut self.verdicts);
        facts.note_receipt(at, session, *fingerprint, receipt);
        verdicts.check(Promise::A9, at, Some(op_id), receipt.op_id == op_id, || {
            let detail = format!("sent {op_id}, told of {}", receipt.op_id);
            ("receipt for another operation".to_owned(), detail)
        });
        // Its outcome may still change, its place cannot: what is committed does not move.
        if let Some(known) = facts.operations.get(&op_id) {
            let place = (receipt.position, facts.is_readmitted(&receipt.position));
            o3_seen_before_done::placed(verdicts, at, op_id, known, place);
            o4_session_order::placed(verdicts, at, op_id, known, receipt.position);
            o6_real_time_order::placed(verdicts, at, op_id, known, receipt.position);
        }
        facts.note_acknowledged(session, receipt.position);
        if !facts.is_settled(receipt) {
            // Provisional: the outcome may change until the watermark has passed it, and another
            // submission of the operation may turn out to be the one that has its effect.
            facts.note_provisional(op_id, *fingerprint);
            return;
        }
        i2_retries_agree::acknowledged(facts, verdicts, at, op_id, end);
        i1_effect_once::acknowledged(facts, verdicts, at, receipt);
        a9_one_disposition::acknowledged(facts, verdicts, at, op_id, end);
        i3_foreign_body_never_posts::acknowledged(facts, verdicts, at, op_id, fingerprint);
        r3_read_your_writes::acknowledged(verdicts, at, receipt);
    }

    fn read_returned(&mut self, at: u64, session: u32, read: &Read, answer: &ReadAnswer) {
        let (facts, verdicts) = (&mut self.facts, &mut self.verdicts);
        match &answer.result {
            QueryResult::History(page) => i1_effect_once::answered(verdicts, at, page),
            QueryResult::TrialBalance(view) => a1_journals_balance::answered(verdicts, at, view),
            QueryResult::Operation(OperationState::Final { disposition, position }) => {
                if let Query::Operation { op_id } = read.query {
                    let end = (*position, *disposition);
                    d5_told_ends_stand::told_final(facts, verdicts, at, op_id, end);
                }
            }
            QueryResult::Outbox(page) => {
                a4_refunds_within_payment::answered(&facts.model, verdicts, at, page);
            }
            QueryResult::Document(document) => {
                self.issued.shown(verdicts, at, document, answer.watermark);
                self.series.shown(verdicts, at, document, answer.watermark);
            }
            QueryResult::Documents(page) => {
                a6_one_invoice_a_month::answered(verdicts, at, page);
                for document in &page.documents {
                    self.issued.shown(verdicts, at, document, answer.watermark);
                    self.series.shown(verdicts, at, document, answer.watermark);
                }
            }
            QueryResult::Operation(_)
            | QueryResult::Balance(_)
            | QueryResult::Statement(_)
            | QueryResult::Suspense(_)
            | QueryResult::NoSuchDocument
            | QueryResult::UnknownAccount(_)
            | QueryResult::Unavailable
            | QueryResult::BadToken => {}
        }
        r1_reads_are_the_model::answered(facts, verdicts, at, read, answer);
        r3_read_your_writes::answered(facts, verdicts, at, read, answer);
        self.sessions.answered(verdicts, at, session, read, answer);
        self.finals_read.answered(verdicts, at, read, answer);
    }

    /// A machine's clock shows this many milliseconds since 1970.
    pub fn clock_shows(&mut self, ms: u64) {
        self.clocks.show(ms);
    }

    /// A node's commit index passed this record; the bytes are those of its disk.
    pub fn committed(&mut self, at: u64, node: NodeId, record: &[u8]) {
        let (facts, verdicts) = (&mut self.facts, &mut self.verdicts);
        let record = match facts.known_copy(record).map_or_else(|| RecordView::decode(record), Ok) {
            Ok(record) => record,
            Err(error) => return o2_copies_agree::broken(verdicts, at, node, &error),
        };
        facts.note_committed(node, &record.header);
        match facts.is_astray(&record) {
            None => self.take_record(at, node, &record),
            Some(resolved) => {
                self.series.astray(&record);
                resolved.into_iter().for_each(|chain| self.take_chain(at, node, chain));
            }
        }
        self.advance_order(at, node);
    }

    /// A record of a region log, seen first or again.
    fn take_record(&mut self, at: u64, node: NodeId, record: &RecordView<'_>) {
        let (facts, verdicts) = (&mut self.facts, &mut self.verdicts);
        if o2_copies_agree::later(facts, verdicts, at, node, record) {
            return;
        }
        if !o1_dense_and_rising::committed(facts, verdicts, at, &record.header) {
            return;
        }
        o2_copies_agree::first(verdicts, at, node, record);
        self.clocks.committed(verdicts, at, &record.header);
        d4_traces_to_a_client::committed(facts, verdicts, at, record);
        d5_told_ends_stand::committed(facts, verdicts, at, record);
        s2_sealed_is_readmitted::committed(facts, verdicts, at, record);
        facts.append(record);
        self.series.committed(record);
        if facts.genesis.regions.len() == 1 {
            let books = (&mut self.reported, &mut self.sums);
            book(&mut facts.model, books, verdicts, at, record);
        }
    }

    /// All of a sealed chain is known.
    fn take_chain(&mut self, at: u64, node: NodeId, resolved: Resolved) {
        for header in &resolved.left_out {
            self.series.left_out(header);
        }
        let contradicts = !resolved.broken.is_empty();
        for broken in resolved.broken {
            s2_sealed_is_readmitted::left_out(&mut self.verdicts, at, broken);
        }
        if contradicts {
            // The reference has folded what is left out: there is no going on from here.
            return;
        }
        for bytes in &resolved.rest {
            let record = RecordView::decode(bytes).expect("it was decoded when it came");
            self.take_record(at, node, &record);
        }
    }

    /// Folds what has its final place by now; seals count from theirs on.
    fn advance_order(&mut self, at: u64, node: NodeId) {
        if self.facts.genesis.regions.len() == 1 {
            return;
        }
        while let Some(sealed) = self.facts.finality.advance() {
            self.facts.returned_at = at;
            for chain in sealed {
                if let Some(resolved) = self.facts.resolve(&chain) {
                    self.take_chain(at, node, resolved);
                }
            }
        }
        let verdicts = &mut self.verdicts;
        let (reported, sums) = (&mut self.reported, &mut self.sums);
        self.facts.take_final(|model, record| {
            book(model, (reported, sums), verdicts, at, record);
        });
    }

    /// A node has folded up to here. `incarnation` counts the node's starts.
    pub fn folded(
        &mut self,
        at: u64,
        node: NodeId,
        incarnation: u32,
        frontier: &Frontier,
        watermark: Hlc,
        chain: OutcomeChain,
    ) {
        let (facts, verdicts) = (&self.facts, &mut self.verdicts);
        a2_fold_is_the_model::folded(facts, verdicts, at, node, frontier, chain);
        self.watermarks.folded(verdicts, at, (node, incarnation), frontier, watermark);
        self.catching_up.folded(facts, verdicts, at, (node, watermark));
    }

    /// A call reached a node that runs (L8).
    pub fn call_reaches(&mut self, at: u64, node: NodeId, call: CallId) {
        self.owed.reaches(at, node, call);
    }

    /// An answer leaves a node, whether or not it will arrive (L8).
    pub fn answer_leaves(&mut self, at: u64, node: NodeId, call: CallId) {
        self.owed.leaves(&mut self.verdicts, at, node, call);
    }

    /// A node that stood still goes on (L8).
    pub fn resumed(&mut self, at: u64, node: NodeId) {
        self.owed.resumes(at, node);
    }

    /// A node's life ends, or the run does. `patience` is how long, in nanoseconds, a call may
    /// wait for the node's answer (L8).
    pub fn ended(&mut self, at: u64, node: NodeId, patience: u64) {
        self.owed.ends(&mut self.verdicts, at, node, patience);
    }

    /// A node that was asked to stop says that it is done (L8).
    pub fn stopped(&mut self, at: u64, node: NodeId) {
        self.owed.is_settled(&mut self.verdicts, at, node);
    }

    /// An acknowledgement leaves a node for a client (D1, D10, O8).
    pub fn acknowledgement_leaves(
        &mut self,
        at: u64,
        node: NodeId,
        receipt: &Receipt,
        disks: &dyn DurableLogs,
    ) {
        let verdicts = &mut self.verdicts;
        self.failed_syncs.leaves(verdicts, at, node, Some(receipt.op_id));
        d1_durable_on_quorum::acknowledgement(&self.facts, verdicts, at, node, receipt, disks);
        o8_final_is_geo::acknowledgement(&self.facts, verdicts, at, node, receipt);
    }

    /// A granted vote leaves a node for a candidate of a group, which is a region log and the low
    /// half of its incarnation: term and candidate must be in the node's durable superblock (D8,
    /// D10).
    pub fn vote_leaves(
        &mut self,
        at: u64,
        node: NodeId,
        group: (RegionId, u16),
        granted: (u64, NodeId),
        durable: Option<(u64, NodeId)>,
    ) {
        self.failed_syncs.leaves(&mut self.verdicts, at, node, None);
        self.votes.leaves(&mut self.verdicts, at, (node, group), granted, durable);
    }

    /// All nodes of a region are gone, for good or for a while (L2).
    pub fn region_gone(&mut self, at: u64, region: RegionId) {
        self.reroutes.gone(at, region);
    }

    /// From `from` to `to` a healthy majority of the region was connected all the time (L1, L2).
    /// Told at the end of the window; windows of a region come in order.
    pub fn availability_window(&mut self, region: RegionId, from: u64, to: u64) {
        self.reroutes.window(&mut self.verdicts, (from, to));
        let calls = self.facts.calls.iter();
        let pending = calls.map(|(id, call)| (call, self.owed.is_held(*id)));
        self.writes.window(&mut self.verdicts, region, (from, to), pending);
    }

    /// Of a healthy majority that is connected a node is lost, and there is a majority left: the
    /// region has the time of L1 anew. Told in order.
    pub fn node_lost(&mut self, region: RegionId, at: u64) {
        self.writes.node_lost(region, at);
    }

    /// A node has folded up to here for good (O8), and says this of its region (D3), unless its own
    /// log is not whole. After [`Self::folded`]; a cluster of one region has nothing of the sort.
    pub fn beyond_its_region(
        &mut self,
        at: u64,
        node: NodeId,
        frontier: &Frontier,
        word: Option<&Exposed>,
        disks: &dyn DurableLogs,
    ) {
        let (facts, verdicts) = (&self.facts, &mut self.verdicts);
        self.finals.folded(facts, verdicts, at, node, frontier, disks);
        if let Some(word) = word {
            d3_exposure_is_exact::said(facts, verdicts, at, node, word, disks);
        }
    }

    /// A leader says this of its region, which has committed nothing for a second while the
    /// others could hear it (D3).
    pub fn exposed_at_rest(&mut self, at: u64, node: NodeId, exposure: u64) {
        let (facts, verdicts) = (&self.facts, &mut self.verdicts);
        d3_exposure_is_exact::at_rest(facts, verdicts, at, node, exposure);
    }

    /// What a run has to wait for before it can be judged: a sentence per region that a seal keeps
    /// out, and `with_orphans` per region that has not logged again what its seal left out.
    pub fn awaited_returns(&self, with_orphans: bool) -> Vec<String> {
        self.facts.awaited_returns(with_orphans)
    }

    /// A client of a real run has this to submit: its log is judged before its history.
    pub(crate) fn will_submit(&mut self, submission: &Submission) {
        self.facts.note_body(submission);
    }

    /// The first violation so far, without ending the trial: the engine stops at it.
    pub fn first_violation(&self) -> Option<&Violation> {
        self.verdicts.first()
    }

    /// The end.
    pub fn finish(self) -> Judgement {
        let waited = self.reroutes.into_waited();
        let (reunions, apart) = (self.catching_up.into_reunions(), self.partitions.apart());
        Judgement { waited, reunions, apart, ..self.verdicts.into_judgement() }
    }
}
