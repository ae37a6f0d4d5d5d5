//! Histories for the promises about answers in time.

use crate::Case;
use crate::stage::{NODES, REGION, SECOND, Stage, local, open, pay, submission};
use billing_wire::answer::Unavailable;
use billing_wire::{Query, WriteAnswer};
use billsim_oracle::{Answer, CallId, Request};

/// Two writes, a second after each other.
fn two_writes(s: &mut Stage) {
    s.write(2, 1, open(1));
    s.now += SECOND;
    s.write(2, 2, pay(1, 5));
}

pub(crate) const CASES: &[Case] = &[
    ("L1", "no write succeeded for 3 s", |s, broken| {
        let from = s.now;
        let call = s.invoke_write(1, 9, pay(1, 5));
        s.jury.call_reaches(s.now, NODES[0], call);
        s.now += if broken { 4 * SECOND } else { 2 * SECOND };
        s.write(2, 1, open(1));
        s.now += 5 * SECOND;
        s.returns(call, Answer::TimedOut);
        s.jury.availability_window(REGION, from, s.now);
    }),
    ("L1", "no write succeeded for 3 s", |s, broken| {
        let from = s.now;
        two_writes(s);
        let call = s.invoke_write(1, 9, pay(1, 5));
        s.jury.call_reaches(s.now, NODES[0], call);
        s.now += if broken { 3 * SECOND } else { 2 * SECOND };
        // A window that is too short to ask for anything compares nothing of the open call.
        s.jury.availability_window(REGION, from, s.now);
    }),
    ("L1", "no write succeeded for 3 s", |s, broken| {
        // Who waits for a node that died learns nothing of the others.
        let (from, node) = (s.now, NODES[0]);
        two_writes(s);
        let call = s.invoke_write(1, 9, pay(1, 5));
        s.jury.call_reaches(s.now, node, call);
        s.now += SECOND;
        if !broken {
            s.jury.ended(s.now, node, 5 * SECOND);
        }
        s.now += 3 * SECOND;
        s.returns(call, Answer::TimedOut);
        s.jury.availability_window(REGION, from, s.now);
    }),
    ("L1", "no write succeeded for 3 s", |s, broken| {
        // Who was turned down and asks no more learns nothing of what comes after, and who asks
        // again is not owed an answer at once.
        let from = s.now;
        two_writes(s);
        let reason = Unavailable::NoLeader;
        let down = || Answer::Write(WriteAnswer::Unavailable { reason, retry_after_ms: 250 });
        let call = s.invoke_write(1, 9, pay(1, 5));
        s.now += 2 * SECOND;
        s.returns(call, down());
        s.now += 2 * SECOND;
        let call = s.invoke_write(1, 9, pay(1, 5));
        s.jury.call_reaches(s.now, NODES[0], call);
        if broken {
            s.returns(call, down());
        }
        s.jury.availability_window(REGION, from, s.now);
    }),
    ("L1", "no write succeeded for 3 s", |s, broken| {
        // Nobody asked while it was well again, and then another node was lost.
        let from = s.now;
        two_writes(s);
        let reason = Unavailable::NoLeader;
        let down = || Answer::Write(WriteAnswer::Unavailable { reason, retry_after_ms: 250 });
        let call = s.invoke_write(1, 9, pay(1, 5));
        s.returns(call, down());
        s.now += 2 * SECOND + 900_000_000;
        if !broken {
            s.jury.node_lost(REGION, s.now);
        }
        let call = s.invoke_write(1, 9, pay(1, 5));
        s.now += SECOND;
        s.returns(call, down());
        s.jury.availability_window(REGION, from, s.now);
    }),
    ("L2", "a write through an edge waited for more than 15 s", |s, broken| {
        let from = s.now;
        s.write_through_edge(1, 1, open(1), if broken { 16 * SECOND } else { SECOND });
        s.jury.availability_window(REGION, from, s.now + 20 * SECOND);
    }),
    ("L2", "a write through an edge waited for more than 15 s", |s, broken| {
        let from = s.now;
        s.write_through_edge(2, 1, open(1), SECOND);
        let call = s.invoke_at_edge(1, 9, pay(1, 5));
        s.now += if broken { 16 * SECOND } else { 2 * SECOND };
        s.jury.availability_window(REGION, from, s.now);
        s.returns(call, Answer::TimedOut);
    }),
    ("L2", "the clients of a region that went waited too long", |s, broken| {
        let from = s.now;
        s.jury.region_gone(from, REGION);
        let calls: Vec<_> = (1..=100_u32)
            .map(|number| s.invoke_at_edge(number, number.into(), open(number.into())))
            .collect();
        let submissions = (1..=100_u32).map(|n| submission(n.into(), open(n.into()))).collect();
        let record = s.log(submissions);
        s.commit(&record);
        s.now += if broken { 11 * SECOND } else { SECOND };
        for (call, number) in calls.into_iter().zip(1..) {
            s.done(call, s.receipt(number));
        }
        s.jury.availability_window(REGION, from, s.now);
        s.quiesce(|_| {});
    }),
    ("L2", "the clients of a region that went waited too long", |s, broken| {
        // Of a hundred one may, of a few none.
        let from = s.now;
        s.jury.region_gone(from, REGION);
        s.write_through_edge(1, 1, open(1), if broken { 11 * SECOND } else { 9 * SECOND });
        s.jury.availability_window(REGION, from, s.now);
        s.quiesce(|_| {});
    }),
    ("L3", "payments failed in a region that was cut off", |s, broken| {
        let from = s.now;
        s.write(1, 1, open(1));
        s.write(1, 2, pay(1, 5));
        let call = s.invoke_write(2, 9, pay(1, 5));
        // Who gives up within a second has not waited.
        s.now += if broken { 2 * SECOND } else { SECOND / 2 };
        s.returns(call, Answer::TimedOut);
        s.jury.partition_window(from, s.now);
        s.quiesce(|_| {});
    }),
    ("L3", "payments failed in a region that was cut off", |s, broken| {
        // One in a thousand may fail, two may not.
        let from = s.now;
        s.write(1, 1, open(1));
        for op in 2..=1_000 {
            s.write(1, op, pay(1, 5));
        }
        for op in 5_001..=5_001 + u128::from(broken) {
            let call = s.invoke_write(2, op, pay(1, 5));
            s.returns(call, Answer::Write(WriteAnswer::Unknown));
        }
        s.jury.partition_window(from, s.now);
        // What fails before a cut, or is not over with it, is no part of it.
        let before = s.invoke_write(2, 6_001, pay(1, 5));
        s.now += SECOND;
        let within = s.now;
        s.returns(before, Answer::Write(WriteAnswer::Unknown));
        let call = s.invoke_write(2, 6_002, pay(1, 5));
        s.now += SECOND;
        s.returns(call, Answer::TimedOut);
        s.jury.partition_window(within, s.now - 1);
        s.quiesce(|_| {});
    }),
    ("L4", "the watermark did not catch up after a cut", |s, broken| {
        let record = s.log(vec![submission(1, open(1))]);
        let call = s.invoke_write(1, 1, open(1));
        s.jury.committed(s.now, NODES[0], &record);
        s.jury.reunited(s.now, 10 * SECOND);
        s.now += if broken { 4 * SECOND + 1 } else { 4 * SECOND };
        s.commit(&record);
        let receipt = s.receipt(1);
        s.done(call, receipt);
    }),
    ("L4", "the watermark did not catch up after a cut", |s, broken| {
        let record = s.log(vec![submission(1, open(1))]);
        let call = s.invoke_write(1, 1, open(1));
        s.jury.committed(s.now, NODES[0], &record);
        s.jury.reunited(s.now, 10 * SECOND);
        s.now += 3 * SECOND;
        s.fold(NODES[0]);
        if !broken {
            // Whoever is disturbed before the limit need not be in time.
            s.jury.disturbed(s.now);
        }
        s.now += 2 * SECOND;
        s.jury.disturbed(s.now);
        s.commit(&record);
        let receipt = s.receipt(1);
        s.done(call, receipt);
    }),
    ("L5", "no write succeeded after the faults were over", |s, broken| {
        s.jury.healed(s.now);
        let call = s.invoke_write(1, 9, pay(1, 5));
        s.returns(call, Answer::TimedOut);
        if !broken {
            s.write(1, 1, open(1));
        }
        s.quiesce(|_| {});
    }),
    // It ends where more goes wrong: what is slow then does not count.
    ("L6", "payments wait in a spike", |s, broken| {
        s.jury.spike(s.now, s.now + 20 * SECOND);
        for op in 1..=110 {
            if op == 101 {
                s.jury.more_fails(s.now);
            }
            let call = s.invoke_write(1, op, pay(1, 5));
            let record = s.log(vec![submission(op, pay(1, 5))]);
            s.commit(&record);
            let receipt = s.receipt(op);
            s.acknowledge(&receipt);
            s.now += if broken || op > 100 { SECOND / 10 } else { SECOND / 100 };
            s.done(call, receipt);
        }
        s.quiesce(|_| {});
    }),
    ("S4", "mail is in the way", |s, broken| {
        s.jury.only_mail_fails();
        s.now = 6 * SECOND;
        for op in 1..=100 {
            let call = s.invoke_write(1, op, pay(1, 5));
            let record = s.log(vec![submission(op, pay(1, 5))]);
            s.commit(&record);
            let receipt = s.receipt(op);
            s.acknowledge(&receipt);
            // One of a hundred may be late, two may not.
            let is_late = op == 1 || (broken && op == 2);
            s.now += if is_late { SECOND / 10 } else { SECOND / 100 };
            s.done(call, receipt);
        }
        s.quiesce(|_| {});
    }),
    // While nobody can lead nobody waits in vain; whoever waits on does.
    ("L7", "payments without an answer in time", |s, broken| {
        let unserved = s.now + SECOND..s.now + 9 * SECOND;
        s.jury.one_fault_at_a_time(vec![unserved]);
        let calls: Vec<_> = (1..=10_000_u128).map(|op| s.invoke_write(1, op, pay(1, 5))).collect();
        for batch in (1..=10_000_u128).collect::<Vec<_>>().chunks(500) {
            let record = s.log(batch.iter().map(|op| submission(*op, pay(1, 5))).collect());
            s.commit(&record);
        }
        s.now += if broken { 18 * SECOND + 1 } else { 18 * SECOND };
        for (call, op) in calls.into_iter().zip(1..) {
            let receipt = s.receipt(op);
            s.done(call, receipt);
        }
        s.quiesce(|_| {});
    }),
    ("L7", "payments without an answer in time", |s, broken| {
        s.jury.one_fault_at_a_time(Vec::new());
        let payments = 1..=10_000_u128;
        let calls: Vec<_> = payments.clone().map(|op| s.invoke_write(1, op, pay(1, 5))).collect();
        for batch in payments.collect::<Vec<_>>().chunks(500) {
            let record = s.log(batch.iter().map(|op| submission(*op, pay(1, 5))).collect());
            s.commit(&record);
        }
        s.now += SECOND;
        // One of ten thousand may be late, two may not.
        for (call, op) in calls.into_iter().zip(1..) {
            let is_late = op > 9_999 || (broken && op > 9_998);
            let late = if is_late { 20 * SECOND } else { 0 };
            s.now += late;
            let receipt = s.receipt(op);
            s.done(call, receipt);
            s.now -= late;
        }
        s.quiesce(|_| {});
    }),
    ("L8", "an answer that nobody waits for", |s, broken| {
        let call = s.invoke_write(1, 9, pay(1, 5));
        s.returns(call, Answer::TimedOut);
        if broken {
            s.returns(call, Answer::TimedOut);
        }
    }),
    ("L8", "a write was never answered", |s, broken| {
        s.write(1, 1, open(1));
        let call = s.invoke_write(1, 9, pay(1, 5));
        if !broken {
            s.returns(call, Answer::Write(WriteAnswer::Unknown));
        }
        s.quiesce(|_| {});
    }),
    ("L8", "a read was never answered", |s, broken| {
        s.write(1, 1, open(1));
        let call = s.invoke(1, Request::Read(local(Query::TrialBalance)));
        if !broken {
            s.returns(call, Answer::Refused);
        }
        s.quiesce(|_| {});
    }),
    ("L8", "a node answered what it did not owe", |s, broken| {
        let (call, node) = (CallId(1), NODES[0]);
        s.jury.call_reaches(s.now, node, call);
        s.jury.answer_leaves(s.now, node, call);
        if broken {
            s.jury.answer_leaves(s.now, node, call);
        }
    }),
    ("L8", "a node that stopped in order owes an answer", |s, broken| {
        let node = NODES[0];
        s.jury.call_reaches(s.now, node, CallId(1));
        s.jury.call_reaches(s.now, NODES[1], CallId(2));
        if !broken {
            s.jury.answer_leaves(s.now, node, CallId(1));
        }
        s.jury.stopped(s.now, node);
    }),
    ("L8", "a node took a call and never answered", |s, broken| {
        let node = NODES[0];
        s.jury.call_reaches(s.now, node, CallId(1));
        s.now += 4 * SECOND;
        if !broken {
            s.jury.resumed(s.now, node);
        }
        s.now += 2 * SECOND;
        s.jury.ended(s.now, NODES[1], SECOND);
        s.jury.ended(s.now, node, 5 * SECOND);
    }),
];
