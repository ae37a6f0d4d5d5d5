//! C5: what a node answers from memory is what the fold of its log says. Rows that were read, that
//! changed, that are on their way to the database or were just put back all answer for the one
//! frontier at which the node stands; so at the end *every* node, whatever it has in its caches, is
//! asked for all accounts, and compared with the reference fold at its own frontier.

use crate::catalogue::Promise;
use crate::evidence::{Books, NodeView};
use crate::facts::Facts;
use crate::verdicts::Verdicts;
use crate::words;
use billing_wire::{Position, Query};
use billsim_model::Model;

pub(crate) const WORDS: &str = "what a node remembers is what its log says";

/// Every node that lives, except where nothing is final any more.
pub(crate) fn asked(
    facts: &Facts,
    verdicts: &mut Verdicts,
    at: u64,
    nodes: &[NodeView],
    books: &dyn Books,
) {
    if facts.has_unsealed_loss() {
        return;
    }
    for node in nodes {
        compare(&facts.model, verdicts, at, node, books);
    }
}

fn compare(model: &Model, verdicts: &mut Verdicts, at: u64, node: &NodeView, books: &dyn Books) {
    // A fold that stands where the order never was is A2's to tell.
    let Some(step) = model.step_at(&node.folded) else { return };
    let (after, limit) = (0, u16::MAX);
    let of_accounts = model
        .accounts()
        .flat_map(|account| [Query::Balance { account }, Query::History { account, after, limit }]);
    let after = Position::default();
    let whole = [Query::Suspense { after, limit }, Query::Outbox { after, limit }];
    for query in of_accounts.chain(whole) {
        let expected = model.answer(&query, step, node.ledger.watermark);
        let found = books.answer(node.node, &query);
        verdicts.check(Promise::C5, at, None, found.as_ref() == Some(&expected), || {
            let asked = words::query(&query);
            let difference = words::difference(found.as_ref(), &expected);
            let detail = format!("node {} was asked for {asked}: {difference}", node.node);
            ("what a node remembers is not what its log says".to_owned(), detail)
        });
    }
}
