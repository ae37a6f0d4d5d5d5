//! Objects of an archive: pieces and manifests.
#![no_main]

use billing_fuzz::with_checksum;
use billing_shell::archive::{Manifest, piece};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = piece::decode(data);
    let object = with_checksum(data, 8, 12);
    if let Ok(piece) = piece::decode(&object)
        && !piece.records.is_empty()
    {
        // What is reserved may differ; what it says may not.
        let (entry, again) = piece::encode(piece.cluster, &piece.records);
        assert_eq!((entry.first, entry.last_hash), (piece.first, piece.last_hash));
        assert_eq!(piece::decode(&again), Ok(piece));
    }
    if let Ok(manifest) = Manifest::decode(&object) {
        let _ = (manifest.frontier(), Manifest::is_late(Some(&manifest), u64::MAX, 1));
        assert_eq!(manifest.encode(), object, "a manifest has one encoding");
    }
});
