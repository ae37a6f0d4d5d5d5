//! How durable clients want their answers (billing.md §3): most leave it to the cluster, some name
//! a grade, some of those would rather be refused than told of a weaker one.

use crate::scenario::Durability;
use billing_wire::{Grade, OnUnmet, OpId, WriteOptions};

/// What a scenario's clients ask.
#[derive(Debug, Clone, Copy)]
pub(super) struct Durabilities(Durability);

impl Durabilities {
    pub(super) fn new(durability: Durability) -> Self {
        Self(durability)
    }

    /// What a session asks for an operation, each time that it sends it. No stream is drawn from,
    /// so that a plan which leaves operations out changes nothing of the others; two sessions that
    /// send the same operation differ.
    pub(super) fn of(&self, op_id: OpId, session: u32) -> WriteOptions {
        let mixed = (op_id.0 as u64 ^ u64::from(session)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (grade, unmet) = ((mixed >> 32) % 100, (mixed >> 16 & 0xffff) % 100);
        let Durability { region_percent, geo_percent, final_percent, fail_fast_percent } = self.0;
        let upto_region = u64::from(region_percent);
        let upto_geo = upto_region + u64::from(geo_percent);
        let upto_final = upto_geo + u64::from(final_percent);
        let min_durability = match grade {
            _ if grade < upto_region => Some(Grade::Region),
            _ if grade < upto_geo => Some(Grade::Geo),
            _ if grade < upto_final => Some(Grade::Final),
            _ => None,
        };
        let fails = min_durability.is_some() && unmet < u64::from(fail_fast_percent);
        let on_unmet = if fails { OnUnmet::FailFast } else { OnUnmet::Degrade };
        WriteOptions { min_durability, on_unmet }
    }
}

#[cfg(test)]
mod tests {
    use super::Durabilities;
    use crate::scenario::Durability;
    use billing_wire::{Grade, OnUnmet, OpId, WriteOptions};

    #[test]
    fn each_grade_is_asked_for_as_often_as_the_scenario_says() {
        let durability = Durability {
            region_percent: 10,
            geo_percent: 20,
            final_percent: 30,
            fail_fast_percent: 50,
        };
        let asked = Durabilities::new(durability);
        let all: Vec<WriteOptions> = (0..100_000_u128)
            .map(|n| asked.of(OpId(n.wrapping_mul(0x0123_4567_89ab_cdef_1357)), n as u32 % 64))
            .collect();
        let share = |is: &dyn Fn(&WriteOptions) -> bool| {
            all.iter().filter(|options| is(options)).count() / 1_000
        };
        let asks = |grade| share(&|options| options.min_durability == grade);
        let grades = [Some(Grade::Region), Some(Grade::Geo), Some(Grade::Final), None];
        for (found, expected) in grades.map(asks).into_iter().zip([10, 20, 30, 40]) {
            assert!(found.abs_diff(expected) <= 1, "{found} found, {expected} expected");
        }
        let fails = share(&|options| options.on_unmet == OnUnmet::FailFast);
        assert!(fails.abs_diff(30) <= 1, "{fails} of 100 fail fast");
        assert_eq!(share(&|o| o.min_durability.is_none() && o.on_unmet == OnUnmet::FailFast), 0);
    }

    #[test]
    fn nothing_is_asked_where_the_scenario_is_silent_and_retries_ask_the_same() {
        let silent = Durabilities::new(Durability::default());
        assert!((0..1_000).all(|n| silent.of(OpId(n * 77), 3) == WriteOptions::default()));
        let durability = Durability { final_percent: 50, ..Durability::default() };
        let asked = Durabilities::new(durability);
        let of = |n: u128, session| asked.of(OpId(n.wrapping_mul(0x5851_f42d_4c95_7f2d)), session);
        assert!((0..1_000).all(|n| of(n, 3) == of(n, 3)));
        assert!((0..1_000).any(|n| of(n, 3) != of(n, 4)), "two sessions differ");
    }
}
