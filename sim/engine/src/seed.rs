//! Random numbers of one seed: a stream per purpose, so that one more draw in one place does not
//! re-roll the others. Every helper here is integer arithmetic with a definition of its own:
//! a library update or another platform cannot change what a seed means.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use xxhash_rust::xxh3::xxh3_128;

/// What a stream is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Which features and fault kinds a seed has, and the nodes' configuration.
    Config,
    /// Targets in the cluster, such as the core that is healed in the end.
    Topology,
    /// What clients do and when.
    Load,
    /// Faults and latencies of links.
    Net,
    /// Faults and latencies of disks.
    Disk,
    /// Faults of clocks.
    Clock,
    /// Faults of processes.
    Process,
    /// Order of what happens at the same instant.
    Schedule,
}

impl Purpose {
    /// The name that the stream's key is derived from; it never changes.
    fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Topology => "topology",
            Self::Load => "load",
            Self::Net => "net",
            Self::Disk => "disk",
            Self::Clock => "clock",
            Self::Process => "process",
            Self::Schedule => "schedule",
        }
    }
}

/// A stream of random numbers: ChaCha8 under a key derived from seed, purpose and index.
#[derive(Debug, Clone)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of a purpose.
    pub fn new(seed: u64, purpose: Purpose) -> Self {
        Self::indexed(seed, purpose, 0)
    }

    /// One of many streams of a purpose, such as one per node or per fault kind.
    pub fn indexed(seed: u64, purpose: Purpose, index: u64) -> Self {
        let mut key = [0; 32];
        for (half, place) in key.chunks_exact_mut(16).zip(0_u8..) {
            let mut text = Vec::with_capacity(32);
            text.push(place);
            text.extend_from_slice(&seed.to_le_bytes());
            text.extend_from_slice(&index.to_le_bytes());
            text.extend_from_slice(purpose.name().as_bytes());
            half.copy_from_slice(&xxh3_128(&text).to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `n`, every one exactly as likely (Lemire, "Fast random integer generation
    /// in an interval", 2019).
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "there is no number below 0");
        let mut product = u128::from(self.next_u64()) * u128::from(n);
        if (product as u64) < n {
            let threshold = n.wrapping_neg() % n;
            while (product as u64) < threshold {
                product = u128::from(self.next_u64()) * u128::from(n);
            }
        }
        (product >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    ///
    /// # Panics
    /// If `low` is above `high`.
    pub fn range(&mut self, low: u64, high: u64) -> u64 {
        assert!(low <= high, "no number from {low} to {high}");
        match (high - low).checked_add(1) {
            Some(n) => low + self.below(n),
            None => self.next_u64(),
        }
    }

    /// Whether something that happens `ppm` times in a million happens.
    pub fn chance_ppm(&mut self, ppm: u32) -> bool {
        self.below(1_000_000) < u64::from(ppm)
    }

    /// One of the items.
    ///
    /// # Panics
    /// If there is none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    /// The place of one of several weights, each as likely as its share of the sum.
    ///
    /// # Panics
    /// If the sum is 0.
    pub fn weighted(&mut self, weights: &[u32]) -> usize {
        let total = weights.iter().map(|w| u64::from(*w)).sum();
        let mut left = self.below(total);
        for (place, weight) in weights.iter().enumerate() {
            match left.checked_sub(u64::from(*weight)) {
                Some(rest) => left = rest,
                None => return place,
            }
        }
        unreachable!("a number below the sum of the weights falls into one of them")
    }

    /// Puts the items in a random order (Fisher and Yates, from the end).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }

    /// A number from `low` to `high`, both included, every order of magnitude as likely. With
    /// `low` 0 the scale starts at 1 and all is moved down by 1.
    ///
    /// # Panics
    /// If `low` is above `high`, or `high` is `u64::MAX` and `low` is 0.
    pub fn log_uniform(&mut self, low: u64, high: u64) -> u64 {
        assert!(low <= high, "no number from {low} to {high}");
        if low == 0 {
            return self.log_uniform(1, high.checked_add(1).expect("high is below u64::MAX")) - 1;
        }
        let exponent = self.range(log2_fixed(low), log2_fixed(high));
        exp2_fixed(exponent).clamp(low, high)
    }

    /// A time between two events that happen independently, once in `mean` on average; at most
    /// about 44 times `mean`. The unit is the caller's.
    pub fn exponential(&mut self, mean: u64) -> u64 {
        // -ln(u) = (64 - log2(r)) * ln(2) for u = r / 2^64.
        let bits = (64 << FRACTION_BITS) - log2_fixed(self.next_u64().max(1));
        let scaled = u128::from(mean) * u128::from(bits) * u128::from(LN2_FIXED);
        u64::try_from(scaled >> (2 * FRACTION_BITS)).unwrap_or(u64::MAX)
    }
}

/// Bits behind the point in the logarithms here.
const FRACTION_BITS: u32 = 16;
/// ln(2) with `FRACTION_BITS` behind the point.
const LN2_FIXED: u64 = 45_426;

/// `ROOTS[k]` = 2^(2^-(k+1)) with 62 bits behind the point: square roots, one of the other.
const ROOTS: [u64; FRACTION_BITS as usize] = {
    let mut roots = [0; FRACTION_BITS as usize];
    let mut previous = 1_u128 << 63;
    let mut k = 0;
    while k < roots.len() {
        previous = (previous << 62).isqrt();
        roots[k] = previous as u64;
        k += 1;
    }
    roots
};

/// log2(x) with `FRACTION_BITS` behind the point, rounded down: the mantissa is squared, and each
/// time that it reaches 2 gives a bit. `x` is not 0.
fn log2_fixed(x: u64) -> u64 {
    let whole = x.ilog2();
    let mut mantissa = u128::from(x) << (63 - whole);
    let mut log = u64::from(whole);
    for _ in 0..FRACTION_BITS {
        mantissa = (mantissa * mantissa) >> 63;
        log <<= 1;
        if mantissa >= 1 << 64 {
            mantissa >>= 1;
            log |= 1;
        }
    }
    log
}

/// 2^x, rounded down, for an `x` below 64 with `FRACTION_BITS` behind the point.
fn exp2_fixed(x: u64) -> u64 {
    let mut mantissa = 1_u128 << 62;
    for (place, root) in ROOTS.iter().enumerate() {
        if x >> (FRACTION_BITS as usize - 1 - place) & 1 == 1 {
            mantissa = (mantissa * u128::from(*root)) >> 62;
        }
    }
    ((mantissa << (x >> FRACTION_BITS)) >> 62) as u64
}

#[cfg(test)]
mod tests {
    use super::{Purpose, Stream, exp2_fixed, log2_fixed};

    const PURPOSES: [Purpose; 8] = [
        Purpose::Config,
        Purpose::Topology,
        Purpose::Load,
        Purpose::Net,
        Purpose::Disk,
        Purpose::Clock,
        Purpose::Process,
        Purpose::Schedule,
    ];

    // What a seed means must never change: these values are compared with what stored plans and
    // reported seeds were made with.
    #[test]
    fn streams_never_change() {
        let firsts: Vec<String> = PURPOSES
            .iter()
            .map(|p| format!("{p:?} {:016x}", Stream::new(7, *p).next_u64()))
            .collect();
        insta::assert_snapshot!(firsts.join("\n"), @r"
        Config 8d543b12e7ccd416
        Topology 0c5a9b91a367f414
        Load 7238dfa990fe127c
        Net 9418a0a123baf8dc
        Disk 462b373d7d6a9859
        Clock 98a7648ec78fe5e5
        Process 1499b35fa593db19
        Schedule 29f1b2ac80654d70
        ");
    }

    #[test]
    fn helpers_never_change() {
        let mut s = Stream::indexed(7, Purpose::Load, 3);
        let mut order = [0, 1, 2, 3, 4, 5, 6, 7];
        s.shuffle(&mut order);
        let drawn = format!(
            "order {order:?}\nbelow {:?}\nrange {:?}\nchance {:?}\npick {:?}\nweighted {:?}\n\
             log {:?}\nexponential {:?}",
            [0; 6].map(|_| s.below(1_000)),
            [0; 6].map(|_| s.range(5, 9)),
            [0; 6].map(|_| s.chance_ppm(500_000)),
            [0; 6].map(|_| *s.pick(&['a', 'b', 'c'])),
            [0; 6].map(|_| s.weighted(&[1, 0, 5])),
            [0; 6].map(|_| s.log_uniform(0, 1_000_000)),
            [0; 6].map(|_| s.exponential(1_000)),
        );
        insta::assert_snapshot!(drawn, @r"
        order [7, 1, 4, 2, 5, 0, 6, 3]
        below [467, 752, 627, 993, 556, 523]
        range [6, 9, 6, 6, 9, 6]
        chance [true, false, false, false, true, true]
        pick ['c', 'b', 'b', 'c', 'a', 'a']
        weighted [0, 2, 2, 2, 2, 2]
        log [9044, 281983, 91263, 368104, 6, 33]
        exponential [912, 623, 1186, 1075, 1064, 82]
        ");
    }

    #[test]
    fn purposes_indices_and_seeds_have_streams_of_their_own() {
        let mut firsts = std::collections::BTreeSet::new();
        for purpose in PURPOSES {
            for seed in 0..16 {
                for index in 0..16 {
                    firsts.insert(Stream::indexed(seed, purpose, index).next_u64());
                }
            }
        }
        assert_eq!(firsts.len(), 8 * 16 * 16);
    }

    #[test]
    fn every_number_of_a_small_range_is_about_as_likely() {
        let mut s = Stream::new(1, Purpose::Net);
        let mut hits = [0_u32; 7];
        for _ in 0..70_000 {
            hits[s.below(7) as usize] += 1;
        }
        assert!(hits.iter().all(|n| (9_500..10_500).contains(n)), "{hits:?}");
    }

    #[test]
    fn logarithms_agree_with_floating_point() {
        for x in [1, 2, 3, 10, 1_000, 123_456_789, u64::MAX >> 1, u64::MAX] {
            let exact = (x as f64).log2() * 65_536.0;
            let found = log2_fixed(x) as f64;
            assert!((exact - found).abs() < 1.5, "log2({x}): {found} for {exact}");
        }
        for x in [0_u64, 1, 65_535, 65_536, 700_000, 4_000_000] {
            let exact = (x as f64 / 65_536.0).exp2();
            let found = exp2_fixed(x) as f64;
            assert!((exact - found).abs() <= 1.0 + exact * 1e-9, "2^({x}/65536): {found}");
        }
    }

    #[test]
    fn log_uniform_keeps_its_bounds_and_favours_no_magnitude() {
        let mut s = Stream::new(1, Purpose::Disk);
        let mut per_decade = [0_u32; 6];
        for _ in 0..60_000 {
            let x = s.log_uniform(1, 999_999);
            assert!((1..=999_999).contains(&x));
            per_decade[x.ilog10() as usize] += 1;
        }
        assert!(per_decade.iter().all(|n| (9_000..11_000).contains(n)), "{per_decade:?}");
        assert_eq!(s.log_uniform(5, 5), 5);
        assert_eq!(s.log_uniform(0, 0), 0);
    }

    #[test]
    fn exponential_times_have_their_mean() {
        let mut s = Stream::new(1, Purpose::Clock);
        let sum: u64 = (0..100_000).map(|_| s.exponential(1_000)).sum();
        assert!((985..1_015).contains(&(sum / 100_000)), "mean {}", sum / 100_000);
    }
}
