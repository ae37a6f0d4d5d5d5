//! Rows of one kind in memory, in front of the database: changed rows until they are committed,
//! and clean rows as far as the bound allows. Nothing is decided and nothing is hashed here.
//!
//! A row is *dirty* from its change until it leaves in a batch, *in flight* until that batch is
//! committed, and *clean* afterwards. Only clean rows may be dropped, so that what is not in the
//! database yet can always be read here.

use super::document_rows::{AccountDocumentRow, DocumentRow, EffectiveInvoiceRow, SeriesRow};
use super::rows::{
    AccountRow, HistoryRow, MeterReadRow, OperationRow, ParkedRow, Row, ServicePointRow,
    SuspenseRow,
};
use super::state::ABOVE_ALL_KEYS;
use super::store::{LedgerStore, RowChange, StoreError, Table};
use super::undo::Before;
use super::waiting_rows::{OutboxRow, RefundRow, SuspenseItemRow};
use crate::{canary, sometimes};
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
    recent: bool, // Read since the last time that the hand came by.
}

/// The rows of one kind.
#[derive(Debug)]
pub(super) struct TableCache<R: Row> {
    slots: BTreeMap<R::Key, Slot<R>>,
    // Keys whose slot is dirty, in order of change.
    dirty: Vec<R::Key>,
    // Keys of the batch that is being committed; their slots may be dirty again.
    in_flight: Vec<R::Key>,
    /// Rows as they were before provisional entries.
    pub(super) before: Before<R>,
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
    pub(super) suspense_items: TableCache<SuspenseItemRow>,
    pub(super) refunds: TableCache<RefundRow>,
    pub(super) outbox: TableCache<OutboxRow>,
    pub(super) series: TableCache<SeriesRow>,
    pub(super) documents: TableCache<DocumentRow>,
    pub(super) account_documents: TableCache<AccountDocumentRow>,
    pub(super) effective_invoices: TableCache<EffectiveInvoiceRow>,
}

impl<R: Row> Default for TableCache<R> {
    fn default() -> Self {
        Self {
            slots: BTreeMap::new(),
            dirty: Vec::new(),
            in_flight: Vec::new(),
            before: Before::default(),
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
        let is_saved = slot.state == State::InFlight && canary!("change-in-flight-not-saved");
        if slot.state != State::Dirty && !is_saved {
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
        if here.is_some() && canary!("cached-row-hides-one-in-the-database") {
            return Ok(here);
        }
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

    /// The last row with `from <= key <= to`. Only for kinds whose rows are never removed; reads
    /// every row of the database between the two.
    pub(super) fn last(
        &self,
        from: R::Key,
        to: R::Key,
        store: &dyn LedgerStore,
    ) -> Result<Option<(R::Key, R)>, StoreError> {
        let mut here = self.slots.range(from..=to).rev();
        let here = here.find_map(|(key, slot)| Some((*key, slot.row?)));
        if self.complete || here.is_some_and(|(key, _)| key == to) {
            return Ok(here);
        }
        let mut there = None;
        let (low, high) = (key_bytes::<R>(&from), just_above::<R>(&to));
        store.scan(R::TABLE, &low, &high, &mut |key, value| {
            there = Some(decode_row::<R>(key, value));
            matches!(there, Some(Ok(_)))
        })?;
        let there = there.transpose()?;
        Ok(match (here, there) {
            (Some(a), Some(b)) => Some(if b.0 > a.0 { b } else { a }),
            (a, b) => a.or(b),
        })
    }

    /// The first `limit` rows with `from < key`, ascending. What is read does not stay.
    pub(super) fn page(
        &self,
        from: R::Key,
        limit: usize,
        store: &dyn LedgerStore,
    ) -> Result<Vec<(R::Key, R)>, StoreError> {
        let here = self.slots.range((Bound::Excluded(from), Bound::Unbounded));
        let mut rows: Vec<_> =
            here.filter_map(|(key, slot)| Some((*key, slot.row?))).take(limit).collect();
        if self.complete {
            return Ok(rows);
        }
        let (mut there, mut failed) = (Vec::new(), None);
        store.scan(R::TABLE, &just_above::<R>(&from), &ABOVE_ALL_KEYS, &mut |key, value| {
            match decode_row::<R>(key, value) {
                // What is here is newer, or removed.
                Ok((key, row)) if !self.slots.contains_key(&key) => there.push((key, row)),
                Ok(_) => {}
                Err(error) => failed = Some(error),
            }
            failed.is_none() && there.len() < limit
        })?;
        rows.append(&mut there);
        rows.sort_unstable_by_key(|(key, _)| *key);
        rows.truncate(limit);
        failed.map_or(Ok(rows), Err)
    }

    /// Appends the dirty rows in order of their keys; they are in flight then.
    pub(super) fn take_changes(&mut self, changes: &mut Vec<RowChange>) {
        assert!(self.in_flight.is_empty(), "one ledger commit is open at most");
        std::mem::swap(&mut self.dirty, &mut self.in_flight);
        self.in_flight.sort_unstable();
        let (mut key_buffer, mut value) = (Vec::with_capacity(32), Vec::with_capacity(160));
        for key in &self.in_flight {
            let slot = self.slots.get_mut(key).expect("a dirty row is never dropped");
            slot.state = State::InFlight;
            value.clear();
            let bytes = slot.row.map(|row| {
                row.encode(&mut value);
                Box::from(value.as_slice())
            });
            if bytes.is_none() && canary!("removed-row-stays-in-the-database") {
                continue;
            }
            key_buffer.clear();
            R::encode_key(key, &mut key_buffer);
            changes.push((R::TABLE, Box::from(key_buffer.as_slice()), bytes));
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

#[cfg(test)]
mod tests {
    use super::*;
    use billing_wire::{AccountId, ServicePointId};

    /// A database of service points 0, 10, 20, ... 90 that counts how often it is asked.
    #[derive(Default)]
    struct Tens(std::sync::atomic::AtomicU32);

    impl LedgerStore for Tens {
        fn get(&self, _: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let key = u64::from_be_bytes(key.try_into().unwrap());
            Ok((key < 100 && key.is_multiple_of(10)).then(|| key.to_le_bytes().to_vec()))
        }

        fn scan(
            &self,
            _: Table,
            from: &[u8],
            to: &[u8],
            visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
        ) -> Result<(), StoreError> {
            for key in (0..100_u64).step_by(10) {
                let bytes = key.to_be_bytes();
                let inside = from <= &bytes[..] && &bytes[..] < to;
                if inside && !visit(&bytes, &key.to_le_bytes()) {
                    break;
                }
            }
            Ok(())
        }

        fn rows(&self) -> Result<u64, StoreError> {
            Ok(10)
        }
    }

    impl Tens {
        fn asked(&self) -> u32 {
            self.0.swap(0, std::sync::atomic::Ordering::Relaxed)
        }
    }

    type Cache = TableCache<ServicePointRow>;

    fn row(account: u64) -> ServicePointRow {
        ServicePointRow { account: AccountId(account) }
    }

    fn get(cache: &mut Cache, key: u64, store: &Tens) -> Option<u64> {
        let row = cache.get(&ServicePointId(key), store, &mut Vec::new()).unwrap();
        row.map(|row| row.account.0)
    }

    fn range(cache: &mut Cache, from: u64, to: u64) -> Vec<u64> {
        let rows = cache.range(ServicePointId(from), ServicePointId(to), &Tens::default());
        rows.unwrap().into_iter().map(|(key, _)| key.0).collect()
    }

    #[test]
    fn a_row_is_read_once_and_a_complete_cache_never_reads() {
        let (mut cache, store) = (Cache::default(), Tens::default());
        assert_eq!(get(&mut cache, 10, &store), Some(10));
        assert_eq!(get(&mut cache, 10, &store), Some(10));
        assert_eq!(store.asked(), 1);
        cache.peek(&ServicePointId(20), &store).unwrap();
        cache.peek(&ServicePointId(20), &store).unwrap();
        assert_eq!(store.asked(), 2, "peek keeps nothing");
        cache.set_complete();
        assert_eq!(get(&mut cache, 30, &store), None);
        assert_eq!(store.asked(), 0);
    }

    #[test]
    fn a_removed_row_hides_the_one_in_the_database_until_it_is_gone_there() {
        let (mut cache, store) = (Cache::default(), Tens::default());
        assert_eq!(get(&mut cache, 10, &store), Some(10));
        assert_eq!(cache.put(ServicePointId(10), None), Some(row(10)));
        let mut changes = Vec::new();
        cache.take_changes(&mut changes);
        assert_eq!(changes.len(), 1);
        assert!(changes[0].2.is_none());
        cache.evict(99);
        assert_eq!(get(&mut cache, 10, &store), None);
        assert_eq!(range(&mut cache, 0, 20), [0, 20]);
        cache.committed();
        assert_eq!(cache.slots.len(), 2, "nothing is kept of it");
    }

    #[test]
    fn ranges_merge_both_and_prefer_what_is_here() {
        let (mut cache, store) = (Cache::default(), Tens::default());
        get(&mut cache, 20, &store);
        cache.put(ServicePointId(20), Some(row(7)));
        cache.put(ServicePointId(25), Some(row(8)));
        let first = |cache: &Cache, from, to| {
            let found = cache.first(ServicePointId(from), ServicePointId(to), &store).unwrap();
            found.map(|(key, row)| (key.0, row.account.0))
        };
        assert_eq!(first(&cache, 11, 99), Some((20, 7)));
        assert_eq!(first(&cache, 21, 99), Some((25, 8)));
        assert_eq!(first(&cache, 26, 99), Some((30, 30)));
        assert_eq!(first(&cache, 26, 29), None);
        assert_eq!(first(&cache, 30, 30), Some((30, 30)));
        assert_eq!(range(&mut cache, 15, 30), [20, 25, 30]);
        assert_eq!(get(&mut cache, 20, &store), Some(7));
    }

    #[test]
    fn only_clean_rows_leave_and_recent_ones_last() {
        let (mut cache, store) = (Cache::default(), Tens::default());
        for key in [0, 10, 20, 30] {
            get(&mut cache, key, &store);
        }
        cache.put(ServicePointId(0), Some(row(1)));
        assert_eq!(cache.clean(), 3);
        cache.evict(1);
        assert_eq!(cache.clean(), 2, "a second lap finds what the first one left");
        let (here, gone) = (20, 10);
        store.asked();
        get(&mut cache, here, &store);
        assert_eq!(store.asked(), 0);
        // The row that was just read gets another chance, the other one does not.
        cache.evict(1);
        get(&mut cache, here, &store);
        assert_eq!(store.asked(), 0);
        get(&mut cache, gone, &store);
        assert_eq!(store.asked(), 1);
        cache.evict(99);
        assert_eq!(cache.clean(), 0);
        assert_eq!(get(&mut cache, 0, &store), Some(1), "a dirty row never leaves");
    }
}
