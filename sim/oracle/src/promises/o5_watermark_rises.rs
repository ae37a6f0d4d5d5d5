//! O5: what is final stays final: a node's watermark and frontier never go back while it runs.

use crate::catalogue::Promise;
use crate::verdicts::Verdicts;
use crate::words;
use billing_wire::{Frontier, Hlc, NodeId};
use std::collections::BTreeMap;

pub(crate) const WORDS: &str = "what is final stays final: a node's watermark never goes back";

#[derive(Debug, Clone, Copy)]
struct Reached {
    incarnation: u32,
    frontier: Frontier,
    watermark: Hlc,
}

/// How far each running node is.
#[derive(Debug, Default)]
pub(crate) struct Watermarks {
    reached: BTreeMap<NodeId, Reached>,
}

impl Watermarks {
    pub(crate) fn folded(
        &mut self,
        verdicts: &mut Verdicts,
        at: u64,
        (node, incarnation): (NodeId, u32),
        frontier: &Frontier,
        watermark: Hlc,
    ) {
        let now = Reached { incarnation, frontier: *frontier, watermark };
        let last = self.reached.insert(node, now).unwrap_or(now);
        if last.incarnation != incarnation {
            return;
        }
        verdicts.check(Promise::O5, at, None, watermark >= last.watermark, || {
            let shape = "watermark went back".to_owned();
            (shape, format!("node {node}: {} before, {watermark} now", last.watermark))
        });
        verdicts.check(Promise::O5, at, None, frontier.covers(&last.frontier), || {
            let shape = "fold went back".to_owned();
            let (before, now) = (words::frontier(&last.frontier), words::frontier(frontier));
            (shape, format!("node {node} had booked up to {before}, now up to {now}"))
        });
    }
}
