//! Hash chain, derived no-ops, stamps, operation ids and tokens: the small promises on which the
//! node and the reference model agree without talking to each other.

use billing_wire::{
    Frontier, Hlc, Incarnation, OpId, Record, RecordHeader, RecordKind, RegionId, Token,
    derived_op_id,
};
use proptest::prelude::*;

fn derived(term: u64, prev: Option<&RecordHeader>) -> RecordHeader {
    let header = RecordHeader::derived_noop(RegionId(2), Incarnation(4), term, prev);
    let mut record = Record { header, submissions: vec![] };
    record.encode();
    record.header
}

#[test]
fn derived_noops_are_dense_chained_and_stamped_just_above() {
    let first = derived(1, None);
    assert_eq!((first.index, first.hlc, first.prev_hash), (1, Hlc(1), [0; 32]));
    let second = derived(1, Some(&first));
    assert_eq!((second.index, second.hlc, second.prev_hash), (2, Hlc(2), first.hash));
    assert_eq!(
        (second.kind, second.region, second.incarnation),
        (RecordKind::Noop, RegionId(2), Incarnation(4))
    );
    assert_eq!(derived(1, Some(&first)), second, "every node derives the same bytes");
    assert_ne!(derived(2, Some(&first)).hash, second.hash, "another term is another record");
}

#[test]
fn a_chain_depends_on_everything_before_it() {
    let chain = |term| {
        let first = derived(term, None);
        let second = derived(9, Some(&first));
        derived(9, Some(&second)).hash
    };
    assert_ne!(chain(1), chain(2));
}

#[test]
fn stamps_count_on_where_the_clock_stands_still_or_falls_back() {
    let at = Hlc::from_ms(1_000);
    assert_eq!(Hlc::advance(at, 1_001), Hlc::from_ms(1_001));
    assert_eq!(Hlc::advance(at, 1_000), Hlc(at.0 + 1));
    assert_eq!(Hlc::advance(at, 3), Hlc(at.0 + 1));
    let full = Hlc(at.0 + 0xffff);
    assert_eq!((full.ms(), full.counter()), (1_000, 0xffff));
    assert_eq!(Hlc::advance(full, 1_000), Hlc::from_ms(1_001), "a full counter carries over");
    assert_eq!(Hlc::ZERO.to_string(), "0.0");
    assert_eq!(full.to_string(), "1000.65535");
}

#[test]
fn an_operation_id_is_written_as_a_uuid() {
    let id = OpId(0x0123_4567_89ab_cdef_0011_2233_4455_6677);
    assert_eq!(id.to_string(), "01234567-89ab-cdef-0011-223344556677");
    assert_eq!("0123456789ABCDEF0011223344556677".parse(), Ok(id));
    let texts = ["", "xyz", "0123", "g1234567-89ab-cdef-0011-223344556677", "é"];
    let errors = texts.map(|text| text.parse::<OpId>().unwrap_err());
    insta::assert_snapshot!(errors.join("\n"), @r"
    '' is no UUID: 32 hexadecimal digits expected
    'xyz' is no UUID: 32 hexadecimal digits expected
    '0123' is no UUID: 32 hexadecimal digits expected
    'g1234567-89ab-cdef-0011-223344556677' is no UUID: 32 hexadecimal digits expected
    'é' is no UUID: 32 hexadecimal digits expected
    ");
    // A sign is legal for the integer parser and no part of a UUID.
    assert!("+1234567-89ab-cdef-0011-223344556677".parse::<OpId>().is_err());
}

#[test]
fn the_id_of_an_outside_fact_is_fixed_for_ever() {
    let id = OpId::of_fact("bank", "ref-1");
    insta::assert_snapshot!(id, @"ac3cb610-a22a-67fe-9b03-9fa276471a2f");
    assert_ne!(id, OpId::of_fact("bankr", "ef-1"), "the border between the texts counts");
}

#[test]
fn the_id_of_an_effect_outside_is_fixed_for_ever() {
    let id = derived_op_id(OpId(7), "paid");
    insta::assert_snapshot!(id, @"ab318940-89ba-abb1-9ee5-e819b182b279");
    assert_ne!(id, derived_op_id(OpId(8), "paid"));
    assert_ne!(id, derived_op_id(OpId(7), "mailed"));
}

fn any_frontier() -> impl Strategy<Value = Frontier> {
    prop_oneof![any::<[u64; 5]>(), any::<[bool; 5]>().prop_map(|some| some.map(u64::from))]
        .prop_map(Frontier)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn stamps_rise_and_stay_near_the_clock(last in 0..u64::MAX >> 1, wall_ms in 0..1_u64 << 46) {
        let stamp = Hlc::advance(Hlc(last), wall_ms);
        prop_assert!(stamp > Hlc(last));
        prop_assert!(stamp >= Hlc::from_ms(wall_ms));
        prop_assert!(stamp == Hlc::from_ms(wall_ms) || stamp == Hlc(last + 1));
    }

    #[test]
    fn uuids_read_back(high in any::<u64>(), low in any::<u64>()) {
        let id = OpId(u128::from(high) << 64 | u128::from(low));
        prop_assert_eq!(id.to_string().parse(), Ok(id));
        prop_assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
    }

    #[test]
    fn a_token_vouches_for_what_it_says_and_nothing_else(
        frontier in any_frontier(),
        (watermark, stamp) in any::<(u64, u64)>(),
        secret in any::<[u8; 32]>(),
        bit in 0..Token::BYTES * 8,
    ) {
        let token = Token::sign(&secret, frontier, Hlc(watermark), Hlc(stamp));
        prop_assert!(token.verify(&secret));
        let mut other_secret = secret;
        other_secret[31] ^= 1;
        prop_assert!(!token.verify(&other_secret), "a token of another cluster");
        let mut bytes = Vec::new();
        token.encode(&mut bytes);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let mut reader = billing_wire::codec::Reader::new("token", &bytes);
        let forged = Token::decode(&mut reader).unwrap();
        prop_assert!(!forged.verify(&secret), "bit {} flipped", bit);
    }

    #[test]
    fn a_joined_frontier_covers_both_and_nothing_more(
        a in any_frontier(),
        b in any_frontier(),
    ) {
        let joined = a.join(&b);
        prop_assert!(joined.covers(&a) && joined.covers(&b));
        prop_assert_eq!(a.covers(&b), joined == a);
        for (place, index) in joined.0.iter().enumerate() {
            prop_assert!(*index == a.0[place] || *index == b.0[place]);
        }
        prop_assert!(a.covers(&Frontier::default()));
    }
}
