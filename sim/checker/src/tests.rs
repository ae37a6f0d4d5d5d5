//! Each rule holds on a run that is as it should be, and breaks when one thing in it is wrong.

use crate::{Exported, Report, Rule, check};
use billing_wire::{
    AccountId, Command, Date, Disposition, Frontier, Grade, HistoryItem, HistoryPage, Hlc,
    Incarnation, LedgerCode, NodeId, OpId, Position, Query, QueryResult, Read, ReadAnswer,
    ReadLevel, Receipt, Record, RecordHeader, RecordKind, RecordView, RegionId, RegionMode,
    ReversalReason, Submission, Token, TrialBalanceView, WriteAnswer,
};
use billsim_history::{Answer, CallId, Endpoint, Event, Request};

const ACCOUNT: AccountId = AccountId(7);
const DAY: Date = Date(20_000);

fn pay(op_id: u128, amount: i64) -> Submission {
    let (provider, external_ref) = ("bank".to_owned(), op_id.to_string());
    let command =
        Command::RecordPayment { account: ACCOUNT, amount, date: DAY, provider, external_ref };
    Submission { op_id: OpId(op_id), command }
}

fn reverse(op_id: u128, payment: u128, amount: i64) -> Submission {
    let (payment, reason) = (OpId(payment), ReversalReason::Bounced);
    let command = Command::ReversePayment { payment, amount, reason, date: DAY };
    Submission { op_id: OpId(op_id), command }
}

/// A log of one region with an entry per submission; stamps are ten times the index.
fn log(submissions: &[Submission]) -> Vec<Vec<u8>> {
    let mut prev_hash = [0; 32];
    (1..)
        .zip(submissions)
        .map(|(index, submission)| {
            let header = RecordHeader {
                kind: RecordKind::Submissions,
                region: RegionId(0),
                incarnation: Incarnation(1),
                index,
                term: 1,
                hlc: Hlc(index * 10),
                geo_index: 0,
                mode: RegionMode::Geo,
                prev_hash,
                hash: [0; 32],
            };
            let mut record = Record { header, submissions: vec![submission.clone()] };
            let bytes = record.encode();
            prev_hash = record.header.hash;
            bytes
        })
        .collect()
}

fn place(index: u64) -> Position {
    Position { hlc: Hlc(index * 10), region: RegionId(0), index, offset: 0 }
}

/// A run of one region that is put together event by event.
#[derive(Default)]
struct Run {
    history: Vec<Event>,
    submissions: Vec<Submission>,
    calls: u64,
}

impl Run {
    fn invoke(&mut self, at: u64, request: Request) -> CallId {
        self.calls += 1;
        let call = CallId(self.calls);
        let to = Endpoint::Node(NodeId(1));
        self.history.push(Event::Invoke { at, call, session: 1, to, request, retry: false });
        call
    }

    /// A write that is sent at once and acknowledged one later, at the place of entry `index`.
    fn write(&mut self, at: u64, submission: Submission, index: u64) {
        let op_id = submission.op_id;
        let call = self.invoke(at, Request::write(submission, None));
        let receipt = Receipt {
            op_id,
            grade: Grade::Final,
            disposition: Disposition::Applied,
            position: place(index),
            replayed: false,
            token: Token::default(),
        };
        let answer = Answer::Write(WriteAnswer::Done(receipt));
        self.history.push(Event::Return { at: at + 1, call, answer });
    }

    /// A write that is logged in this order, and acknowledged there.
    fn logged(&mut self, at: u64, submission: Submission) {
        self.submissions.push(submission.clone());
        self.write(at, submission, self.submissions.len() as u64);
    }

    /// A read that covers the first entries, by a session that has seen so many.
    fn read(&mut self, at: u64, seen: u64, covered: u64, query: Query, result: QueryResult) {
        let token = Token { frontier: frontier(seen), ..Token::default() };
        let read = Read { query, level: ReadLevel::Session, token: Some(token) };
        let call = self.invoke(at, Request::Read(read));
        let answer = ReadAnswer {
            result,
            frontier: frontier(covered),
            watermark: Hlc(covered * 10),
            provisional: false,
            stale_ms: 0,
            session_gap: false,
            token,
        };
        self.history.push(Event::Return {
            at: at + 1,
            call,
            answer: Answer::Read(Box::new(answer)),
        });
    }

    fn cash(&mut self, at: u64, covered: u64, cash: i128, suspense: i128) {
        let sums = vec![(LedgerCode::CASH, cash), (LedgerCode::SUSPENSE, suspense)];
        let result = QueryResult::TrialBalance(TrialBalanceView { sums });
        self.read(at, 0, covered, Query::TrialBalance, result);
    }

    fn page(&mut self, at: u64, covered: u64, items: Vec<HistoryItem>) {
        let query = Query::History { account: ACCOUNT, after: 0, limit: 9 };
        let page = HistoryPage { account: ACCOUNT, items, next: None };
        self.read(at, 0, covered, query, QueryResult::History(page));
    }

    fn judged(&self) -> Report {
        let records = log(&self.submissions);
        let views = records.iter().map(|bytes| RecordView::decode(bytes).unwrap()).collect();
        check(&Exported { history: &self.history, logs: vec![views] })
    }

    /// The rules that it breaks.
    fn broken(&self) -> Vec<Rule> {
        let mut rules: Vec<Rule> = self.judged().findings.iter().map(|f| f.rule).collect();
        rules.dedup();
        rules
    }
}

fn frontier(index: u64) -> Frontier {
    let mut frontier = Frontier::default();
    frontier.set(RegionId(0), index);
    frontier
}

fn item(sequence: u64, op_id: u128, amount: i64, balance: i64) -> HistoryItem {
    let position = place(sequence);
    HistoryItem { sequence, position, op_id: OpId(op_id), date: DAY, amount, balance }
}

/// Three payments and what they brought.
fn sound() -> Run {
    let mut run = Run::default();
    run.logged(1, pay(11, 100));
    run.logged(5, pay(12, 20));
    run.page(7, 2, vec![item(1, 11, -100, -100), item(2, 12, -20, -120)]);
    run.logged(9, pay(13, 3));
    run.cash(20, 3, 123, -123);
    run
}

#[test]
fn a_sound_run_breaks_no_rule_and_every_rule_compares() {
    let report = sound().judged();
    assert_eq!(report.findings, []);
    let mut with_sessions = sound();
    with_sessions.read(30, 3, 3, Query::TrialBalance, QueryResult::NoSuchDocument);
    let compared: Vec<Rule> = with_sessions.judged().comparisons.into_keys().collect();
    assert_eq!(compared, Rule::ALL);
}

#[test]
fn an_acknowledged_write_stands_where_its_receipt_says() {
    let mut run = sound();
    run.submissions[1] = pay(99, 20);
    assert!(run.broken().contains(&Rule::Stands), "another operation stands there");
    let mut run = sound();
    run.write(50, pay(14, 1), 4);
    assert_eq!(run.broken(), [], "the logs do not go so far");
}

#[test]
fn what_was_known_before_an_operation_began_stands_before_it() {
    let mut run = Run { submissions: vec![pay(11, 1), pay(12, 1)], ..Run::default() };
    run.write(1, pay(12, 1), 2);
    run.write(5, pay(11, 1), 1);
    assert_eq!(run.broken(), [Rule::RealTime]);
    // Begun before the other one was known, it may stand anywhere.
    run.history.clear();
    let call = run.invoke(0, Request::write(pay(11, 1), None));
    run.write(1, pay(12, 1), 2);
    run.history.push(Event::Return { at: 4, call, answer: Answer::TimedOut });
    run.write(5, pay(11, 1), 1);
    assert_eq!(run.broken(), []);
}

#[test]
fn a_session_that_shows_what_it_saw_is_never_shown_less() {
    let shown = |seen, covered| {
        let mut run = sound();
        run.read(40, seen, covered, Query::TrialBalance, QueryResult::NoSuchDocument);
        run.broken()
    };
    assert_eq!(shown(3, 2), [Rule::Session]);
    assert_eq!(shown(2, 2), [], "it forgot what it saw");
    assert_eq!(shown(3, 3), []);
}

#[test]
fn a_page_lists_what_is_logged_and_adds_up() {
    let wrong_sum = vec![item(1, 11, -100, -100), item(2, 12, -20, -119)];
    let wrong_amount = vec![item(1, 11, -99, -99)];
    let not_covered = vec![item(1, 11, -100, -100), item(2, 12, -20, -120)];
    let before_its_cause = vec![item(1, 12, -20, -20)];
    let pages = [(3, wrong_sum), (3, wrong_amount), (1, not_covered), (3, before_its_cause)];
    for (covered, items) in pages {
        let mut run = sound();
        run.page(50, covered, items.clone());
        assert_eq!(run.broken(), [Rule::Pages], "{items:?}");
    }
}

#[test]
fn a_page_shows_the_submission_that_was_first_as_far_as_it_goes() {
    let mut run = sound();
    // The same operation with another amount, logged later: shown is the first one.
    run.logged(30, pay(11, 90));
    run.page(40, 4, vec![item(1, 11, -100, -100)]);
    assert_eq!(run.broken(), []);
    run.page(50, 4, vec![item(1, 11, -90, -90)]);
    assert_eq!(run.broken(), [Rule::Pages]);
}

#[test]
fn cash_is_what_the_facts_moved() {
    for (covered, cash, suspense) in [(3, 122, -122), (2, 123, -123), (3, 123, -122)] {
        let mut run = sound();
        run.cash(50, covered, cash, suspense);
        assert_eq!(run.broken(), [Rule::Cash], "{cash} at {covered}");
    }
}

#[test]
fn a_reversal_takes_cash_back_once_in_either_order() {
    let cases: [(&[Submission], i128); 6] = [
        (&[pay(1, 100), reverse(2, 1, 100), reverse(3, 1, 100)], 0),
        (&[reverse(2, 1, 100), pay(1, 100), reverse(3, 1, 100)], 0),
        // Of another amount it is another matter, each time.
        (&[pay(1, 100), reverse(2, 1, 30), reverse(3, 1, 30)], 40),
        // A used operation with another body brings money all the same, the same body does not.
        (&[pay(1, 100), pay(1, 100), pay(1, 7)], 107),
        (&[pay(1, 0), pay(2, -5), reverse(3, 2, 1)], -1),
        (&[reverse(2, 1, 100), reverse(3, 1, 100)], -100),
    ];
    for (submissions, cash) in cases {
        let mut run = Run { submissions: submissions.to_vec(), ..Run::default() };
        run.cash(1, submissions.len() as u64, cash, -cash);
        assert_eq!(run.broken(), [], "{submissions:?}");
    }
}
