//! What the run of a stored plan by other code proves about what that plan came to before.

use billsim_record::Outcome;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The part of an outcome that is compared. It is read from outcomes of any release: keys that this
/// one does not know are passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// The word of its verdict.
    pub(crate) verdict: String,
    /// What broke first.
    pub(crate) failure: Option<Broken>,
    /// Per fault kind.
    pub(crate) faults: BTreeMap<String, Fired>,
}

/// Which promise broke, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Broken {
    /// Id of the oracle.
    pub(crate) oracle: String,
    /// Groups failures of the same kind.
    pub(crate) fingerprint: String,
}

/// How often a fault took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fired {
    /// Times.
    pub(crate) fired: u64,
}

impl Seen {
    /// Of an outcome of this release.
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let failure = outcome.failure.as_ref().map(|failure| Broken {
            oracle: failure.oracle.clone(),
            fingerprint: failure.fingerprint.clone(),
        });
        let faults = outcome.faults.iter();
        let faults = faults.map(|(kind, tally)| (kind.clone(), Fired { fired: tally.fired }));
        Self { verdict: outcome.verdict.name().to_owned(), failure, faults: faults.collect() }
    }

    /// The fault that took place here and not in another run.
    fn unreached_in(&self, other: &Self) -> Option<String> {
        self.faults.iter().find_map(|(kind, then)| {
            let fired = other.faults.get(kind).map_or(0, |tally| tally.fired);
            let words = format!("{kind} took place {} times, now {fired}", then.fired);
            (fired < then.fired).then_some(words)
        })
    }
}

/// What became of a stored failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// The same promise broke in the same way.
    StillFails(Broken),
    /// Another one broke.
    FailsOtherwise {
        /// Then.
        then: Broken,
        /// Now.
        now: Broken,
    },
    /// Every fault of it took place, and all held.
    Fixed,
    /// All held, but a fault that took place then did not: that proves nothing.
    Unreachable(String),
    /// It had held; now its verdict is this.
    HadHeld(String),
}

impl Comparison {
    /// Sets the run of a plan beside the one that was stored.
    pub(crate) fn of(stored: &Seen, now: &Seen) -> Self {
        match (&stored.failure, &now.failure) {
            (Some(then), Some(today)) if then.fingerprint == today.fingerprint => {
                Self::StillFails(today.clone())
            }
            (Some(then), Some(now)) => {
                Self::FailsOtherwise { then: then.clone(), now: now.clone() }
            }
            (Some(_), None) => match stored.unreached_in(now) {
                Some(words) => Self::Unreachable(words),
                None => Self::Fixed,
            },
            (None, _) => Self::HadHeld(now.verdict.clone()),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.oracle, self.fingerprint)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StillFails(now) => write!(f, "STILL FAILS the same way: {now}"),
            Self::FailsOtherwise { then, now } => {
                write!(f, "FAILS OTHERWISE: {now} instead of {then}")
            }
            Self::Fixed => f.write_str(
                "FIXED as far as this plan shows: every fault of it took place, and all held",
            ),
            Self::Unreachable(words) => {
                write!(f, "SCHEDULE NO LONGER REACHABLE, which proves nothing: {words}")
            }
            Self::HadHeld(now) => write!(f, "it held when it was stored, now: {now}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Broken, Comparison, Fired, Seen};

    fn seen(fingerprint: Option<&str>, cuts: u64) -> Seen {
        let broken = |fingerprint: &str| Broken {
            oracle: "D1".to_owned(),
            fingerprint: fingerprint.to_owned(),
        };
        let verdict = if fingerprint.is_some() { "safety" } else { "held" };
        Seen {
            verdict: verdict.to_owned(),
            failure: fingerprint.map(broken),
            faults: [("cut".to_owned(), Fired { fired: cuts })].into(),
        }
    }

    #[test]
    fn each_comparison_says_what_it_proves() {
        let then = seen(Some("aa"), 2);
        let cases = [
            (seen(Some("aa"), 0), "STILL FAILS the same way: D1 aa"),
            (seen(Some("bb"), 2), "FAILS OTHERWISE: D1 bb instead of D1 aa"),
            (seen(None, 2), "FIXED as far"),
            (seen(None, 1), "SCHEDULE NO LONGER REACHABLE, which proves nothing: cut took place 2"),
        ];
        for (now, words) in cases {
            assert!(Comparison::of(&then, &now).to_string().starts_with(words), "{words}");
        }
        let held = Comparison::of(&seen(None, 0), &then).to_string();
        assert_eq!(held, "it held when it was stored, now: safety");
    }

    #[test]
    fn outcomes_of_other_releases_are_read() {
        let text =
            r#"{"verdict":"held","failure":null,"new":1,"faults":{"cut":{"fired":1,"x":2}}}"#;
        let read: Seen = serde_json::from_str(text).unwrap();
        assert_eq!(read, Seen { verdict: "held".to_owned(), ..seen(None, 1) });
    }
}
