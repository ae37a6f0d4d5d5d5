//! R4: what is final is final everywhere. Two `final` reads of the same thing at the same watermark
//! show the same, whichever nodes were asked; no reference is needed to say so, so this holds the
//! nodes against each other where R1 holds each of them against the books.

use crate::catalogue::Promise;
use crate::verdicts::Verdicts;
use crate::words;
use billing_wire::{Hlc, Query, QueryResult, Read, ReadAnswer, ReadLevel};
use std::collections::BTreeMap;

pub(crate) const WORDS: &str = "at the same watermark every node gives the same final answer";

/// Answers that are kept; those at the lowest watermarks make room.
const KEPT_MAX: usize = 4_096;

/// What was asked at each watermark, and answered first.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    first: BTreeMap<(Hlc, Query), QueryResult>,
}

impl Answered {
    pub(crate) fn answered(
        &mut self,
        verdicts: &mut Verdicts,
        at: u64,
        read: &Read,
        answer: &ReadAnswer,
    ) {
        let refused = matches!(answer.result, QueryResult::Unavailable | QueryResult::BadToken);
        if read.level != ReadLevel::Final || refused {
            return;
        }
        let asked = (answer.watermark, read.query);
        let Some(first) = self.first.get(&asked) else {
            self.first.insert(asked, answer.result.clone());
            if self.first.len() > KEPT_MAX {
                self.first.pop_first();
            }
            return;
        };
        verdicts.check(Promise::R4, at, None, *first == answer.result, || {
            let shape = "two final answers at one watermark".to_owned();
            let (asked, difference) =
                (words::query(&read.query), words::difference(Some(&answer.result), first));
            (shape, format!("{asked} at watermark {}: {difference}", answer.watermark))
        });
    }
}
