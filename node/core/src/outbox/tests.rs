//! Stories of the outbox: one call at a time for each due, always under the same key.

use super::{Confirmation, Outbox, Pace};
use crate::io::{Effect, EffectId, EffectResult};
use crate::time::Monotonic;
use billing_wire::{AccountId, Date, OpId, OutboxItem, Position};

const PACE: Pace = Pace {
    seed: 7,
    currency: *b"EUR",
    in_flight_max: 2,
    timeout_ms: 1_000,
    retry_ms: 100,
    retry_max_ms: 800,
};

fn item(refund: u128) -> OutboxItem {
    let (account, payment) = (AccountId(1), OpId(1_000 + refund));
    OutboxItem { position: Position::default(), refund: OpId(refund), payment, account, amount: 5 }
}

fn at(ms: u64) -> Monotonic {
    Monotonic(0).plus_ms(ms)
}

fn calls(outbox: &mut Outbox, ms: u64) -> Vec<Effect> {
    let mut made = Vec::new();
    outbox.start_calls(at(ms), |effect| made.push(effect));
    made
}

/// The time of the next call, looked for every millisecond.
fn next_call(outbox: &mut Outbox, from_ms: u64) -> (u64, Effect) {
    for ms in from_ms..from_ms + 10_000 {
        if let Some(effect) = calls(outbox, ms).pop() {
            return (ms, effect);
        }
    }
    panic!("no call within 10 s of {from_ms} ms");
}

#[test]
fn so_many_calls_are_open_and_no_more() {
    let mut outbox = Outbox::new(PACE);
    (1..=3).for_each(|refund| assert!(outbox.take(at(0), item(refund))));
    assert!(!outbox.take(at(0), item(2)), "it is in hand");
    let open = calls(&mut outbox, 0);
    let keys: Vec<_> = open.iter().map(|effect| (effect.key, effect.refund)).collect();
    assert_eq!(keys, [(OpId(1), OpId(1)), (OpId(2), OpId(2))]);
    assert!(calls(&mut outbox, 1).is_empty());
    outbox.done(at(2), open[0].id, EffectResult::Paid { on: Date(20_000) });
    let third = calls(&mut outbox, 2);
    assert_eq!((third.len(), third[0].refund), (1, OpId(3)));
}

#[test]
fn a_failed_call_is_repeated_under_its_key_after_longer_and_longer_pauses() {
    for result in [EffectResult::Refused, EffectResult::Unknown] {
        let mut outbox = Outbox::new(PACE);
        outbox.take(at(0), item(9));
        let (mut ms, mut effect) = next_call(&mut outbox, 0);
        for longest in [100, 200, 400, 800, 800, 800] {
            outbox.done(at(ms), effect.id, result);
            let (next_ms, next) = next_call(&mut outbox, ms);
            assert!((longest / 2..=longest + 1).contains(&(next_ms - ms)), "{}", next_ms - ms);
            assert_eq!((next.key, next.amount), (OpId(9), 5));
            assert_ne!(next.id, effect.id);
            (ms, effect) = (next_ms, next);
        }
    }
}

#[test]
fn a_call_without_an_answer_is_open_no_longer_than_its_time() {
    let mut outbox = Outbox::new(PACE);
    outbox.take(at(0), item(1));
    let first = calls(&mut outbox, 0).remove(0);
    outbox.expire(at(1_250));
    assert_eq!(outbox.open_calls(), 1);
    outbox.expire(at(1_251));
    assert_eq!(outbox.open_calls(), 0);
    outbox.done(at(1_252), first.id, EffectResult::Paid { on: Date(20_000) });
    assert!(outbox.take_confirmations(at(1_252)).is_empty(), "too late: it is asked again");
    assert_eq!(next_call(&mut outbox, 1_252).1.key, first.key);
}

#[test]
fn what_is_paid_is_confirmed_until_it_is_due_no_longer() {
    let mut outbox = Outbox::new(PACE);
    outbox.take(at(0), item(4));
    let call = calls(&mut outbox, 0).remove(0);
    outbox.done(at(3), call.id, EffectResult::Paid { on: Date(20_001) });
    let confirmation = Confirmation { refund: OpId(4), amount: 5, on: Date(20_001) };
    assert_eq!(outbox.take_confirmations(at(3)), [confirmation]);
    assert!(outbox.take_confirmations(at(9_000)).is_empty(), "it is on its way");
    outbox.confirm_again(at(9_000), OpId(4));
    assert!(outbox.take_confirmations(at(9_001)).is_empty(), "after a pause");
    assert_eq!(outbox.take_confirmations(at(9_200)), [confirmation]);
    assert!(calls(&mut outbox, 9_200).is_empty(), "it is paid");
    outbox.retain(|_| false);
    outbox.confirm_again(at(9_300), OpId(4));
    assert!(outbox.take_confirmations(at(20_000)).is_empty());
}

#[test]
fn an_answer_to_another_life_finds_nothing() {
    let mut outbox = Outbox::new(PACE);
    outbox.take(at(0), item(1));
    let before = calls(&mut outbox, 0).remove(0);
    outbox.clear();
    outbox.take(at(1), item(1));
    let after = calls(&mut outbox, 1).remove(0);
    assert_ne!(before.id, after.id);
    outbox.done(at(2), before.id, EffectResult::Paid { on: Date(20_000) });
    outbox.done(at(2), EffectId(1), EffectResult::Paid { on: Date(20_000) });
    assert!(outbox.take_confirmations(at(2)).is_empty());
    assert_eq!(outbox.open_calls(), 1);
}
