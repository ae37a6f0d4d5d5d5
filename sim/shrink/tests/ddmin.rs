//! `ddmin` against tests that are drawn at random: monotone ones, where more items never hide a
//! failure, and others.

use billsim_shrink::ddmin;
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::convert::Infallible;

type Test<'a> = dyn Fn(&[u32]) -> bool + 'a;

/// The result, and how many candidates were looked at.
fn minimise(items: Vec<u32>, fails: &Test<'_>) -> (Vec<u32>, usize) {
    let looked = Cell::new(0);
    let found = ddmin(items, |count, candidate| -> Result<Option<usize>, Infallible> {
        Ok((0..count).find(|number| {
            looked.set(looked.get() + 1);
            fails(&candidate(*number))
        }))
    });
    let Ok(found) = found;
    (found, looked.get())
}

fn assert_is_1_minimal(found: &[u32], fails: &Test<'_>) {
    assert!(fails(found), "the result fails");
    for left_out in 0..found.len() {
        let mut fewer = found.to_vec();
        fewer.remove(left_out);
        assert!(!fails(&fewer), "{found:?} fails without item {left_out} as well");
    }
}

/// A number that depends on every item, and on nothing else.
fn mixed(items: &[u32], salt: u64) -> u64 {
    items.iter().fold(salt, |sum, item| {
        let next = (sum ^ u64::from(*item)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        next ^ (next >> 29)
    })
}

proptest! {
    #[test]
    fn of_a_monotone_test_exactly_one_cause_is_left(
        size in 1_u32..400,
        causes in prop::collection::vec(prop::collection::btree_set(0_u32..400, 1..6), 1..4),
    ) {
        let causes: Vec<BTreeSet<u32>> =
            causes.iter().map(|cause| cause.iter().map(|item| item % size).collect()).collect();
        let fails = |items: &[u32]| {
            causes.iter().any(|cause| cause.iter().all(|item| items.contains(item)))
        };
        let (found, _) = minimise((0..size).collect(), &fails);
        assert_is_1_minimal(&found, &fails);
        let found: BTreeSet<u32> = found.into_iter().collect();
        prop_assert!(causes.contains(&found));
    }

    #[test]
    fn of_a_wild_test_nothing_can_be_left_out(
        size in 1_u32..60,
        salt: u64,
        one_in in 2_u64..12,
    ) {
        let all: Vec<u32> = (0..size).collect();
        let whole = all.clone();
        // Any subset fails or not, as chance has it; the whole does.
        let fails =
            move |items: &[u32]| items == whole || mixed(items, salt).is_multiple_of(one_in);
        let (found, _) = minimise(all, &fails);
        assert_is_1_minimal(&found, &fails);
    }

    #[test]
    fn one_cause_among_many_items_is_found_fast(size in 2_u32..5_000, cause: u32) {
        let cause = cause % size;
        let fails = move |items: &[u32]| items.contains(&cause);
        let (found, looked) = minimise((0..size).collect(), &fails);
        prop_assert_eq!(found, vec![cause]);
        // The halves of halves, and the empty set.
        prop_assert!(looked <= 2 * size.ilog2() as usize + 3, "{} candidates", looked);
    }
}

#[test]
fn a_failure_that_needs_nothing_is_found_at_once() {
    assert_eq!(minimise((0..1_000).collect(), &|_| true), (Vec::new(), 1));
    assert_eq!(minimise(Vec::new(), &|_| true), (Vec::new(), 0));
}

#[test]
fn of_two_answers_the_one_with_earlier_items_is_found() {
    let fails = |items: &[u32]| items.contains(&7) || items.contains(&90);
    assert_eq!(minimise((0..100).collect(), &fails).0, [7]);
}
