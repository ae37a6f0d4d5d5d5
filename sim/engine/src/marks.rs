//! The `sometimes!` marks of the engine, and the collection of everybody's.

use std::collections::BTreeMap;

billing_core::catalogue_of_marks![
    "crash-with-unsynced-bytes",
    "crash-while-opening",
    "answer-lost-on-the-way",
    "node-opened-again",
    "node-stopped-in-order",
    "node-stopped-half-done",
    "node-rebuilt-from-the-log",
    "edge-cut-from-node",
    "payout-asked-for-again",
    "payout-after-its-caller-gave-up",
    "mail-asked-for-again",
    "archive-job-failed",
    "archive-mended",
    "archive-source-unfit",
    "archive-stopped-silently",
    "archive-harmed",
    "archive-harm-found",
    "archive-said-late",
    "archive-restored",
    "open-then-payment",
    "payment-then-open",
    "open-then-adjustment",
    "adjustment-then-open",
    "open-then-invoice",
    "invoice-then-open",
    "open-then-close",
    "close-then-open",
    "close-then-payment",
    "payment-then-close",
    "close-then-reversal",
    "reversal-then-close",
    "close-then-refund",
    "refund-then-close",
    "close-then-adjustment",
    "adjustment-then-close",
    "close-then-invoice",
    "invoice-then-close",
    "close-then-read",
    "read-then-close",
    "payment-then-reversal",
    "reversal-then-payment",
    "payment-then-refund",
    "refund-then-payment",
    "reversal-then-refund",
    "refund-then-reversal",
    "refund-then-payout",
    "payout-then-refund",
    "read-then-invoice",
    "invoice-then-read",
    "open-after-that-of-a-lower-region",
    "open-after-that-of-a-higher-region",
    "close-after-that-of-a-lower-region",
    "close-after-that-of-a-higher-region",
    "reversal-after-that-of-a-lower-region",
    "reversal-after-that-of-a-higher-region",
    "refund-after-that-of-a-lower-region",
    "refund-after-that-of-a-higher-region",
    "invoice-after-that-of-a-lower-region",
    "invoice-after-that-of-a-higher-region",
    "read-after-that-of-a-lower-region",
    "read-after-that-of-a-higher-region",
    "operation-after-that-of-a-lower-region",
    "operation-after-that-of-a-higher-region",
];

/// Names of all marks, in node and engine.
pub fn catalogue() -> impl Iterator<Item = &'static str> {
    let edge = billing_edge::marks::CATALOGUE;
    CATALOGUE.iter().chain(billing_core::marks::CATALOGUE).chain(edge).copied()
}

/// All counts of this thread since the last call.
pub fn take_all() -> BTreeMap<String, u64> {
    let all =
        take().into_iter().chain(billing_core::marks::take()).chain(billing_edge::marks::take());
    all.map(|(name, count)| (name.to_owned(), count)).collect()
}
