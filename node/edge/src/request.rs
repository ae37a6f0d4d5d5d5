//! Requests that are open, each with its sendings, in a table whose places are part of the names
//! that the edge gives: what comes back is found without a search.

use crate::config::ATTEMPTS_MAX;
use crate::io::{Ask, AttemptId, RequestId};
use billing_core::Monotonic;
use std::collections::BTreeMap;

const NUMBER_BITS: u32 = 3;
const SLOT_BITS: u32 = 16;

/// How a sending stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its answer is awaited.
    Open,
    /// Its answer is late; the request has gone on without it.
    Overdue,
    /// It is known that it logged nothing.
    NothingLogged,
    /// What became of it will not be known.
    Unknown,
}

/// One sending.
#[derive(Debug, Clone, Copy)]
pub struct Flight {
    /// The node, by its place among the routes.
    pub place: u8,
    /// How it stands.
    pub stage: Stage,
    /// When it was sent.
    pub sent_at: Monotonic,
}

/// A request without an answer.
#[derive(Debug)]
pub struct Open {
    /// The shell's name for it.
    pub request: RequestId,
    /// What is known of it.
    pub ask: Ask,
    /// Nodes that it was sent to, as bits by place.
    pub tried: u64,
    /// When the next sending is due, if one waits.
    pub retry_at: Option<Monotonic>,
    /// Pauses so far, sent or not.
    pub pauses: u32,
    flights: [Flight; ATTEMPTS_MAX],
    sent: usize,
}

impl Open {
    fn new(request: RequestId, ask: Ask) -> Self {
        let none = Flight { place: 0, stage: Stage::Unknown, sent_at: Monotonic(0) };
        let flights = [none; ATTEMPTS_MAX];
        Self { request, ask, tried: 0, retry_at: None, pauses: 0, flights, sent: 0 }
    }

    /// Sendings so far.
    pub fn sent(&self) -> usize {
        self.sent
    }

    /// The sendings so far.
    pub fn flights(&self) -> &[Flight] {
        &self.flights[..self.sent]
    }

    /// Whether some sending may have logged it without the edge's knowing.
    pub fn may_be_logged(&self) -> bool {
        let may = |flight: &Flight| flight.stage != Stage::NothingLogged;
        self.ask.op_id.is_some() && self.flights().iter().any(may)
    }

    /// Whether an answer may still come.
    pub fn is_awaited(&self, stage: Stage) -> bool {
        self.flights().iter().any(|flight| flight.stage == stage)
    }
}

/// Places and names of open requests.
#[derive(Debug, Default)]
pub struct Table {
    slots: Vec<(u64, Option<Open>)>,
    free: Vec<u32>,
    by_request: BTreeMap<RequestId, u32>,
}

/// Where a request is: no other one ever has the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    slot: u32,
    generation: u64,
}

impl Table {
    /// Open requests.
    pub fn len(&self) -> usize {
        self.by_request.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.by_request.is_empty()
    }

    /// Takes in a request.
    ///
    /// # Panics
    /// When the shell uses a name twice, or lets in more than the edge is configured for.
    pub fn open(&mut self, request: RequestId, ask: Ask) -> Place {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push((0, None));
            self.slots.len() as u32 - 1
        });
        assert!(slot < 1 << SLOT_BITS, "open requests are bounded");
        let (generation, content) = &mut self.slots[slot as usize];
        *generation += 1;
        *content = Some(Open::new(request, ask));
        let before = self.by_request.insert(request, slot);
        assert!(before.is_none(), "a request has a name of its own");
        Place { slot, generation: *generation }
    }

    /// A request, while it is open.
    pub fn get(&mut self, place: Place) -> Option<&mut Open> {
        let (generation, open) = self.slots.get_mut(place.slot as usize)?;
        if *generation == place.generation { open.as_mut() } else { None }
    }

    /// Where a request is, by the shell's name.
    pub fn find(&self, request: RequestId) -> Option<Place> {
        let slot = *self.by_request.get(&request)?;
        Some(Place { slot, generation: self.slots[slot as usize].0 })
    }

    /// A request is over.
    pub fn close(&mut self, place: Place) -> Option<Open> {
        let (generation, content) = self.slots.get_mut(place.slot as usize)?;
        if *generation != place.generation {
            return None;
        }
        let open = content.take()?;
        self.by_request.remove(&open.request);
        self.free.push(place.slot);
        Some(open)
    }

    /// Notes a sending and names it.
    ///
    /// # Panics
    /// When the request is not open or was sent too often.
    pub fn send(&mut self, place: Place, node: u8, now: Monotonic) -> AttemptId {
        let open = self.get(place).expect("only an open request is sent");
        let number = open.sent;
        open.flights[number] = Flight { place: node, stage: Stage::Open, sent_at: now };
        open.sent += 1;
        open.tried |= 1 << node;
        open.retry_at = None;
        attempt(place, number)
    }

    /// The sending of a name, while its request is open.
    pub fn flight(&mut self, attempt: AttemptId) -> Option<(Place, &mut Flight)> {
        let number = attempt.0 & ((1 << NUMBER_BITS) - 1);
        let slot = (attempt.0 >> NUMBER_BITS) & ((1 << SLOT_BITS) - 1);
        let generation = attempt.0 >> (NUMBER_BITS + SLOT_BITS);
        let place = Place { slot: slot as u32, generation };
        let flight = self.get(place)?.flights.get_mut(number as usize)?;
        Some((place, flight))
    }
}

/// The name of a request's sending.
pub fn attempt(place: Place, number: usize) -> AttemptId {
    let slot = u64::from(place.slot) << NUMBER_BITS;
    AttemptId(place.generation << (NUMBER_BITS + SLOT_BITS) | slot | number as u64)
}
