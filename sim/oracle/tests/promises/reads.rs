//! Histories for the promises about reads.

use crate::Case;
use crate::books::told;
use crate::stage::{in_session, local, open, pay};
use billing_wire::{AccountId, OpId, OperationState, Query, QueryResult, Read, ReadLevel};

pub(crate) const CASES: &[Case] = &[
    ("R1", "answer claims what is not committed", |s, broken| {
        s.write(1, 1, open(1));
        s.read(local(Query::TrialBalance), |a| a.frontier.0[0] += u64::from(broken));
    }),
    ("R1", "balance differs from the books", |s, broken| {
        s.write(1, 1, open(1));
        s.write(1, 2, pay(1, 5));
        s.read(local(Query::Balance { account: AccountId(1) }), |answer| {
            if let QueryResult::Balance(view) = &mut answer.result {
                view.balance += i64::from(broken);
            }
        });
    }),
    ("R1", "history differs from the books", |s, broken| {
        s.write(1, 1, open(1));
        s.write(1, 2, pay(1, 5));
        // The page is right for the end of the log, not for the moment that it claims.
        let account = AccountId(1);
        s.read(local(Query::History { account, after: 0, limit: 9 }), |answer| {
            answer.frontier.0[0] -= u64::from(broken);
        });
    }),
    ("R1", "operation differs from the books", |s, broken| {
        s.write(1, 1, open(1));
        let op_id = OpId(1);
        s.read(local(Query::Operation { op_id }), |answer| {
            if broken {
                answer.result = QueryResult::Operation(OperationState::NotSeen);
            }
        });
    }),
    ("R1", "trial balance differs from the books", |s, broken| {
        s.write(1, 1, pay(1, 5));
        s.read(local(Query::TrialBalance), |answer| {
            if let QueryResult::TrialBalance(view) = &mut answer.result
                && broken
            {
                view.sums.iter_mut().for_each(|(_, sum)| *sum = 0);
            }
        });
    }),
    ("R2", "frontier went back within a session", |s, broken| {
        s.write(1, 1, open(1));
        let read = in_session(Query::TrialBalance, s.token());
        s.read(read, |_| {});
        s.read(read, |answer| answer.frontier.0[0] -= u64::from(broken));
    }),
    ("R2", "watermark went back within a session", |s, broken| {
        s.write(1, 1, open(1));
        let read = in_session(Query::TrialBalance, s.token());
        s.read(read, |_| {});
        s.read(read, |answer| answer.watermark.0 -= u64::from(broken));
    }),
    ("R3", "token of a receipt does not cover it", |s, broken| {
        told(s, |receipt| {
            receipt.token.frontier.0[0] -= u64::from(broken);
        })
    }),
    ("R3", "a good token was called bad", |s, broken| {
        let mut read = in_session(Query::TrialBalance, s.token());
        let token = read.token.as_mut().expect("was set");
        token.mac[0] ^= u8::from(!broken);
        s.read(read, |answer| answer.result = QueryResult::BadToken);
    }),
    ("R3", "silent gap in a session", |s, broken| {
        let before = s.answer(&local(Query::TrialBalance));
        s.write(1, 1, open(1));
        s.read(in_session(Query::TrialBalance, s.token()), |answer| {
            *answer = before;
            answer.session_gap = !broken;
        });
    }),
    ("R3", "gap without cause in a session", |s, broken| {
        s.write(1, 1, open(1));
        let read = in_session(Query::TrialBalance, s.token());
        s.read(read, |answer| answer.session_gap = broken);
    }),
    ("R4", "two final answers at one watermark", |s, broken| {
        s.write(1, 1, open(1));
        let read = Read { level: ReadLevel::Final, ..local(Query::TrialBalance) };
        s.read(read, |_| {});
        s.read(read, |answer| {
            if let QueryResult::TrialBalance(view) = &mut answer.result
                && broken
            {
                view.sums.clear();
            }
        });
        // Neither what is not final nor what is further on has to be the same.
        s.read(local(Query::TrialBalance), |_| {});
        s.write(1, 2, pay(1, 5));
        s.read(read, |_| {});
    }),
];
