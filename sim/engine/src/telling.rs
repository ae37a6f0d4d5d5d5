//! A failure in billing words: who asked for what, when, of which node, and when which node
//! acknowledged it. Taken from what clients did and were told; says nothing about causes.

use crate::world::LostEntries;
use billing_wire::answer::Unavailable;
use billing_wire::{
    AdjustmentReason, Command, Disposition, Grade, OpId, Position, Read, Receipt, ReversalReason,
    WriteAnswer,
};
use billsim_oracle::history::{Answer, Event, Request};
use billsim_record::Failure;
use billsim_record::event::CallResult;

/// The transaction of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// In a sentence or two.
    pub(crate) words: String,
    /// The operation that they are about.
    pub(crate) about: Option<OpId>,
}

/// As [`tell`], also where no client had sent anything.
pub(crate) fn told(history: &[Event], failure: &Failure, lost: Option<LostEntries>) -> Told {
    tell(history, failure, lost).unwrap_or_else(|| Told {
        words: "No client had sent anything yet.".to_owned(),
        about: None,
    })
}

/// The transaction of a failure in a sentence or two. Where the broken promise is not about one
/// transaction: one whose entry a node lost, the read that broke it, or the last transaction that
/// was acknowledged before. `None`: no client had sent a write.
fn tell(history: &[Event], failure: &Failure, lost: Option<LostEntries>) -> Option<Told> {
    let sentence = |op_id| of_operation(history, op_id).map(|words| (op_id, words));
    let told = |words, about| Some(Told { words, about: Some(about) });
    let named: Option<OpId> = failure.transaction.as_ref().and_then(|text| text.parse().ok());
    if let Some((op_id, words)) = named.and_then(sentence) {
        return told(words, op_id);
    }
    let is_lost = |at: Position| {
        let is_in = |lost: LostEntries| {
            at.region == lost.region && lost.kept < at.index && at.index <= lost.durable
        };
        lost.is_some_and(is_in)
    };
    if let Some((op_id, gone)) = last_acknowledged(history, is_lost).and_then(sentence) {
        return told(format!("In what was lost: {gone}"), op_id);
    }
    let last = last_acknowledged(history, |_| true).and_then(sentence);
    if let Some(read) = last_read(history, failure.at_ns) {
        let about = last.as_ref().map(|(op_id, _)| *op_id);
        let before = last.map(|(_, about)| format!(" Acknowledged last before it: {about}"));
        return Some(Told { words: format!("{read}{}", before.unwrap_or_default()), about });
    }
    if let Some((op_id, about)) = last {
        let words = format!("It is about no single transaction; acknowledged last: {about}");
        return told(words, op_id);
    }
    let (op_id, about) = history.iter().rev().find_map(sent_operation).and_then(sentence)?;
    told(format!("Nothing was acknowledged yet; sent last: {about}"), op_id)
}

fn sent_operation(event: &Event) -> Option<OpId> {
    match event {
        Event::Invoke { request: Request::Write(submission, ..), .. } => Some(submission.op_id),
        _ => None,
    }
}

/// The last operation whose receipt names an entry that is asked for.
fn last_acknowledged(history: &[Event], wanted: impl Fn(Position) -> bool) -> Option<OpId> {
    history.iter().rev().find_map(|event| match event {
        Event::Return { answer: Answer::Write(WriteAnswer::Done(receipt)), .. } => {
            wanted(receipt.position).then_some(receipt.op_id)
        }
        _ => None,
    })
}

/// From the first sending of an operation to its first receipt.
fn of_operation(history: &[Event], wanted: OpId) -> Option<String> {
    let mut first = None;
    let mut sendings = Vec::new();
    let mut receipt = None;
    for event in history {
        match event {
            Event::Invoke {
                at,
                call,
                session,
                to,
                request: Request::Write(submission, ..),
                ..
            } if submission.op_id == wanted => {
                first.get_or_insert((*at, *session, *to, &submission.command));
                sendings.push((*call, *to));
            }
            Event::Return { at, call, answer: Answer::Write(WriteAnswer::Done(_)) } => {
                let sending = sendings.iter().find(|(sent, _)| sent == call);
                if let (None, Some((_, to))) = (receipt, sending) {
                    receipt = Some((*at, *to));
                }
            }
            _ => {}
        }
    }
    let (at, session, to, command) = first?;
    let asked =
        format!("client {session} sent a {} ({wanted}) to {to} at {}", words(command), seconds(at));
    let more = match sendings.len() {
        1 => String::new(),
        times => format!(", {times} times in all"),
    };
    let end = match receipt {
        Some((at, to)) => format!("{to} acknowledged it at {}", seconds(at)),
        None => "no acknowledgement had reached the client".to_owned(),
    };
    Some(format!("{asked}{more}; {end}."))
}

/// The read whose answer came at this instant.
fn last_read(history: &[Event], at_ns: u64) -> Option<String> {
    let Event::Return { at, call: wanted, answer: Answer::Read(_) } = history.last()? else {
        return None;
    };
    if *at != at_ns {
        return None;
    }
    history.iter().rev().find_map(|event| match event {
        Event::Invoke { at: asked_at, call, session, to, request: Request::Read(read), .. }
            if call == wanted =>
        {
            let (asked, told) = (seconds(*asked_at), seconds(*at));
            let what = of_read(read);
            Some(format!("Client {session} asked {to} for {what} at {asked}, told at {told}."))
        }
        _ => None,
    })
}

/// What a read asks for.
pub(crate) fn of_read(read: &Read) -> String {
    billsim_oracle::words::query(&read.query)
}

/// What is asked for, in billing words.
pub(crate) fn words(command: &Command) -> String {
    match command {
        Command::OpenAccount { account, service_point, .. } => {
            format!("request to open account {account} at service point {service_point}")
        }
        Command::RecordPayment { account, amount, provider, external_ref, .. } => {
            let amount = money(*amount);
            format!(
                "payment of {amount} to account {account} by {provider}, reference {external_ref}"
            )
        }
        Command::RecordRead { reads } => format!("report of {} meter reads", reads.len()),
        Command::PostAdjustment { account, amount, reason, .. } => {
            let reason = match reason {
                AdjustmentReason::Goodwill => "goodwill credit",
                AdjustmentReason::LateFee => "late fee",
                AdjustmentReason::BadDebt => "write-off",
            };
            format!("{reason} of {} for account {account}", money(*amount))
        }
        Command::ReversePayment { payment, amount, reason, .. } => {
            let reason = match reason {
                ReversalReason::Bounced => "bounce",
                ReversalReason::ChargeBack => "charge-back",
            };
            format!("{reason} of {} of payment {payment}", money(*amount))
        }
        Command::CloseAccount { account, .. } => format!("request to close account {account}"),
        Command::RequestRefund { payment, amount, .. } => {
            format!("request to refund {} of payment {payment}", money(*amount))
        }
        Command::IssueInvoice { account, period, .. } => {
            format!("request to invoice account {account} for {period}")
        }
        Command::ConfirmPayout { refund, amount, .. } => {
            format!("report that {} of refund {refund} were paid out", money(*amount))
        }
    }
}

/// What came back to a client, and whether what it asked for is done.
pub(crate) fn of_answer(answer: &Answer) -> (CallResult, String) {
    let told = |result, words: &str| (result, words.to_owned());
    match answer {
        Answer::Write(WriteAnswer::Done(receipt)) => (CallResult::Ok, of_receipt(receipt)),
        Answer::Write(WriteAnswer::Conflict { .. }) => {
            told(CallResult::Fail, "refused: the operation has another content")
        }
        Answer::Write(WriteAnswer::Refused(why)) => {
            (CallResult::Fail, format!("refused: {}: {}", why.field, why.detail))
        }
        Answer::Write(WriteAnswer::Unavailable { reason, retry_after_ms }) => {
            let why = of_reason(*reason);
            (CallResult::Fail, format!("not taken: {why}, try again in {retry_after_ms} ms"))
        }
        Answer::Write(WriteAnswer::Unknown) => {
            told(CallResult::Unknown, "unknown: the node cannot say whether it will be done")
        }
        Answer::Read(_) => told(CallResult::Ok, "read"),
        Answer::TimedOut => told(CallResult::Unknown, "no answer in time"),
        Answer::Refused => told(CallResult::Fail, "the connection was refused"),
    }
}

fn of_reason(reason: Unavailable) -> &'static str {
    match reason {
        Unavailable::NoLeader => "nobody leads the region",
        Unavailable::Overloaded => "too much is waiting already",
        Unavailable::GradeUnreachable => "the grade that was asked for cannot be reached",
        Unavailable::DiskFull => "the disk is full",
        Unavailable::ClockSkew => "the node's clock is off from the others'",
        Unavailable::Stopping => "the node is stopping",
        Unavailable::TokenAhead => "what the session has seen is ahead of the leader's clock",
    }
}

fn of_receipt(receipt: &Receipt) -> String {
    let what = match receipt.disposition {
        Disposition::Applied => "done",
        Disposition::Duplicate { .. } => "was done before",
        Disposition::Redirected { .. } => "booked elsewhere",
        Disposition::Denied { .. } => "denied for good",
        Disposition::Compensated { .. } => "negated",
    };
    let again = if receipt.replayed { ", told again" } else { "" };
    let grade = match receipt.grade {
        Grade::Region => "region",
        Grade::Geo => "geo",
        Grade::Final => "final",
    };
    format!("{what}, grade {grade}, at {}{again}", receipt.position)
}

/// Minor units of the simulated clusters' currency.
fn money(amount: i64) -> String {
    let sign = if amount < 0 { "-" } else { "" };
    let minor = amount.unsigned_abs();
    format!("{sign}{}.{:02} EUR", minor / 100, minor % 100)
}

fn seconds(at_ns: u64) -> String {
    format!("{}.{:03} s", at_ns / 1_000_000_000, at_ns / 1_000_000 % 1_000)
}

#[cfg(test)]
mod tests {
    use super::{CallResult, LostEntries, money, of_answer, tell};
    use billing_wire::answer::Unavailable;
    use billing_wire::{
        AccountId, Command, Date, Disposition, Frontier, Grade, Hlc, NodeId, OpId, Position, Query,
        QueryResult, Read, ReadAnswer, ReadLevel, Receipt, RegionId, Submission, Token,
        WriteAnswer,
    };
    use billsim_oracle::history::{Answer, CallId, Endpoint, Event, Request};
    use billsim_record::Failure;

    fn failure(transaction: Option<OpId>) -> Failure {
        Failure {
            oracle: "D2".to_owned(),
            promise: "an acknowledged write stays".to_owned(),
            detail: "it is gone".to_owned(),
            transaction: transaction.map(|op_id| op_id.to_string()),
            last_fault: None,
            at_ns: 9_000_000_000,
            event: 1,
            fingerprint: "0".to_owned(),
            further: 0,
        }
    }

    fn invoke(at: u64, call: u64, node: u16, request: Request) -> Event {
        let to = Endpoint::Node(NodeId(node));
        Event::Invoke { at, call: CallId(call), session: 4, to, request, retry: false }
    }

    fn pay(op_id: OpId) -> Request {
        let command = Command::RecordPayment {
            account: AccountId(7),
            amount: 4_205,
            date: Date(20_000),
            provider: "bank".to_owned(),
            external_ref: "31".to_owned(),
        };
        Request::write(Submission { op_id, command }, None)
    }

    fn receipt(at: u64, call: u64, op_id: OpId) -> Event {
        let answer = Answer::Write(WriteAnswer::Done(Receipt {
            op_id,
            grade: Grade::Region,
            disposition: Disposition::Applied,
            position: Position::default(),
            replayed: false,
            token: Token::default(),
        }));
        Event::Return { at, call: CallId(call), answer }
    }

    #[test]
    fn a_transaction_is_told_from_its_first_sending_to_its_receipt() {
        let op_id = OpId(5);
        let mut history = vec![invoke(1_000_000_000, 1, 2, pay(op_id))];
        let told = |history: &[Event], named| tell(history, &failure(named), None).unwrap().words;
        assert!(told(&history, None).starts_with("Nothing was acknowledged yet; sent last: "));
        history.push(Event::Return { at: 2, call: CallId(1), answer: Answer::TimedOut });
        history.push(invoke(2_500_000_000, 2, 3, pay(op_id)));
        history.push(receipt(2_600_000_000, 2, op_id));
        history.push(receipt(2_700_000_000, 9, OpId(6)));
        let sentence = "client 4 sent a payment of 42.05 EUR to account 7 by bank, reference 31 \
                        (00000000-0000-0000-0000-000000000005) to node 2 at 1.000 s, 2 times in \
                        all; node 3 acknowledged it at 2.600 s.";
        assert_eq!(told(&history, Some(op_id)), sentence);
        history.pop();
        let unnamed = format!("It is about no single transaction; acknowledged last: {sentence}");
        assert_eq!(told(&history, None), unnamed);
        let lost_entries = LostEntries { region: RegionId(0), kept: 0, durable: 1 };
        let lost = tell(&history, &failure(None), Some(lost_entries)).unwrap().words;
        assert_eq!(lost, unnamed, "it stands at index 0");
        let Event::Return { answer: Answer::Write(WriteAnswer::Done(receipt)), .. } =
            &mut history[3]
        else {
            panic!("the receipt is the last event")
        };
        receipt.position.index = 1;
        let lost = tell(&history, &failure(None), Some(lost_entries)).unwrap().words;
        assert_eq!(lost, format!("In what was lost: {sentence}"));
        assert_eq!(tell(&[], &failure(Some(op_id)), None), None);
    }

    #[test]
    fn a_read_that_broke_a_promise_is_told() {
        let query = Query::Balance { account: AccountId(7) };
        let read = Read { query, level: ReadLevel::Local, token: None };
        let answer = ReadAnswer {
            result: QueryResult::UnknownAccount(AccountId(7)),
            frontier: Frontier::default(),
            watermark: Hlc(0),
            provisional: false,
            stale_ms: 0,
            session_gap: false,
            token: Token::default(),
        };
        let answer = Answer::Read(Box::new(answer));
        let history = [
            invoke(8_900_000_000, 3, 1, Request::Read(read)),
            Event::Return { at: 9_000_000_000, call: CallId(3), answer },
        ];
        assert_eq!(
            tell(&history, &failure(None), None).unwrap().words,
            "Client 4 asked node 1 for the balance of account 7 at 8.900 s, told at 9.000 s."
        );
    }

    #[test]
    fn what_was_not_taken_is_said_without_names_of_code() {
        let reason = Unavailable::NoLeader;
        let answer = WriteAnswer::Unavailable { reason, retry_after_ms: 250 };
        let (result, words) = of_answer(&Answer::Write(answer));
        assert_eq!(result, CallResult::Fail);
        assert_eq!(words, "not taken: nobody leads the region, try again in 250 ms");
    }

    #[test]
    fn money_has_two_digits_behind_the_point() {
        assert_eq!([5, -1_234, 100].map(money), ["0.05 EUR", "-12.34 EUR", "1.00 EUR"]);
        assert_eq!(money(i64::MIN), "-92233720368547758.08 EUR");
    }
}
