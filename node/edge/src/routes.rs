//! Where requests can go: the nodes in order of their regions, each with its breaker and its
//! probes, and the choice among them.

use crate::breaker::Breaker;
use crate::config::{ConfigError, Limits, NODES_MAX, Nearest, Site};
use crate::io::{Output, Outputs, ProbeId};
use crate::request::Open;
use billing_core::{Monotonic, canary, sometimes};
use billing_wire::NodeId;
use std::ops::Range;

/// Bits of a probe's name that hold the place of its node.
const PLACE_BITS: u32 = 6;
/// After so many sendings within one region a request goes to the next.
const SENDINGS_PER_REGION: u32 = 2;

/// A node.
#[derive(Debug)]
struct Route {
    node: NodeId,
    breaker: Breaker,
    /// The probe under way and when it was sent.
    probe: Option<(ProbeId, Monotonic)>,
    /// When the next probe is due.
    probe_at: Monotonic,
    /// Smoothed time that probes take, in nanoseconds; `None` before the first.
    takes_ns: Option<u64>,
}

/// A region.
#[derive(Debug)]
struct Region {
    places: Range<usize>,
    /// Who leads, as the last probe said.
    leader: Option<usize>,
    /// Whose turn it is among the nodes.
    turn: usize,
}

/// All nodes.
#[derive(Debug)]
pub struct Routes {
    routes: Vec<Route>,
    regions: Vec<Region>,
    /// Regions, nearest first.
    order: Vec<usize>,
    nearest: Nearest,
    probes: u64,
}

impl Routes {
    /// Everything closed and unproven: what fails is found out soon enough.
    ///
    /// # Errors
    /// When there is no node, or more than [`NODES_MAX`].
    pub fn new(sites: &[Site], nearest: Nearest, now: Monotonic) -> Result<Self, ConfigError> {
        let (mut routes, mut regions) = (Vec::new(), Vec::new());
        for site in sites {
            let first = routes.len();
            routes.extend(site.nodes.iter().map(|node| Route {
                node: *node,
                breaker: Breaker::default(),
                probe: None,
                probe_at: now,
                takes_ns: None,
            }));
            regions.push(Region { places: first..routes.len(), leader: None, turn: 0 });
        }
        let found = routes.len();
        if !(1..=NODES_MAX).contains(&found) {
            return Err(ConfigError::Nodes { found });
        }
        let order = (0..regions.len()).collect();
        Ok(Self { routes, regions, order, nearest, probes: 0 })
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// There is at least one.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// The node at a place.
    pub fn node(&self, place: u8) -> NodeId {
        self.routes[usize::from(place)].node
    }

    /// Each node with its breaker, in order of the sites.
    pub fn each(&self) -> impl Iterator<Item = (NodeId, &Breaker)> {
        self.routes.iter().map(|route| (route.node, &route.breaker))
    }

    /// The breaker of a node.
    pub fn breaker(&mut self, place: u8) -> &mut Breaker {
        &mut self.routes[usize::from(place)].breaker
    }

    /// Whether two nodes are of different regions.
    pub fn are_far(&self, a: u8, b: u8) -> bool {
        self.regions.iter().any(|region| {
            region.places.contains(&usize::from(a)) != region.places.contains(&usize::from(b))
        })
    }

    /// The node to send a request to: of the nearest region that has one, the leader or whose
    /// turn it is, preferably one that it was not sent to yet.
    pub fn pick(&mut self, open: &Open) -> Option<u8> {
        let picked = self.pick_where(open, true).or_else(|| self.pick_where(open, false))?;
        Some(picked as u8)
    }

    fn pick_where(&mut self, open: &Open, only_untried: bool) -> Option<usize> {
        for region in &self.order {
            let region = &mut self.regions[*region];
            let mask = mask(&region.places);
            if only_untried && (open.tried & mask).count_ones() >= SENDINGS_PER_REGION {
                continue;
            }
            let fits = |place: &usize| {
                let is_tried = open.tried >> place & 1 == 1;
                self.routes[*place].breaker.lets_through() && !(only_untried && is_tried)
            };
            let leader = region.leader.filter(|_| open.ask.to_leader).filter(fits);
            if leader.is_some() {
                return leader;
            }
            let (first, count) = (region.places.start, region.places.len());
            let turns = (0..count).map(|step| first + (region.turn + step) % count);
            if let Some(place) = turns.clone().find(fits) {
                region.turn = (place - first + 1) % count;
                return Some(place);
            }
        }
        None
    }

    /// A node is ejected: its next probe comes sooner.
    pub fn ejected(&mut self, now: Monotonic, place: u8, limits: &Limits) -> Monotonic {
        let route = &mut self.routes[usize::from(place)];
        route.probe_at = now.plus_ms(limits.probe_ejected_ms);
        for region in &mut self.regions {
            region.leader = region.leader.filter(|leader| *leader != usize::from(place));
        }
        route.probe_at
    }

    /// Sets when a node is probed next.
    pub fn probe_at(&mut self, place: u8, at: Monotonic) {
        self.routes[usize::from(place)].probe_at = at;
    }

    /// Sends the probe of a node if it is this one that is due, and says when the next one is.
    pub fn probe(
        &mut self,
        (due, now): (Monotonic, Monotonic),
        place: u8,
        limits: &Limits,
        out: &mut Outputs,
    ) -> Option<(ProbeId, Monotonic)> {
        let route = &mut self.routes[usize::from(place)];
        let is_forgotten = canary!("ejected-node-not-probed") && route.breaker.is_open();
        if route.probe_at != due || is_forgotten {
            return None;
        }
        let every = if route.breaker.is_open() { limits.probe_ejected_ms } else { limits.probe_ms };
        route.probe_at = now.plus_ms(every);
        self.probes += 1;
        let probe = ProbeId(self.probes << PLACE_BITS | u64::from(place));
        route.probe = Some((probe, now));
        out.push(Output::Probe { probe, node: route.node });
        Some((probe, route.probe_at))
    }

    /// A probe is over; the place of its node if it was awaited.
    pub fn probed(
        &mut self,
        now: Monotonic,
        probe: ProbeId,
        is_fit: bool,
        leader: Option<NodeId>,
    ) -> Option<u8> {
        let place = (probe.0 & ((1 << PLACE_BITS) - 1)) as usize;
        let route = self.routes.get_mut(place)?;
        let (_, sent_at) = route.probe.take_if(|(awaited, _)| *awaited == probe)?;
        if !is_fit {
            return Some(place as u8);
        }
        let took = now.0.saturating_sub(sent_at.0);
        let smoothed = route.takes_ns.map_or(took, |before| before - before / 8 + took / 8);
        route.takes_ns = Some(smoothed);
        route.breaker.proved(now);
        let region = self.regions.iter_mut().find(|region| region.places.contains(&place))?;
        let of_region = &self.routes[region.places.clone()];
        let leads = of_region.iter().position(|route| Some(route.node) == leader);
        region.leader = leads.map(|at| region.places.start + at);
        if self.nearest == Nearest::Measured {
            self.measure();
        }
        Some(place as u8)
    }

    /// Whether this probe is still awaited.
    pub fn awaits(&self, probe: ProbeId) -> bool {
        let place = (probe.0 & ((1 << PLACE_BITS) - 1)) as usize;
        self.routes[place].probe.is_some_and(|(awaited, _)| awaited == probe)
    }

    /// Orders the regions by the fastest of their nodes, in whole milliseconds.
    fn measure(&mut self) {
        let (routes, regions) = (&self.routes, &self.regions);
        let takes_ms = |region: &usize| {
            let nodes = &routes[regions[*region].places.clone()];
            let fastest = nodes.iter().filter_map(|route| route.takes_ns).min();
            fastest.map_or(u64::MAX, |ns| ns / 1_000_000)
        };
        // The sort is stable over the configured order.
        let mut order: Vec<usize> = (0..regions.len()).collect();
        order.sort_by_key(takes_ms);
        self.order = order;
    }

    /// Notes that a request goes on at another node than before.
    pub fn note_retry(&self, open: &Open, place: u8) {
        if let Some(last) = open.flights().last().filter(|last| last.place != place) {
            sometimes_elsewhere(self.are_far(last.place, place));
        }
    }
}

fn sometimes_elsewhere(is_far: bool) {
    sometimes!("retried-elsewhere");
    if is_far {
        sometimes!("retried-in-other-region");
    }
}

fn mask(places: &Range<usize>) -> u64 {
    ((1 << places.len()) - 1) << places.start
}
