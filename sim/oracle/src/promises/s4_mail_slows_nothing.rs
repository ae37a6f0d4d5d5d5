//! S4: what becomes of mail changes nothing for those who pay and look up. Judged where there is a
//! mail service that may be slow, dead or deaf, and nothing else goes wrong: every payment is
//! acknowledged at its first sending, every look-up answered, and of each 99 of 100 within the
//! limit, as if there were no mail. That notices come in the end is judged in L4, that they are of
//! what is final in S3.

use crate::catalogue::Promise;
use crate::facts::{Ask, Call};
use crate::history::Answer;
use crate::verdicts::Verdicts;
use billing_wire::WriteAnswer;

pub(crate) const WORDS: &str =
    "a mail service that is slow or dead delays no payment and no look-up";

/// A payment or look-up may take so long, in nanoseconds, but for one in a hundred.
const LIMIT_NS: u64 = 50_000_000;
/// Until a leader is there nothing can succeed, in nanoseconds.
const WARM_UP_NS: u64 = 5_000_000_000;
/// Fewer have no 99th percentile.
const CALLS_MIN: u64 = 100;

/// Calls of one kind.
#[derive(Debug, Default)]
struct Calls {
    all: u64,
    late: u64,
    failed: u64,
    longest: u64,
}

/// Payments and look-ups of a run.
#[derive(Debug, Default)]
pub(crate) struct Undisturbed {
    is_judged: bool,
    payments: Calls,
    lookups: Calls,
}

impl Undisturbed {
    /// In this run nothing goes wrong but the mail.
    pub(crate) fn is_judged(&mut self) {
        self.is_judged = true;
    }

    /// A call returned.
    pub(crate) fn returned(&mut self, at: u64, call: &Call, answer: &Answer) {
        // Who names a grade waits for other regions, or is refused, whatever the mail does.
        let is_plain = call.options.min_durability.is_none();
        if !self.is_judged || call.at < WARM_UP_NS || !is_plain {
            return;
        }
        let (calls, is_done) = match (&call.ask, answer) {
            // Nothing is owed to what no cluster would log.
            (_, Answer::Write(WriteAnswer::Refused(_) | WriteAnswer::Conflict { .. })) => return,
            (Ask::Write { .. }, Answer::Write(answer)) if call.pays => {
                (&mut self.payments, matches!(answer, WriteAnswer::Done(_)))
            }
            (Ask::Write { .. }, _) if call.pays => (&mut self.payments, false),
            (Ask::Write { .. }, _) => return,
            (Ask::Read(_), Answer::Read(_)) => (&mut self.lookups, true),
            (Ask::Read(_), _) => (&mut self.lookups, false),
        };
        let took = at - call.at;
        calls.all += 1;
        calls.late += u64::from(is_done && took > LIMIT_NS);
        calls.failed += u64::from(!is_done);
        calls.longest = calls.longest.max(took);
    }

    /// The run is over, or something else begins to go wrong.
    pub(crate) fn settled(&self, verdicts: &mut Verdicts, at: u64) {
        for (what, calls) in [("payments", &self.payments), ("look-ups", &self.lookups)] {
            if calls.all < CALLS_MIN {
                continue;
            }
            let holds = calls.failed == 0 && calls.late * 100 <= calls.all;
            verdicts.check(Promise::S4, at, None, holds, || {
                let Calls { all, late, failed, longest } = calls;
                let longest = longest / 1_000_000;
                let detail = format!(
                    "of {all} {what} {failed} failed and {late} took longer than 50 ms, the \
                     longest {longest} ms, with nothing wrong but the mail"
                );
                ("mail is in the way".to_owned(), detail)
            });
        }
    }
}
