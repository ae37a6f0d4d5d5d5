//! What can only be said at the end, when everything is healed and settled.

use super::Jury;
use crate::evidence::{Books, NodeView};
use crate::promises::*;

impl Jury {
    /// The faults are over for good: writes that begin from here on must succeed (L5).
    pub fn healed(&mut self, at: u64) {
        self.progress.healed(at);
        self.availability.load_ends(at);
    }

    /// Everything is healed and settled, no client waits: judges what can only be said at the end
    /// (C1, D2, D5, D7, O3, O4, O6, L3, L4, L5, L8).
    pub fn quiescent(&mut self, at: u64, nodes: &[NodeView], books: &dyn Books) {
        let (facts, verdicts) = (&self.facts, &mut self.verdicts);
        d2_acknowledged_is_kept::asked(facts, verdicts, at, nodes, books);
        // One node is asked for all of its books; C1 says that the others have the same.
        if let Some(node) = nodes.first() {
            i1_effect_once::asked(facts, verdicts, at, node, books);
            self.reported.asked(facts, &self.payouts, verdicts, at, (node, books));
            a4_refunds_within_payment::asked(&facts.model, verdicts, at, node, books);
            a6_one_invoice_a_month::asked(facts, verdicts, at, node, books);
            self.series.asked(facts, verdicts, at, node, books);
            a2_fold_is_the_model::asked(facts, verdicts, at, node, books);
            o7_order_is_the_sort::asked(facts, verdicts, at, node, books);
        }
        c1_nodes_converge::settled(facts, verdicts, at, nodes);
        c5_caches_are_the_fold::asked(facts, verdicts, at, nodes, books);
        for node in nodes {
            c2_arrival_is_no_order::settled(verdicts, at, node);
            d7_log_is_the_truth::settled(verdicts, at, node);
            let (frontier, chain) = (&node.folded, node.ledger.outcome_chain);
            a2_fold_is_the_model::folded(facts, verdicts, at, node.node, frontier, chain);
        }
        self.partitions.settled(verdicts, at);
        l4_watermark_catches_up::settled(facts, verdicts, at);
        self.payouts.settled(facts, verdicts, at);
        if let Some(mailed) = &self.mailed {
            l4_watermark_catches_up::mailed(facts, verdicts, at, mailed);
        }
        self.undisturbed.settled(verdicts, at);
        self.progress.settled(verdicts, at);
        self.spike.settled(verdicts, at);
        self.availability.settled(verdicts, at);
        self.reroutes.settled(verdicts, at);
        self.settled(at);
    }

    /// What can be said without looking at nodes.
    pub(crate) fn settled(&mut self, at: u64) {
        let (facts, verdicts) = (&self.facts, &mut self.verdicts);
        d2_acknowledged_is_kept::settled(facts, verdicts, at);
        d5_told_ends_stand::settled(facts, verdicts, at);
        s2_sealed_is_readmitted::settled(facts, verdicts, at);
        l8_every_call_ends::settled(facts, verdicts, at);
        for (op_id, known) in &facts.operations {
            // Receipts were judged when they came; this is for what no client heard of.
            let (None, Some(logged)) = (known.told, facts.model.operation(*op_id)) else {
                continue;
            };
            let place = (logged.position, facts.is_readmitted(&logged.position));
            o3_seen_before_done::placed(verdicts, at, *op_id, known, place);
            o4_session_order::placed(verdicts, at, *op_id, known, logged.position);
            o6_real_time_order::placed(verdicts, at, *op_id, known, logged.position);
        }
    }
}
