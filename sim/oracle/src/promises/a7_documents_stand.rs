//! A7: an issued document says for ever what it said when it was issued. Its bytes give the hash
//! that is shown with it, and once it is final no answer shows another hash under its number.
//! That its lines are right for the history that it names is R1's and A2's to see.

use crate::catalogue::Promise;
use crate::verdicts::Verdicts;
use crate::words;
use billing_wire::{Document, DocumentNumber, Hash, Hlc, Invoice};
use std::collections::BTreeMap;

pub(crate) const WORDS: &str = "an invoice never changes once it is issued";

/// Hashes of the documents that were shown as final.
#[derive(Debug, Default)]
pub(crate) struct Issued {
    hashes: BTreeMap<DocumentNumber, Hash>,
}

impl Issued {
    /// A document as a node shows it.
    pub(crate) fn shown(
        &mut self,
        verdicts: &mut Verdicts,
        at: u64,
        document: &Document,
        watermark: Hlc,
    ) {
        let Document::Invoice { invoice, hash, .. } = document else { return };
        let op_id = Some(invoice.op_id);
        verdicts.check(Promise::A7, at, op_id, invoice.hash() == *hash, || {
            let shape = "a document is not what was hashed".to_owned();
            (shape, of_account(invoice))
        });
        if invoice.position.hlc > watermark {
            return;
        }
        let first = *self.hashes.entry(invoice.number).or_insert(*hash);
        verdicts.check(Promise::A7, at, op_id, first == *hash, || {
            let shape = "a final document changed".to_owned();
            (shape, of_account(invoice))
        });
    }
}

fn of_account(invoice: &Invoice) -> String {
    format!("{} of account {}", words::document_number(&invoice.number), invoice.account)
}
