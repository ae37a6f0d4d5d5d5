//! One oracle a file: the words of the promise, and the comparison that judges it.

pub(crate) mod a1_journals_balance;
pub(crate) mod a2_fold_is_the_model;
pub(crate) mod a3_cash_is_the_banks;
pub(crate) mod a4_refunds_within_payment;
pub(crate) mod a5_paid_out_once;
pub(crate) mod a6_one_invoice_a_month;
pub(crate) mod a7_documents_stand;
pub(crate) mod a8_numbers_without_gap;
pub(crate) mod a9_one_disposition;
pub(crate) mod c1_nodes_converge;
pub(crate) mod c2_arrival_is_no_order;
pub(crate) mod d10_failed_sync_is_silent;
pub(crate) mod d1_durable_on_quorum;
pub(crate) mod d2_acknowledged_is_kept;
pub(crate) mod d3_exposure_is_exact;
pub(crate) mod d4_traces_to_a_client;
pub(crate) mod d5_told_ends_stand;
pub(crate) mod d6_bad_bytes_stay_out;
pub(crate) mod d7_log_is_the_truth;
pub(crate) mod d8_votes_are_durable;
pub(crate) mod d9_recovery_keeps_the_tail;
pub(crate) mod i1_effect_once;
pub(crate) mod i2_retries_agree;
pub(crate) mod i3_foreign_body_never_posts;
pub(crate) mod l1_writes_continue;
pub(crate) mod l2_region_gone;
pub(crate) mod l3_partition_serves;
pub(crate) mod l4_watermark_catches_up;
pub(crate) mod l5_progress_resumes;
pub(crate) mod l8_every_call_ends;
pub(crate) mod o1_dense_and_rising;
pub(crate) mod o2_copies_agree;
pub(crate) mod o3_seen_before_done;
pub(crate) mod o4_session_order;
pub(crate) mod o5_watermark_rises;
pub(crate) mod o6_real_time_order;
pub(crate) mod o7_order_is_the_sort;
pub(crate) mod o8_final_is_geo;
pub(crate) mod o9_stamps_within_clocks;
pub(crate) mod r1_reads_are_the_model;
pub(crate) mod r2_reads_never_go_back;
pub(crate) mod r3_read_your_writes;
pub(crate) mod s2_sealed_is_readmitted;
pub(crate) mod s3_no_effect_before_final;

#[cfg(test)]
mod tests;
