//! Superblocks: what is read is what is written, and a file of four slots is read whatever it
//! holds.
#![no_main]

use billing_core::journal::Superblock;
use billing_core::journal::superblock::SLOT_BYTES;
use billing_fuzz::with_checksum;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = Superblock::newest(data);
    let slot = with_checksum(&data[..data.len().min(SLOT_BYTES)], 8, 12);
    if let Some(superblock) = Superblock::decode(&slot) {
        let again = superblock.encode();
        assert_eq!(Superblock::decode(&again), Some(superblock));
    }
});
