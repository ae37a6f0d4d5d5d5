//! Blocks that are damaged, misplaced, cut off or torn.

use super::*;

/// A file in memory.
#[derive(Debug, Clone, Default)]
struct Bytes(Arc<Mutex<Vec<u8>>>);

impl BlockFile for Bytes {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().len() as u64)
    }
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (bytes, offset) = (self.0.lock().unwrap(), offset as usize);
        let found = bytes.get(offset..offset + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let (mut bytes, offset) = (self.0.lock().unwrap(), offset as usize);
        let length = bytes.len().max(offset + data.len());
        bytes.resize(length, 0);
        bytes[offset..offset + data.len()].copy_from_slice(data);
        Ok(())
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.lock().unwrap().resize(length as usize, 0);
        Ok(())
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

const B: u64 = BLOCK as u64;

fn layer(file: &Bytes) -> BlockLayer {
    BlockLayer::open(Box::new(file.clone())).unwrap()
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i / 7 + i / BLOCK) as u8).collect()
}

fn read(layer: &BlockLayer, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut out = vec![0xaa; length];
    layer.read(offset, &mut out).map(|()| out)
}

#[test]
fn any_range_over_several_groups_survives_a_reopen() {
    let file = Bytes::default();
    let blocks = 2 * GROUP + 5;
    let data = pattern(blocks * BLOCK);
    let first = layer(&file);
    first.set_len(data.len() as u64).unwrap();
    first.write(0, &data).unwrap();
    // Not on the bounds of blocks, and over the bounds of groups.
    let (at, some) = (GROUP * BLOCK - 100, vec![9; 2 * BLOCK]);
    first.write(at as u64, &some).unwrap();
    let mut expected = data;
    expected[at..at + some.len()].copy_from_slice(&some);
    first.sync_data().unwrap();
    for layer in [first, layer(&file)] {
        assert_eq!(layer.len().unwrap(), expected.len() as u64);
        for (offset, length) in [(0, expected.len()), (1, 10), (4095, 2), (at - 5, 9000)] {
            let found = read(&layer, offset as u64, length).unwrap();
            assert!(found == expected[offset..offset + length], "{length} at {offset}");
        }
        assert!(read(&layer, expected.len() as u64 - 1, 2).is_err());
        assert!(layer.write(expected.len() as u64, &[0; BLOCK]).is_err());
    }
}

#[test]
fn what_was_cut_off_is_zeros_when_it_comes_back() {
    let file = Bytes::default();
    let layer = layer(&file);
    let blocks = GROUP as u64 + 3;
    layer.set_len(blocks * B).unwrap();
    layer.write(0, &pattern(blocks as usize * BLOCK)).unwrap();
    layer.set_len(5 * B).unwrap();
    layer.set_len(blocks * B).unwrap();
    let rest = read(&layer, 5 * B, (blocks - 5) as usize * BLOCK).unwrap();
    assert!(rest.iter().all(|byte| *byte == 0));
    assert!(layer.set_len(100).is_err());
}

#[test]
fn a_block_in_the_wrong_place_does_not_verify() {
    let file = Bytes::default();
    let first = layer(&file);
    first.set_len(8 * B).unwrap();
    first.write(3 * B, &[7; BLOCK]).unwrap();
    first.write(4 * B, &[8; BLOCK]).unwrap();
    first.sync_data().unwrap();
    // Block 4 with its checksum over block 3 with its checksum.
    let bytes = &mut *file.0.lock().unwrap();
    bytes.copy_within(file_offset(4) as usize..file_offset(5) as usize, file_offset(3) as usize);
    let sums = checksums_offset(0) as usize;
    bytes.copy_within(sums + 4 * 8..sums + 5 * 8, sums + 3 * 8);
    let copy = Bytes(Arc::new(Mutex::new(bytes.clone())));
    let second = layer(&copy);
    assert_eq!(read(&second, 4 * B, BLOCK).unwrap(), [8; BLOCK]);
    let error = read(&second, 3 * B, BLOCK).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert_eq!(second.fault(), Some(DiskFault::Io));
    let again = BlockLayer::open(Box::new(copy)).unwrap_err();
    assert_eq!(again.kind(), io::ErrorKind::InvalidData, "it is condemned");
}

#[test]
fn a_block_that_was_never_written_must_be_zeros() {
    let file = Bytes::default();
    let layer = layer(&file);
    layer.set_len(4 * B).unwrap();
    assert_eq!(read(&layer, 2 * B, BLOCK).unwrap(), [0; BLOCK]);
    file.write_at(file_offset(2) + 17, &[1]).unwrap();
    assert!(read(&layer, 2 * B, BLOCK).is_err());
}

#[test]
fn a_torn_extension_is_cut_to_whole_blocks() {
    let file = Bytes::default();
    let first = layer(&file);
    first.set_len(GROUP as u64 * B).unwrap();
    first.write(B, &[5; BLOCK]).unwrap();
    first.sync_data().unwrap();
    let whole = file_length(GROUP);
    for extra in [1, B, B + 1, 2 * B, 2 * B + 512] {
        file.set_len(whole + extra).unwrap();
        let again = layer(&file);
        let blocks = GROUP as u64 + (extra / B).saturating_sub(1);
        assert_eq!(again.len().unwrap(), blocks * B, "{extra} bytes too many");
        assert_eq!(file.len().unwrap(), file_length(blocks as usize));
        assert_eq!(read(&again, B, BLOCK).unwrap(), [5; BLOCK]);
    }
}

#[test]
fn a_scrub_reads_the_checksums_on_the_disk_too() {
    let file = Bytes::default();
    let layer = layer(&file);
    layer.set_len(8 * B).unwrap();
    layer.write(3 * B, &[7; BLOCK]).unwrap();
    assert_eq!(layer.scrub(0, 64).unwrap(), 8, "what is not written yet counts for nothing");
    layer.sync_data().unwrap();
    assert_eq!(layer.scrub(0, 64).unwrap(), 8);
    file.0.lock().unwrap()[checksums_offset(0) as usize + 3 * 8] ^= 1;
    assert!(layer.scrub(0, 64).is_err());
}

#[test]
fn checksums_that_no_read_asks_for_are_cleared_when_the_file_is_opened() {
    let file = Bytes::default();
    let first = layer(&file);
    first.set_len(4 * B).unwrap();
    first.write(B, &[7; 3 * BLOCK]).unwrap();
    first.sync_data().unwrap();
    let whole = file.0.lock().unwrap().clone();
    for block in [0, 4, GROUP - 1] {
        file.write_at(checksums_offset(0) + 8 * block as u64, &[9]).unwrap();
    }
    drop(layer(&file));
    assert!(*file.0.lock().unwrap() == whole, "damage stays in the checksums");
    assert_eq!(layer(&file).scrub(0, 4).unwrap(), 4);
}
