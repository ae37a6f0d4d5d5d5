//! What every disk must do. Each case starts with an empty directory. What a crash leaves behind
//! is not part of it: only the simulator can show that.

use crate::host::Directory;
use billing_core::{DiskStep, FileName};
use billing_wire::RegionId;
use bytes::Bytes;
use std::io::ErrorKind;

/// A case: a name, and a function that panics when the directory fails it.
pub type Case = (&'static str, fn(&dyn Directory));

/// Every case.
pub const CASES: [Case; 12] = [
    ("an empty directory lists nothing", empty),
    ("what is written is read back", written_is_read),
    ("a later write replaces bytes and keeps the rest", overwritten),
    ("a gap reads as zeros", gap),
    ("steps run in order", in_order),
    ("the first failure skips the rest", failure_skips),
    ("files are listed in order", listed),
    ("a removed file is gone and its name is free", removed),
    ("a missing file is NotFound", missing),
    ("a rename replaces the target", renamed),
    ("a block file reads what was written", block_file),
    ("a read behind the end of a block file is UnexpectedEof", block_file_end),
];

/// Runs every case, each on a directory of its own.
///
/// # Panics
/// With the name of the first case that fails, and what was expected.
pub fn check<D: Directory>(mut empty_directory: impl FnMut() -> D) {
    for (name, case) in CASES {
        tracing::debug!(name, "conformance");
        case(&empty_directory());
    }
}

const REGION: RegionId = RegionId(0);

fn segment(sequence: u32) -> FileName {
    FileName::Segment { region: REGION, sequence }
}

fn write(file: FileName, offset: u64, bytes: &[u8]) -> DiskStep {
    DiskStep::Write { file, offset, bytes: Bytes::copy_from_slice(bytes) }
}

fn run(directory: &dyn Directory, steps: &[DiskStep]) {
    directory.run(steps).expect("legal steps on a healthy disk succeed");
}

fn read(directory: &dyn Directory, file: FileName) -> Vec<u8> {
    directory.read(file).expect("a file that was written can be read")
}

fn list(directory: &dyn Directory) -> Vec<FileName> {
    directory.list().expect("a healthy directory can be listed")
}

fn kind<T>(result: std::io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

fn empty(directory: &dyn Directory) {
    assert_eq!(list(directory), [], "nothing was written yet");
}

fn written_is_read(directory: &dyn Directory) {
    let file = FileName::Superblock;
    run(directory, &[write(file, 0, b"four"), DiskStep::Sync { file }]);
    assert_eq!(read(directory, file), b"four", "after a sync");
    run(directory, &[write(file, 4, b"teen")]);
    assert_eq!(read(directory, file), b"fourteen", "a write is visible before its sync");
}

fn overwritten(directory: &dyn Directory) {
    let file = segment(1);
    run(directory, &[write(file, 0, b"abcdef"), write(file, 2, b"XY")]);
    assert_eq!(read(directory, file), b"abXYef", "only the named bytes change");
}

fn gap(directory: &dyn Directory) {
    let file = segment(1);
    run(directory, &[write(file, 3, b"x"), DiskStep::SetLength { file, length: 6 }]);
    assert_eq!(read(directory, file), b"\0\0\0x\0\0", "holes and extensions are zeros");
    run(directory, &[DiskStep::SetLength { file, length: 2 }, write(file, 4, b"y")]);
    assert_eq!(read(directory, file), b"\0\0\0\0y", "what was cut does not come back");
}

fn in_order(directory: &dyn Directory) {
    let file = FileName::Superblock;
    let steps = [
        write(file, 0, b"first"),
        DiskStep::SetLength { file, length: 0 },
        write(file, 0, b"last"),
        DiskStep::Sync { file },
    ];
    run(directory, &steps);
    assert_eq!(read(directory, file), b"last", "the last step wins");
}

fn failure_skips(directory: &dyn Directory) {
    let steps = [
        write(segment(1), 0, b"a"),
        DiskStep::Remove { file: segment(9) },
        write(segment(2), 0, b"b"),
    ];
    assert_eq!(kind(directory.run(&steps)), Some(ErrorKind::NotFound), "there is no segment 9");
    assert_eq!(list(directory), [segment(1)], "steps behind the failure are skipped");
}

fn listed(directory: &dyn Directory) {
    let other = FileName::Segment { region: RegionId(1), sequence: 1 };
    let steps = [
        write(other, 0, b"d"),
        write(segment(10), 0, b"c"),
        write(segment(9), 0, b"b"),
        write(FileName::Superblock, 0, b"a"),
        DiskStep::Sync { file: segment(9) },
    ];
    run(directory, &steps);
    let expected = [FileName::Superblock, segment(9), segment(10), other];
    assert_eq!(list(directory), expected, "order of `FileName`, not of the directory");
}

fn removed(directory: &dyn Directory) {
    let file = segment(1);
    run(directory, &[write(file, 0, b"old and long"), DiskStep::Sync { file }]);
    run(directory, &[DiskStep::Remove { file }]);
    assert_eq!(list(directory), [], "it is gone");
    assert_eq!(kind(directory.read(file)), Some(ErrorKind::NotFound), "it cannot be read");
    run(directory, &[write(file, 0, b"new"), DiskStep::Sync { file }]);
    assert_eq!(read(directory, file), b"new", "a new file of that name starts empty");
}

fn missing(directory: &dyn Directory) {
    assert_eq!(kind(directory.read(segment(1))), Some(ErrorKind::NotFound), "read");
    let renamed = directory.rename(FileName::Ledger, FileName::LedgerAside);
    assert_eq!(kind(renamed), Some(ErrorKind::NotFound), "rename");
    let steps = [DiskStep::Remove { file: segment(1) }];
    assert_eq!(kind(directory.run(&steps)), Some(ErrorKind::NotFound), "remove");
    assert_eq!(list(directory), [], "a failed call leaves nothing behind");
}

fn renamed(directory: &dyn Directory) {
    let (from, to) = (FileName::Ledger, FileName::LedgerAside);
    run(directory, &[write(from, 0, b"new"), write(to, 0, b"replaced")]);
    directory.rename(from, to).expect("both names are legal");
    assert_eq!(list(directory), [to], "the old name is gone");
    assert_eq!(read(directory, to), b"new", "the target holds what was renamed");
}

fn block_file(directory: &dyn Directory) {
    let file = directory.open_block_file(FileName::Ledger).expect("a missing file is created");
    assert!(file.is_empty().expect("its length is known"), "a new file is empty");
    file.write_at(4, b"data").expect("a write extends the file");
    file.set_len(10).expect("a file can grow");
    file.sync().expect("a healthy disk syncs");
    let mut bytes = [1; 10];
    file.read_at(0, &mut bytes).expect("all of it is there");
    assert_eq!(&bytes, b"\0\0\0\0data\0\0", "gap and extension are zeros");
    drop(file);
    let file = directory.open_block_file(FileName::Ledger).expect("it is still there");
    assert_eq!(file.len().expect("its length is known"), 10, "opening truncates nothing");
    assert_eq!(list(directory), [FileName::Ledger], "the directory knows it");
}

fn block_file_end(directory: &dyn Directory) {
    let file = directory.open_block_file(FileName::Ledger).expect("a missing file is created");
    file.write_at(0, b"data").expect("a write extends the file");
    let mut bytes = [0; 8];
    assert_eq!(kind(file.read_at(0, &mut bytes)), Some(ErrorKind::UnexpectedEof), "across");
    assert_eq!(kind(file.read_at(9, &mut bytes)), Some(ErrorKind::UnexpectedEof), "behind");
    file.set_len(2).expect("a file can shrink");
    assert_eq!(kind(file.read_at(2, &mut bytes[..1])), Some(ErrorKind::UnexpectedEof), "cut");
    assert_eq!(file.len().expect("its length is known"), 2, "a read extends nothing");
}
