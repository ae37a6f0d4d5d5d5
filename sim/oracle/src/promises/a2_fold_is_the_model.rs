//! A2: the chain over all outcomes of a node's fold equals the reference fold's at the same
//! frontier, so every disposition and every journal line is the same. What is in no line, balances,
//! histories, documents and what waits, is asked for at the end.

use crate::catalogue::Promise;
use crate::evidence::{Books, NodeView};
use crate::facts::Facts;
use crate::verdicts::Verdicts;
use crate::words;
use billing_wire::{Frontier, NodeId, OutcomeChain, Position, Query};

pub(crate) const WORDS: &str =
    "every node books every transaction as the billing rules say, to the cent";

pub(crate) fn folded(
    facts: &Facts,
    verdicts: &mut Verdicts,
    at: u64,
    node: NodeId,
    frontier: &Frontier,
    chain: OutcomeChain,
) {
    let committed = facts.committed_by(node);
    verdicts.check(Promise::A2, at, None, committed.covers(frontier), || {
        let shape = "fold is ahead of the commit index".to_owned();
        let (folded, known) = (words::frontier(frontier), words::frontier(&committed));
        (shape, format!("the books of node {node} hold {folded}, it knows {known} as committed"))
    });
    let expected = facts.model.step_at(frontier).and_then(|step| facts.model.chain_at(step));
    verdicts.check(Promise::A2, at, None, expected == Some(chain), || {
        let shape = match expected {
            None => "fold stands where the merged order never was",
            Some(_) => "outcomes differ from the billing rules",
        };
        let books = format!("the books of node {node} up to {}", words::frontier(frontier));
        let detail = match expected {
            None => format!("{books} are of an order that never was"),
            Some(_) => format!("{books} decide or book something otherwise than the billing rules"),
        };
        (shape.to_owned(), detail)
    });
}

/// At quiescence: balance, history and trial balance of a node are those of the reference.
pub(crate) fn asked(
    facts: &Facts,
    verdicts: &mut Verdicts,
    at: u64,
    node: &NodeView,
    books: &dyn Books,
) {
    // Nothing is final behind the end of a destroyed region, but all of it is shown.
    let shown = facts.has_unsealed_loss().then(|| facts.books_at(&node.committed)).flatten();
    let model = shown.as_ref().unwrap_or(&facts.model);
    let frontier = if shown.is_some() { &node.committed } else { &node.folded };
    // A fold that stands elsewhere was told of before.
    let Some(step) = model.step_at(frontier) else { return };
    let of_accounts = model.accounts().flat_map(|account| {
        let (after, limit) = (0, u16::MAX);
        [
            Query::Balance { account },
            Query::History { account, after, limit },
            Query::Documents { account, after, limit },
        ]
    });
    let (after, limit) = (Position::default(), u16::MAX);
    let whole =
        [Query::TrialBalance, Query::Suspense { after, limit }, Query::Outbox { after, limit }];
    for query in of_accounts.chain(whole) {
        let expected = model.answer(&query, step, node.ledger.watermark);
        let found = books.answer(node.node, &query);
        verdicts.check(Promise::A2, at, None, found.as_ref() == Some(&expected), || {
            let (asked, node) = (words::query(&query), node.node);
            let detail = words::difference(found.as_ref(), &expected);
            (
                "books differ from the billing rules".to_owned(),
                format!("node {node} was asked for {asked}: {detail}"),
            )
        });
    }
}
