//! R3: a session read covers its token or says that it does not; a receipt's token covers the
//! receipt; and only a forged token is called bad.

use crate::catalogue::Promise;
use crate::facts::Facts;
use crate::verdicts::Verdicts;
use crate::words;
use billing_wire::{QueryResult, Read, ReadAnswer, ReadLevel, Receipt};

pub(crate) const WORDS: &str = "a client sees its own transactions, or is told that it does not";

pub(crate) fn acknowledged(verdicts: &mut Verdicts, at: u64, receipt: &Receipt) {
    let position = &receipt.position;
    let reached = receipt.token.frontier.0.get(usize::from(position.region.0)).copied();
    let covered = reached.is_some_and(|index| index >= position.index);
    verdicts.check(Promise::R3, at, Some(receipt.op_id), covered, || {
        let shape = "token of a receipt does not cover it".to_owned();
        let covers = words::frontier(&receipt.token.frontier);
        (shape, format!("a receipt for {position} came with a token that covers {covers}"))
    });
}

pub(crate) fn answered(
    facts: &Facts,
    verdicts: &mut Verdicts,
    at: u64,
    read: &Read,
    answer: &ReadAnswer,
) {
    let Some(token) = &read.token else { return };
    if answer.result == QueryResult::BadToken {
        let forged = !token.verify(&facts.genesis.secret);
        verdicts.check(Promise::R3, at, None, forged, || {
            let detail = format!("it covers {}", words::frontier(&token.frontier));
            ("a good token was called bad".to_owned(), detail)
        });
    } else if read.level == ReadLevel::Session {
        let is_behind = answer.watermark < token.watermark;
        let gap = !answer.frontier.covers(&token.frontier) || is_behind;
        verdicts.check(Promise::R3, at, None, gap == answer.session_gap, || {
            let kind = if gap { "silent gap" } else { "gap without cause" };
            let seen = words::frontier(&token.frontier);
            let now = words::frontier(&answer.frontier);
            let detail = format!("the client had seen {seen}, the answer knows {now}");
            (format!("{kind} in a session"), detail)
        });
    }
}
