//! Token buckets: how often a client may ask, and how often the edge may retry. Levels are counted
//! in thousandths, so that a rate per second is exact in milliseconds.

use crate::io::ClientId;
use billing_core::Monotonic;
use std::collections::BTreeMap;

const WHOLE: u64 = 1_000;

/// A level that rises with time up to its capacity.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    /// In thousandths.
    level: u64,
    at: Monotonic,
}

/// How fast a bucket fills and how much it holds, in whole tokens.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// Per second.
    pub per_s: u64,
    /// At most.
    pub capacity: u64,
}

impl Bucket {
    /// A full one.
    pub fn full(now: Monotonic, rate: Rate) -> Self {
        Self { level: rate.capacity * WHOLE, at: now }
    }

    fn fill(&mut self, now: Monotonic, rate: Rate) {
        let ms = now.ms_since(self.at);
        // Only whole milliseconds are credited, the rest stays for the next time.
        self.at = self.at.plus_ms(ms);
        self.level = self.level.saturating_add(ms.saturating_mul(rate.per_s));
        self.level = self.level.min(rate.capacity * WHOLE);
    }

    /// Takes one token, or says after how many milliseconds there is one.
    ///
    /// # Errors
    /// That time; a bucket that never fills says an hour.
    pub fn take(&mut self, now: Monotonic, rate: Rate) -> Result<(), u64> {
        self.fill(now, rate);
        match self.level.checked_sub(WHOLE) {
            Some(rest) => {
                self.level = rest;
                Ok(())
            }
            None if rate.per_s == 0 => Err(3_600_000),
            None => Err((WHOLE - self.level).div_ceil(rate.per_s)),
        }
    }

    /// Puts in some thousandths of a token.
    pub fn earn(&mut self, thousandths: u64, rate: Rate) {
        self.level = (self.level + thousandths).min(rate.capacity * WHOLE);
    }

    fn is_full(&mut self, now: Monotonic, rate: Rate) -> bool {
        self.fill(now, rate);
        self.level == rate.capacity * WHOLE
    }
}

/// A bucket per client; those that are full again are forgotten when there are too many.
#[derive(Debug)]
pub struct Clients {
    rate: Rate,
    max: usize,
    buckets: BTreeMap<ClientId, Bucket>,
    /// For all who find no place of their own.
    shared: Bucket,
}

impl Clients {
    /// No clients yet.
    pub fn new(rate: Rate, max: usize, now: Monotonic) -> Self {
        Self { rate, max, buckets: BTreeMap::new(), shared: Bucket::full(now, rate) }
    }

    /// Whether a client may ask now; if not, after how many milliseconds.
    ///
    /// # Errors
    /// That time.
    pub fn admit(&mut self, now: Monotonic, client: ClientId) -> Result<(), u64> {
        let rate = self.rate;
        if let Some(bucket) = self.buckets.get_mut(&client) {
            return bucket.take(now, rate);
        }
        if self.buckets.len() >= self.max {
            self.buckets.retain(|_, bucket| !bucket.is_full(now, rate));
        }
        if self.buckets.len() >= self.max {
            return self.shared.take(now, rate);
        }
        self.buckets.entry(client).or_insert_with(|| Bucket::full(now, rate)).take(now, rate)
    }
}

#[cfg(test)]
mod tests {
    use super::{Bucket, Clients, Rate};
    use crate::io::ClientId;
    use billing_core::Monotonic;

    const RATE: Rate = Rate { per_s: 4, capacity: 2 };

    fn at(ms: u64) -> Monotonic {
        Monotonic(ms * 1_000_000)
    }

    #[test]
    fn a_bucket_gives_its_rate_and_says_when() {
        let mut bucket = Bucket::full(at(0), RATE);
        assert_eq!([bucket.take(at(0), RATE), bucket.take(at(0), RATE)], [Ok(()); 2]);
        assert_eq!(bucket.take(at(0), RATE), Err(250));
        assert_eq!(bucket.take(at(249), RATE), Err(1));
        assert_eq!(bucket.take(at(250), RATE), Ok(()));
        assert_eq!(bucket.take(at(251), RATE), Err(249));
        bucket.earn(1_000, RATE);
        assert_eq!(bucket.take(at(251), RATE), Ok(()));
        let taken = (0..9).filter(|_| bucket.take(at(60_000), RATE).is_ok()).count();
        assert_eq!(taken, 2, "a long silence fills it and no more");
    }

    #[test]
    fn clients_without_a_place_share_a_bucket_until_others_are_quiet() {
        let mut clients = Clients::new(RATE, 2, at(0));
        for client in 1..=4 {
            assert_eq!(clients.admit(at(0), ClientId(client)), Ok(()));
        }
        assert_eq!(clients.admit(at(0), ClientId(5)), Err(250), "3 and 4 have emptied it");
        assert_eq!(clients.admit(at(0), ClientId(1)), Ok(()), "it has its own");
        assert_eq!(clients.admit(at(2_000), ClientId(5)), Ok(()));
        assert_eq!(clients.admit(at(2_000), ClientId(5)), Ok(()));
        assert_eq!(clients.admit(at(2_000), ClientId(5)), Err(250));
    }
}
