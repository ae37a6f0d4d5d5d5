//! R2: a session that shows what it has seen never sees less, unless the answer says so.

use crate::catalogue::Promise;
use crate::verdicts::Verdicts;
use crate::words;
use billing_wire::{Frontier, Hlc, QueryResult, Read, ReadAnswer, ReadLevel};
use std::collections::BTreeMap;

pub(crate) const WORDS: &str = "within a session the books never go back in time unseen";

/// What each session has been shown by `session` and `final` reads.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    seen: BTreeMap<u32, (Frontier, Hlc)>,
}

impl Sessions {
    pub(crate) fn answered(
        &mut self,
        verdicts: &mut Verdicts,
        at: u64,
        session: u32,
        read: &Read,
        answer: &ReadAnswer,
    ) {
        let refused = matches!(answer.result, QueryResult::Unavailable | QueryResult::BadToken);
        if read.level == ReadLevel::Local || answer.session_gap || refused {
            return;
        }
        let (frontier, watermark) = self.seen.entry(session).or_default();
        // A client that forgot its token has no claim on what it saw before.
        let claims = read.token.is_some_and(|token| token.frontier.covers(frontier));
        if claims {
            verdicts.check(Promise::R2, at, None, answer.frontier.covers(frontier), || {
                let shape = "frontier went back within a session".to_owned();
                let now = words::frontier(&answer.frontier);
                (shape, format!("the client had seen {}, is told {now}", words::frontier(frontier)))
            });
            verdicts.check(Promise::R2, at, None, answer.watermark >= *watermark, || {
                let shape = "watermark went back within a session".to_owned();
                (shape, format!("{watermark} before, {} now", answer.watermark))
            });
        }
        *frontier = frontier.join(&answer.frontier);
        *watermark = (*watermark).max(answer.watermark);
    }
}
