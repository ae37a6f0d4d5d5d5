//! The sums of the general ledger: one per code, always in memory. A sum of 0 has no row.

use super::state::read_plain;
use super::store::{LedgerStore, RowChange, StoreError, Table};
use crate::canary;
use billing_wire::{JournalLine, LedgerCode};
use xxhash_rust::xxh3::xxh3_128;

const CODES: usize = LedgerCode::ALL.len();

/// Debit-positive sums in minor units, in the order of [`LedgerCode::ALL`].
#[derive(Debug, Clone)]
pub(super) struct Totals {
    sums: [i128; CODES],
    /// What the row of each adds to the state hash.
    hashes: [u128; CODES],
    dirty: [bool; CODES],
}

impl Totals {
    /// Reads the sums.
    pub(super) fn open(store: &dyn LedgerStore) -> Result<Self, StoreError> {
        let mut sums = [0; CODES];
        for (sum, code) in sums.iter_mut().zip(LedgerCode::ALL) {
            let row = read_plain(store, Table::Total, &code.0.to_be_bytes(), |r| r.i128())?;
            *sum = row.unwrap_or(0);
        }
        let mut hashes = [0; CODES];
        for (at, hash) in hashes.iter_mut().enumerate() {
            *hash = hash_of(at, sums[at]);
        }
        Ok(Self { sums, hashes, dirty: [false; CODES] })
    }

    /// Adds journal lines.
    pub(super) fn add(&mut self, lines: &[JournalLine]) {
        for line in lines {
            let at = LedgerCode::ALL.iter().position(|code| *code == line.code);
            let at = at.expect("the fold books on codes of the general ledger");
            let sum = self.sums[at].checked_add(line.amount.into());
            self.sums[at] = sum.expect("2^64 lines of an i64 fit into an i128");
            self.hashes[at] = hash_of(at, self.sums[at]);
            self.dirty[at] |= line.amount > 0 || !canary!("credited-total-not-saved");
        }
    }

    /// Takes sums back to what they were; what was dirty meanwhile stays so.
    pub(super) fn restore(&mut self, before: &Self) {
        (self.sums, self.hashes) = (before.sums, before.hashes);
    }

    /// Code and sum, ascending by code, zeros included.
    pub(super) fn iter(&self) -> impl Iterator<Item = (LedgerCode, i128)> + '_ {
        LedgerCode::ALL.into_iter().zip(self.sums)
    }

    /// What the rows add to the state hash.
    pub(super) fn hash(&self) -> u128 {
        self.hashes.into_iter().fold(0, u128::wrapping_add)
    }

    /// Appends the changed rows.
    pub(super) fn take_changes(&mut self, changes: &mut Vec<RowChange>) {
        for ((code, sum), dirty) in LedgerCode::ALL.iter().zip(self.sums).zip(&mut self.dirty) {
            if std::mem::take(dirty) {
                let value = (sum != 0).then(|| Box::from(sum.to_le_bytes().as_slice()));
                changes.push((Table::Total, Box::from(code.0.to_be_bytes().as_slice()), value));
            }
        }
    }
}

/// What a sum adds to the state hash: nothing, where it has no row.
fn hash_of(at: usize, sum: i128) -> u128 {
    if sum == 0 {
        return 0;
    }
    let mut row = [Table::Total as u8; 19];
    row[1..3].copy_from_slice(&LedgerCode::ALL[at].0.to_be_bytes());
    row[3..].copy_from_slice(&sum.to_le_bytes());
    xxh3_128(&row)
}
