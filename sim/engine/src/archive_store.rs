//! Objects of an archive in memory. A store may refuse an object, or its client may die amid a job;
//! objects may be harmed later, and the store remembers which.

use crate::seed::Stream;
use billing_shell::archive::ObjectStore;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What goes wrong with the objects of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The job dies when it puts the object of this number, from 0: nothing it does counts any
    /// more.
    DiesAt(u64),
    /// The object of this number is refused.
    Refuses(u64),
}

#[derive(Debug, Default)]
struct Objects {
    by_name: BTreeMap<String, Vec<u8>>,
    harmed: BTreeSet<String>,
    trouble: Option<Trouble>,
    puts: u64,
    struck: bool,
}

/// A store.
#[derive(Debug, Default)]
pub(crate) struct ArchiveStore(Mutex<Objects>);

impl ArchiveStore {
    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A job begins, and this will happen to it.
    pub(crate) fn begin(&self, trouble: Option<Trouble>) {
        let mut objects = self.objects();
        (objects.trouble, objects.puts, objects.struck) = (trouble, 0, false);
    }

    /// The job is over; whether it met its trouble.
    pub(crate) fn end(&self) -> bool {
        let mut objects = self.objects();
        objects.trouble = None;
        objects.struck
    }

    /// A bit of an object flips, it is cut short, or it is gone. `false`: there is none.
    pub(crate) fn harm(&self, stream: &mut Stream) -> bool {
        let (which, how, place) = (stream.next_u64(), stream.below(3), stream.next_u64());
        let mut objects = self.objects();
        let count = objects.by_name.len() as u64;
        let Some(name) = objects.by_name.keys().nth((which % count.max(1)) as usize).cloned()
        else {
            return false;
        };
        let object = objects.by_name.get_mut(&name).expect("it was just named");
        let at = (place % object.len().max(1) as u64) as usize;
        match how {
            // One that was cut to nothing can only go.
            0 if !object.is_empty() => object[at] ^= 1 << (place >> 61),
            1 if !object.is_empty() => object.truncate(at),
            _ => {
                objects.by_name.remove(&name);
            }
        }
        objects.harmed.insert(name);
        true
    }

    /// Whether anything was harmed that was not put there again.
    pub(crate) fn is_harmed(&self) -> bool {
        !self.objects().harmed.is_empty()
    }
}

impl ObjectStore for ArchiveStore {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let objects = self.objects();
        Ok(objects.by_name.iter().map(|(name, bytes)| (name.clone(), bytes.len() as u64)).collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.objects().by_name.get(name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut objects = self.objects();
        let number = objects.puts;
        objects.puts += 1;
        let is_struck = match objects.trouble {
            Some(Trouble::DiesAt(at)) => number >= at,
            Some(Trouble::Refuses(at)) => number == at,
            None => false,
        };
        if is_struck {
            objects.struck = true;
            return Err(io::Error::other("the store does not take it"));
        }
        objects.harmed.remove(name);
        objects.by_name.insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::ArchiveStore;
    use crate::seed::{Purpose, Stream};
    use billing_shell::archive::ObjectStore;

    #[test]
    fn an_object_may_be_harmed_until_it_is_gone() {
        for seed in 0..100 {
            let (store, mut stream) = (ArchiveStore::default(), Stream::new(seed, Purpose::Disk));
            store.put("one", &[7]).expect("nothing is planned");
            while store.harm(&mut stream) {
                assert!(store.is_harmed());
            }
            assert!(store.list().expect("it is in memory").is_empty(), "seed {seed}");
        }
    }
}
