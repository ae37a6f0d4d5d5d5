//! Histories for the promises about order and about equal books on all nodes.

use crate::Case;
use crate::stage::{NODES, Stage, open, pay, reseal, submission};
use billing_wire::{AccountId, Hlc, Query, QueryResult, Record, RecordHeader, RegionId};

pub(crate) const CASES: &[Case] = &[
    ("O1", "gap in the log", |s, broken| {
        commit_with(s, |header| {
            header.index += u64::from(broken);
        })
    }),
    ("O1", "stamp does not rise", |s, broken| {
        commit_with(s, |header| {
            header.hlc = if broken { Hlc::from_ms(1) } else { header.hlc };
        })
    }),
    ("O1", "entry does not follow the one before", |s, broken| {
        commit_with(s, |header| {
            header.prev_hash[0] ^= u8::from(broken);
        })
    }),
    ("O9", "stamped ahead of every clock", |s, broken| {
        let highest_ms = 2_000_000_000_000;
        s.jury.clock_shows(highest_ms);
        commit_with(s, |header| {
            header.hlc = Hlc::from_ms(highest_ms + u64::from(broken));
        })
    }),
    ("O2", "a committed record does not decode", |s, broken| {
        let record = s.log(Vec::new());
        let end = record.len() - usize::from(broken);
        s.jury.committed(s.now, NODES[0], &record[..end]);
    }),
    ("O2", "a committed record beside its hash", |s, broken| {
        let mut record = s.log(Vec::new());
        record[72] ^= u8::from(broken);
        reseal(&mut record);
        s.jury.committed(s.now, NODES[0], &record);
    }),
    ("O2", "two committed records at one index", |s, broken| {
        let header = s.next_header();
        let record = s.log(Vec::new());
        s.jury.committed(s.now, NODES[0], &record);
        let term = header.term + u64::from(broken);
        let other = RecordHeader { term, ..header };
        let other = Record { header: other, submissions: Vec::new() }.encode();
        s.jury.committed(s.now, NODES[1], &other);
    }),
    ("O4", "booked before what its session had done earlier", |s, broken| {
        let first = s.log(Vec::new());
        s.commit(&first);
        s.write(1, 1, open(1));
        if broken {
            let call = s.invoke_write(1, 2, pay(1, 5));
            s.done(call, s.forged_receipt(2, 1));
        } else {
            s.write(1, 2, pay(1, 5));
        }
    }),
    ("O4", "booked before what its session had done in another region", |s, broken| {
        s.write(1, 1, open(1));
        if broken {
            let call = s.invoke_informed(1, 2, pay(1, 5));
            let mut receipt = s.forged_receipt(2, 1);
            receipt.position.region = RegionId(1);
            receipt.position.hlc = Hlc::from_ms(0);
            s.done(call, receipt);
        } else {
            s.write(1, 2, pay(1, 5));
        }
    }),
    ("O3", "booked before what its client had seen", |s, broken| {
        s.write(1, 1, open(1));
        let call = s.invoke_informed(2, 2, pay(1, 5));
        if broken {
            s.done(call, s.forged_receipt(2, 1));
        } else {
            let record = s.log(vec![submission(2, pay(1, 5))]);
            s.commit(&record);
            s.done(call, s.receipt(2));
        }
    }),
    ("O6", "booked before what the region had acknowledged earlier", |s, broken| {
        let first = s.log(Vec::new());
        s.commit(&first);
        s.write(1, 1, open(1));
        if broken {
            let call = s.invoke_write(2, 2, pay(1, 5));
            s.done(call, s.forged_receipt(2, 1));
        } else {
            s.write(2, 2, pay(1, 5));
        }
    }),
    ("O5", "watermark went back", |s, broken| {
        s.write(1, 1, open(1));
        let (frontier, mut watermark) = (s.frontier(), s.watermark());
        watermark.0 -= u64::from(broken);
        let chain = s.view(NODES[0]).ledger.outcome_chain;
        s.jury.folded(s.now, NODES[0], 0, &frontier, watermark, chain);
    }),
    ("O5", "fold went back", |s, broken| {
        let (frontier, chain) = (s.frontier(), s.view(NODES[0]).ledger.outcome_chain);
        s.write(1, 1, open(1));
        let incarnation = u32::from(!broken);
        s.jury.folded(s.now, NODES[0], incarnation, &frontier, Hlc::ZERO, chain);
    }),
    ("C1", "fold of a node did not catch up", |s, broken| {
        s.write(1, 1, open(1));
        s.quiesce(|view| view.folded.0[0] -= u64::from(broken));
    }),
    ("C1", "log of a node did not catch up", |s, broken| {
        s.write(1, 1, open(1));
        s.quiesce(|view| view.committed.0[0] -= u64::from(broken));
    }),
    ("C1", "equal frontier, other rows", |s, broken| {
        s.write(1, 1, open(1));
        s.quiesce(|view| view.ledger.state_hash += u128::from(broken));
    }),
    ("C1", "equal frontier, other outcomes", |s, broken| {
        s.write(1, 1, open(1));
        s.quiesce(|view| view.ledger.outcome_chain.0 += u64::from(broken));
    }),
    ("C2", "another order of arrival, other outcomes", |s, broken| {
        s.write(1, 1, open(1));
        s.quiesce(|view| {
            view.rearranged = vec![view.ledger, view.ledger];
            view.rearranged[1].outcome_chain.0 += u64::from(broken);
        });
    }),
    ("C2", "another order of arrival, other rows", |s, broken| {
        s.write(1, 1, open(1));
        s.quiesce(|view| {
            view.rearranged = vec![view.ledger];
            view.rearranged[0].state_hash += u128::from(broken);
        });
    }),
    ("O7", "a history does not follow the order", |s, broken| {
        s.write(1, 1, open(1));
        s.write(1, 2, pay(1, 5));
        let query = Query::History { account: AccountId(1), after: 0, limit: u16::MAX };
        s.lies(NODES[0], query, |result| {
            let QueryResult::History(page) = result else { panic!("{result:?}") };
            if broken {
                page.items.reverse();
            }
        });
        s.quiesce(|_| {});
    }),
];

/// Commits two empty records, the second with a bent header.
fn commit_with(s: &mut Stage, bend: impl FnOnce(&mut RecordHeader)) {
    let first = s.log(Vec::new());
    s.jury.committed(s.now, NODES[0], &first);
    let mut header = s.next_header();
    bend(&mut header);
    let second = Record { header, submissions: Vec::new() }.encode();
    s.jury.committed(s.now, NODES[0], &second);
}
