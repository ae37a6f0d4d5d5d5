//! The ledger database on a disk that tears, flips and dies: what it gives back is always the
//! fold of one commit, or it says that it cannot be believed.

mod memory_disk;

use billing_core::ledger::store::{LedgerBatch, LedgerStore, RowChange, Table};
use billing_core::{DiskFault, FileName};
use billing_shell::LedgerDatabase;
use memory_disk::{Draw, MemoryDirectory};
use std::collections::BTreeMap;

const CACHE_BYTES: usize = 1 << 20;

type Key = (Table, Box<[u8]>);
/// Every row of a database.
type Rows = BTreeMap<Key, Box<[u8]>>;

/// A batch of changes, drawn; every tenth removes a row, and the meta row numbers the batch.
fn batch(draw: &mut Draw, number: u64) -> LedgerBatch {
    let mut changes: BTreeMap<Key, Option<Box<[u8]>>> = BTreeMap::new();
    for _ in 0..=draw.below(60) {
        let table = Table::ALL[1 + draw.below(8) as usize];
        let key = Box::from(draw.below(4_000).to_be_bytes().as_slice());
        let length = draw.below(200) as usize;
        let value = vec![draw.below(256) as u8; length].into_boxed_slice();
        changes.insert((table, key), (draw.below(10) > 0).then_some(value));
    }
    let meta = Some(Box::from(number.to_le_bytes().as_slice()));
    changes.insert((Table::Meta, Box::default()), meta);
    let changes: Vec<RowChange> = changes.into_iter().map(|((t, k), v)| (t, k, v)).collect();
    LedgerBatch { changes }
}

fn add(rows: &mut Rows, batch: &LedgerBatch) {
    for (table, key, value) in batch.changes.clone() {
        match value {
            Some(value) => rows.insert((table, key), value),
            None => rows.remove(&(table, key)),
        };
    }
}

fn read(store: &dyn LedgerStore) -> Result<Rows, String> {
    let mut rows = Rows::new();
    for table in Table::ALL {
        let to = [0xff; 32];
        store
            .scan(table, &[], &to, &mut |key, value| {
                rows.insert((table, Box::from(key)), Box::from(value));
                true
            })
            .map_err(|error| error.to_string())?;
    }
    assert_eq!(store.rows().map_err(|error| error.to_string())?, rows.len() as u64);
    for ((table, key), value) in &rows {
        let found = store.get(*table, key).map_err(|error| error.to_string())?;
        assert_eq!(found.as_deref(), Some(&**value));
    }
    Ok(rows)
}

#[test]
fn rows_survive_a_close_and_are_seen_by_every_reader() {
    let directory = MemoryDirectory::new();
    let (mut draw, mut rows) = (Draw(1), Rows::new());
    for round in 0..5 {
        let database = LedgerDatabase::open(&directory, CACHE_BYTES).unwrap();
        let reader = database.reader();
        assert_eq!(read(&*reader).unwrap(), rows);
        for number in 0..10 {
            let batch = batch(&mut draw, round * 10 + number);
            add(&mut rows, &batch);
            database.commit(&batch).unwrap();
            assert_eq!(read(&*reader).unwrap(), rows);
        }
    }
    assert!(!directory.holds(FileName::LedgerAside));
}

#[test]
fn a_scan_keeps_to_its_bounds_and_stops_when_told() {
    let directory = MemoryDirectory::new();
    let database = LedgerDatabase::open(&directory, CACHE_BYTES).unwrap();
    let row =
        |key: u8| (Table::History, Box::from([key].as_slice()), Some(Box::from([].as_slice())));
    database.commit(&LedgerBatch { changes: (0..10).map(row).collect() }).unwrap();
    let scan = |from: &[u8], to: &[u8], most: usize| {
        let mut keys = Vec::new();
        let visit = &mut |key: &[u8], _: &[u8]| {
            keys.push(key[0]);
            keys.len() < most
        };
        database.reader().scan(Table::History, from, to, visit).unwrap();
        keys
    };
    assert_eq!(scan(&[3], &[6], 99), [3, 4, 5]);
    assert_eq!(scan(&[3], &[3, 0], 99), [3]);
    assert_eq!(scan(&[8], &[0xff; 32], 99), [8, 9]);
    assert_eq!(scan(&[0], &[0xff; 32], 2), [0, 1]);
    assert!(scan(&[6], &[3], 99).is_empty());
}

/// Power goes at every single write, sync and length change of a run, each with several
/// outcomes for what was not synced; and again while the database is being opened.
#[test]
fn a_crash_anywhere_leaves_the_last_commit_or_the_one_in_flight() {
    let mut crashes = 0;
    for seed in 0..2 {
        for die_at in 1.. {
            let directory = MemoryDirectory::new();
            directory.die_at(die_at);
            let mut draw = Draw(seed);
            let (committed, in_flight) = run_until_death(&directory, &mut draw);
            if !directory.is_dead() {
                break;
            }
            crashes += 1;
            let mut chance = Draw(seed * 1_000 + die_at);
            let disk = directory.crashed(&mut chance);
            let disk = crash_while_opening(disk, &mut chance);
            let database = LedgerDatabase::open(&disk, CACHE_BYTES).unwrap();
            let found = read(&*database.reader()).unwrap();
            assert!(
                found == committed || found == in_flight,
                "seed {seed}, dead at call {die_at}: neither the last commit nor the next"
            );
            // Only a file that never held a commit may be set aside.
            assert!(!disk.holds(FileName::LedgerAside) || committed.is_empty());
            let next = batch(&mut draw, 99);
            let mut rows = found;
            add(&mut rows, &next);
            database.commit(&next).unwrap();
            assert_eq!(read(&*database.reader()).unwrap(), rows);
        }
    }
    assert!(crashes > 200, "{crashes} crashes are too few to say anything");
}

/// Rows of the last commit that was confirmed, and of the one that was in progress.
fn run_until_death(directory: &MemoryDirectory, draw: &mut Draw) -> (Rows, Rows) {
    let (mut committed, mut in_flight) = (Rows::new(), Rows::new());
    for number in 0..8 {
        // Opened anew now and then, so that a clean close is crashed as well.
        let Ok(database) = LedgerDatabase::open(directory, CACHE_BYTES) else { break };
        for part in 0..2 {
            let batch = batch(draw, number * 2 + part);
            add(&mut in_flight, &batch);
            if database.commit(&batch).is_err() {
                return (committed, in_flight);
            }
            committed = in_flight.clone();
        }
    }
    (committed, in_flight)
}

fn crash_while_opening(disk: MemoryDirectory, chance: &mut Draw) -> MemoryDirectory {
    let mut disk = disk;
    while chance.below(2) == 0 {
        disk.die_at(1 + chance.below(12));
        drop(LedgerDatabase::open(&disk, CACHE_BYTES));
        disk = disk.crashed(chance);
    }
    disk
}

/// The same rows, or a file that is set aside, or an error: never other rows.
#[test]
fn a_flipped_bit_is_never_silent() {
    let directory = MemoryDirectory::new();
    let (mut draw, mut rows) = (Draw(7), Rows::new());
    {
        let database = LedgerDatabase::open(&directory, CACHE_BYTES).unwrap();
        for number in 0..12 {
            let batch = batch(&mut draw, number);
            add(&mut rows, &batch);
            database.commit(&batch).unwrap();
        }
    }
    let (mut unseen, mut found) = (0, 0);
    for _ in 0..600 {
        let damaged = directory.copy();
        damaged.flip(FileName::Ledger, &mut draw);
        let Ok(database) = LedgerDatabase::open(&damaged, CACHE_BYTES) else {
            found += 1;
            continue;
        };
        match read(&*database.reader()) {
            Ok(read) if damaged.holds(FileName::LedgerAside) => {
                assert!(read.is_empty());
                found += 1;
            }
            Ok(read) => {
                assert_eq!(read, rows, "a flipped bit changed a row in silence");
                unseen += 1;
            }
            Err(_) => {
                found += 1;
                // Whoever opens it next does not meet the damage again.
                drop(database);
                let database = LedgerDatabase::open(&damaged, CACHE_BYTES).unwrap();
                assert!(damaged.holds(FileName::LedgerAside));
                assert!(read(&*database.reader()).unwrap().is_empty());
            }
        }
    }
    assert!(found > 50 && unseen > 50, "{found} found, {unseen} without effect");
}

#[test]
fn a_failed_sync_is_reported_and_the_file_is_not_believed_again() {
    let directory = MemoryDirectory::new();
    let database = LedgerDatabase::open(&directory, CACHE_BYTES).unwrap();
    let mut draw = Draw(3);
    database.commit(&batch(&mut draw, 0)).unwrap();
    directory.fail_next_sync();
    assert_eq!(database.commit(&batch(&mut draw, 1)), Err(DiskFault::Sync));
    drop(database);
    let database = LedgerDatabase::open(&directory, CACHE_BYTES).unwrap();
    assert!(directory.holds(FileName::LedgerAside));
    assert!(read(&*database.reader()).unwrap().is_empty());
}

#[test]
fn a_full_disk_is_reported_and_costs_only_that_commit() {
    let directory = MemoryDirectory::new();
    let database = LedgerDatabase::open(&directory, CACHE_BYTES).unwrap();
    let (mut draw, mut rows) = (Draw(3), Rows::new());
    let first = batch(&mut draw, 0);
    add(&mut rows, &first);
    database.commit(&first).unwrap();
    directory.fill_up(true);
    let fault = (1..1_000).find_map(|number| {
        let next = batch(&mut draw, number);
        let fault = database.commit(&next).err();
        if fault.is_none() {
            add(&mut rows, &next);
        }
        fault
    });
    assert_eq!(fault, Some(DiskFault::Full));
    drop(database);
    directory.fill_up(false);
    let database = LedgerDatabase::open(&directory, CACHE_BYTES).unwrap();
    assert_eq!(read(&*database.reader()).unwrap(), rows);
    assert!(!directory.holds(FileName::LedgerAside));
}

/// A simulation can only be repeated when the database asks the disk for the same, in the same
/// order, every time.
#[test]
fn the_same_commits_make_the_same_calls() {
    let run = || {
        let directory = MemoryDirectory::new();
        let (mut draw, mut rows) = (Draw(11), 0);
        for round in 0..3 {
            let database = LedgerDatabase::open(&directory, CACHE_BYTES).unwrap();
            for number in 0..20 {
                database.commit(&batch(&mut draw, round * 20 + number)).unwrap();
                rows += read(&*database.reader()).unwrap().len();
            }
        }
        (directory.calls(), rows)
    };
    let first = run();
    for _ in 0..5 {
        assert_eq!(run(), first);
    }
}

#[test]
fn setting_aside_what_is_not_there_is_no_error() {
    let directory = MemoryDirectory::new();
    LedgerDatabase::set_aside(&directory).unwrap();
    assert!(!directory.holds(FileName::LedgerAside));
}
