//! Checkpoints: the rows of a ledger database, every kind of them, and the file of verified blocks
//! below. Whatever the rows hold, the ledger opens and answers, or says that they cannot be
//! believed; whatever became of the file, a block is read as it was written or not at all. What
//! lies between, redb's own pages, is not looked at: they are believed only where blocks verify.
#![no_main]

use billing_core::ledger::Ledger;
use billing_core::ledger::store::{LedgerStore, StoreError, Table};
use billing_shell::BlockFile;
use billing_shell::block_layer::BlockLayer;
use billing_wire::{AccountId, OpId, Position, Query};
use libfuzzer_sys::fuzz_target;
use redb::StorageBackend;
use std::io;
use std::sync::{Arc, Mutex};

/// Bytes of a block.
const BLOCK: usize = 4096;
/// Blocks of a file, at most: two groups of them and a bit.
const BLOCKS_MAX: usize = 1030;

/// A file in memory.
#[derive(Debug, Clone, Default)]
struct File(Arc<Mutex<Vec<u8>>>);

impl BlockFile for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().expect("one thread").len() as u64)
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (bytes, offset) = (self.0.lock().expect("one thread"), offset as usize);
        let found = bytes.get(offset..offset + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let (mut bytes, offset) = (self.0.lock().expect("one thread"), offset as usize);
        let length = bytes.len().max(offset + data.len());
        bytes.resize(length, 0);
        bytes[offset..offset + data.len()].copy_from_slice(data);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.lock().expect("one thread").resize(length as usize, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A file of blocks, every third of them never written, that is closed.
fn written(blocks: usize) -> File {
    let file = File::default();
    let layer = BlockLayer::open(Box::new(file.clone())).expect("an empty file");
    layer.set_len((blocks * BLOCK) as u64).expect("memory");
    for block in (0..blocks).filter(|block| block % 3 > 0) {
        let bytes = [block as u8 | 1; BLOCK];
        layer.write((block * BLOCK) as u64, &bytes).expect("memory");
    }
    layer.sync_data().expect("memory");
    file
}

/// Damages a file of blocks: how many blocks, how much is cut off, then stretches that change, each
/// as place, length and bytes. What is read of it then is what was written, or nothing.
fn blocks(data: &[u8]) {
    let [low, high, cut, rest @ ..] = data else { return };
    let count = usize::from(u16::from_le_bytes([*low, *high])) % BLOCKS_MAX;
    let file = written(count);
    {
        let mut bytes = file.0.lock().expect("one thread");
        let mut rest = rest;
        while let [a, b, c, length, more @ ..] = rest {
            let length = usize::from(*length).min(more.len());
            let at = u32::from_le_bytes([*a, *b, *c, 0]) as usize % bytes.len();
            for (to, from) in bytes[at..].iter_mut().zip(&more[..length]) {
                *to = *from;
            }
            rest = &more[length..];
        }
        let left = bytes.len() - usize::from(*cut).min(bytes.len());
        bytes.truncate(left);
    }
    let Ok(layer) = BlockLayer::open(Box::new(file)) else { return };
    // The first block is redb's header, which has checksums of its own.
    for block in 1..count + 1 {
        let mut bytes = [0xaa; BLOCK];
        if layer.read((block * BLOCK) as u64, &mut bytes).is_err() {
            continue;
        }
        assert!(block < count, "there are {count} blocks");
        let expected = if block % 3 > 0 { block as u8 | 1 } else { 0 };
        let is_whole = bytes.iter().all(|byte| *byte == expected);
        // A block whose checksum was taken away counts as never written.
        assert!(is_whole || bytes == [0; BLOCK], "block {block} is read as something else");
    }
}

/// Rows: table, length of key, length of value, key, value.
struct Rows(Vec<(u8, Vec<u8>, Vec<u8>)>);

impl Rows {
    fn of(mut data: &[u8]) -> Self {
        let mut rows = Vec::new();
        while let [table, key, value, rest @ ..] = data {
            let (key, value) = (usize::from(*key), usize::from(*value));
            if rest.len() < key + value {
                break;
            }
            rows.push((*table % 16, rest[..key].to_vec(), rest[key..key + value].to_vec()));
            data = &rest[key + value..];
        }
        rows.sort();
        rows.dedup_by(|a, b| (a.0, &a.1) == (b.0, &b.1));
        Self(rows)
    }
}

impl LedgerStore for Rows {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.0.iter().find(|(of, known, _)| *of == table as u8 && known == key);
        Ok(found.map(|(_, _, value)| value.clone()))
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        for (of, key, value) in &self.0 {
            let is_within = *of == table as u8 && &key[..] >= from && &key[..] < to;
            if is_within && !visit(key, value) {
                break;
            }
        }
        Ok(())
    }

    fn rows(&self) -> Result<u64, StoreError> {
        Ok(self.0.len() as u64)
    }
}

fuzz_target!(|data: &[u8]| {
    blocks(data);
    let rows = Rows::of(data);
    let Some((_, key, _)) = rows.0.first() else { return };
    let mut word = [0; 16];
    word.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let number = u64::from_be_bytes(word[..8].try_into().unwrap_or_default());
    // All rows at once, and none before it is asked for.
    for cache_rows in [usize::MAX, 0] {
        let Ok(ledger) = Ledger::open(cache_rows, Box::new(Rows(rows.0.clone()))) else { continue };
        let (account, after, limit) = (AccountId(number), Position::default(), 10);
        let _ = ledger.query(&Query::Balance { account });
        let _ = ledger.query(&Query::History { account, after: 0, limit });
        let _ = ledger.query(&Query::Documents { account, after: 0, limit });
        let _ = ledger.query(&Query::Suspense { after, limit });
        let _ = ledger.query(&Query::Outbox { after, limit });
        let _ = ledger.query(&Query::TrialBalance);
        let _ = ledger.operation(OpId(u128::from_be_bytes(word)));
    }
});
