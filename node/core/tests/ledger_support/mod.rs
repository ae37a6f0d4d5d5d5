//! A ledger database in memory, and records of a region log.

use billing_core::ledger::Ledger;
use billing_core::ledger::store::{LedgerBatch, LedgerStore, StoreError, Table};
use billing_wire::{
    Hlc, Incarnation, LedgerCode, Query, QueryResult, Record, RecordHeader, RecordKind, RecordView,
    RegionId, RegionMode, Submission,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

type Rows = BTreeMap<(Table, Box<[u8]>), Box<[u8]>>;

/// Rows that outlive the ledger that reads them.
#[derive(Clone, Default)]
pub(crate) struct MemoryStore {
    rows: Arc<Mutex<Rows>>,
}

impl MemoryStore {
    pub(crate) fn commit(&self, batch: &LedgerBatch) {
        let mut rows = self.rows.lock().unwrap();
        let keys: Vec<_> = batch.changes.iter().map(|(table, key, _)| (table, key)).collect();
        let distinct = keys.iter().collect::<std::collections::BTreeSet<_>>().len();
        assert_eq!(distinct, keys.len(), "a batch holds each key at most once");
        for (table, key, value) in batch.changes.clone() {
            match value {
                Some(value) => rows.insert((table, key), value),
                None => rows.remove(&(table, key)),
            };
        }
    }

    /// Changes the bytes of a row.
    pub(crate) fn rig(&self, table: Table, key: &[u8], change: impl FnOnce(&mut [u8])) {
        let mut rows = self.rows.lock().unwrap();
        change(rows.get_mut(&(table, Box::from(key))).expect("the row is there"));
    }
}

impl LedgerStore for MemoryStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let rows = self.rows.lock().unwrap();
        Ok(rows.get(&(table, Box::from(key))).map(|value| value.to_vec()))
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        let rows = self.rows.lock().unwrap();
        for ((_, key), value) in rows.range((table, Box::from(from))..(table, Box::from(to))) {
            if !visit(key, value) {
                break;
            }
        }
        Ok(())
    }

    fn rows(&self) -> Result<u64, StoreError> {
        Ok(self.rows.lock().unwrap().len() as u64)
    }
}

/// Header of the record at an index; ten stamps lie between two records.
pub(crate) fn header(index: u64, kind: RecordKind) -> RecordHeader {
    RecordHeader {
        kind,
        region: RegionId(0),
        incarnation: Incarnation(0),
        index,
        term: 1,
        hlc: Hlc(index * 10),
        geo_index: 0,
        mode: RegionMode::Geo,
        prev_hash: [0; 32],
        hash: [0; 32],
    }
}

/// An encoded record.
pub(crate) fn record(index: u64, submissions: Vec<Submission>) -> Vec<u8> {
    Record { header: header(index, RecordKind::Submissions), submissions }.encode()
}

pub(crate) fn apply(ledger: &mut Ledger, record: &[u8]) {
    ledger.apply(&RecordView::decode(record).unwrap()).unwrap();
}

/// Commits a batch of the ledger at once.
pub(crate) fn commit(ledger: &mut Ledger, store: &MemoryStore) {
    store.commit(&ledger.take_batch());
    ledger.batch_committed();
}

pub(crate) fn totals(ledger: &mut Ledger) -> Vec<(LedgerCode, i128)> {
    match ledger.query(&Query::TrialBalance).unwrap() {
        QueryResult::TrialBalance(view) => view.sums,
        other => panic!("{other:?} is no trial balance"),
    }
}
