//! The clock-skew gate: a leader whose wall clock is off from the majority of the nodes that it
//! hears stops leading before it appends (billing.md §2).

use crate::canary;
use crate::time::{Monotonic, Now};
use billing_wire::NodeId;

/// A peer that was silent for longer says nothing about time, in milliseconds. Where frames are
/// late, all nodes of a region look off to each other: none of them stands for election, so none
/// says anything more, until what they heard is forgotten.
const HEARD_MS: u64 = 1_000;

#[derive(Debug, Clone, Copy)]
struct Heard {
    node: NodeId,
    at: Monotonic,
    /// The peer's clock minus ours when its frame arrived, in milliseconds.
    ahead_ms: i64,
}

/// Compares this node's wall clock with its peers'.
#[derive(Debug)]
pub struct SkewGate {
    max_ms: i64,
    heard: Vec<Heard>,
}

impl SkewGate {
    /// A gate that closes beyond `max_ms`.
    pub fn new(max_ms: u64) -> Self {
        Self { max_ms: i64::try_from(max_ms).unwrap_or(i64::MAX), heard: Vec::new() }
    }

    /// A frame arrived that its sender stamped with `wall_ms`. The journey counts as skew: it is
    /// far shorter than the bound as a rule.
    pub fn hear(&mut self, now: Now, node: NodeId, wall_ms: u64) {
        let ahead_ms = wall_ms.wrapping_sub(now.wall.ms()) as i64;
        let heard = Heard { node, at: now.monotonic, ahead_ms };
        match self.heard.iter_mut().find(|known| known.node == node) {
            Some(known) => *known = heard,
            None => self.heard.push(heard),
        }
    }

    /// Whether the majority of the nodes heard lately, this one included, disagrees with this
    /// node's clock.
    pub fn is_off(&self, now: Now) -> bool {
        let heard_ms = if canary!("late-frames-remembered") { 3 * HEARD_MS } else { HEARD_MS };
        let recent = self.heard.iter().filter(|h| now.monotonic.ms_since(h.at) <= heard_ms);
        let (mut peers, mut disagree) = (0, 0);
        for heard in recent {
            peers += 1;
            disagree += usize::from(heard.ahead_ms.abs() > self.max_ms);
        }
        2 * disagree > peers + 1
    }
}

#[cfg(test)]
mod tests {
    use super::SkewGate;
    use crate::time::{Monotonic, Now, Wall};
    use billing_wire::NodeId;

    fn now(ms: u64) -> Now {
        Now { monotonic: Monotonic(ms * 1_000_000), wall: Wall(ms * 1_000_000) }
    }

    #[test]
    fn only_a_majority_of_recent_voices_closes_the_gate() {
        let mut gate = SkewGate::new(500);
        let at = now(10_000);
        gate.hear(at, NodeId(2), 10_900);
        assert!(!gate.is_off(at), "one against one says nothing");
        gate.hear(at, NodeId(3), 10_100);
        assert!(!gate.is_off(at), "one peer agrees");
        gate.hear(at, NodeId(3), 10_900);
        assert!(gate.is_off(at), "both peers disagree");
        assert!(!gate.is_off(now(11_500)), "and were silent for longer than a second");
    }
}
