//! `sometimes!` marks: places that a good sweep must reach. The names are catalogued at compile
//! time, the counts are per thread, and a hit costs one addition.

/// Declares a crate's catalogue of marks: a module with `CATALOGUE`, `index_of`, `hit`, `take`.
/// A crate has one, named `marks`, at its root or re-exported there.
#[macro_export]
macro_rules! catalogue_of_marks {
    ($($name:literal),+ $(,)?) => {
        /// Every mark of this crate.
        pub const CATALOGUE: &[&str] = &[$($name),+];

        ::std::thread_local! {
            static COUNTS: [::std::cell::Cell<u64>; CATALOGUE.len()] =
                const { [const { ::std::cell::Cell::new(0) }; CATALOGUE.len()] };
        }

        /// Index of a name in the catalogue.
        ///
        /// # Panics
        /// On an unknown name; at compile time where it is used in `sometimes!`.
        pub const fn index_of(name: &str) -> usize {
            let mut i = 0;
            while i < CATALOGUE.len() {
                let (a, b) = (CATALOGUE[i].as_bytes(), name.as_bytes());
                let mut k = 0;
                while k < a.len() && k < b.len() && a[k] == b[k] {
                    k += 1;
                }
                if k == a.len() && k == b.len() {
                    return i;
                }
                i += 1;
            }
            panic!("no such mark in the catalogue")
        }

        /// Counts a hit.
        #[inline]
        pub fn hit(index: usize) {
            COUNTS.with(|counts| counts[index].set(counts[index].get() + 1));
        }

        /// The counts of this thread since the last call, in catalogue order.
        pub fn take() -> Vec<(&'static str, u64)> {
            COUNTS.with(|counts| {
                CATALOGUE.iter().zip(counts).map(|(name, count)| (*name, count.take())).collect()
            })
        }
    };
}

/// Counts that this place was reached. The name must be in the crate's `marks` catalogue: an
/// unknown one does not compile.
#[expect(clippy::crate_in_macro_def, reason = "each crate counts in a catalogue of its own")]
#[macro_export]
macro_rules! sometimes {
    ($name:literal) => {{
        const INDEX: usize = crate::marks::index_of($name);
        crate::marks::hit(INDEX);
    }};
}

catalogue_of_marks![
    "leader-elected",
    "leader-deposed",
    "leader-disk-stalled",
    "vote-granted",
    "vote-refused",
    "log-suffix-replaced",
    "tail-cut-at-recovery",
    "damage-found-at-recovery",
    "orphans-beside-damage",
    "hole-filled",
    "hole-fetched-from-further-back",
    "hole-lacking-at-a-peer",
    "hole-asked-of-a-damaged-node",
    "region-log-repaired",
    "log-end-taken-from-the-leader",
    "superblock-lost",
    "superblock-renewed",
    "superblock-older-than-seen",
    "damage-found-while-running",
    "damage-known-when-found",
    "lost-node-asks-to-return",
    "lost-node-let-in",
    "lost-node-takes-a-sealed-log",
    "message-of-an-earlier-life",
    "segment-sealed",
    "batch-of-many",
    "write-forwarded",
    "forward-timed-out",
    "write-unknown",
    "write-overtaken",
    "write-fails-fast",
    "grade-timed-out",
    "answered-below-its-grade",
    "answered-geo",
    "answered-final",
    "mode-changed",
    "alone-before-the-first-write",
    "told-how-far-for-a-duplicate",
    "region-sealed",
    "seal-refused",
    "chain-end-logged",
    "chain-end-logged-twice",
    "chain-end-read-from-the-log",
    "chain-fetched",
    "end-told-by-another-region",
    "chain-fetched-from-further-back",
    "damaged-log-takes-its-chain",
    "orphans-left-by-a-seal",
    "orphan-readmitted",
    "sealed-region-asks-to-return",
    "sealed-region-let-in",
    "message-of-another-incarnation",
    "provisional-order-changed",
    "write-shed",
    "op-replayed",
    "op-joined-in-flight",
    "joined-with-another-wish",
    "op-conflict",
    "fingerprint-mismatch-in-log",
    "duplicate-in-log",
    "duplicate-of-a-lower-region",
    "duplicate-of-a-higher-region",
    "payment-redirected",
    "payment-swept",
    "reversal-applied",
    "reversal-parked",
    "reversal-swept",
    "reversal-duplicate",
    "reversal-of-suspense",
    "reversal-after-closing",
    "reversal-after-refund",
    "adjustment-denied",
    "adjustment-after-closing",
    "account-closed",
    "closing-after-booking",
    "closing-after-invoice",
    "close-after-closing",
    "final-bill-missing",
    "payment-after-closing",
    "refund-granted",
    "refund-of-no-payment",
    "refund-after-refund",
    "refund-after-reversal",
    "refund-after-closing",
    "payout-confirmed",
    "payout-confirmed-again",
    "effect-called",
    "effect-retried",
    "effect-refused",
    "effect-unknown",
    "effect-after-failover",
    "effect-of-a-sealed-region",
    "mail-called",
    "mail-failed",
    "mail-tried-again",
    "mail-shed",
    "mail-of-a-sealed-region",
    "payout-of-no-refund",
    "invoice-issued",
    "invoice-compensated",
    "month-billed-by-a-lower-region",
    "month-billed-by-a-higher-region",
    "invoice-void",
    "invoice-after-closing",
    "account-exists",
    "service-point-taken",
    "read-flagged",
    "read-superseded",
    "ledger-committed",
    "ledger-row-read-from-database",
    "session-gap",
    "foreign-token",
    "token-ahead-of-clock",
    "clock-moved-by-token",
    "final-read-below-the-provisional",
    "sync-failed",
    "opened-on-a-full-disk",
    "append-refused-by-a-full-disk",
    "write-refused-by-a-full-disk",
    "leader-clock-off",
    "frame-refused",
];
