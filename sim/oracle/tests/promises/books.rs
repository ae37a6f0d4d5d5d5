//! Histories for the promises about outcomes, journals and repeated submissions.

use crate::Case;
use crate::stage::{NODES, Stage, local, open, pay, submission};
use billing_wire::{
    AccountId, DenyReason, Disposition, Frontier, Hlc, OpId, Query, QueryResult, Receipt, Refusal,
    Token, WriteAnswer, WriteOptions,
};
use billsim_oracle::{Answer, Request};

pub(crate) const CASES: &[Case] = &[
    ("A1", "trial balance is not 0", |s, broken| {
        s.write(1, 1, open(1));
        s.write(1, 2, pay(1, 5));
        s.read(local(Query::TrialBalance), |answer| {
            if let QueryResult::TrialBalance(view) = &mut answer.result {
                view.sums[0].1 += i128::from(broken);
            }
        });
    }),
    ("A2", "fold is ahead of the commit index", |s, broken| {
        s.invoke_write(1, 1, open(1));
        let record = s.log(vec![submission(1, open(1))]);
        let first = usize::from(broken);
        NODES[first..].iter().for_each(|node| s.jury.committed(s.now, *node, &record));
        s.fold(NODES[0]);
    }),
    ("A2", "fold stands where the merged order never was", |s, broken| {
        s.write(1, 1, open(1));
        let (mut frontier, chain) = (s.frontier(), s.view(NODES[0]).ledger.outcome_chain);
        frontier.0[1] += u64::from(broken);
        s.jury.folded(s.now, NODES[0], 0, &frontier, s.watermark(), chain);
    }),
    ("A2", "outcomes differ from the billing rules", |s, broken| {
        s.write(1, 1, open(1));
        let (frontier, mut chain) = (s.frontier(), s.view(NODES[0]).ledger.outcome_chain);
        chain.0 ^= u64::from(broken);
        s.jury.folded(s.now, NODES[0], 0, &frontier, s.watermark(), chain);
    }),
    ("A9", "Some(Fact) was told denied", |s, broken| {
        told(s, |receipt| {
            let denied = Disposition::Denied { reason: DenyReason::OverLimit };
            receipt.disposition = if broken { denied } else { receipt.disposition };
        })
    }),
    ("A9", "receipt with another outcome than booked", |s, broken| {
        told(s, |receipt| {
            let of = receipt.position;
            let duplicate = Disposition::Duplicate { of };
            receipt.disposition = if broken { duplicate } else { receipt.disposition };
        })
    }),
    ("A9", "receipt with another place than booked", |s, broken| {
        told(s, |receipt| {
            receipt.position.offset += u16::from(broken);
        })
    }),
    ("A9", "receipt for another operation", |s, broken| {
        told(s, |receipt| {
            receipt.op_id.0 += u128::from(broken);
        })
    }),
    ("A9", "receipt for what is not in the log", |s, broken| {
        s.write(1, 1, open(1));
        let call = s.invoke_write(1, 2, pay(1, 5));
        if broken {
            s.done(call, s.forged_receipt(2, 2));
        }
    }),
    ("A10", "what must be refused was taken", |s, broken| {
        let amount = if broken { -5 } else { 5 };
        s.write(1, 1, open(1));
        s.write(1, 2, pay(1, amount));
    }),
    ("A10", "what must be refused was taken", |s, broken| {
        // A token that another cluster made.
        let secret = if broken { [8; 32] } else { s.genesis.secret };
        let token = Token::sign(&secret, Frontier::default(), Hlc::ZERO, Hlc::ZERO);
        let request = Request::Write(submission(1, open(1)), Some(token), WriteOptions::default());
        let call = s.invoke(1, request);
        let record = s.log(vec![submission(1, open(1))]);
        s.commit(&record);
        s.done(call, s.receipt(1));
    }),
    ("A10", "a value within its range was refused", |s, broken| {
        let amount = if broken { 5 } else { i64::MIN };
        let call = s.invoke_write(1, 1, pay(1, amount));
        let refusal = Refusal { field: "amount".to_owned(), detail: String::new() };
        s.returns(call, Answer::Write(WriteAnswer::Refused(refusal)));
    }),
    ("C5", "what a node remembers is not what its log says", |s, broken| {
        s.write(1, 1, open(1));
        s.write(1, 2, pay(1, 5));
        // Not the first node, whose books A2 asks for.
        s.lies(NODES[2], Query::Balance { account: AccountId(1) }, |answer| {
            if let QueryResult::Balance(view) = answer {
                view.balance += i64::from(broken);
            }
        });
        s.quiesce(|_| {});
    }),
    ("C3", "the second of two equal messages is logged again", |s, broken| {
        s.jury.delivered_twice(s.now, NODES[0], broken.then_some("is logged again"));
    }),
    ("I1", "two submissions were answered as new", |s, broken| {
        s.write(1, 1, open(1));
        let call = s.invoke_write(1, 1, open(1));
        let mut receipt = s.receipt(1);
        receipt.position.index += 1;
        receipt.replayed = !broken;
        if !broken {
            receipt = s.receipt(1);
        }
        s.done(call, receipt);
    }),
    ("I1", "an operation is twice in a history", |s, broken| {
        s.write(1, 1, open(1));
        s.write(1, 2, pay(1, 5));
        let account = AccountId(1);
        s.read(local(Query::History { account, after: 0, limit: 9 }), |answer| {
            if let QueryResult::History(page) = &mut answer.result
                && broken
            {
                page.items.push(page.items[1]);
            }
        });
    }),
    ("I2", "a retry was told another outcome", |s, broken| {
        retried(s, |receipt| {
            let of = receipt.position;
            let duplicate = Disposition::Duplicate { of };
            receipt.disposition = if broken { duplicate } else { receipt.disposition };
        })
    }),
    ("I2", "a retry was told another place", |s, broken| {
        retried(s, |receipt| {
            receipt.position.offset += u16::from(broken);
        })
    }),
    ("I3", "another body was answered like the first", |s, broken| {
        s.write(1, 1, open(1));
        let call = s.invoke_write(1, 1, open(if broken { 2 } else { 1 }));
        s.done(call, s.receipt(1));
    }),
    ("I3", "conflict without another body", |s, broken| {
        s.write(1, 1, open(1));
        let call = s.invoke_write(1, 1, open(if broken { 1 } else { 2 }));
        let op_id = OpId(1);
        s.returns(call, Answer::Write(WriteAnswer::Conflict { op_id }));
    }),
    ("A2", "books differ from the billing rules", |s, broken| {
        s.write(1, 1, open(1));
        s.lies(NODES[0], Query::Balance { account: AccountId(1) }, |answer| {
            if let QueryResult::Balance(view) = answer {
                view.balance += i64::from(broken);
            }
        });
        s.quiesce(|_| {});
    }),
    ("I1", "an operation is twice in a history", |s, broken| {
        s.write(1, 1, open(1));
        let query = Query::History { account: AccountId(1), after: 0, limit: u16::MAX };
        s.lies(NODES[0], query, |answer| {
            if let QueryResult::History(page) = answer
                && broken
            {
                page.items.extend_from_within(..);
            }
        });
        s.quiesce(|_| {});
    }),
];

/// A payment whose receipt is bent.
pub(crate) fn told(s: &mut Stage, bend: impl FnOnce(&mut Receipt)) {
    s.write(1, 1, open(1));
    let call = s.invoke_write(1, 2, pay(1, 5));
    let record = s.log(vec![submission(2, pay(1, 5))]);
    s.commit(&record);
    let mut receipt = s.receipt(2);
    bend(&mut receipt);
    s.done(call, receipt);
}

/// A payment that is sent again, with a bent second receipt.
fn retried(s: &mut Stage, bend: impl FnOnce(&mut Receipt)) {
    s.write(1, 1, pay(1, 5));
    let call = s.invoke_write(1, 1, pay(1, 5));
    let mut receipt = s.receipt(1);
    receipt.replayed = true;
    bend(&mut receipt);
    s.done(call, receipt);
}
