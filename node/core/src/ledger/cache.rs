//! Rows of one kind in memory, in front of the database: changed rows until they are committed,
//! and clean rows as far as the bound allows. Nothing is decided and nothing is hashed here.
//!
//! A row is *dirty* from its change until it leaves in a batch, *in flight* until that batch is
//! committed, and *clean* afterwards. Only clean rows may be dropped, so that what is not in the
//! database yet can always be read here.

use super::rows::{
    AccountRow, HistoryRow, MeterReadRow, OperationRow, ParkedRow, Row, ServicePointRow,
    SuspenseRow,
};
use super::store::{LedgerStore, RowChange, StoreError, Table};
use crate::sometimes;
use billing_wire::DecodeError;
use billing_wire::codec::Reader;
use std::collections::BTreeMap;
use std::ops::Bound;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Clean,
    InFlight,
    Dirty,
}

#[derive(Debug, Clone)]
struct Slot<R> {
    // `None`: removed, and the database may not know it yet.
    row: Option<R>,
    state: State,
    // Read since the last time that the hand came by.
    recent: bool,
}

/// The rows of one kind.
#[derive(Debug)]
pub(super) struct TableCache<R: Row> {
    slots: BTreeMap<R::Key, Slot<R>>,
    // Keys whose slot is dirty, in order of change.
    dirty: Vec<R::Key>,
    // Keys of the batch that is being committed; their slots may be dirty again.
    in_flight: Vec<R::Key>,
    // Whether a row that is not here is nowhere.
    complete: bool,
    hand: Option<R::Key>,
}

/// The caches of every kind.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) accounts: TableCache<AccountRow>,
    pub(super) service_points: TableCache<ServicePointRow>,
    pub(super) operations: TableCache<OperationRow>,
    pub(super) history: TableCache<HistoryRow>,
    pub(super) suspense: TableCache<SuspenseRow>,
    pub(super) parked: TableCache<ParkedRow>,
    pub(super) meter_reads: TableCache<MeterReadRow>,
}

impl<R: Row> Default for TableCache<R> {
    fn default() -> Self {
        Self {
            slots: BTreeMap::new(),
            dirty: Vec::new(),
            in_flight: Vec::new(),
            complete: false,
            hand: None,
        }
    }
}

impl<R: Row> TableCache<R> {
    /// Says that every row of the database is here.
    pub(super) fn set_complete(&mut self) {
        self.complete = true;
    }

    /// Takes over a row of the database. A row that is here already is newer.
    pub(super) fn load(&mut self, key: R::Key, row: R) {
        let slot = Slot { row: Some(row), state: State::Clean, recent: true };
        self.slots.entry(key).or_insert(slot);
    }

    /// The row of a key, from the database when it is not here; it then stays.
    pub(super) fn get(
        &mut self,
        key: &R::Key,
        store: &dyn LedgerStore,
        scratch: &mut Vec<u8>,
    ) -> Result<Option<R>, StoreError> {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.recent = true;
            return Ok(slot.row);
        }
        if self.complete {
            return Ok(None);
        }
        let row = stored(key, store, scratch)?;
        if let Some(row) = row {
            self.load(*key, row);
        }
        Ok(row)
    }

    /// As [`Self::get`], without a trace: what is read does not stay.
    pub(super) fn peek(
        &self,
        key: &R::Key,
        store: &dyn LedgerStore,
    ) -> Result<Option<R>, StoreError> {
        match self.slots.get(key) {
            Some(slot) => Ok(slot.row),
            None if self.complete => Ok(None),
            None => stored(key, store, &mut Vec::with_capacity(32)),
        }
    }

    /// Sets or removes a row, and returns what it was. A row that is in the database must have
    /// been read before with [`Self::get`] in the same fold step.
    pub(super) fn put(&mut self, key: R::Key, row: Option<R>) -> Option<R> {
        let slot =
            self.slots.entry(key).or_insert(Slot { row: None, state: State::Clean, recent: true });
        if slot.state != State::Dirty {
            slot.state = State::Dirty;
            self.dirty.push(key);
        }
        std::mem::replace(&mut slot.row, row)
    }

    /// The rows with `from <= key <= to`, ascending. What the database has comes in and stays.
    pub(super) fn range(
        &mut self,
        from: R::Key,
        to: R::Key,
        store: &dyn LedgerStore,
    ) -> Result<Vec<(R::Key, R)>, StoreError> {
        if !self.complete {
            let (low, high) = (key_bytes::<R>(&from), just_above::<R>(&to));
            self.load_range(&low, &high, store)?;
        }
        let found = self.slots.range(from..=to);
        Ok(found.filter_map(|(key, slot)| Some((*key, slot.row?))).collect())
    }

    fn load_range(
        &mut self,
        low: &[u8],
        high: &[u8],
        store: &dyn LedgerStore,
    ) -> Result<(), StoreError> {
        let mut failed = None;
        store.scan(R::TABLE, low, high, &mut |key, value| {
            match decode_row::<R>(key, value) {
                Ok((key, row)) => self.load(key, row),
                Err(error) => failed = Some(error),
            }
            failed.is_none()
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// The first row with `from <= key <= to`. Only for kinds whose rows are never removed.
    pub(super) fn first(
        &self,
        from: R::Key,
        to: R::Key,
        store: &dyn LedgerStore,
    ) -> Result<Option<(R::Key, R)>, StoreError> {
        let here = self.slots.range(from..=to).find_map(|(key, slot)| Some((*key, slot.row?)));
        if self.complete || here.is_some_and(|(key, _)| key == from) {
            return Ok(here);
        }
        let mut there = None;
        let (low, high) = (key_bytes::<R>(&from), just_above::<R>(&to));
        store.scan(R::TABLE, &low, &high, &mut |key, value| {
            there = Some(decode_row::<R>(key, value));
            false
        })?;
        let there = there.transpose()?;
        Ok(match (here, there) {
            // At equal keys the one here is newer.
            (Some(a), Some(b)) => Some(if b.0 < a.0 { b } else { a }),
            (a, b) => a.or(b),
        })
    }

    /// Appends the dirty rows in order of their keys; they are in flight then.
    pub(super) fn take_changes(&mut self, changes: &mut Vec<RowChange>) {
        assert!(self.in_flight.is_empty(), "one ledger commit is open at most");
        std::mem::swap(&mut self.dirty, &mut self.in_flight);
        self.in_flight.sort_unstable();
        let mut value = Vec::with_capacity(160);
        for key in &self.in_flight {
            let slot = self.slots.get_mut(key).expect("a dirty row is never dropped");
            slot.state = State::InFlight;
            value.clear();
            let bytes = slot.row.map(|row| {
                row.encode(&mut value);
                Box::from(value.as_slice())
            });
            changes.push((R::TABLE, key_bytes::<R>(key).into_boxed_slice(), bytes));
        }
    }

    /// The batch is in the database.
    pub(super) fn committed(&mut self) {
        for key in self.in_flight.drain(..) {
            let slot = self.slots.get_mut(&key).expect("a row in flight is never dropped");
            if slot.state == State::InFlight {
                slot.state = State::Clean;
                if slot.row.is_none() {
                    self.slots.remove(&key);
                }
            }
        }
    }

    /// How many rows may be dropped, roughly: rows in flight that changed again count twice.
    pub(super) fn clean(&self) -> usize {
        self.slots.len().saturating_sub(self.dirty.len() + self.in_flight.len())
    }

    /// Drops up to `wanted` clean rows: from where it stopped the last time, those that were not
    /// read since it last came by (second chance, Corbató 1968).
    pub(super) fn evict(&mut self, wanted: usize) {
        let mut victims = Vec::with_capacity(wanted);
        let from = self.hand.map_or(Bound::Unbounded, Bound::Excluded);
        let all = || (Bound::Unbounded, Bound::Unbounded);
        for bounds in [(from, Bound::Unbounded), all(), all()] {
            for (key, slot) in self.slots.range_mut(bounds) {
                if victims.len() == wanted {
                    break;
                }
                self.hand = Some(*key);
                if slot.state == State::Clean && !std::mem::take(&mut slot.recent) {
                    victims.push(*key);
                }
            }
        }
        for key in &victims {
            self.slots.remove(key);
            self.complete = false;
        }
    }
}

/// A key and a value of the database as a row.
pub(super) fn decode_row<R: Row>(key: &[u8], value: &[u8]) -> Result<(R::Key, R), StoreError> {
    let read = || -> Result<(R::Key, R), DecodeError> {
        let mut r = Reader::new("ledger key", key);
        let key = R::decode_key(&mut r)?;
        r.finish()?;
        let mut r = Reader::new("ledger row", value);
        let row = R::decode(&mut r)?;
        r.finish()?;
        Ok((key, row))
    };
    read().map_err(|error| not_a_row(R::TABLE, &error))
}

/// The error for a row that does not decode.
pub(super) fn not_a_row(table: Table, error: &DecodeError) -> StoreError {
    StoreError(format!("table {table:?} holds a row that this release cannot read: {error}"))
}

fn stored<R: Row>(
    key: &R::Key,
    store: &dyn LedgerStore,
    scratch: &mut Vec<u8>,
) -> Result<Option<R>, StoreError> {
    scratch.clear();
    R::encode_key(key, scratch);
    let Some(value) = store.get(R::TABLE, scratch)? else { return Ok(None) };
    sometimes!("ledger-row-read-from-database");
    Ok(Some(decode_row::<R>(scratch, &value)?.1))
}

fn key_bytes<R: Row>(key: &R::Key) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32);
    R::encode_key(key, &mut bytes);
    bytes
}

fn just_above<R: Row>(key: &R::Key) -> Vec<u8> {
    let mut bytes = key_bytes::<R>(key);
    bytes.push(0);
    bytes
}
