//! The network between nodes: one link per direction, with latency, loss, duplication,
//! reordering, bit flips, a bounded queue, and cuts. Without a fault a link keeps the order of
//! its frames, as one TCP connection does.

use crate::seed::Stream;
use bytes::Bytes;

/// Bytes that wait on a slow link, at most; more are lost.
pub const QUEUE_BYTES_MAX: u64 = 1 << 20;
/// Time that a frame waits on a slow link, at most; a sender's connection breaks before that.
pub const QUEUE_NS_MAX: u64 = 10_000_000_000;

/// What a link does to its frames beside taking time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkFaults {
    /// Cuts in force.
    pub cuts: u32,
    /// Cuts between the regions of its ends that are in force.
    pub region_cuts: u32,
    /// Those that come and go, while they are there.
    pub region_flaps: u32,
    /// Takes so many times as long because a region at one of its ends is slow; 0 for normal.
    pub region_slow: u32,
    /// Lost, in parts per million.
    pub loss_ppm: u32,
    /// Added to each frame, in nanoseconds.
    pub extra_ns: u64,
    /// Arrive twice, in parts per million.
    pub duplicate_ppm: u32,
    /// May be overtaken, in parts per million.
    pub reorder_ppm: u32,
    /// One bit flips, in parts per million.
    pub flip_ppm: u32,
    /// Bytes per second; 0 for no limit.
    pub bytes_per_s: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Link {
    faults: LinkFaults,
    /// When the last frame arrives: nothing overtakes it without a fault.
    last_arrival: u64,
    /// When the slow link has sent what waits.
    busy_until: u64,
    /// When the last frame arrives that passed while the link had a fault.
    late_until: u64,
}

/// What became of a frame.
#[derive(Debug, Default)]
pub struct Passage {
    /// When it arrives, and what arrives: twice when it was duplicated, never when it was lost.
    pub arrivals: [Option<(u64, Bytes)>; 2],
    /// The link's fault that struck.
    pub struck: Struck,
}

/// Which faults changed something.
#[derive(Debug, Default, Clone, Copy)]
pub struct Struck {
    /// Cut off.
    pub cut: bool,
    /// Cut off from the other region.
    pub region_cut: bool,
    /// Cut off from it for a moment, again and again.
    pub region_flap: bool,
    /// On its way for longer, because a region is slow.
    pub region_slow: bool,
    /// Lost.
    pub lost: bool,
    /// Delayed.
    pub delayed: bool,
    /// Duplicated.
    pub duplicated: bool,
    /// Free to be overtaken.
    pub reordered: bool,
    /// Damaged.
    pub flipped: bool,
    /// Waited behind others, or lost because too many did.
    pub queued: bool,
}

/// All links of a cluster.
#[derive(Debug)]
pub struct Links {
    nodes: usize,
    latency_ns: (u64, u64),
    /// Nodes of one region, which are neighbours; links to others take longer.
    per_region: usize,
    far_ns: (u64, u64),
    links: Vec<Link>,
    stream: Stream,
}

impl Links {
    /// Links between `nodes` nodes of one region with a latency within bounds, in nanoseconds.
    pub fn new(nodes: usize, latency_ns: (u64, u64), stream: Stream) -> Self {
        let links = vec![Link::default(); nodes * nodes];
        Self { nodes, latency_ns, per_region: nodes, far_ns: latency_ns, links, stream }
    }

    /// Regions of so many nodes each, with another latency between them, in nanoseconds.
    #[must_use]
    pub fn between_regions(self, per_region: usize, far_ns: (u64, u64)) -> Self {
        Self { per_region, far_ns, ..self }
    }

    /// Changes the cuts of the links from one region's nodes to another's.
    pub fn region_cuts(&mut self, from: usize, to: usize, change: impl Fn(&mut u32)) {
        self.each_between(from, to, |faults| change(&mut faults.region_cuts));
    }

    /// As [`Self::region_cuts`], for cuts that come and go.
    pub fn region_flaps(&mut self, from: usize, to: usize, change: impl Fn(&mut u32)) {
        self.each_between(from, to, |faults| change(&mut faults.region_flaps));
    }

    /// Changes how slow the links are that have an end in a region.
    pub fn slow_region(&mut self, region: usize, change: impl Fn(&mut u32)) {
        let of_region = region * self.per_region..(region + 1) * self.per_region;
        for from in 0..self.nodes {
            for to in 0..self.nodes {
                if from != to && (of_region.contains(&from) || of_region.contains(&to)) {
                    change(&mut self.faults(from, to).region_slow);
                }
            }
        }
    }

    fn each_between(&mut self, from: usize, to: usize, change: impl Fn(&mut LinkFaults)) {
        for a in from * self.per_region..(from + 1) * self.per_region {
            for b in to * self.per_region..(to + 1) * self.per_region {
                change(self.faults(a, b));
            }
        }
    }

    /// The faults of the link from one node to another.
    pub fn faults(&mut self, from: usize, to: usize) -> &mut LinkFaults {
        &mut self.links[from * self.nodes + to].faults
    }

    /// A slow link is fast again: what is sent from now on does not wait for what was.
    pub fn speed_up(&mut self, now: u64, from: usize, to: usize) {
        let link = &mut self.links[from * self.nodes + to];
        link.faults.bytes_per_s = 0;
        (link.busy_until, link.last_arrival) = (now, now);
    }

    /// Whether no link has a fault.
    pub fn are_clean(&self) -> bool {
        self.links.iter().all(|link| link.faults == LinkFaults::default())
    }

    /// Whether no link within a region has a fault, nor still carries a frame from when it had
    /// one.
    pub fn are_drained(&self, now: u64, region: usize) -> bool {
        let of_region = region * self.per_region..(region + 1) * self.per_region;
        of_region.clone().all(|from| {
            of_region.clone().all(|to| {
                let link = &self.links[from * self.nodes + to];
                link.faults == LinkFaults::default() && link.late_until <= now
            })
        })
    }

    /// For each link without a fault, when the last frame arrives that passed while it had one.
    pub fn late_on_clean(&self) -> impl Iterator<Item = u64> + '_ {
        let clean = self.links.iter().filter(|link| link.faults == LinkFaults::default());
        clean.map(|link| link.late_until)
    }

    /// When the last frame arrives that passed while its link had a fault.
    pub fn late_until(&self) -> u64 {
        self.links.iter().map(|link| link.late_until).max().unwrap_or(0)
    }

    /// A frame leaves.
    pub fn pass(&mut self, now: u64, from: usize, to: usize, frame: Bytes) -> Passage {
        let is_near = from / self.per_region == to / self.per_region;
        let (low, high) = if is_near { self.latency_ns } else { self.far_ns };
        let latency = self.stream.range(low, high);
        let link = &mut self.links[from * self.nodes + to];
        let faults = link.faults;
        let mut passage = Passage::default();
        if faults == LinkFaults::default() {
            // A nanosecond apart, because the seed decides between events of the same time.
            link.last_arrival = (link.last_arrival + 1).max(now + latency);
            passage.arrivals[0] = Some((link.last_arrival, frame));
            return passage;
        }
        if faults.cuts + faults.region_cuts + faults.region_flaps > 0 {
            passage.struck.cut = faults.cuts > 0;
            passage.struck.region_cut = faults.region_cuts > 0;
            passage.struck.region_flap = faults.region_flaps > 0;
            return passage;
        }
        if self.stream.chance_ppm(faults.loss_ppm) {
            passage.struck.lost = true;
            return passage;
        }
        let mut at = now + latency * u64::from(faults.region_slow.max(1)) + faults.extra_ns;
        passage.struck.region_slow = faults.region_slow > 1;
        passage.struck.delayed = faults.extra_ns > 0;
        if faults.bytes_per_s > 0 {
            let start = link.busy_until.max(now);
            let waiting = (start - now) / 1_000 * faults.bytes_per_s / 1_000_000;
            passage.struck.queued = true;
            if waiting > QUEUE_BYTES_MAX || start - now > QUEUE_NS_MAX {
                return passage;
            }
            link.busy_until = start + frame.len() as u64 * 1_000_000_000 / faults.bytes_per_s;
            at = at.max(link.busy_until + latency);
        }
        let frame = self.damage(frame, faults.flip_ppm, &mut passage.struck);
        if self.stream.chance_ppm(faults.duplicate_ppm) {
            passage.struck.duplicated = true;
            let later = at + self.stream.range(1, 50_000_000);
            let link = &mut self.links[from * self.nodes + to];
            link.late_until = link.late_until.max(later);
            passage.arrivals[1] = Some((later, frame.clone()));
        }
        let link = &mut self.links[from * self.nodes + to];
        if self.stream.chance_ppm(faults.reorder_ppm) {
            passage.struck.reordered = true;
            at += self.stream.range(1, 20_000_000);
        } else {
            at = at.max(link.last_arrival + 1);
            link.last_arrival = at;
        }
        link.late_until = link.late_until.max(at);
        passage.arrivals[0] = Some((at, frame));
        passage
    }

    fn damage(&mut self, frame: Bytes, flip_ppm: u32, struck: &mut Struck) -> Bytes {
        if !self.stream.chance_ppm(flip_ppm) {
            return frame;
        }
        struck.flipped = true;
        let mut bytes = frame.to_vec();
        let bit = self.stream.below(bytes.len() as u64 * 8) as usize;
        bytes[bit / 8] ^= 1 << (bit % 8);
        Bytes::from(bytes)
    }
}
