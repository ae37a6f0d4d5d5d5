//! An operator declares regions lost (billing.md §7). The leader of a region that is left first
//! asks every node whether it hears them, and refuses if one does. Then it asks where the lost logs
//! end; a node that tells has first durably promised to take no more of that incarnation. From the
//! first promise on there is no way back but a seal: a region that is alive after all comes back
//! from it under its next incarnation, while half a promise would keep its writes in one region
//! for ever.
//!
//! The tail rule picks the copy with the highest (last term, last index) among those of at least a
//! majority of each region that is left: whatever was geo-durable is in it, because it lies on a
//! majority of one of them (Raft, §5.4.1). Then the seal is logged.

use super::Node;
use crate::canary;
use crate::consensus::Consensus;
use crate::io::{Output, Outputs, RequestId, Role};
use crate::sometimes;
use crate::time::{Monotonic, Now};
use billing_wire::codec::{DecodeError, Reader};
use billing_wire::{
    Control, FrameKind, Incarnation, LogIndex, NodeId, RegionId, SealRefusal, SealedChain, Term,
};
use std::collections::BTreeMap;

/// Nodes are asked again after so many milliseconds.
const ASK_AGAIN_MS: u64 = 200;
/// When enough have answered, the others have so many milliseconds from the start.
const GATHER_MS: u64 = 500;
/// The operator is told of a failure after so many milliseconds.
const GIVE_UP_MS: u64 = 5_000;

/// What a node says of its copy of a lost log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tail {
    chain: SealedChain,
    last_term: Term,
    /// So many records of its copy are known to be committed.
    committed: LogIndex,
    /// The node hears the region.
    is_heard: bool,
    /// It has promised to take no more of it.
    is_fenced: bool,
}

impl Tail {
    /// The tail rule: which copy of a lost log is the longest in Raft's sense.
    fn rank(&self) -> (Term, LogIndex) {
        let term = if canary!("tail-by-length") { 0 } else { self.last_term };
        (term, self.chain.last_index)
    }

    /// So many records of the chain that was chosen lie on this node for sure.
    fn holds_of(&self, chosen: &SealedChain) -> LogIndex {
        if self.chain == *chosen { chosen.last_index } else { self.committed }
    }
}

/// What a node answers to the question for tails.
#[derive(Debug)]
struct Report {
    tails: Vec<Tail>,
    /// What its sender has seen of each region's seals and returns, as `Seals::stages` counts.
    stages: Vec<u32>,
}

/// The seal that a leader works at.
#[derive(Debug)]
pub(super) struct Sealing {
    request: RequestId,
    regions: Vec<RegionId>,
    /// Whether nodes are asked for their promise, not only whether they hear the regions.
    fences: bool,
    /// Tells its answers from those of an earlier one.
    number: u64,
    began: Monotonic,
    asked: Option<Monotonic>,
    reports: BTreeMap<NodeId, Report>,
    /// Where the lost logs end; set when enough nodes have promised.
    chosen: Option<Vec<SealedChain>>,
    /// The seal was handed to the log.
    is_logged: bool,
}

/// A report that leaves when the promise behind it is durable.
#[derive(Debug)]
pub(super) struct DueReport {
    to: NodeId,
    number: u64,
    tails: Vec<Tail>,
    is_persisting: bool,
}

impl Node {
    /// Takes an operator's request.
    pub(super) fn seal(
        &mut self,
        now: Now,
        request: RequestId,
        regions: Vec<RegionId>,
        force: bool,
        out: &mut Outputs,
    ) {
        if let Err(refusal) = self.check_seal(&regions, force) {
            out.push(Output::AnswerSeal { request, answer: Err(refusal) });
            return;
        }
        self.next_sealing += 1;
        let number = self.config.seed << 16 | self.next_sealing;
        self.sealing = Some(Sealing {
            request,
            regions,
            fences: force,
            number,
            began: now.monotonic,
            asked: None,
            reports: BTreeMap::new(),
            chosen: None,
            is_logged: false,
        });
        self.work_at_seal(now, out);
    }

    fn check_seal(&self, regions: &[RegionId], force: bool) -> Result<(), SealRefusal> {
        if self.logs.len() == 1 {
            return Err(SealRefusal::OneRegion);
        }
        for &region in regions {
            if usize::from(region.0) >= self.logs.len() {
                return Err(SealRefusal::UnknownRegion { region });
            }
            if region == self.region {
                return Err(SealRefusal::OwnRegion { region });
            }
            // A chain that was told of ends it, too, though its seal has no effect here yet.
            let log = &self.logs[usize::from(region.0)];
            if !self.seals.is_open_in(region, log.incarnation()) {
                return Err(SealRefusal::AlreadySealed { region });
            }
        }
        if regions.is_empty() || self.seals.open().all(|open| regions.contains(&open)) {
            return Err(SealRefusal::NoRegionLeft);
        }
        if regions.len() > 1 && !force {
            return Err(SealRefusal::SeveralAtOnce);
        }
        if self.own_log().role() != Role::Leader {
            return Err(SealRefusal::NotLeader);
        }
        if self.sealing.is_some() {
            return Err(SealRefusal::UnderWay);
        }
        Ok(())
    }

    /// Carries the seal that is under way as far as it goes; called at each tick.
    pub(super) fn work_at_seal(&mut self, now: Now, out: &mut Outputs) {
        let Some(sealing) = &self.sealing else { return };
        let age = now.monotonic.ms_since(sealing.began);
        if sealing.regions.iter().all(|region| !self.seals.is_open(*region)) {
            let chains = sealing.regions.iter().filter_map(|region| self.seals.chain(*region));
            return self.end_seal(Ok(chains.collect()), out);
        }
        if self.own_log().role() != Role::Leader {
            return self.end_seal(Err(SealRefusal::NotLeader), out);
        }
        if age > GIVE_UP_MS {
            return self.end_seal(Err(SealRefusal::TooFewReports), out);
        }
        if sealing.is_logged {
            return;
        }
        if let Some(chosen) = sealing.chosen.clone() {
            return self.log_seal(now, chosen, out);
        }
        let fences = sealing.fences;
        if sealing.asked.is_none_or(|asked| now.monotonic.ms_since(asked) >= ASK_AGAIN_MS) {
            self.ask_for_tails(now, out);
        }
        if age >= GATHER_MS && self.has_enough_reports() {
            if fences { self.decide_seal() } else { self.decide_to_fence(now, out) }
        }
    }

    fn end_seal(&mut self, answer: Result<Vec<SealedChain>, SealRefusal>, out: &mut Outputs) {
        if let Some(Sealing { request, .. }) = self.sealing.take() {
            out.push(Output::AnswerSeal { request, answer });
        }
    }

    fn ask_for_tails(&mut self, now: Now, out: &mut Outputs) {
        let Some(sealing) = &mut self.sealing else { return };
        sealing.asked = Some(now.monotonic);
        let (number, fences) = (sealing.number, sealing.fences);
        let ended = |region: &RegionId| (*region, self.logs[usize::from(region.0)].incarnation());
        let lost: Vec<(RegionId, Incarnation)> = sealing.regions.iter().map(ended).collect();
        let mut body = Vec::with_capacity(16 + 5 * lost.len());
        body.extend_from_slice(&number.to_le_bytes());
        body.extend_from_slice(&[fences.into(), lost.len() as u8]);
        for (region, incarnation) in &lost {
            body.push(region.0);
            body.extend_from_slice(&incarnation.0.to_le_bytes());
        }
        self.broadcast(now, FrameKind::TailRequest, &body, out);
        self.tell_tails(now, (self.config.node, number), &lost, fences, out);
    }

    /// Sends a frame to every other node.
    pub(super) fn broadcast(&mut self, now: Now, kind: FrameKind, body: &[u8], out: &mut Outputs) {
        let me = self.config.node;
        let nodes: Vec<NodeId> = self.config.genesis.nodes().filter(|node| *node != me).collect();
        for node in nodes {
            self.send(now, kind, node, self.region, body, out);
        }
    }

    /// Sends a frame with this body.
    pub(super) fn send(
        &mut self,
        now: Now,
        kind: FrameKind,
        to: NodeId,
        region: RegionId,
        body: &[u8],
        out: &mut Outputs,
    ) {
        let (_, mut desk) = self.logs_and_desk(now, out);
        desk.send_frame(kind, to, region, body.len(), |bytes| bytes.extend_from_slice(body));
    }

    /// A leader asks where the logs of lost regions end. `None`: not understood.
    pub(super) fn take_tail_request(
        &mut self,
        now: Now,
        from: NodeId,
        body: &[u8],
        out: &mut Outputs,
    ) -> Option<()> {
        let mut r = Reader::new("question for tails", body);
        let number = r.u64().ok()?;
        let (fences, count) = (r.u8().ok()? != 0, r.u8().ok()?);
        let lost = (0..count).map(|_| Ok((RegionId(r.u8()?), Incarnation(r.u32()?))));
        let lost = lost.collect::<Result<Vec<(RegionId, Incarnation)>, DecodeError>>().ok()?;
        r.finish().ok()?;
        let is_known =
            |(region, _): &(RegionId, Incarnation)| usize::from(region.0) < self.logs.len();
        if !lost.iter().all(is_known) {
            return None;
        }
        self.tell_tails(now, (from, number), &lost, fences, out);
        Some(())
    }

    /// Tells where these logs end here, and whether their regions are heard. If it `fences`, this
    /// node first promises to take no more of these incarnations, durably. One that it has left
    /// behind needs no promise, and one that it has not come to can have none: it keeps silent.
    fn tell_tails(
        &mut self,
        now: Now,
        (to, number): (NodeId, u64),
        lost: &[(RegionId, Incarnation)],
        fences: bool,
        out: &mut Outputs,
    ) {
        // A copy that is not whole must not stand for the end of its log.
        if lost.iter().any(|(region, _)| self.logs[usize::from(region.0)].is_damaged()) {
            return;
        }
        let heard: Vec<bool> = lost.iter().map(|(region, _)| self.hears(now, *region)).collect();
        let (logs, mut desk) = self.logs_and_desk(now, out);
        if lost.iter().any(|(region, ended)| logs[usize::from(region.0)].incarnation() < *ended) {
            return;
        }
        let mut tails = Vec::with_capacity(lost.len());
        for ((region, ended), is_heard) in lost.iter().zip(heard) {
            let log = &mut logs[usize::from(region.0)];
            let is_asked = log.incarnation() == *ended || canary!("next-incarnation-fenced");
            if fences && is_asked && !canary!("promise-not-kept") {
                log.fence(&mut desk);
            }
            let last = log.window().last();
            let chain = SealedChain {
                region: *region,
                incarnation: log.incarnation(),
                last_index: last.map_or(0, |last| last.index),
                last_hash: last.map_or([0; 32], |last| last.hash),
            };
            let (last_term, is_fenced) =
                (last.map_or(0, |last| last.term), fences || log.is_fenced());
            let committed = log.committed();
            tails.push(Tail { chain, last_term, committed, is_heard, is_fenced });
        }
        self.due_reports.retain(|due| (due.to, due.number) != (to, number));
        self.due_reports.push(DueReport { to, number, tails, is_persisting: false });
        if self.persist.is_none() && !self.writer.is_dirty() {
            self.report_tails(now, |_| true, out);
        }
    }

    /// Whether this node heard the leader of a region's log lately.
    fn hears(&self, now: Now, region: RegionId) -> bool {
        let log = &self.logs[usize::from(region.0)];
        let heard_at = self.heard_at[usize::from(region.0)];
        let lately = now.monotonic.ms_since(heard_at) < self.config.seal_silence_ms;
        lately || (region == self.region && log.leader().is_some())
    }

    /// A persist starts: the promises made so far are in it.
    pub(super) fn reports_persist(&mut self) {
        self.due_reports.iter_mut().for_each(|due| due.is_persisting = true);
    }

    /// A persist is durable: the reports that waited for it leave.
    pub(super) fn reports_persisted(&mut self, now: Now, out: &mut Outputs) {
        if !self.due_reports.is_empty() {
            self.report_tails(now, |due| due.is_persisting, out);
        }
    }

    fn report_tails(
        &mut self,
        now: Now,
        may_leave: impl Fn(&DueReport) -> bool,
        out: &mut Outputs,
    ) {
        let due = std::mem::take(&mut self.due_reports);
        let (leave, stay): (Vec<_>, Vec<_>) = due.into_iter().partition(may_leave);
        self.due_reports = stay;
        for DueReport { to, number, tails, .. } in leave {
            let stages: Vec<u32> = self.seals.stages().collect();
            if to == self.config.node {
                self.note_tails(to, number, Report { tails, stages });
                continue;
            }
            let mut body = Vec::with_capacity(16 + 4 * stages.len() + 64 * tails.len());
            body.extend_from_slice(&number.to_le_bytes());
            stages.iter().for_each(|stage| body.extend_from_slice(&stage.to_le_bytes()));
            body.push(tails.len() as u8);
            for tail in &tails {
                body.extend_from_slice(&[tail.is_heard.into(), tail.is_fenced.into()]);
                body.extend_from_slice(&tail.last_term.to_le_bytes());
                body.extend_from_slice(&tail.committed.to_le_bytes());
                tail.chain.encode(&mut body);
            }
            self.send(now, FrameKind::TailReport, to, self.region, &body, out);
        }
    }

    /// A node tells where lost logs end. `None`: not understood.
    pub(super) fn take_tail_report(&mut self, from: NodeId, body: &[u8]) -> Option<()> {
        let mut r = Reader::new("report of tails", body);
        let number = r.u64().ok()?;
        let stages = self.logs.iter().map(|_| r.u32()).collect::<Result<Vec<u32>, _>>().ok()?;
        let mut tails = Vec::new();
        for _ in 0..r.u8().ok()? {
            let (is_heard, is_fenced) = (r.u8().ok()? != 0, r.u8().ok()? != 0);
            let (last_term, committed) = (r.u64().ok()?, r.u64().ok()?);
            let chain = SealedChain::decode(&mut r).ok()?;
            tails.push(Tail { chain, last_term, committed, is_heard, is_fenced });
        }
        r.finish().ok()?;
        self.note_tails(from, number, Report { tails, stages });
        Some(())
    }

    fn note_tails(&mut self, from: NodeId, number: u64, report: Report) {
        let Some(sealing) = &mut self.sealing else { return };
        let is_due = sealing.number == number && sealing.chosen.is_none();
        // What was told before the promise was asked for is no promise.
        if is_due && (!sealing.fences || report.tails.iter().all(|tail| tail.is_fenced)) {
            sealing.reports.insert(from, report);
        }
    }

    /// Whether a majority of each region that is left has answered, of nodes that agree on which
    /// regions those are. A node that has promised learns no more from the lost log, so of two
    /// leaders who do not agree, because only one of them knows that a third region was let in, at
    /// most one comes to an end.
    fn has_enough_reports(&self) -> bool {
        let Some(sealing) = &self.sealing else { return false };
        let is_left = |region: &RegionId| !sealing.regions.contains(region);
        let agrees = |report: &&Report| self.seals.agree_without(&sealing.regions, &report.stages);
        let has_enough = |region: RegionId| {
            let members = &self.config.genesis.regions[usize::from(region.0)].nodes;
            let told = members.iter().filter_map(|node| sealing.reports.get(node));
            told.filter(agrees).count() > members.len() / 2
        };
        self.seals.open().filter(is_left).all(has_enough)
    }

    /// Goes on to ask for promises when nobody hears the regions, or somebody has promised.
    fn decide_to_fence(&mut self, now: Now, out: &mut Outputs) {
        let Some(sealing) = &mut self.sealing else { return };
        let tails = || sealing.reports.values().flat_map(|report| &report.tails);
        let has_begun = tails().any(|tail| tail.is_fenced);
        if let Some(heard) = tails().find(|tail| tail.is_heard)
            && !has_begun
        {
            sometimes!("seal-refused");
            let (region, silence_ms) = (heard.chain.region, self.config.seal_silence_ms);
            return self.end_seal(Err(SealRefusal::Alive { region, silence_ms }), out);
        }
        sealing.fences = true;
        sealing.reports.clear();
        sealing.began = now.monotonic;
        self.ask_for_tails(now, out);
    }

    /// Picks the ends of the lost logs.
    fn decide_seal(&mut self) {
        let Some(sealing) = &self.sealing else { return };
        let longest = |region: RegionId| {
            let of_region = |tail: &&Tail| tail.chain.region == region;
            let copies = sealing.reports.values().flat_map(|report| &report.tails);
            let incarnation = self.logs[usize::from(region.0)].incarnation();
            let is_current = |tail: &&Tail| tail.chain.incarnation == incarnation;
            let current = copies.filter(of_region).filter(is_current);
            current.max_by_key(|tail| tail.rank()).map(|tail| tail.chain)
        };
        let chains: Vec<SealedChain> =
            sealing.regions.iter().filter_map(|region| longest(*region)).collect();
        if let Some(sealing) = &mut self.sealing {
            sealing.chosen = Some(chains);
        }
    }

    /// Logs the seal once this node has the chains as well, behind what too few have of them.
    fn log_seal(&mut self, now: Now, chosen: Vec<SealedChain>, out: &mut Outputs) {
        let missing: Vec<SealedChain> =
            chosen.iter().filter(|chain| !self.has_chain(chain)).copied().collect();
        for chain in &missing {
            self.fetch(now, chain, out);
        }
        if !missing.is_empty() {
            return;
        }
        sometimes!("region-sealed");
        for chain in &chosen {
            let kept = self.held_by_majorities(chain);
            self.log_chain_end(chain, kept);
        }
        tracing::info!(?chosen, "seals lost regions");
        self.to_log.push_back(Control::Sealed(chosen));
        if let Some(sealing) = &mut self.sealing {
            sealing.is_logged = true;
        }
    }

    /// So many records of a chain lie on a majority of each region that is left.
    fn held_by_majorities(&self, chain: &SealedChain) -> LogIndex {
        let Some(sealing) = &self.sealing else { return 0 };
        let held_by = |node: &NodeId| {
            let tails = sealing.reports.get(node).into_iter().flat_map(|report| &report.tails);
            let of_region = tails.filter(|tail| tail.chain.region == chain.region);
            of_region.map(|tail| tail.holds_of(chain)).next().unwrap_or(0)
        };
        let held_in = |region: RegionId| {
            let members = &self.config.genesis.regions[usize::from(region.0)].nodes;
            let mut held: Vec<LogIndex> = members.iter().map(held_by).collect();
            held.sort_unstable_by(|a, b| b.cmp(a));
            held[members.len() / 2]
        };
        let is_left = |region: &RegionId| !sealing.regions.contains(region);
        self.seals.open().filter(is_left).map(held_in).min().unwrap_or(0)
    }
}
