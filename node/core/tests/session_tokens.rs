//! What a session has seen moves the clock of the region that it writes in, also through a
//! follower, and only if a node of the cluster said it and it is no further ahead than clocks may
//! be apart. Three cores in one process; frames and disks take no time.

#[expect(dead_code, reason = "no power cuts here")]
mod memory_directory;

use billing_core::ledger::store::EmptyStore;
use billing_core::{Config, Input, Monotonic, Node, Now, Output, RequestId, Role, Wall, journal};
use billing_wire::answer::Unavailable;
use billing_wire::{
    AccountId, ClusterId, Command, Date, Frontier, Genesis, Hlc, Incarnation, NodeId, OpId,
    Receipt, RegionId, RegionMembers, ServicePointId, Submission, Token, WriteAnswer, WriteOptions,
};
use memory_directory::Directory;
use std::collections::VecDeque;
use std::sync::Arc;

const SECRET: [u8; 32] = [7; 32];
const TICK_MS: u64 = 50;
/// Milliseconds between the start of the monotonic clock and 1970.
const EPOCH_MS: u64 = 1_000_000;

struct Region {
    nodes: Vec<Node>,
    now_ms: u64,
    asked: u64,
    answers: Vec<(RequestId, WriteAnswer)>,
}

impl Region {
    /// Three nodes of which one leads.
    fn new() -> Self {
        let nodes = vec![NodeId(1), NodeId(2), NodeId(3)];
        let (region, incarnation) = (RegionId(0), Incarnation(0));
        let members = RegionMembers { region, name: "east".to_owned(), incarnation, nodes };
        let cluster = ClusterId(1);
        let genesis =
            Genesis { cluster, currency: *b"EUR", secret: SECRET, regions: vec![members] };
        let genesis = Arc::new(genesis);
        let open = |node: NodeId| {
            let mut directory = Directory::default();
            directory.run(&journal::first_steps(&genesis, node));
            let (recovered, _) = journal::recover(&genesis, node, directory.image()).unwrap();
            let config = Config::new(node, Arc::clone(&genesis));
            Node::open(config, recovered, Box::new(EmptyStore), Now::default()).unwrap()
        };
        let nodes = genesis.nodes().map(open).collect();
        let mut region = Self { nodes, now_ms: 0, asked: 0, answers: Vec::new() };
        while region.nodes.iter().all(|node| node.status().role != Role::Leader) {
            region.tick();
        }
        region.tick();
        region.tick();
        region
    }

    fn now(&self) -> Now {
        let wall = Wall((EPOCH_MS + self.now_ms) * 1_000_000);
        Now { monotonic: Monotonic(self.now_ms * 1_000_000), wall }
    }

    fn tick(&mut self) {
        self.now_ms += TICK_MS;
        for place in 0..self.nodes.len() {
            self.feed(place, Input::Tick);
        }
    }

    /// Feeds a node and carries out everything that follows, on whatever node.
    fn feed(&mut self, place: usize, input: Input) {
        let mut inputs = VecDeque::from([(place, input)]);
        let (now, mut outputs) = (self.now(), Vec::new());
        while let Some((place, input)) = inputs.pop_front() {
            self.nodes[place].step(now, input, &mut outputs);
            for output in outputs.drain(..) {
                match output {
                    Output::Persist { token, .. } => {
                        inputs.push_back((place, Input::DiskDone { token, result: Ok(()) }));
                    }
                    Output::Send { to, frame } => {
                        inputs.push_back((usize::from(to.0) - 1, Input::Message(frame)));
                    }
                    Output::AnswerWrite { request, answer } => {
                        self.answers.push((request, answer));
                    }
                    Output::CommitLedger(_) => {
                        inputs.push_back((place, Input::LedgerDone { result: Ok(()) }));
                    }
                    Output::AnswerRead { .. }
                    | Output::AnswerProbe { .. }
                    | Output::AnswerSeal { .. }
                    | Output::Effect(_)
                    | Output::Mail(_)
                    | Output::Halt(_) => panic!("nobody asked for it"),
                }
            }
        }
    }

    fn place_of(&self, role: Role) -> usize {
        let place = self.nodes.iter().position(|node| node.status().role == role);
        place.expect("a leader and its followers")
    }

    /// What a node of that role says to a write of a session with that token.
    fn write(&mut self, role: Role, token: Option<Token>) -> WriteAnswer {
        self.asked += 1;
        let request = RequestId(self.asked);
        let (account, service_point) = (AccountId(self.asked), ServicePointId(self.asked));
        let command = Command::OpenAccount { account, service_point, date: Date(20_000) };
        let submission = Submission { op_id: OpId(self.asked.into()), command };
        let options = WriteOptions::default();
        self.feed(self.place_of(role), Input::Write { request, submission, options, token });
        for _ in 0..4 {
            self.tick();
        }
        let (answered, answer) = self.answers.pop().expect("a healthy region answers");
        assert_eq!((answered, self.answers.len()), (request, 0));
        answer
    }

    fn receipt(&mut self, role: Role, token: Option<Token>) -> Receipt {
        match self.write(role, token) {
            WriteAnswer::Done(receipt) => receipt,
            other => panic!("no receipt but {other:?}"),
        }
    }

    /// A token that says that an entry of a stamp so many milliseconds from now was seen.
    fn seen(&self, ahead_ms: u64) -> Token {
        let stamp = Hlc::from_ms(EPOCH_MS + self.now_ms + ahead_ms);
        Token::sign(&SECRET, Frontier([0, 3, 0, 0, 0]), Hlc::from_ms(1), stamp)
    }
}

#[test]
fn a_write_is_stamped_above_what_its_session_has_seen() {
    for role in [Role::Leader, Role::Follower] {
        let mut region = Region::new();
        let seen = region.seen(400);
        let receipt = region.receipt(role, Some(seen));
        assert_eq!(receipt.position.hlc, seen.stamp.next(), "{role:?}");
        assert!(receipt.token.covers(&seen) && receipt.token.verify(&SECRET), "{role:?}");
        assert_eq!(receipt.token.stamp, receipt.position.hlc);
        let later = region.receipt(role, None);
        assert!(later.position.hlc > receipt.position.hlc);
    }
}

#[test]
fn a_stamp_too_far_ahead_is_refused_until_the_clock_is_near() {
    for role in [Role::Leader, Role::Follower] {
        let mut region = Region::new();
        let seen = region.seen(650);
        let answer = region.write(role, Some(seen));
        let (reason, retry_after_ms) = (Unavailable::TokenAhead, 150);
        assert_eq!(answer, WriteAnswer::Unavailable { reason, retry_after_ms }, "{role:?}");
        let untouched = region.receipt(role, None);
        assert!(untouched.position.hlc < seen.stamp, "a refused stamp moves nothing");
        assert!(region.receipt(role, Some(seen)).position.hlc > seen.stamp);
    }
}

#[test]
fn a_token_of_nobody_moves_nothing() {
    for role in [Role::Leader, Role::Follower] {
        let mut region = Region::new();
        let mut forged = region.seen(400);
        forged.stamp = forged.stamp.next();
        let WriteAnswer::Refused(refusal) = region.write(role, Some(forged)) else {
            panic!("a forged token was taken");
        };
        assert_eq!(refusal.field, "Session-Token");
        assert!(region.receipt(role, None).position.hlc < forged.stamp);
    }
}
