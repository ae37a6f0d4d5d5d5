//! What a good sweep must have seen an edge do.

billing_core::catalogue_of_marks![
    "node-ejected",
    "node-readmitted",
    "breaker-open",
    "breaker-half-open",
    "request-shed",
    "client-rate-limited",
    "retried-elsewhere",
    "retried-in-other-region",
    "retry-budget-empty",
    "late-answer-used",
    "no-node-available",
    "edge-unknown",
];
