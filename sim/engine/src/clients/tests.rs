//! The population against a pretended cluster that answers, loses, refuses and does not know.

use super::{Action, PROOFS_OF_LIFE, Population};
use crate::scenario::Scenario;
use crate::seed::{Purpose, Stream};
use billing_core::limits::AMOUNT_MAX;
use billing_wire::answer::Unavailable;
use billing_wire::{
    AccountId, Command, Disposition, Frontier, Grade, Hlc, NodeId, OpId, Position, QueryResult,
    ReadAnswer, Receipt, Refusal, RegionId, Token, WriteAnswer,
};
use billsim_oracle::history::{Answer, CallId, Endpoint, Request};
use std::collections::{BTreeMap, BTreeSet};

mod masking;

const SECOND: u64 = 1_000_000_000;
const LATENCY: u64 = 5_000_000;

/// A sending as the pretended world saw it, and when it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sent {
    at: u64,
    until: u64,
    call: CallId,
    session: u32,
    to: Endpoint,
    request: Request,
    retry: bool,
}

/// What the pretended cluster does with a sending at a time; `TimedOut` waits for the deadline.
type Cluster = fn(&mut Stream, u64) -> Verdict;

#[derive(Debug, Clone, Copy)]
enum Verdict {
    Done,
    Lost,
    Unknown,
    Unavailable,
    Refused,
    OutOfRange,
    Conflict,
}

struct World {
    population: Population,
    stream: Stream,
    cluster: Cluster,
    now: u64,
    pending: BTreeMap<(u64, CallId), Answer>,
    sent: Vec<Sent>,
    index: u64,
    out: Vec<Action>,
}

fn everything() -> Scenario {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/smoke/everything.toml");
    let text = std::fs::read_to_string(path).expect("the scenario is shipped");
    Scenario::parse("smoke/everything", &text).expect("it parses")
}

fn nodes() -> Vec<Endpoint> {
    vec![NodeId(1).into(), NodeId(2).into(), NodeId(3).into()]
}

impl World {
    fn new(seed: u64, cluster: Cluster) -> Self {
        Self {
            population: Population::new(&everything(), seed, nodes()),
            stream: Stream::new(seed, Purpose::Net),
            cluster,
            now: 0,
            pending: BTreeMap::new(),
            sent: Vec::new(),
            index: 0,
            out: Vec::new(),
        }
    }

    /// Runs to a time, or until nothing is left to do.
    fn run(&mut self, until: u64) {
        loop {
            let answer_at = self.pending.first_key_value().map_or(u64::MAX, |((at, _), _)| *at);
            let wake_at = self.population.next_wake();
            let at = answer_at.min(wake_at);
            if at > until {
                break;
            }
            self.now = self.now.max(at);
            if wake_at <= answer_at {
                self.population.wake(self.now, &mut self.out);
                assert!(self.population.next_wake() > self.now, "it wants to be woken at once");
            } else if let Some(((_, call), answer)) = self.pending.pop_first() {
                self.population.answered(self.now, call, answer, &mut self.out);
            }
            self.take_actions();
        }
        self.now = until;
    }

    fn enter_liveness(&mut self) {
        self.population.enter_liveness(self.now, &mut self.out);
        self.take_actions();
    }

    fn take_actions(&mut self) {
        for action in std::mem::take(&mut self.out) {
            let Action::Send { call, session, to, request, retry, deadline_ns } = action;
            assert!(deadline_ns > self.now);
            let verdict = (self.cluster)(&mut self.stream, self.now);
            let (after, answer) = self.answer(verdict, &request);
            let timely = self.now + after < deadline_ns;
            let until = if timely { self.now + after } else { deadline_ns };
            let answer = if timely { answer } else { Answer::TimedOut };
            self.pending.insert((until, call), answer);
            self.sent.push(Sent { at: self.now, until, call, session, to, request, retry });
        }
    }

    fn answer(&mut self, verdict: Verdict, request: &Request) -> (u64, Answer) {
        let write = |answer| (LATENCY, Answer::Write(answer));
        match (verdict, request) {
            (Verdict::Lost, _) => (u64::MAX / 2, Answer::TimedOut),
            (Verdict::Refused, _) => (1_000, Answer::Refused),
            (Verdict::Unavailable, Request::Write(..)) => write(WriteAnswer::Unavailable {
                reason: Unavailable::NoLeader,
                retry_after_ms: 50,
            }),
            (Verdict::Unknown, Request::Write(..)) => write(WriteAnswer::Unknown),
            (Verdict::OutOfRange, Request::Write(..)) => write(WriteAnswer::Refused(Refusal {
                field: "amount".to_owned(),
                detail: "too large".to_owned(),
            })),
            (Verdict::Conflict, Request::Write(s, ..)) => {
                write(WriteAnswer::Conflict { op_id: s.op_id })
            }
            (Verdict::Done, Request::Write(s, ..)) => {
                self.index += 1;
                write(WriteAnswer::Done(Receipt {
                    op_id: s.op_id,
                    grade: Grade::Region,
                    disposition: Disposition::Applied,
                    position: Position::default(),
                    replayed: false,
                    token: self.token(),
                }))
            }
            (_, Request::Read(read)) => {
                if let Some(token) = read.token {
                    assert!(self.token().frontier.covers(&token.frontier));
                }
                let answer = ReadAnswer {
                    result: QueryResult::UnknownAccount(AccountId(1)),
                    frontier: self.token().frontier,
                    watermark: Hlc(0),
                    provisional: false,
                    stale_ms: 0,
                    session_gap: false,
                    token: self.token(),
                };
                (LATENCY, Answer::Read(Box::new(answer)))
            }
        }
    }

    fn token(&self) -> Token {
        let mut frontier = Frontier::default();
        frontier.set(RegionId(0), self.index);
        Token::sign(&[0; 32], frontier, Hlc(0), Hlc(0))
    }

    fn writes(&self) -> impl Iterator<Item = (&Sent, OpId, &Command)> {
        self.sent.iter().filter_map(|sent| match &sent.request {
            Request::Write(s, ..) => Some((sent, s.op_id, &s.command)),
            Request::Read(_) => None,
        })
    }
}

fn healthy(_: &mut Stream, _: u64) -> Verdict {
    Verdict::Done
}

fn sick(stream: &mut Stream, _: u64) -> Verdict {
    match stream.below(10) {
        0 | 1 => Verdict::Lost,
        2 => Verdict::Unknown,
        3 => Verdict::Unavailable,
        4 => Verdict::Refused,
        _ => Verdict::Done,
    }
}

fn dead(_: &mut Stream, _: u64) -> Verdict {
    Verdict::Lost
}

fn away_for_half_the_time(_: &mut Stream, now: u64) -> Verdict {
    if (10..40).contains(&(now / SECOND)) { Verdict::Lost } else { Verdict::Done }
}

#[test]
fn a_healthy_minute_has_a_thousand_acknowledged_writes() {
    for seed in 0..50 {
        let mut world = World::new(seed, healthy);
        world.run(60 * SECOND);
        let acknowledged = world.population.acknowledged();
        assert!((1_200..5_000).contains(&acknowledged), "seed {seed}: {acknowledged}");
        assert_eq!(world.population.abandoned(), 0);
    }
}

#[test]
fn an_outage_is_caught_up() {
    for seed in 0..20 {
        let mut world = World::new(seed, away_for_half_the_time);
        world.run(60 * SECOND);
        let acknowledged = world.population.acknowledged();
        assert!(acknowledged > 1_100, "seed {seed}: {acknowledged}");
    }
}

#[test]
fn the_same_seed_sends_the_same_and_another_something_else() {
    let sent = |seed| {
        let mut world = World::new(seed, sick);
        world.run(20 * SECOND);
        world.sent
    };
    assert_eq!(sent(1), sent(1));
    assert_ne!(sent(1), sent(2));
}

#[test]
fn a_session_does_one_thing_at_a_time_and_calls_are_unique() {
    let mut world = World::new(3, sick);
    world.run(30 * SECOND);
    let mut busy_until = BTreeMap::new();
    let mut calls = BTreeSet::new();
    for sent in &world.sent {
        let before = busy_until.insert(sent.session, sent.until).unwrap_or(0);
        assert!(sent.at >= before, "{sent:?} before {before}");
        assert!(calls.insert(sent.call));
    }
}

#[test]
fn a_retry_repeats_operation_and_body_at_another_node() {
    let mut world = World::new(4, sick);
    world.run(30 * SECOND);
    let mut last: BTreeMap<u32, (OpId, Endpoint)> = BTreeMap::new();
    let mut bodies: BTreeSet<(OpId, Vec<u8>)> = BTreeSet::new();
    let (mut retries, mut elsewhere) = (0, 0);
    for (sent, op_id, command) in world.writes() {
        let mut body = Vec::new();
        command.encode(&mut body);
        let known = !bodies.insert((op_id, body));
        assert_eq!(sent.retry, known, "{sent:?}");
        retries += u32::from(sent.retry);
        if let Some((_, node)) = last.get(&sent.session).filter(|(last, _)| *last == op_id)
            && sent.retry
        {
            elsewhere += 1;
            assert_ne!(*node, sent.to, "{sent:?}");
        }
        last.insert(sent.session, (op_id, sent.to));
    }
    assert!(retries > 100 && elsewhere > 100, "{retries} retries, {elsewhere} elsewhere");
}

#[test]
fn liveness_resolves_everything_and_sends_a_few_new_payments() {
    let mut scenario = everything();
    scenario.timeouts.attempts = 2;
    for seed in 0..20 {
        let mut world = World::new(seed, sick);
        world.population = Population::new(&scenario, seed, nodes());
        world.run(30 * SECOND);
        let known: BTreeSet<OpId> = world.writes().map(|(_, op_id, _)| op_id).collect();
        assert!(!world.population.given_up.is_empty(), "seed {seed}: nothing was given up");
        assert!(!world.population.unresolved().is_empty());
        let before = world.sent.len();
        world.enter_liveness();
        world.cluster = healthy;
        world.run(60 * SECOND);
        assert!(world.sent.len() > before, "seed {seed}: nothing was resolved");
        assert!(world.population.is_settled(), "{:?}", world.population.unresolved());
        assert_eq!(world.population.unresolved(), Vec::<String>::new());
        assert_eq!(world.population.next_wake(), u64::MAX);
        let new: BTreeSet<OpId> =
            world.writes().map(|(_, op_id, _)| op_id).filter(|id| !known.contains(id)).collect();
        assert_eq!(new.len() as u64, PROOFS_OF_LIFE, "seed {seed}");
    }
}

#[test]
fn liveness_never_gives_up() {
    let mut world = World::new(5, dead);
    world.run(10 * SECOND);
    world.enter_liveness();
    world.run(300 * SECOND);
    assert!(!world.population.is_settled());
    let said = world.population.unresolved();
    let uuid =
        |word: &str| if word.parse::<OpId>().is_ok() { "OP".to_owned() } else { word.into() };
    let first: Vec<String> = said[0].split(' ').map(uuid).collect();
    insta::assert_snapshot!(first.join(" "));
    world.cluster = healthy;
    world.run(310 * SECOND);
    assert!(world.population.is_settled());
}

#[test]
fn definite_answers_end_an_operation() {
    for cluster in [(|_: &mut Stream, _| Verdict::OutOfRange) as Cluster, |_: &mut Stream, _| {
        Verdict::Conflict
    }] {
        let mut world = World::new(6, cluster);
        world.run(10 * SECOND);
        let seen = world.writes().count();
        assert!(seen > 50);
        assert_eq!(world.population.acknowledged(), 0);
        world.enter_liveness();
        world.run(20 * SECOND);
        assert!(world.population.is_settled());
        assert_eq!(world.writes().count() as u64, seen as u64 + PROOFS_OF_LIFE);
    }
}

#[test]
fn answers_that_nobody_waits_for_change_nothing() {
    let mut world = World::new(7, healthy);
    world.run(5 * SECOND);
    let old = world.sent[0].call;
    let acknowledged = world.population.acknowledged();
    for call in [old, CallId(u64::MAX)] {
        let request = world.sent[0].request.clone();
        let (_, answer) = world.answer(Verdict::Done, &request);
        world.population.answered(world.now, call, answer, &mut world.out);
    }
    assert!(world.out.is_empty());
    assert_eq!(world.population.acknowledged(), acknowledged);
}

/// What a history of clients contains, by name.
fn oddities(world: &World) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    let mut opened = BTreeSet::new();
    let mut paid_unknown = BTreeSet::new();
    let mut bodies: BTreeMap<OpId, &Command> = BTreeMap::new();
    let mut reversed: BTreeMap<OpId, i64> = BTreeMap::new();
    let mut flying: BTreeMap<OpId, (u32, u64)> = BTreeMap::new();
    for (sent, op_id, command) in world.writes() {
        if let Some((session, until)) = flying.insert(op_id, (sent.session, sent.until))
            && session != sent.session
            && until > sent.at
        {
            found.insert("concurrent duplicate");
        }
        match bodies.insert(op_id, command) {
            Some(other) if other != command => {
                found.insert("other body");
                continue;
            }
            Some(_) => continue,
            None => {}
        }
        match command {
            Command::OpenAccount { account, .. } => {
                if !opened.insert(*account) {
                    found.insert("account opened twice");
                }
                if paid_unknown.contains(account) {
                    found.insert("paid before it was open");
                }
            }
            Command::RecordPayment { account, amount, .. } => {
                if !(1..=AMOUNT_MAX).contains(amount) {
                    found.insert("out of range");
                }
                if !opened.contains(account) {
                    paid_unknown.insert(*account);
                    found.insert("unknown account");
                }
                if reversed.contains_key(&op_id) {
                    found.insert("reversed before it was reported");
                }
            }
            Command::ReversePayment { payment, amount, .. } => {
                match bodies.get(payment) {
                    Some(Command::RecordPayment { amount: paid, .. }) if paid == amount => {
                        found.insert("reversal");
                    }
                    Some(Command::RecordPayment { .. }) => {
                        found.insert("other amount");
                    }
                    _ => {}
                }
                if reversed.insert(*payment, *amount).is_some() {
                    found.insert("second reversal");
                }
            }
            Command::RecordRead { .. } => {
                found.insert("meter read");
            }
            Command::PostAdjustment { .. } => {
                found.insert("adjustment");
            }
            Command::CloseAccount { .. }
            | Command::RequestRefund { .. }
            | Command::IssueInvoice { .. }
            | Command::ConfirmPayout { .. } => {}
        }
    }
    found
}

#[test]
fn clients_do_everything_that_the_scenario_asks_for() {
    let mut found = BTreeSet::new();
    let mut sets = BTreeSet::new();
    for seed in 0..20 {
        let mut world = World::new(seed, healthy);
        world.run(60 * SECOND);
        let here = oddities(&world);
        found.extend(here.iter().copied());
        sets.insert(here);
    }
    let all = [
        "account opened twice",
        "adjustment",
        "concurrent duplicate",
        "meter read",
        "other amount",
        "other body",
        "out of range",
        "paid before it was open",
        "reversal",
        "reversed before it was reported",
        "second reversal",
        "unknown account",
    ];
    assert_eq!(found, BTreeSet::from(all));
    assert!(sets.len() > 5, "seeds hardly differ: {sets:?}");
}

#[test]
fn most_writes_are_payments_each_with_a_reference_of_its_own() {
    let mut world = World::new(8, healthy);
    world.run(60 * SECOND);
    let first = |(sent, _, _): &(&Sent, OpId, &Command)| !sent.retry;
    let all = world.writes().filter(first).count();
    let mut references = BTreeSet::new();
    let mut payments = 0;
    for (_, _, command) in world.writes().filter(first) {
        if let Command::RecordPayment { external_ref, .. } = command {
            payments += 1;
            references.insert(external_ref);
        }
    }
    assert!(payments * 2 > all, "{payments} payments of {all} writes");
    assert!(references.len() + 60 > payments, "{} of {payments}", references.len());
}
