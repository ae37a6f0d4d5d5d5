//! The state of the ledger: every row behind its cache, the sums of the general ledger, and the
//! hash over all of it. The fold reads and changes rows here and nowhere else.

use super::cache::{TableCache, Tables, decode_row, not_a_row};
use super::rows::Row;
use super::store::{LedgerStore, RowChange, StoreError, Table};
use super::totals::Totals;
use crate::canary;
use billing_wire::DecodeError;
use billing_wire::codec::Reader;
use xxhash_rust::xxh3::xxh3_128;

/// Above every key of every table.
pub(super) const ABOVE_ALL_KEYS: [u8; 32] = [0xff; 32];

/// Does the same to the cache of every kind.
macro_rules! every_cache {
    ($tables:expr, $cache:ident => $does:expr) => {
        every_cache!(
            $tables, $cache => $does;
            accounts, service_points, operations, history, suspense, parked, meter_reads,
            suspense_items, refunds, outbox, series, documents, account_documents,
            effective_invoices,
        )
    };
    ($tables:expr, $cache:ident => $does:expr; $($name:ident),+ $(,)?) => {{
        let tables = $tables;
        $({
            let $cache = &mut tables.$name;
            $does;
        })+
    }};
}

/// Rows, sums and their hash.
pub(super) struct State {
    store: Box<dyn LedgerStore>,
    tables: Tables,
    /// Sums of the general ledger.
    pub(super) totals: Totals,
    // Sum of the hashes of every row but meta and totals.
    rows_hash: u128,
    scratch: Vec<u8>,
    clean_rows_max: usize,
    // Number of the provisional entry that is being folded: what it changes is noted under it.
    noting: Option<u64>,
    // Number of the next one.
    next_entry: u64,
}

/// How to take a provisional entry back: its rows as they were are kept in their caches.
pub(super) struct Undo {
    entry: u64,
    totals: Totals,
    rows_hash: u128,
}

/// What provisional entries made of the sums, while they are set aside.
pub(super) struct SetAside {
    totals: Totals,
    rows_hash: u128,
}

impl State {
    /// Reads the sums, and every row when there are at most `clean_rows_max`. `state_hash` is
    /// what the meta row says.
    pub(super) fn open(
        clean_rows_max: usize,
        store: Box<dyn LedgerStore>,
        state_hash: u128,
    ) -> Result<Self, StoreError> {
        let totals = Totals::open(&*store)?;
        let rows_hash = state_hash.wrapping_sub(totals.hash());
        let (tables, scratch) = (Tables::default(), Vec::with_capacity(256));
        let mut state = Self {
            store,
            tables,
            totals,
            rows_hash,
            scratch,
            clean_rows_max,
            noting: None,
            next_entry: 0,
        };
        if state.store.rows()? <= clean_rows_max as u64 {
            state.load_all()?;
        }
        Ok(state)
    }

    fn load_all(&mut self) -> Result<(), StoreError> {
        let mut found = 0_u128;
        every_cache!(&mut self.tables, cache => {
            found = found.wrapping_add(load_table(cache, &*self.store)?);
        });
        if found != self.rows_hash {
            let error = format!("its rows hash to {found:032x}, {:032x} expected", self.rows_hash);
            return Err(StoreError(error));
        }
        Ok(())
    }

    /// Sum of the hashes of every row but meta.
    pub(super) fn hash(&self) -> u128 {
        self.rows_hash.wrapping_add(self.totals.hash())
    }

    /// The row of a key.
    pub(super) fn get<R: Row>(&mut self, key: &R::Key) -> Result<Option<R>, StoreError> {
        R::cache_mut(&mut self.tables).get(key, &*self.store, &mut self.scratch)
    }

    /// The row of a key, without keeping it in memory.
    pub(super) fn peek<R: Row>(&self, key: &R::Key) -> Result<Option<R>, StoreError> {
        R::cache(&self.tables).peek(key, &*self.store)
    }

    /// The rows with `from <= key <= to`, ascending.
    pub(super) fn range<R: Row>(
        &mut self,
        from: R::Key,
        to: R::Key,
    ) -> Result<Vec<(R::Key, R)>, StoreError> {
        R::cache_mut(&mut self.tables).range(from, to, &*self.store)
    }

    /// The first row with `from <= key <= to`; only for kinds whose rows are never removed.
    pub(super) fn first<R: Row>(
        &self,
        from: R::Key,
        to: R::Key,
    ) -> Result<Option<(R::Key, R)>, StoreError> {
        R::cache(&self.tables).first(from, to, &*self.store)
    }

    /// The last row with `from <= key <= to`; only for kinds whose rows are never removed.
    pub(super) fn last<R: Row>(
        &self,
        from: R::Key,
        to: R::Key,
    ) -> Result<Option<(R::Key, R)>, StoreError> {
        R::cache(&self.tables).last(from, to, &*self.store)
    }

    /// The first `limit` rows with `from < key`, ascending, without keeping them in memory.
    pub(super) fn page<R: Row>(
        &self,
        from: R::Key,
        limit: usize,
    ) -> Result<Vec<(R::Key, R)>, StoreError> {
        R::cache(&self.tables).page(from, limit, &*self.store)
    }

    /// Sets a row. If there was one, it was read before in the same fold step.
    pub(super) fn put<R: Row>(&mut self, key: R::Key, row: R) {
        self.replace(key, Some(row));
    }

    /// Removes a row that was read before in the same fold step.
    pub(super) fn remove<R: Row>(&mut self, key: R::Key) {
        self.replace::<R>(key, None);
    }

    fn replace<R: Row>(&mut self, key: R::Key, row: Option<R>) {
        let cache = R::cache_mut(&mut self.tables);
        let before = cache.put(key, row);
        if let Some(entry) = self.noting {
            cache.before.note(entry, key, before);
        }
        for (row, is_new) in [(before, false), (row, true)] {
            let Some(row) = row else { continue };
            self.scratch.clear();
            self.scratch.push(R::TABLE as u8);
            R::encode_key(&key, &mut self.scratch);
            row.encode(&mut self.scratch);
            let hash = xxh3_128(&self.scratch);
            self.rows_hash = if is_new {
                self.rows_hash.wrapping_add(hash)
            } else {
                self.rows_hash.wrapping_sub(hash)
            };
        }
    }

    /// From now on every change is noted; how to take it back.
    pub(super) fn start_undo(&mut self) -> Undo {
        self.noting = Some(self.next_entry);
        self.next_entry += 1;
        Undo { entry: self.next_entry - 1, totals: self.totals.clone(), rows_hash: self.rows_hash }
    }

    /// What [`Self::start_undo`] began ends here.
    pub(super) fn end_undo(&mut self) {
        self.noting = None;
    }

    /// Takes changes back; the newest ones first, when there are several.
    pub(super) fn undo(&mut self, undo: &Undo) {
        every_cache!(&mut self.tables, cache => {
            while let Some((key, row)) = cache.before.take_last(undo.entry) {
                cache.put(key, row);
            }
        });
        self.totals.restore(&undo.totals);
        self.rows_hash = undo.rows_hash;
    }

    /// Every row as it was before `first`, the first provisional entry; what leads forth again.
    pub(super) fn set_aside(&mut self, first: &Undo) -> SetAside {
        every_cache!(&mut self.tables, cache => {
            let mut before = std::mem::take(&mut cache.before);
            before.swap_back(|key, row| cache.put(key, row));
            cache.before = before;
        });
        let aside = SetAside { totals: self.totals.clone(), rows_hash: self.rows_hash };
        self.totals.restore(&first.totals);
        self.rows_hash = first.rows_hash;
        aside
    }

    /// Undoes [`Self::set_aside`]; nothing was changed in between.
    pub(super) fn put_back(&mut self, aside: &SetAside) {
        every_cache!(&mut self.tables, cache => {
            let mut before = std::mem::take(&mut cache.before);
            before.swap_forth(|key, row| cache.put(key, row));
            cache.before = before;
        });
        self.totals.restore(&aside.totals);
        self.rows_hash = aside.rows_hash;
    }

    /// Changes are there to stay; the oldest ones first, when there are several.
    pub(super) fn keep(&mut self, undo: &Undo) {
        every_cache!(&mut self.tables, cache => cache.before.forget_first(undo.entry));
    }

    /// Every changed row but meta; they stay readable here until [`Self::committed`].
    pub(super) fn take_changes(&mut self) -> Vec<RowChange> {
        let mut changes = Vec::new();
        every_cache!(&mut self.tables, cache => cache.take_changes(&mut changes));
        self.totals.take_changes(&mut changes);
        if canary!("dedupe-index-not-in-checkpoint") {
            changes.retain(|(table, ..)| *table != Table::Operation);
        }
        changes
    }

    /// The changes are in the database.
    pub(super) fn committed(&mut self) {
        every_cache!(&mut self.tables, cache => cache.committed());
        self.trim();
    }

    /// Drops clean rows beyond the bound. Not within a fold step: what it read must stay.
    pub(super) fn trim(&mut self) {
        let mut clean = 0;
        every_cache!(&mut self.tables, cache => clean += cache.clean());
        if clean <= self.clean_rows_max {
            return;
        }
        // An eighth more than needed, so that this is rare.
        let surplus = clean - self.clean_rows_max + self.clean_rows_max / 8;
        every_cache!(&mut self.tables, cache => {
            let share = (surplus as u128 * cache.clean() as u128).div_ceil(clean as u128);
            cache.evict(share as usize);
        });
    }
}

/// Loads a whole table and returns the sum of its rows' hashes.
fn load_table<R: Row>(
    cache: &mut TableCache<R>,
    store: &dyn LedgerStore,
) -> Result<u128, StoreError> {
    let mut hash = 0_u128;
    let mut failed = None;
    let mut row = Vec::with_capacity(256);
    store.scan(R::TABLE, &[], &ABOVE_ALL_KEYS, &mut |key, value| {
        row.clear();
        row.push(R::TABLE as u8);
        row.extend_from_slice(key);
        row.extend_from_slice(value);
        hash = hash.wrapping_add(xxh3_128(&row));
        if R::TABLE == Table::Operation && canary!("dedupe-index-lost-on-restart") {
            return true;
        }
        match decode_row::<R>(key, value) {
            Ok((key, row)) => cache.load(key, row),
            Err(error) => failed = Some(error),
        }
        failed.is_none()
    })?;
    cache.set_complete();
    failed.map_or(Ok(hash), Err)
}

/// Reads a row that is not cached: meta and totals.
pub(super) fn read_plain<T>(
    store: &dyn LedgerStore,
    table: Table,
    key: &[u8],
    decode: impl FnOnce(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Option<T>, StoreError> {
    let Some(value) = store.get(table, key)? else { return Ok(None) };
    let mut r = Reader::new("ledger row", &value);
    let read = decode(&mut r).and_then(|row| r.finish().map(|()| row));
    read.map(Some).map_err(|error| not_a_row(table, &error))
}
