//! Histories for what is restored from archives.

use crate::Case;
use crate::stage::{NODES, Stage, open, pay};
use billsim_oracle::evidence::Restoration;

pub(crate) const CASES: &[Case] = &[
    ("D11", "another prefix than the archive claims", |s, broken| {
        let mut found = restoration(s);
        found.frontier.0[0] -= u64::from(broken);
        s.jury.restored(s.now, &found);
    }),
    ("D11", "restored books differ", |s, broken| {
        let mut found = restoration(s);
        if broken {
            found.outcome_chain = Default::default();
        }
        s.jury.restored(s.now, &found);
    }),
    ("D11", "restored books do not balance", |s, broken| {
        let mut found = restoration(s);
        found.balance += i128::from(broken);
        s.jury.restored(s.now, &found);
    }),
    ("D11", "a restored node differs", |s, broken| {
        let mut found = restoration(s);
        found.opened.state_hash += u128::from(broken);
        s.jury.restored(s.now, &found);
    }),
    ("D11", "what is whole cannot be restored", |s, broken| {
        let found = restoration(s);
        match broken {
            true => s.jury.restore_failed(s.now, "no space"),
            false => s.jury.restored(s.now, &found),
        }
    }),
    ("D11", "an archive that nobody harmed is not what it claims", |s, broken| {
        s.jury.archive_read(s.now, !broken, Some("a piece is missing"));
        s.jury.archive_read(s.now, false, None);
    }),
    ("D11", "an archive is behind and does not say so", |s, broken| {
        s.jury.archive_age(s.now, true, !broken);
        s.jury.archive_age(s.now, false, false);
    }),
    ("D11", "restored state differs from a live node's", |s, broken| {
        s.jury.restored_beside(s.now, 7, 7 + u128::from(broken));
    }),
];

/// A restore of everything that was logged so far.
fn restoration(s: &mut Stage) -> Restoration {
    s.write(1, 1, open(1));
    s.write(1, 2, pay(1, 5));
    let view = s.view(NODES[0]);
    Restoration {
        claimed: s.watermark(),
        frontier: s.frontier(),
        outcome_chain: view.ledger.outcome_chain,
        state_hash: view.ledger.state_hash,
        balance: 0,
        opened: view.ledger,
    }
}
