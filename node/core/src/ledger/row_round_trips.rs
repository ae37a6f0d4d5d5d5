//! What the tests of every codec of rows say: what is written is read back, nothing else is, and
//! keys order as their bytes do.

use super::cache::decode_row;
use super::rows::Row;
use billing_wire::{Hlc, Position, RegionId};
use proptest::prelude::*;
use std::fmt::Debug;

pub(super) fn position() -> impl Strategy<Value = Position> {
    (any::<u64>(), 0..5_u8, any::<u64>(), any::<u16>()).prop_map(|(hlc, region, index, offset)| {
        Position { hlc: Hlc(hlc), region: RegionId(region), index, offset }
    })
}

fn bytes<R: Row>(key: &R::Key, row: &R) -> (Vec<u8>, Vec<u8>) {
    let (mut key_bytes, mut value) = (Vec::new(), Vec::new());
    R::encode_key(key, &mut key_bytes);
    row.encode(&mut value);
    (key_bytes, value)
}

/// What is written is read back; a cut or an extra byte is an error.
pub(super) fn survives<R: Row + Debug>(key: R::Key, row: R)
where
    R::Key: Debug,
{
    let (key_bytes, mut value) = bytes(&key, &row);
    assert_eq!(decode_row::<R>(&key_bytes, &value).unwrap(), (key, row));
    for end in 0..value.len() {
        assert!(decode_row::<R>(&key_bytes, &value[..end]).is_err());
    }
    for end in 0..key_bytes.len() {
        assert!(decode_row::<R>(&key_bytes[..end], &value).is_err());
    }
    value.push(0);
    assert!(decode_row::<R>(&key_bytes, &value).is_err());
}

pub(super) fn keys_order_as_bytes<R: Row>(a: R::Key, b: R::Key) {
    let (mut a_bytes, mut b_bytes) = (Vec::new(), Vec::new());
    R::encode_key(&a, &mut a_bytes);
    R::encode_key(&b, &mut b_bytes);
    assert_eq!(a.cmp(&b), a_bytes.cmp(&b_bytes));
}
