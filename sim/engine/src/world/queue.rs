//! What is to come, in order of simulated time. Ties are broken by a drawn number, so that a
//! seed decides which of two simultaneous events is first, and then by order of insertion.

use crate::seed::Stream;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
struct Key {
    at: u64,
    tie: u32,
    slot: u32,
}

/// A queue of events.
#[derive(Debug)]
pub struct Queue<E> {
    heap: BinaryHeap<Reverse<Key>>,
    events: Vec<Option<E>>,
    free: Vec<u32>,
    ties: Stream,
}

impl<E> Queue<E> {
    /// An empty queue.
    pub fn new(ties: Stream) -> Self {
        Self { heap: BinaryHeap::new(), events: Vec::new(), free: Vec::new(), ties }
    }

    /// Adds an event.
    pub fn push(&mut self, at: u64, event: E) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.events.push(None);
            self.events.len() as u32 - 1
        });
        self.events[slot as usize] = Some(event);
        let tie = self.ties.next_u64() as u32;
        self.heap.push(Reverse(Key { at, tie, slot }));
    }

    /// Time of the next event.
    pub fn next_at(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse(key)| key.at)
    }

    /// Takes the next event.
    pub fn pop(&mut self) -> Option<(u64, E)> {
        let Reverse(key) = self.heap.pop()?;
        let event = self.events[key.slot as usize].take()?;
        self.free.push(key.slot);
        Some((key.at, event))
    }
}

#[cfg(test)]
mod tests {
    use super::Queue;
    use crate::seed::{Purpose, Stream};

    fn order(seed: u64) -> Vec<(u64, u32)> {
        let mut queue = Queue::new(Stream::new(seed, Purpose::Schedule));
        for i in 0..8 {
            queue.push(5, i);
        }
        queue.push(3, 100);
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn time_first_then_the_seed_decides() {
        assert_eq!(order(1)[0], (3, 100));
        assert_eq!(order(1), order(1));
        assert!((2..20).any(|seed| order(seed) != order(1)));
    }
}
