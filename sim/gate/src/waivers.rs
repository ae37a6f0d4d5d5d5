//! `ci/waivers.toml`: failures that are known and may happen until a day that somebody chose. A
//! waiver is no exemption from testing: its failure is found, stored and shown as ever, it only
//! does not turn a run red. Whether it may open a gate is the policy's to say.

use billsim_record::Waiver;
use jiff::civil::Date;
use serde::Deserialize;
use std::collections::BTreeMap;
use thiserror::Error;
use toml::value::Datetime;

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    #[serde(default)]
    waiver: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    failure: String,
    reason: String,
    expires: Datetime,
}

/// Every waiver, by its failure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waivers(BTreeMap<String, (Waiver, Date)>);

/// Waivers that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WaiversError {
    /// Not TOML, a missing or unknown key, a value of another kind.
    #[error("{file}: {message}")]
    Malformed {
        /// The file.
        file: String,
        /// What is wrong, and where.
        message: String,
    },
    /// One waiver that says too little.
    #[error("{file}: the waiver of '{failure}' {wrong}")]
    Wrong {
        /// The file.
        file: String,
        /// The failure.
        failure: String,
        /// What is wrong with it, and what to do.
        wrong: String,
    },
}

impl Waivers {
    /// Reads the text of a list of waivers; `file` is its name in errors.
    ///
    /// # Errors
    /// All of [`WaiversError`].
    pub fn parse(file: &str, text: &str) -> Result<Self, WaiversError> {
        let malformed = |error: toml::de::Error| WaiversError::Malformed {
            file: file.to_owned(),
            message: error.to_string(),
        };
        let entries: Text = toml::from_str(text).map_err(malformed)?;
        let mut all = BTreeMap::new();
        for entry in entries.waiver {
            let failure = entry.failure.clone();
            let wrong = |wrong: &str| WaiversError::Wrong {
                file: file.to_owned(),
                failure: failure.clone(),
                wrong: wrong.to_owned(),
            };
            let (waiver, date) = read(entry).map_err(wrong)?;
            if all.insert(failure.clone(), (waiver, date)).is_some() {
                return Err(wrong("stands there twice: keep one"));
            }
        }
        Ok(Self(all))
    }

    /// The waivers of a run, as its manifest keeps them.
    ///
    /// # Errors
    /// [`WaiversError::Wrong`].
    pub fn of_run(waivers: &[Waiver]) -> Result<Self, WaiversError> {
        let read = |waiver: &Waiver| match waiver.expires.parse::<Date>() {
            Ok(date) => Ok((waiver.failure.clone(), (waiver.clone(), date))),
            Err(error) => Err(WaiversError::Wrong {
                file: "manifest.json".to_owned(),
                failure: waiver.failure.clone(),
                wrong: format!("expires on no day: {error}"),
            }),
        };
        waivers.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Each of them.
    pub fn all(&self) -> impl Iterator<Item = &Waiver> {
        self.0.values().map(|(waiver, _)| waiver)
    }

    /// Those that are over on a day: their last day lies before it.
    pub fn expired(&self, today: Date) -> impl Iterator<Item = &Waiver> {
        self.0.values().filter(move |(_, last)| *last < today).map(|(waiver, _)| waiver)
    }
}

fn read(entry: Entry) -> Result<(Waiver, Date), &'static str> {
    let Entry { failure, reason, expires } = entry;
    let is_word = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric());
    let is_fingerprint = |text: &str| text.len() == 16 && is_word(text);
    let named = failure.split_once('-');
    if !named.is_some_and(|(oracle, print)| is_word(oracle) && is_fingerprint(print)) {
        return Err("names no failure: ORACLE-FINGERPRINT expected, as under `failures/` of a run");
    }
    if reason.trim().is_empty() || reason.contains('\n') {
        return Err("says no reason: a line expected in `reason`");
    }
    let date = expires.to_string().parse::<Date>().ok().filter(|_| expires.time.is_none());
    let date = date.ok_or("expires on no day: a date expected, as in 2026-12-31")?;
    Ok((Waiver { failure, reason, expires: date.to_string() }, date))
}
