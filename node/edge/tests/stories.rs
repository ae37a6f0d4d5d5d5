//! Stories: what happens to an edge, line by line, and below each line what the edge does.
//!
//! ```text
//! sites 1 2 3 | 4 5 6          regions, nearest first; the first node of each leads
//! limits attempts_max=2        what differs from the defaults
//! chance 0                     each draw gives this, or the highest that it may
//! fit 1 2 3                    how nodes answer probes from now on: fit, unfit, silent
//! 0 ask a write 7 second client 5 patient
//! 0 ask b read
//! 12 a0 settled                a's first sending; also: unknown, refused, broken, no-leader N,
//!                              overloaded N, grade-unreachable N
//! 15 b gone
//! 20 wait
//! 30 stop
//! ```

use billing_core::Monotonic;
use billing_edge::config::Limits;
use billing_edge::{
    Ask, AttemptId, Chance, ClientId, Edge, Input, Loss, Nearest, Output, Priority, Reply,
    RequestId, Site, Verdict,
};
use billing_wire::answer::Unavailable;
use billing_wire::{NodeId, OpId, RegionId};
use std::collections::BTreeMap;
use std::path::Path;

struct Fixed(u64);

impl Chance for Fixed {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.min(bound - 1)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Health {
    Fit,
    Unfit,
    Silent,
}

struct Story {
    sites: Vec<Site>,
    limits: Limits,
    chance: Fixed,
    health: BTreeMap<u16, Health>,
    edge: Option<Edge>,
    now_ms: u64,
    sendings: BTreeMap<String, AttemptId>,
    sent: BTreeMap<u64, u32>,
    told: String,
}

fn at(ms: u64) -> Monotonic {
    Monotonic(ms * 1_000_000)
}

fn numbers(text: &str) -> Vec<u16> {
    text.split_whitespace().map(|word| word.parse().expect("a node")).collect()
}

fn name(request: RequestId) -> char {
    char::from_u32(request.0 as u32).expect("requests are named by letters")
}

impl Story {
    fn new() -> Self {
        Self {
            sites: Vec::new(),
            limits: Limits::default(),
            chance: Fixed(0),
            health: BTreeMap::new(),
            edge: None,
            now_ms: 0,
            sendings: BTreeMap::new(),
            sent: BTreeMap::new(),
            told: String::new(),
        }
    }

    fn line(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "limits" | "chance" | "fit" | "unfit" | "silent" | "sites" => self.tell(line),
            time => self.time_passes(time.parse().expect("a time")),
        }
        match word {
            "sites" => {
                let nodes = rest.split('|').map(numbers);
                let site = |(region, nodes): (u8, Vec<u16>)| Site {
                    region: RegionId(region),
                    nodes: nodes.into_iter().map(NodeId).collect(),
                };
                self.sites = (0..).zip(nodes).map(site).collect();
            }
            "limits" => rest.split_whitespace().for_each(|pair| self.limit(pair)),
            "chance" => self.chance = Fixed(rest.parse().expect("a number")),
            "fit" => self.becomes(rest, Health::Fit),
            "unfit" => self.becomes(rest, Health::Unfit),
            "silent" => self.becomes(rest, Health::Silent),
            _ => {
                self.tell(line);
                self.feed(self.input(rest));
            }
        }
    }

    fn tell(&mut self, line: &str) {
        self.told.push_str(line);
        self.told.push('\n');
    }

    fn becomes(&mut self, nodes: &str, health: Health) {
        self.health.extend(numbers(nodes).into_iter().map(|node| (node, health)));
    }

    fn limit(&mut self, pair: &str) {
        let (key, value) = pair.split_once('=').expect("key=value");
        let value: u64 = value.parse().expect("a number");
        let limits = &mut self.limits;
        match key {
            "in_flight_max" => limits.in_flight_max = value as usize,
            "client_per_s" => limits.client_per_s = value,
            "client_burst" => limits.client_burst = value,
            "attempts_max" => limits.attempts_max = value as usize,
            "retry_percent" => limits.retry_percent = value,
            "retry_reserve" => limits.retry_reserve = value,
            "retry_per_s" => limits.retry_per_s = value,
            "request_ms" => limits.request_ms = value,
            other => panic!("{other} is no limit of the stories"),
        }
    }

    /// Everything that is due before a time.
    fn time_passes(&mut self, ms: u64) {
        if self.edge.is_none() {
            let (nearest, limits) = (Nearest::Configured, self.limits);
            let edge = Edge::new(&self.sites, nearest, limits, at(0), &mut self.chance);
            self.edge = Some(edge.expect("a legal story"));
        }
        while let Some(wake) = self.edge.as_ref().and_then(Edge::next_wake) {
            if wake > at(ms) {
                break;
            }
            self.now_ms = self.now_ms.max(wake.0 / 1_000_000);
            self.feed(Input::Wake);
        }
        self.now_ms = ms;
    }

    fn input(&self, what: &str) -> Input {
        let words: Vec<&str> = what.split_whitespace().collect();
        let request = |word: &str| RequestId(u64::from(word.as_bytes()[0]));
        match words[..] {
            ["wait"] => Input::Wake,
            ["stop"] => Input::Stop,
            ["ask", name, ref how @ ..] => Input::Request { request: request(name), ask: ask(how) },
            [name, "gone"] => Input::Gone { request: request(name) },
            [name, how] => {
                let attempt = self.sendings[name];
                match how {
                    "refused" => Input::Lost { attempt, loss: Loss::Refused },
                    "broken" => Input::Lost { attempt, loss: Loss::Broken },
                    "settled" => Input::Answered { attempt, reply: Reply::Settled },
                    "unknown" => Input::Answered { attempt, reply: Reply::Unknown },
                    other => panic!("{other} is no end of a sending"),
                }
            }
            [name, why, retry_after_ms] => {
                let reason = match why {
                    "no-leader" => Unavailable::NoLeader,
                    "overloaded" => Unavailable::Overloaded,
                    "grade-unreachable" => Unavailable::GradeUnreachable,
                    other => panic!("{other} is no reason of the stories"),
                };
                let retry_after_ms = retry_after_ms.parse().expect("milliseconds");
                let reply = Reply::Unavailable { reason, retry_after_ms };
                Input::Answered { attempt: self.sendings[name], reply }
            }
            _ => panic!("'{what}' is no line of a story"),
        }
    }

    fn feed(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let mut out = Vec::new();
            let edge = self.edge.as_mut().expect("the story has begun");
            edge.step(at(self.now_ms), &mut self.chance, input, &mut out);
            for output in out {
                inputs.extend(self.carry_out(output));
            }
        }
    }

    /// Probes are answered at once and not told of.
    fn carry_out(&mut self, output: Output) -> Option<Input> {
        let told = match output {
            Output::Probe { probe, node } => {
                let health = self.health.get(&node.0).copied().unwrap_or(Health::Silent);
                let is_fit = health == Health::Fit;
                let site = self.sites.iter().find(|site| site.nodes.contains(&node))?;
                let leader = site.nodes.first().copied().filter(|_| is_fit);
                return (health != Health::Silent).then_some(Input::Probed {
                    probe,
                    is_fit,
                    leader,
                });
            }
            Output::Send { request, attempt, node, op_id } => {
                let number = self.sent.entry(request.0).or_default();
                let sending = format!("{}{number}", name(request));
                *number += 1;
                self.sendings.insert(sending.clone(), attempt);
                let operation = op_id.map_or(String::new(), |op_id| format!(" as {}", op_id.0));
                format!("send {sending} to {node}{operation}")
            }
            Output::Forget { attempt } => format!("forget {}", self.sending(attempt)),
            Output::Answer { request, verdict } => match verdict {
                Verdict::Relay(attempt) => {
                    format!("answer {} with {}", name(request), self.sending(attempt))
                }
                Verdict::Unknown => format!("answer {}: unknown", name(request)),
                Verdict::Shed { why, retry_after_ms } => {
                    format!("answer {}: {why:?}, after {retry_after_ms} ms", name(request))
                }
            },
        };
        self.told.push_str(&format!("  @{} {told}\n", self.now_ms));
        None
    }

    fn sending(&self, attempt: AttemptId) -> &str {
        let found = self.sendings.iter().find(|(_, known)| **known == attempt);
        found.map(|(name, _)| name.as_str()).expect("it was sent")
    }
}

fn ask(how: &[&str]) -> Ask {
    let mut ask = Ask {
        op_id: None,
        priority: Priority::First,
        client: ClientId(0),
        to_leader: false,
        is_patient: false,
    };
    let mut words = how.iter();
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|n| n.parse::<u64>().ok()).expect("a number");
        match *word {
            "write" => (ask.op_id, ask.to_leader) = (Some(OpId(number().into())), true),
            "client" => ask.client = ClientId(number()),
            "read" => {}
            "second" => ask.priority = Priority::Second,
            "third" => ask.priority = Priority::Third,
            "patient" => ask.is_patient = true,
            other => panic!("{other} is nothing that a request is"),
        }
    }
    ask
}

#[expect(clippy::needless_pass_by_value, reason = "the harness hands it over")]
fn tell(_: &Path, text: String) -> datatest_stable::Result<()> {
    let mut story = Story::new();
    for line in text.lines().filter(|line| !line.starts_with("  ")) {
        if line.is_empty() || line.starts_with('#') {
            story.told.push_str(&format!("{line}\n"));
        } else {
            story.line(line);
        }
    }
    if story.told != text {
        return Err(format!("this is what happens:\n{}", story.told).into());
    }
    Ok(())
}

datatest_stable::harness! {
    { test = tell, root = "tests/stories", pattern = r"\.txt$" },
}
