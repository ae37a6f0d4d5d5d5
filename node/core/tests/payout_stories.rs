//! A region of one node and its payment provider: what is asked for, when, under which key, and
//! what is logged of the answers. Disks take no time.

#[expect(dead_code, reason = "no power cuts here")]
mod memory_directory;

use billing_core::ledger::store::EmptyStore;
use billing_core::{
    Config, Effect, EffectResult, Input, Monotonic, Node, Now, Output, RequestId, Role, Wall,
    journal,
};
use billing_wire::{
    AccountId, ClusterId, Command, Date, Disposition, Genesis, Incarnation, NodeId, OpId,
    OperationState, Position, Query, QueryResult, RegionId, RegionMembers, ServicePointId,
    Submission, WriteAnswer, WriteOptions, derived_op_id,
};
use memory_directory::Directory;
use std::collections::VecDeque;
use std::sync::Arc;

const TICK_MS: u64 = 50;
const PAYMENT: OpId = OpId(2);
const TODAY: Date = Date(20_000);
const PAID_ON: Date = Date(20_003);

struct Story {
    node: Node,
    now_ms: u64,
    answers: Vec<WriteAnswer>,
    calls: Vec<Effect>,
}

impl Story {
    /// A leader with an account and a payment of 100 on it.
    fn new(pays_refunds: bool) -> Self {
        let nodes = vec![NodeId(1)];
        let (region, incarnation) = (RegionId(0), Incarnation(0));
        let members = RegionMembers { region, name: "east".to_owned(), incarnation, nodes };
        let cluster = ClusterId(1);
        let genesis =
            Genesis { cluster, currency: *b"EUR", secret: [7; 32], regions: vec![members] };
        let genesis = Arc::new(genesis);
        let mut directory = Directory::default();
        directory.run(&journal::first_steps(&genesis, NodeId(1)));
        let (recovered, _) = journal::recover(&genesis, NodeId(1), directory.image()).unwrap();
        let config = Config { pays_refunds, ..Config::new(NodeId(1), genesis) };
        let node = Node::open(config, recovered, Box::new(EmptyStore), Now::default()).unwrap();
        let mut story = Self { node, now_ms: 0, answers: Vec::new(), calls: Vec::new() };
        while story.node.status().role != Role::Leader {
            story.tick();
        }
        story.tick();
        let (account, service_point, date) = (AccountId(1), ServicePointId(1), TODAY);
        story.write(OpId(1), Command::OpenAccount { account, service_point, date });
        let (provider, external_ref) = ("bank".to_owned(), "1".to_owned());
        let payment = Command::RecordPayment { account, amount: 100, date, provider, external_ref };
        story.write(PAYMENT, payment);
        story
    }

    fn tick(&mut self) {
        self.now_ms += TICK_MS;
        self.feed(Input::Tick);
    }

    fn feed(&mut self, input: Input) {
        let monotonic = Monotonic(self.now_ms * 1_000_000);
        let now = Now { monotonic, wall: Wall((1_000_000 + self.now_ms) * 1_000_000) };
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut outputs = Vec::new();
            self.node.step(now, input, &mut outputs);
            for output in outputs {
                match output {
                    Output::Persist { token, .. } => {
                        inputs.push_back(Input::DiskDone { token, result: Ok(()) });
                    }
                    Output::CommitLedger(_) => {
                        inputs.push_back(Input::LedgerDone { result: Ok(()) });
                    }
                    Output::AnswerWrite { answer, .. } => self.answers.push(answer),
                    Output::Effect(effect) => self.calls.push(effect),
                    other => panic!("nobody asked for {other:?}"),
                }
            }
        }
    }

    fn write(&mut self, op_id: OpId, command: Command) -> WriteAnswer {
        let submission = Submission { op_id, command };
        let (request, options, token) = (RequestId(0), WriteOptions::default(), None);
        self.feed(Input::Write { request, submission, options, token });
        self.answers.pop().expect("a node alone answers at once")
    }

    fn refund(&mut self, op_id: u128, amount: i64) {
        let command = Command::RequestRefund { payment: PAYMENT, amount, date: TODAY };
        assert!(matches!(self.write(OpId(op_id), command), WriteAnswer::Done(_)));
    }

    fn answer(&mut self, call: &Effect, result: EffectResult) {
        self.feed(Input::EffectDone { id: call.id, result });
    }

    /// The next call, within so many ticks.
    fn call_within(&mut self, ticks: u32) -> Option<Effect> {
        for _ in 0..ticks {
            if self.calls.is_empty() {
                self.tick();
            }
        }
        assert!(self.calls.len() <= 1, "one at a time for each refund: {:?}", self.calls);
        self.calls.pop()
    }

    fn dues(&self) -> usize {
        match self.node.query(&Query::Outbox { after: Position::default(), limit: 9 }) {
            Ok(QueryResult::Outbox(page)) => page.items.len(),
            other => panic!("{other:?}"),
        }
    }

    fn state(&self, op_id: OpId) -> OperationState {
        match self.node.query(&Query::Operation { op_id }) {
            Ok(QueryResult::Operation(state)) => state,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_refund_is_asked_for_under_its_key_until_it_is_paid_and_then_confirmed() {
    let mut story = Story::new(true);
    story.refund(3, 40);
    assert!(story.calls.is_empty(), "a write does not wait for the provider");
    let first = story.call_within(1).expect("a due is found at the next tick");
    assert_eq!((first.key, first.refund), (OpId(3), OpId(3)));
    assert_eq!((first.account, first.amount, first.currency), (AccountId(1), 40, *b"EUR"));
    assert!(story.call_within(20).is_none(), "the call is open");
    story.answer(&first, EffectResult::Refused);
    let second = story.call_within(10).expect("it is asked for again");
    story.answer(&second, EffectResult::Unknown);
    let third = story.call_within(20).expect("and again");
    assert_eq!((second.key, third.key), (first.key, first.key));
    assert_eq!(story.dues(), 1);
    story.answer(&third, EffectResult::Paid { on: PAID_ON });
    assert_eq!(story.dues(), 0);
    let confirmed = story.state(derived_op_id(OpId(3), "paid"));
    let OperationState::Final { disposition, .. } = confirmed else { panic!("{confirmed:?}") };
    assert_eq!(disposition, Disposition::Applied);
    assert!(story.call_within(100).is_none(), "it is paid");
}

#[test]
fn a_provider_that_never_answers_is_asked_again_after_its_time() {
    let mut story = Story::new(true);
    story.refund(3, 40);
    let first = story.call_within(1).expect("a call");
    assert!(story.call_within(40).is_none(), "2 s for the provider, and a moment for the host");
    let second = story.call_within(20).expect("then it is asked again");
    assert_eq!(second.key, first.key);
    story.answer(&first, EffectResult::Paid { on: PAID_ON });
    assert_eq!(story.dues(), 1, "that call is over");
    story.answer(&second, EffectResult::Paid { on: PAID_ON });
    assert_eq!(story.dues(), 0);
}

#[test]
fn only_the_provider_says_that_it_paid() {
    for pays_refunds in [true, false] {
        let mut story = Story::new(pays_refunds);
        story.refund(3, 40);
        let op_id = derived_op_id(OpId(3), "paid");
        let confirm = Command::ConfirmPayout { refund: OpId(3), amount: 40, date: TODAY };
        let answer = story.write(op_id, confirm);
        let is_refused = matches!(&answer, WriteAnswer::Refused(why) if why.field == "refund");
        assert_eq!(is_refused, pays_refunds, "{answer:?}");
        assert_eq!(story.dues(), usize::from(pays_refunds));
        assert_eq!(story.call_within(5).is_some(), pays_refunds, "without one nobody is asked");
    }
}

#[test]
fn a_node_that_stops_asks_for_nothing_new_and_hears_what_is_open() {
    let mut story = Story::new(true);
    story.refund(3, 40);
    let open = story.call_within(1).expect("a call");
    story.refund(4, 10);
    story.feed(Input::Stop);
    assert!(story.call_within(20).is_none());
    story.answer(&open, EffectResult::Refused);
    assert!(story.call_within(40).is_none());
    assert_eq!(story.dues(), 2, "the next leader pays");
}
