//! Every promise that is judged, by its id in the catalogue of invariants.

use crate::promises::*;

macro_rules! catalogue {
    ($($id:ident => $oracle:ident,)*) => {
        /// A promise, as an index into [`CATALOGUE`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Promise {
            $($id,)*
        }

        /// Id and words of every promise, in the order of the design.
        pub const CATALOGUE: &[(&str, &str)] = &[$((stringify!($id), $oracle::WORDS),)*];
    };
}

catalogue! {
    D1 => d1_durable_on_quorum,
    D2 => d2_acknowledged_is_kept,
    D3 => d3_exposure_is_exact,
    D4 => d4_traces_to_a_client,
    D5 => d5_told_ends_stand,
    D6 => d6_bad_bytes_stay_out,
    D7 => d7_log_is_the_truth,
    D8 => d8_votes_are_durable,
    D9 => d9_recovery_keeps_the_tail,
    D10 => d10_failed_sync_is_silent,
    D11 => d11_restore_is_the_prefix,
    D12 => d12_durable_as_asked,
    O1 => o1_dense_and_rising,
    O2 => o2_copies_agree,
    O3 => o3_seen_before_done,
    O4 => o4_session_order,
    O5 => o5_watermark_rises,
    O6 => o6_real_time_order,
    O7 => o7_order_is_the_sort,
    O8 => o8_final_is_geo,
    O9 => o9_stamps_within_clocks,
    C1 => c1_nodes_converge,
    C2 => c2_arrival_is_no_order,
    C3 => c3_twice_is_once,
    C5 => c5_caches_are_the_fold,
    A1 => a1_journals_balance,
    A2 => a2_fold_is_the_model,
    A3 => a3_cash_is_the_banks,
    A4 => a4_refunds_within_payment,
    A5 => a5_paid_out_once,
    A6 => a6_one_invoice_a_month,
    A7 => a7_documents_stand,
    A8 => a8_numbers_without_gap,
    A9 => a9_one_disposition,
    A10 => a10_nothing_wraps,
    I1 => i1_effect_once,
    I2 => i2_retries_agree,
    I3 => i3_foreign_body_never_posts,
    R1 => r1_reads_are_the_model,
    R2 => r2_reads_never_go_back,
    R3 => r3_read_your_writes,
    R4 => r4_final_reads_agree,
    S2 => s2_sealed_is_readmitted,
    S3 => s3_no_effect_before_final,
    S4 => s4_mail_slows_nothing,
    L1 => l1_writes_continue,
    L2 => l2_region_gone,
    L3 => l3_partition_serves,
    L4 => l4_watermark_catches_up,
    L5 => l5_progress_resumes,
    L6 => l6_spike_is_survived,
    L7 => l7_available,
    L8 => l8_every_call_ends,
}
