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
    links: Vec<Link>,
    stream: Stream,
}

impl Links {
    /// Links between `nodes` nodes with a latency within bounds, in nanoseconds.
    pub fn new(nodes: usize, latency_ns: (u64, u64), stream: Stream) -> Self {
        Self { nodes, latency_ns, links: vec![Link::default(); nodes * nodes], stream }
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

    /// Whether no link has a fault, nor still carries a frame from when it had one.
    pub fn are_drained(&self, now: u64) -> bool {
        self.are_clean() && self.links.iter().all(|link| link.late_until <= now)
    }

    /// A frame leaves.
    pub fn pass(&mut self, now: u64, from: usize, to: usize, frame: Bytes) -> Passage {
        let latency = self.stream.range(self.latency_ns.0, self.latency_ns.1);
        let link = &mut self.links[from * self.nodes + to];
        let faults = link.faults;
        let mut passage = Passage::default();
        if faults == LinkFaults::default() {
            // A nanosecond apart, because the seed decides between events of the same time.
            link.last_arrival = (link.last_arrival + 1).max(now + latency);
            passage.arrivals[0] = Some((link.last_arrival, frame));
            return passage;
        }
        if faults.cuts > 0 {
            passage.struck.cut = true;
            return passage;
        }
        if self.stream.chance_ppm(faults.loss_ppm) {
            passage.struck.lost = true;
            return passage;
        }
        let mut at = now + latency + faults.extra_ns;
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
