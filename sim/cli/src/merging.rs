//! Which of many shards' runs count. Merging is associative, does not depend on order, and a shard
//! that is given twice counts once: of each shard the best run is kept.

use std::collections::BTreeMap;
use std::path::PathBuf;
use thiserror::Error;

/// One run of one shard.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Candidate {
    /// It ran to its end.
    pub(crate) is_complete: bool,
    /// How many runs it holds.
    pub(crate) runs: usize,
    /// What they came to, in a fixed order, as a hash.
    pub(crate) digest: String,
    /// Where it lies.
    pub(crate) source: PathBuf,
}

/// Shards by their number.
pub(crate) type Shards = BTreeMap<u32, Candidate>;

/// Two complete runs of one shard that came to different things.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "shard {shard} ran to its end twice and came to different things: {} and {}: all verdicts \
     are void", .sources[0].display(), .sources[1].display()
)]
pub(crate) struct Clash {
    shard: u32,
    sources: [PathBuf; 2],
}

/// Both together.
///
/// # Errors
/// [`Clash`]: that can never be hidden by a third, since only a complete run replaces one.
pub(crate) fn merged(mut one: Shards, other: Shards) -> Result<Shards, Clash> {
    for (shard, candidate) in other {
        let Some(known) = one.get_mut(&shard) else {
            one.insert(shard, candidate);
            continue;
        };
        if known.is_complete && candidate.is_complete && known.digest != candidate.digest {
            let mut sources = [known.source.clone(), candidate.source];
            sources.sort();
            return Err(Clash { shard, sources });
        }
        if candidate > *known {
            *known = candidate;
        }
    }
    Ok(one)
}

#[cfg(test)]
mod tests {
    use super::{Candidate, Shards, merged};
    use proptest::collection::btree_map;
    use proptest::prelude::{Strategy, any, prop_assert_eq, proptest};
    use std::path::PathBuf;

    fn candidates() -> impl Strategy<Value = Shards> {
        let candidate = (any::<bool>(), 0_usize..4, 0_u8..3, 0_u8..3);
        let candidate = candidate.prop_map(|(is_complete, runs, digest, source)| Candidate {
            is_complete,
            // Complete runs of one shard hold the same number.
            runs: if is_complete { 9 } else { runs },
            digest: digest.to_string(),
            source: PathBuf::from(source.to_string()),
        });
        btree_map(0_u32..4, candidate, 0..4)
    }

    proptest! {
        #[test]
        fn order_and_brackets_do_not_matter(
            a in candidates(),
            b in candidates(),
            c in candidates(),
        ) {
            let of = |one: &Shards, other: &Shards| merged(one.clone(), other.clone()).ok();
            prop_assert_eq!(of(&a, &b), of(&b, &a));
            let left = of(&a, &b).and_then(|ab| of(&ab, &c));
            let right = of(&b, &c).and_then(|bc| of(&a, &bc));
            prop_assert_eq!(left, right);
            let twice = of(&a, &a);
            prop_assert_eq!(twice, Some(a), "twice is once");
        }
    }

    #[test]
    fn a_clash_names_both() {
        let shard = |digest: &str| {
            let candidate = Candidate {
                is_complete: true,
                runs: 9,
                digest: digest.to_owned(),
                source: PathBuf::from(digest),
            };
            Shards::from([(3, candidate)])
        };
        let told = merged(shard("b"), shard("a")).unwrap_err().to_string();
        assert!(told.starts_with("shard 3 ran to its end twice") && told.contains("a and b"));
    }
}
