//! The ledger database: redb over verified blocks. It holds nothing that the log does not: when
//! it cannot be believed it is set aside, and the fold fills an empty one.

use crate::block_layer::BlockLayer;
use crate::host::Directory;
use crate::replica::OpenError;
use billing_core::ledger::store::{LedgerBatch, LedgerStore, StoreError, Table};
use billing_core::{DiskFault, FileName};
use redb::{
    Database, ReadOnlyTable, ReadableDatabase, ReadableTableMetadata, TableDefinition, TableError,
};
use std::fmt::{self, Debug, Display};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type RowTable = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// The tables as of one commit; those that no commit has written yet are missing.
struct Snapshot {
    tables: [Option<RowTable>; Table::ALL.len()],
}

/// A node's ledger database. Shared: reads from the node's step, commits from wherever the host
/// runs them.
pub struct LedgerDatabase {
    // What the node reads. Dropped before each commit: an open one keeps redb from using freed
    // pages again. Stands before the database so that it is dropped first.
    snapshot: Mutex<Option<Arc<Snapshot>>>,
    database: Database,
    blocks: BlockLayer,
}

impl Debug for LedgerDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LedgerDatabase").finish_non_exhaustive()
    }
}

fn table_name(table: Table) -> &'static str {
    match table {
        Table::Meta => "meta",
        Table::Account => "account",
        Table::ServicePoint => "service_point",
        Table::Operation => "operation",
        Table::History => "history",
        Table::Suspense => "suspense",
        Table::Parked => "parked",
        Table::MeterRead => "meter_read",
        Table::Total => "total",
        Table::SuspenseItem => "suspense_item",
        Table::Refund => "refund",
        Table::Outbox => "outbox",
        Table::Series => "series",
        Table::Document => "document",
        Table::AccountDocument => "account_document",
        Table::EffectiveInvoice => "effective_invoice",
    }
}

fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(table_name(table))
}

fn store_error(error: impl Display) -> StoreError {
    StoreError(error.to_string())
}

/// redb takes its own pages for granted: on a disk that kept some writes and not others, though it
/// said that it had synced them all, every block verifies and redb may still panic over what they
/// say together. To the node that is a database like any other that cannot be believed.
fn guarded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or(payload.downcast_ref::<&str>().copied()).unwrap_or_default();
        Err(StoreError(format!("the pages of the ledger contradict each other: {text}")))
    })
}

impl LedgerDatabase {
    /// Opens the database of a directory. A missing one is created; one that does not verify is
    /// set aside (`ledger.damaged`) and replaced by an empty one, which the fold refills.
    /// `cache_bytes` bounds redb's own cache of pages.
    ///
    /// # Errors
    /// When there is no space, and nothing was set aside; when not even an empty one can be made.
    pub fn open(directory: &dyn Directory, cache_bytes: usize) -> Result<Arc<Self>, OpenError> {
        let opened = Self::open_file(directory, cache_bytes).or_else(|(error, fault)| {
            if fault == Some(DiskFault::Full) {
                return Err((error, fault));
            }
            tracing::warn!(%error, "the ledger database is set aside and rebuilt from the log");
            Self::set_aside(directory).map_err(|error| (store_error(error), None))?;
            Self::open_file(directory, cache_bytes)
        });
        match opened {
            Ok(database) => Ok(Arc::new(database)),
            Err((_, Some(DiskFault::Full))) => {
                Err(OpenError::Io(io::Error::from(io::ErrorKind::StorageFull)))
            }
            Err((error, _)) => Err(OpenError::Ledger(error)),
        }
    }

    /// With an error comes how the disk failed, where it did.
    fn open_file(
        directory: &dyn Directory,
        cache_bytes: usize,
    ) -> Result<Self, (StoreError, Option<DiskFault>)> {
        let failed = |error: io::Error| {
            let is_full = error.kind() == io::ErrorKind::StorageFull;
            (store_error(error), is_full.then_some(DiskFault::Full))
        };
        let file = directory.open_block_file(FileName::Ledger).map_err(failed)?;
        let blocks = BlockLayer::open(file).map_err(failed)?;
        let create = || {
            let mut builder = Database::builder();
            builder.set_cache_size(cache_bytes).create_with_backend(blocks.clone())
        };
        let database =
            guarded(|| create().map_err(store_error)).map_err(|error| (error, blocks.fault()))?;
        Ok(Self { snapshot: Mutex::new(None), database, blocks })
    }

    /// Renames the database of a directory to `ledger.damaged`, if there is one.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn set_aside(directory: &dyn Directory) -> io::Result<()> {
        if directory.list()?.contains(&FileName::Ledger) {
            directory.rename(FileName::Ledger, FileName::LedgerAside)?;
        }
        Ok(())
    }

    /// Commits a batch, durably: all of its rows or none.
    ///
    /// # Errors
    /// When the disk failed; the database must then be opened again.
    pub fn commit(&self, batch: &LedgerBatch) -> Result<(), DiskFault> {
        *self.snapshot() = None;
        let done = guarded(|| self.write(batch).map_err(store_error));
        // A read may have taken one of before the commit meanwhile.
        *self.snapshot() = None;
        done.map_err(|error| {
            tracing::warn!(%error, "a ledger commit failed");
            self.blocks.fault().unwrap_or(DiskFault::Io)
        })
    }

    fn write(&self, batch: &LedgerBatch) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        // Verified blocks are only sound with the first, and the second spares a scan of the
        // whole file after a crash.
        transaction.set_two_phase_commit(true);
        transaction.set_quick_repair(true);
        for changes in batch.changes.chunk_by(|a, b| a.0 == b.0) {
            let mut table = transaction.open_table(definition(changes[0].0))?;
            for (_, key, value) in changes {
                match value {
                    Some(value) => table.insert(&**key, &**value)?,
                    None => table.remove(&**key)?,
                };
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// Reads so many blocks of the file from `first` on, past every cache, and verifies them.
    /// Returns the bytes read; 0 behind the end.
    ///
    /// # Errors
    /// When one does not verify or cannot be read: the database must then be set aside.
    pub fn verify_blocks(&self, first: usize, count: usize) -> Result<u64, StoreError> {
        let blocks = self.blocks.scrub(first, count).map_err(store_error)?;
        Ok((blocks * 4096) as u64)
    }

    /// A read handle for the node.
    pub fn reader(self: &Arc<Self>) -> Box<dyn LedgerStore> {
        Box::new(CommittedRows { database: Arc::clone(self) })
    }

    fn snapshot(&self) -> MutexGuard<'_, Option<Arc<Snapshot>>> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn latest(&self) -> Result<Arc<Snapshot>, StoreError> {
        let mut kept = self.snapshot();
        if let Some(snapshot) = &*kept {
            return Ok(Arc::clone(snapshot));
        }
        let take = || Snapshot::take(&self.database).map_err(store_error);
        let snapshot = Arc::new(guarded(take)?);
        *kept = Some(Arc::clone(&snapshot));
        Ok(snapshot)
    }
}

impl Snapshot {
    fn take(database: &Database) -> Result<Self, redb::Error> {
        let transaction = database.begin_read()?;
        let mut tables = [const { None }; Table::ALL.len()];
        for table in Table::ALL {
            tables[table as usize] = match transaction.open_table(definition(table)) {
                Ok(rows) => Some(rows),
                Err(TableError::TableDoesNotExist(_)) => None,
                Err(error) => return Err(error.into()),
            };
        }
        Ok(Self { tables })
    }
}

/// The rows of the last commit that the node knows of, or of a later one: rows of a commit in
/// progress are still in the node's memory, so it cannot tell.
struct CommittedRows {
    database: Arc<LedgerDatabase>,
}

impl LedgerStore for CommittedRows {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let snapshot = self.database.latest()?;
        let Some(rows) = &snapshot.tables[table as usize] else { return Ok(None) };
        let get = || rows.get(key).map(|value| value.map(|value| value.value().to_vec()));
        guarded(|| get().map_err(store_error))
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        let snapshot = self.database.latest()?;
        let Some(rows) = &snapshot.tables[table as usize] else { return Ok(()) };
        if from >= to {
            return Ok(());
        }
        guarded(|| {
            for row in rows.range(from..to).map_err(store_error)? {
                let (key, value) = row.map_err(store_error)?;
                if !visit(key.value(), value.value()) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn rows(&self) -> Result<u64, StoreError> {
        let snapshot = self.database.latest()?;
        let mut rows = 0;
        for table in snapshot.tables.iter().flatten() {
            rows += table.len().map_err(store_error)?;
        }
        Ok(rows)
    }
}
