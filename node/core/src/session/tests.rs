//! The life of writes, without a node around them.

use super::{COUNTING_BITS, Sessions, Stage, Waiter};
use crate::io::RequestId;
use crate::time::Monotonic;
use billing_wire::{
    AccountId, Command, Date, Grade, Hash, Hlc, NodeId, OpId, Position, RegionId, ServicePointId,
    Submission, WriteOptions,
};

const TIMEOUT_MS: u64 = 1_000;
const BODY: Hash = [1; 32];

fn at(ms: u64) -> Monotonic {
    Monotonic(ms * 1_000_000)
}

fn client(request: u64) -> Waiter {
    let (request, options) = (RequestId(request), WriteOptions::default());
    Waiter::Client { request, options, seen: None }
}

fn submission(op: u128) -> Submission {
    let (account, service_point) = (AccountId(1), ServicePointId(1));
    let command = Command::OpenAccount { account, service_point, date: Date(20_000) };
    Submission { op_id: OpId(op), command }
}

/// Operations that were taken at times 0, 1, 2 ... ms and wait for a place in the log.
fn queued(operations: u128) -> Sessions {
    let mut sessions = Sessions::new(TIMEOUT_MS, 7);
    for op in 1..=operations {
        sessions.enqueue(at(op as u64 - 1), submission(op), BODY, client(op as u64));
    }
    sessions
}

fn ids(batch: &[Submission]) -> Vec<u128> {
    batch.iter().map(|submission| submission.op_id.0).collect()
}

#[test]
fn a_forward_is_new_once_in_each_life_of_its_follower() {
    let mut sessions = Sessions::new(TIMEOUT_MS, 7);
    let (first, second) = (NodeId(2), NodeId(3));
    let number = (5 << COUNTING_BITS) + 1;
    assert!(!sessions.is_heard_again(first, number));
    assert!(sessions.is_heard_again(first, number), "a copy");
    assert!(!sessions.is_heard_again(first, number + 2));
    assert!(sessions.is_heard_again(first, number + 1), "overtaken: it might be a copy");
    assert!(!sessions.is_heard_again(second, number), "another follower counts for itself");
    let next_life = (3 << COUNTING_BITS) + 1;
    assert!(!sessions.is_heard_again(first, next_life));
    assert!(sessions.is_heard_again(first, number + 2), "the life before is remembered");
    sessions.drop_queued();
    assert!(!sessions.is_heard_again(first, number), "its term is over");
}

#[test]
fn the_queue_is_taken_in_order_and_put_back_in_order() {
    let mut sessions = queued(5);
    assert_eq!((sessions.len(), sessions.queued(), sessions.has_queued()), (5, 5, true));
    let batch = sessions.take_queued(3, 8);
    assert_eq!(ids(&batch), [1, 2, 3]);
    assert_eq!((sessions.len(), sessions.queued()), (5, 2), "they are in flight until answered");
    sessions.put_back(batch);
    assert_eq!(sessions.queued(), 5);
    assert_eq!(ids(&sessions.take_queued(9, 8)), [1, 2, 3, 4, 5]);
    assert!(!sessions.has_queued() && !sessions.is_empty());
}

#[test]
fn what_was_put_back_waits_again_and_was_proposed_in_no_term() {
    let mut sessions = queued(2);
    let batch = sessions.take_queued(1, 3);
    sessions.put_back(batch);
    assert!(sessions.overtaken(9).is_empty());
    let dropped: Vec<u128> = sessions.drop_queued().iter().map(|(op_id, _)| op_id.0).collect();
    assert_eq!(dropped, [1, 2]);
    assert!(sessions.is_empty());
}

#[test]
fn a_second_sending_joins_and_another_body_does_not() {
    let mut sessions = queued(1);
    assert_eq!(sessions.join(OpId(1), &BODY, &client(2)), Some(true));
    assert_eq!(sessions.join(OpId(1), &BODY, &client(2)), Some(true));
    assert_eq!(sessions.join(OpId(1), &[2; 32], &client(3)), Some(false));
    assert_eq!(sessions.join(OpId(2), &BODY, &client(3)), None);
    assert!(sessions.folded(OpId(1), &[2; 32]).is_none(), "somebody else's submission");
    let pending = sessions.folded(OpId(1), &BODY).unwrap();
    assert_eq!(pending.waiters, [client(1), client(2)]);
    assert_eq!(sessions.len(), 0);
}

#[test]
fn the_answer_to_a_forward_is_for_those_whom_it_suits() {
    let final_wanted =
        WriteOptions { min_durability: Some(Grade::Final), ..WriteOptions::default() };
    let other = Waiter::Client { request: RequestId(2), options: final_wanted, seen: None };
    let suits = |options: WriteOptions| options.wanted() <= Grade::Geo;
    let mut sessions = Sessions::new(TIMEOUT_MS, 7);
    let number = sessions.forward(at(0), 3, &submission(1), BODY, client(1));
    sessions.join(OpId(1), &BODY, &other);
    sessions.join(OpId(1), &BODY, &client(3));
    assert_eq!(sessions.answered(OpId(1), suits), [client(1), client(3)]);
    assert_eq!(sessions.forwarded(number), None, "there is one answer");
    assert_eq!(sessions.answered(OpId(9), |_| true), []);
    assert_eq!(sessions.finish(OpId(1)).unwrap().waiters, [other], "it waits on");
    // Whoever made the forward gets what comes.
    sessions.forward(at(0), 3, &submission(1), BODY, other);
    assert_eq!(sessions.answered(OpId(1), suits), [other]);
    assert!(sessions.is_empty());
}

#[test]
fn a_later_term_overtakes_what_was_proposed_or_forwarded_before_it() {
    let mut sessions = queued(4);
    sessions.take_queued(1, 3);
    sessions.take_queued(1, 4);
    let number = sessions.forward(at(9), 3, &submission(9), BODY, client(9));
    let overtaken = |sessions: &mut Sessions, term| -> Vec<Waiter> {
        sessions.overtaken(term).into_iter().flat_map(|pending| pending.waiters).collect()
    };
    assert_eq!(overtaken(&mut sessions, 3), []);
    assert_eq!(sessions.forwarded(number), Some(OpId(9)));
    assert_eq!(overtaken(&mut sessions, 4), [client(1), client(9)]);
    assert_eq!(sessions.forwarded(number), None);
    assert_eq!((sessions.len(), sessions.queued()), (3, 2), "what waits was in no term");
}

#[test]
fn what_has_its_place_in_the_log_is_overtaken_by_nothing() {
    let mut sessions = queued(1);
    sessions.take_queued(1, 3);
    let position = Position { hlc: Hlc::from_ms(5), region: RegionId(0), index: 1, offset: 0 };
    sessions.place(OpId(1), &BODY, position);
    assert!(sessions.has_new_places());
    assert_eq!((sessions.placed(), sessions.waiting_for_grade()), (vec![OpId(1)], 1));
    assert!(!sessions.has_new_places() && sessions.overtaken(9).is_empty());
    assert!(sessions.release(OpId(1), |_, _| false).is_none());
    let released = sessions.release(OpId(1), |_, place| place == position).unwrap();
    assert_eq!((released.waiters, released.position), (vec![client(1)], position));
    assert!(sessions.is_empty());
}

#[test]
fn only_its_own_body_gives_a_write_its_place_and_only_once() {
    let mut sessions = queued(1);
    sessions.take_queued(1, 3);
    let at = |index| Position { hlc: Hlc::from_ms(5), region: RegionId(0), index, offset: 0 };
    sessions.place(OpId(1), &[2; 32], at(1));
    assert_eq!(sessions.placed(), [], "somebody else's body under the same name");
    sessions.place(OpId(1), &BODY, at(2));
    sessions.place(OpId(1), &BODY, at(3));
    assert_eq!(sessions.placed(), [OpId(1)]);
    let released = sessions.release(OpId(1), |_, _| true).unwrap();
    assert_eq!(released.position, at(2), "where it stood first");
}

#[test]
fn each_waits_for_its_own_time() {
    let mut sessions = queued(3);
    sessions.take_queued(1, 1);
    assert!(sessions.expire(at(TIMEOUT_MS - 1)).is_none());
    assert!(!sessions.is_overdue(OpId(1), at(TIMEOUT_MS - 1)));
    assert!(sessions.is_overdue(OpId(1), at(TIMEOUT_MS)));
    sessions.finish(OpId(2));
    let expired = |sessions: &mut Sessions| sessions.expire(at(TIMEOUT_MS + 2));
    let (op_id, pending) = expired(&mut sessions).unwrap();
    assert_eq!((op_id, pending.stage), (OpId(1), Stage::Proposed { term: 1 }));
    let (op_id, pending) = expired(&mut sessions).unwrap();
    assert_eq!((op_id, pending.stage), (OpId(3), Stage::Queued), "the second was answered");
    assert!(expired(&mut sessions).is_none());
    assert_eq!(ids(&sessions.take_queued(9, 1)), [2], "what nobody waits for may be logged");
}

#[test]
fn everything_is_taken_out_when_the_node_stops() {
    let mut sessions = queued(3);
    sessions.take_queued(1, 1);
    let waiters = sessions.drain().into_iter().flat_map(|pending| pending.waiters);
    assert_eq!(waiters.collect::<Vec<_>>(), [client(1), client(2), client(3)]);
    assert!(sessions.is_empty());
}
