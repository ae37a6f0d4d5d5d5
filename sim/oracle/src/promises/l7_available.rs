//! L7: in a long run, with one thing at a time going wrong, 9,999 of 10,000 payments are answered.
//!
//! A payment counts once, however often it is sent and wherever to, and it is answered when the
//! first of its answers says what became of it, within the time that a lost region may take (L2). A
//! run that is too short for one in ten thousand to be seen is not judged; one seed is long enough,
//! so nothing has to be added up over a sweep.
//!
//! Time in which no node of any region and a majority of that region hear each other does not
//! count: nobody can lead then, whatever the nodes do. Who waits for its end has ten seconds yet.

use crate::catalogue::Promise;
use crate::facts::Call;
use crate::history::Answer;
use crate::verdicts::Verdicts;
use billing_wire::{OpId, WriteAnswer};
use std::collections::BTreeMap;
use std::ops::Range;

pub(crate) const WORDS: &str =
    "with one thing wrong at a time 9,999 of 10,000 payments are answered in 10 s";

/// A payment is answered in time within so many nanoseconds.
const IN_TIME_NS: u64 = 10_000_000_000;
/// Of so many payments one may be late.
const ONE_IN: u64 = 10_000;

/// Payments of a run in which one thing at a time goes wrong.
#[derive(Debug, Default)]
pub(crate) struct Availability {
    is_judged: bool,
    /// When nobody could lead.
    unserved: Vec<Range<u64>>,
    /// When each payment that has no answer yet was first asked for.
    open: BTreeMap<OpId, u64>,
    answered: u64,
    late: u64,
    /// The first that was late, and when it was asked for.
    first_late: Option<(OpId, u64)>,
}

impl Availability {
    /// One thing at a time goes wrong in this run; nobody can lead during these times.
    pub(crate) fn is_judged(&mut self, unserved: Vec<Range<u64>>) {
        (self.is_judged, self.unserved) = (true, unserved);
    }

    /// For how long a payment has waited that was asked for then.
    fn waited(&self, began: u64, at: u64) -> u64 {
        let lost = |times: &Range<u64>| times.end.min(at).saturating_sub(times.start.max(began));
        at - began - self.unserved.iter().map(lost).sum::<u64>()
    }

    /// Clients only finish what is unknown from here on.
    pub(crate) fn load_ends(&mut self, at: u64) {
        // Who was not there for as long as an answer may take has not waited in vain.
        let mut open = std::mem::take(&mut self.open);
        open.retain(|_, began| self.waited(*began, at) >= IN_TIME_NS);
        self.open = open;
    }

    /// A payment is sent, first or again.
    pub(crate) fn invoked(&mut self, at: u64, op_id: OpId) {
        if self.is_judged {
            self.open.entry(op_id).or_insert(at);
        }
    }

    /// A payment returned.
    pub(crate) fn returned(&mut self, at: u64, call: &Call, op_id: OpId, answer: &Answer) {
        let is_answer = answer.is_refused_for_its_grade()
            || matches!(
                answer,
                Answer::Write(
                    WriteAnswer::Done(_) | WriteAnswer::Refused(_) | WriteAnswer::Conflict { .. }
                )
            );
        if !self.is_judged || !call.pays || !is_answer {
            return;
        }
        let Some(began) = self.open.remove(&op_id) else { return };
        self.answered += 1;
        if self.waited(began, at) > IN_TIME_NS {
            self.note_late(op_id, began);
        }
    }

    fn note_late(&mut self, op_id: OpId, began: u64) {
        self.late += 1;
        self.first_late.get_or_insert((op_id, began));
    }

    /// The run is over; what is still open was never answered.
    pub(crate) fn settled(&mut self, verdicts: &mut Verdicts, at: u64) {
        for (op_id, began) in std::mem::take(&mut self.open) {
            self.answered += 1;
            self.note_late(op_id, began);
        }
        let Self { answered, late, first_late, .. } = *self;
        if !self.is_judged || answered < ONE_IN {
            return;
        }
        let operation = first_late.map(|(op_id, _)| op_id);
        verdicts.check(Promise::L7, at, operation, late * ONE_IN <= answered, || {
            let began = first_late.map_or(0, |(_, began)| began / 1_000_000);
            let detail = format!(
                "{late} of {answered} payments had no answer in 10 s, the first was asked for at \
                 {began} ms"
            );
            ("payments without an answer in time".to_owned(), detail)
        });
    }
}
