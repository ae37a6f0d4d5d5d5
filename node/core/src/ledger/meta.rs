//! The meta row: which fold the rows of the database are.

use super::state::read_plain;
use super::store::{LedgerStore, RowChange, StoreError, Table};
use billing_wire::codec::Reader;
use billing_wire::{DecodeError, Frontier, Hlc, OutcomeChain};

/// Format of every row; a database of another one is rebuilt.
const FORMAT: u8 = 2;

/// Where the fold stands, and two integers to check it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Meta {
    pub(super) frontier: Frontier,
    pub(super) watermark: Hlc,
    pub(super) chain: OutcomeChain,
    pub(super) state_hash: u128,
}

impl Meta {
    /// Reads the row; an empty database is the fold of nothing.
    pub(super) fn open(store: &dyn LedgerStore) -> Result<Self, StoreError> {
        if let Some(meta) = read_plain(store, Table::Meta, &[], Self::decode)? {
            return Ok(meta);
        }
        match store.rows()? {
            0 => Ok(Self::default()),
            rows => Err(StoreError(format!("{rows} rows and no meta row"))),
        }
    }

    /// The row as a change.
    pub(super) fn change(&self) -> RowChange {
        let mut value = Vec::with_capacity(80);
        value.push(FORMAT);
        self.frontier.encode(&mut value);
        value.extend_from_slice(&self.watermark.0.to_le_bytes());
        value.extend_from_slice(&self.chain.0.to_le_bytes());
        value.extend_from_slice(&self.state_hash.to_le_bytes());
        (Table::Meta, Box::default(), Some(value.into_boxed_slice()))
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let found = r.u8()?;
        if found != FORMAT {
            return Err(DecodeError::Version { what: "ledger row", found, expected: FORMAT });
        }
        Ok(Self {
            frontier: Frontier::decode(r)?,
            watermark: Hlc(r.u64()?),
            chain: OutcomeChain(r.u64()?),
            state_hash: r.u128()?,
        })
    }
}
