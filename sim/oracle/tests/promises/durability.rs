//! Histories for the promises about what is kept: acknowledgements, logs, votes, restarts.

use crate::Case;
use crate::stage::{NODES, REGION, Stage, local, open, pay, reseal, submission};
use billing_wire::record::RECORD_HEADER_BYTES;
use billing_wire::{OpId, OperationState, Query, QueryResult, Record, RecordKind, RecordView};
use billsim_oracle::{Answer, Tail};

pub(crate) const CASES: &[Case] = &[
    ("D1", "answer before its entry was committed", |s, broken| {
        let call = s.invoke_write(1, 1, open(1));
        let record = s.log(vec![submission(1, open(1))]);
        // One node that knows is enough: a follower hands on what the leader told it.
        let who_knows = if broken { &[] } else { &NODES[1..2] };
        who_knows.iter().for_each(|node| s.jury.committed(s.now, *node, &record));
        let receipt = s.receipt(1);
        s.acknowledge(&receipt);
        s.done(call, receipt);
    }),
    ("D1", "Region answer with 1 of 3 disks", |s, broken| {
        s.write(1, 1, open(1));
        if broken {
            s.disks.0.remove(&(NODES[0], 1));
            s.disks.0.insert((NODES[1], 1), [9; 32]);
        } else {
            s.disks.0.remove(&(NODES[2], 1));
        }
        let receipt = s.receipt(1);
        s.acknowledge(&receipt);
    }),
    ("D2", "acknowledged and not in the log", |s, broken| {
        s.write(1, 1, open(1));
        if broken {
            let call = s.invoke_write(1, 2, pay(1, 5));
            s.done(call, s.forged_receipt(2, 2));
        }
        s.quiesce(|_| {});
    }),
    ("D2", "acknowledged and changed", |s, broken| {
        let call = s.invoke_write(1, 1, open(1));
        let record = s.log(vec![submission(1, open(1))]);
        s.commit(&record);
        let mut receipt = s.receipt(1);
        receipt.position.offset += u16::from(broken);
        s.done(call, receipt);
        s.quiesce(|_| {});
    }),
    ("D2", "acknowledged and unknown to a node", |s, broken| {
        s.write(1, 1, open(1));
        let query = Query::Operation { op_id: OpId(if broken { 1 } else { 2 }) };
        s.lies(NODES[2], query, |answer| {
            *answer = QueryResult::Operation(OperationState::NotSeen);
        });
        s.quiesce(|_| {});
    }),
    ("D2", "acknowledged and changed on a node", |s, broken| {
        s.write(1, 1, open(1));
        s.lies(NODES[0], Query::Operation { op_id: OpId(1) }, |answer| {
            if let QueryResult::Operation(OperationState::Final { position, .. }) = answer {
                position.offset += u16::from(broken);
            }
        });
        s.quiesce(|_| {});
    }),
    ("D4", "an operation that no client sent", |s, broken| {
        let op = if broken { 2 } else { 1 };
        s.invoke_write(1, 1, open(1));
        let record = s.log(vec![submission(op, open(1))]);
        s.commit(&record);
    }),
    ("D4", "a body that no client sent", |s, broken| {
        s.invoke_write(1, 1, open(1));
        let record = s.log(vec![submission(1, open(if broken { 2 } else { 1 }))]);
        s.commit(&record);
    }),
    ("D4", "a body beside its fingerprint", |s, broken| {
        s.invoke_write(1, 1, open(1));
        let mut record = s.log(vec![submission(1, open(1))]);
        // Behind the header and the operation id comes the fingerprint.
        record[RECORD_HEADER_BYTES + 16] ^= u8::from(broken);
        reseal(&mut record);
        s.jury.committed(s.now, NODES[0], &record);
    }),
    ("D4", "entry of kind Noop with submissions", |s, broken| {
        s.invoke_write(1, 1, open(1));
        let mut header = s.next_header();
        header.kind = RecordKind::Noop;
        let submissions = if broken { vec![submission(1, open(1))] } else { Vec::new() };
        let record = Record { header, submissions }.encode();
        s.jury.committed(s.now, NODES[0], &record);
    }),
    ("D5", "final answer changed", |s, broken| {
        s.write(1, 1, open(1));
        let query = local(Query::Operation { op_id: OpId(1) });
        s.read(query, |_| {});
        s.read(query, |answer| {
            if let QueryResult::Operation(OperationState::Final { position, .. }) =
                &mut answer.result
            {
                position.index += u64::from(broken);
            }
        });
    }),
    ("D5", "refused and logged all the same", |s, broken| {
        s.write(1, 1, open(1));
        let call = s.invoke_write(1, 2, pay(1, 5));
        s.returns(call, Answer::Refused);
        if broken {
            let record = s.log(vec![submission(2, pay(1, 5))]);
            s.commit(&record);
        }
        s.quiesce(|_| {});
    }),
    ("D5", "refused and logged all the same", |s, broken| {
        // Refused after it was logged, and then tried again with success: only the first counts.
        let call = s.invoke_write(1, 1, open(1));
        if broken {
            let record = s.log(vec![submission(1, open(1))]);
            s.commit(&record);
        }
        s.returns(call, Answer::Refused);
        s.write(1, 1, open(1));
        s.quiesce(|_| {});
    }),
    ("D7", "refolded ledger: outcomes differ", |s, broken| {
        s.write(1, 1, open(1));
        s.quiesce(|view| {
            let copy = view.refolded.as_mut().expect("was set");
            copy.outcome_chain.0 += u64::from(broken);
        });
    }),
    ("D7", "rebuilt ledger: rows differ", |s, broken| {
        s.write(1, 1, open(1));
        s.quiesce(|view| {
            let copy = view.rebuilt.as_mut().expect("was set");
            copy.state_hash += u128::from(broken);
        });
    }),
    ("D7", "refolded ledger: watermark differs", |s, broken| {
        s.write(1, 1, open(1));
        s.quiesce(|view| view.ledger.watermark.0 += u64::from(broken));
    }),
    ("D7", "resumed ledger: rows differ", |s, broken| {
        s.write(1, 1, open(1));
        s.quiesce(|view| {
            if let Some(Ok(copy)) = &mut view.resumed {
                copy.state_hash += u128::from(broken);
            }
        });
    }),
    ("D7", "database is no fold of the log", |s, broken| {
        s.write(1, 1, open(1));
        s.quiesce(|view| {
            if broken {
                view.resumed = Some(Err("its rows hash to another value".to_owned()));
            }
        });
    }),
    ("D8", "vote sent before it was durable", |s, broken| {
        let durable = if broken { (1, NODES[1]) } else { (2, NODES[1]) };
        s.jury.vote_leaves(s.now, NODES[0], (REGION, 0), (2, NODES[1]), Some(durable));
    }),
    ("D8", "two votes in a term", |s, broken| {
        for candidate in [NODES[1], NODES[if broken { 2 } else { 1 }]] {
            let vote = (2, candidate);
            s.jury.vote_leaves(s.now, NODES[0], (REGION, 0), vote, Some(vote));
        }
    }),
    ("D8", "vote of an old term", |s, broken| {
        for term in [2, if broken { 1 } else { 3 }] {
            let vote = (term, NODES[1]);
            s.jury.vote_leaves(s.now, NODES[0], (REGION, 0), vote, Some(vote));
        }
    }),
    ("D6", "a damaged record was taken", |s, broken| {
        let (record, hash) = of_damaged_disk(s, broken);
        s.jury.taken_from_damaged(s.now, NODES[0], (REGION, 1), &record, Some(hash));
    }),
    ("D6", "a record was taken that was not promised", |s, broken| {
        let (record, mut hash) = of_damaged_disk(s, false);
        hash[0] ^= u8::from(broken);
        s.jury.taken_from_damaged(s.now, NODES[0], (REGION, 1), &record, Some(hash));
    }),
    ("D6", "what was repaired is not what the others have", |s, broken| {
        let (record, _) = of_damaged_disk(s, broken);
        s.jury.repaired(s.now, NODES[0], (REGION, 1), &record);
    }),
    ("D6", "what was repaired is not what the others have", |s, broken| {
        // What an earlier leader stamped alike, and no majority took, is no bad copy.
        let mut header = s.next_header();
        header.term -= u64::from(!broken);
        let mut other = Record { header, submissions: vec![submission(2, open(2))] };
        s.write(1, 1, open(1));
        s.jury.repaired(s.now, NODES[0], (REGION, 1), &other.encode());
    }),
    ("D6", "what was repaired differs from another node's", |s, broken| {
        let (record, _) = of_damaged_disk(s, false);
        let other = &record[usize::from(broken)..];
        s.jury.repaired_beside(s.now, NODES[0], (REGION, 1), &record, other);
    }),
    ("D8", "vote of an old term", |s, broken| {
        // Another incarnation is another group, whose terms may begin below.
        for (incarnation, term) in [(0, 9), (u16::from(!broken), 2)] {
            let vote = (term, NODES[1]);
            s.jury.vote_leaves(s.now, NODES[0], (REGION, incarnation), vote, Some(vote));
        }
    }),
    ("D8", "a leader counts what was on a lost disk", |s, broken| {
        s.jury.counts_of_forgotten(s.now, NODES[0], (NODES[1], REGION), u64::from(broken));
    }),
    ("D8", "vote of a node that lost its disk", |s, broken| {
        let vote = (3, NODES[1]);
        s.jury.vote_leaves(s.now, NODES[0], (REGION, 0), vote, Some(vote));
        if broken {
            s.jury.vote_of_forgotten(s.now, NODES[0]);
        }
    }),
    ("D9", "a superblock promises what is not durable", |s, broken| {
        s.jury.superblock_synced(s.now, NODES[0], broken.then_some((REGION, 7)));
    }),
    ("D9", "damage was cut instead of missed", |s, broken| {
        let tail = Tail { index: 7, hash: [1; 32] };
        s.jury.reopened_damaged(s.now, NODES[0], tail, (tail, 3), !broken);
    }),
    ("D9", "durable entries were cut", |s, broken| reopen(s, 7 - u64::from(broken), 1)),
    ("D9", "a torn tail was kept", |s, broken| reopen(s, 7 + u64::from(broken), 1)),
    ("D9", "the last entry changed", |s, broken| reopen(s, 7, 1 + u8::from(broken))),
    ("D10", "acknowledgement after a failed sync", |s, broken| {
        s.jury.sync_failed(s.now, NODES[0]);
        if !broken {
            reopen(s, 7, 1);
        }
        s.write(1, 1, open(1));
    }),
    ("D10", "vote after a failed sync", |s, broken| {
        s.jury.sync_failed(s.now, NODES[usize::from(!broken)]);
        s.jury.vote_leaves(s.now, NODES[0], (REGION, 0), (2, NODES[1]), Some((2, NODES[1])));
    }),
];

fn reopen(s: &mut Stage, index: u64, hash: u8) {
    let disk = Tail { index: 7, hash: [1; 32] };
    s.jury.reopened(s.now, NODES[0], REGION, disk, Tail { index, hash: [hash; 32] });
}

/// A record that a node is opened with, damaged or not, and the hash that it should have.
fn of_damaged_disk(s: &mut Stage, is_damaged: bool) -> (Vec<u8>, [u8; 32]) {
    let mut record = s.log(vec![submission(1, open(1))]).to_vec();
    let hash = RecordView::decode(&record).expect("it was just made").header.hash;
    if is_damaged {
        record[RECORD_HEADER_BYTES + 1] ^= 1;
    }
    (record, hash)
}
