//! Whatever the nodes do: a request ends with exactly one answer, is sent under one operation only,
//! and neither what is open nor what is repeated grows beyond its bound.

use billing_core::Monotonic;
use billing_edge::config::Limits;
use billing_edge::{
    Ask, AttemptId, Chance, ClientId, Edge, Input, Loss, Nearest, Output, Outputs, Priority, Reply,
    RequestId, Site, Verdict,
};
use billing_wire::answer::Unavailable;
use billing_wire::{NodeId, OpId, RegionId};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A linear congruential generator with a good output function (O'Neill, "PCG", 2014).
struct Dice(u64);

impl Chance for Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        let mixed = (self.0 ^ self.0 >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ mixed >> 32) % bound
    }
}

#[derive(Debug, Default)]
struct Asked {
    op_id: Option<OpId>,
    sendings: usize,
    may_be_logged: bool,
    is_gone: bool,
    answers: usize,
}

struct World {
    edge: Edge,
    dice: Dice,
    now_ms: u64,
    limits: Limits,
    /// How ill each node is, in percent, changing.
    illness: Vec<u64>,
    asked: BTreeMap<RequestId, Asked>,
    /// What will be fed, by time.
    coming: BTreeMap<(u64, u64), Input>,
    serial: u64,
    of_attempt: BTreeMap<AttemptId, RequestId>,
    forgotten: BTreeSet<AttemptId>,
    replies: BTreeMap<AttemptId, Reply>,
}

impl World {
    fn new(seed: u64, limits: Limits) -> Self {
        let site = |region: u8| Site {
            region: RegionId(region),
            nodes: (1..=3).map(|n| NodeId(u16::from(region) * 3 + n)).collect(),
        };
        let sites: Vec<Site> = (0..2).map(site).collect();
        let mut dice = Dice(seed);
        let nearest = if seed.is_multiple_of(2) { Nearest::Configured } else { Nearest::Measured };
        let edge = Edge::new(&sites, nearest, limits, Monotonic(0), &mut dice).expect("legal");
        Self {
            edge,
            dice,
            now_ms: 0,
            limits,
            illness: vec![0; 7],
            asked: BTreeMap::new(),
            coming: BTreeMap::new(),
            serial: 0,
            of_attempt: BTreeMap::new(),
            forgotten: BTreeSet::new(),
            replies: BTreeMap::new(),
        }
    }

    fn later(&mut self, ms: u64, input: Input) {
        self.serial += 1;
        self.coming.insert((self.now_ms + ms, self.serial), input);
    }

    fn feed(&mut self, input: Input) {
        if let Input::Answered { attempt, reply } = input {
            self.replies.insert(attempt, reply);
        }
        let mut out = Outputs::new();
        let now = Monotonic(self.now_ms * 1_000_000);
        self.edge.step(now, &mut self.dice, input, &mut out);
        for output in out {
            self.carry_out(output);
        }
        assert!(self.edge.in_flight() <= self.limits.in_flight_max);
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Send { request, attempt, node, op_id } => {
                let asked = self.asked.get_mut(&request).expect("only what was asked is sent");
                assert_eq!(asked.answers, 0, "nothing is sent after the answer");
                assert_eq!(op_id, asked.op_id, "one request is one operation");
                asked.sendings += 1;
                assert!(asked.sendings <= self.limits.attempts_max);
                assert!(self.of_attempt.insert(attempt, request).is_none());
                self.node_takes(attempt, node);
            }
            Output::Forget { attempt } => {
                assert!(self.of_attempt.contains_key(&attempt));
                assert!(self.forgotten.insert(attempt), "forgotten once");
            }
            Output::Probe { probe, node } => {
                let roll = self.dice.below(100);
                let is_fit = roll >= self.illness[usize::from(node.0)];
                if roll % 5 != 4 || is_fit {
                    let takes = 1 + self.dice.below(30);
                    self.later(takes, Input::Probed { probe, is_fit, leader: Some(node) });
                }
            }
            Output::Answer { request, verdict } => {
                let asked = self.asked.get_mut(&request).expect("only what was asked is answered");
                asked.answers += 1;
                assert_eq!(asked.answers, 1, "exactly one answer");
                if let Verdict::Relay(attempt) = verdict {
                    assert_eq!(self.of_attempt.get(&attempt), Some(&request));
                    assert!(self.replies.contains_key(&attempt), "what is relayed has come");
                    assert!(!self.forgotten.contains(&attempt));
                }
                if let Verdict::Shed { .. } = verdict {
                    assert!(!asked.may_be_logged, "never 'not logged' of what may be");
                }
            }
        }
    }

    /// What a node makes of a sending: mostly an answer, now and then something else.
    fn node_takes(&mut self, attempt: AttemptId, node: NodeId) {
        let is_ill = self.dice.below(100) < self.illness[usize::from(node.0)];
        let takes = 1 + self.dice.below(40);
        let retry_after_ms = self.dice.below(500) as u32;
        let refusal = |reason| Reply::Unavailable { reason, retry_after_ms };
        let how = if is_ill { self.dice.below(8) } else { 100 };
        let (takes, input) = match how {
            0 => (takes, Input::Lost { attempt, loss: Loss::Refused }),
            1 => (takes, Input::Lost { attempt, loss: Loss::Broken }),
            2 => (takes, Input::Answered { attempt, reply: Reply::Unknown }),
            3 => (takes, Input::Answered { attempt, reply: refusal(Unavailable::NoLeader) }),
            4 => (takes, Input::Answered { attempt, reply: refusal(Unavailable::Overloaded) }),
            // Late, maybe too late.
            5 => (takes * 200, Input::Answered { attempt, reply: Reply::Settled }),
            6 => (takes, Input::Answered { attempt, reply: refusal(Unavailable::TokenAhead) }),
            7 => return self.note_maybe_logged(attempt),
            _ => (takes, Input::Answered { attempt, reply: Reply::Settled }),
        };
        if matches!(how, 1 | 2 | 5) {
            self.note_maybe_logged(attempt);
        }
        self.later(takes, input);
    }

    fn note_maybe_logged(&mut self, attempt: AttemptId) {
        let request = self.of_attempt[&attempt];
        let asked = self.asked.get_mut(&request).expect("it was asked");
        asked.may_be_logged = asked.op_id.is_some();
    }

    fn run_to(&mut self, ms: u64) {
        loop {
            let wake = self.edge.next_wake().map_or(u64::MAX, |at| at.0 / 1_000_000);
            let event = self.coming.keys().next().map_or(u64::MAX, |(at, _)| *at);
            let next = wake.min(event);
            if next > ms {
                break;
            }
            self.now_ms = self.now_ms.max(next);
            match self.coming.first_entry() {
                Some(entry) if event <= wake => {
                    let input = entry.remove();
                    self.feed(input);
                }
                _ => self.feed(Input::Wake),
            }
        }
        self.now_ms = ms;
    }

    fn ask(&mut self, number: u64) {
        let request = RequestId(number);
        let op_id = (self.dice.below(4) != 0).then_some(OpId(u128::from(number) << 20));
        let priority = match self.dice.below(3) {
            0 => Priority::First,
            1 => Priority::Second,
            _ => Priority::Third,
        };
        let ask = Ask {
            op_id,
            priority,
            client: ClientId(self.dice.below(5)),
            to_leader: op_id.is_some(),
            is_patient: self.dice.below(10) == 0,
        };
        self.asked.insert(request, Asked { op_id, ..Asked::default() });
        self.feed(Input::Request { request, ask });
        if self.dice.below(20) == 0 {
            let after = self.dice.below(2_000);
            self.asked.entry(request).or_default().is_gone = true;
            self.later(after, Input::Gone { request });
        }
    }
}

fn limits() -> impl Strategy<Value = Limits> {
    (1_usize..40, 1_usize..=8, 0_u64..50, 0_u64..=100).prop_map(
        |(in_flight_max, attempts_max, retry_reserve, retry_percent)| Limits {
            in_flight_max,
            attempts_max,
            retry_reserve,
            retry_percent,
            retry_per_s: 1,
            client_per_s: 50,
            client_burst: 100,
            ..Limits::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_request_ends_once_and_is_one_operation(seed in any::<u64>(), limits in limits()) {
        let mut world = World::new(seed, limits);
        for number in 0..300 {
            if number % 50 == 0 {
                for node in 1..=6 {
                    let ill = world.dice.below(3) == 0;
                    world.illness[node] = if ill { 20 + world.dice.below(81) } else { 0 };
                }
            }
            let gap = world.dice.below(60);
            world.run_to(world.now_ms + gap);
            world.ask(number);
        }
        let end = world.now_ms + 2 * limits.request_ms;
        world.run_to(end);
        prop_assert_eq!(world.edge.in_flight(), 0);
        for asked in world.asked.values() {
            prop_assert!(asked.answers == 1 || asked.is_gone, "{:?}", asked);
        }
        let sendings: usize = world.asked.values().map(|asked| asked.sendings).sum();
        let asked = world.asked.len() as u64;
        let seconds = end / 1_000;
        let budget = limits.retry_reserve + asked * limits.retry_percent / 100 + seconds + 1;
        prop_assert!(sendings as u64 <= asked + budget, "{} sendings", sendings);
    }
}
