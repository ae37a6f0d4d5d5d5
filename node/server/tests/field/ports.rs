//! Ports for nodes that must find each other again after a kill. Port 0 would give one of the
//! range from which the kernel also takes the near ends of outgoing connections: while a node is
//! down, one of those could sit on its port. These lie below that range.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 12_000;
const LAST: u16 = 31_000;
/// `dev` takes node n's two ports at base + n and base + 100 + n; an edge has the base.
const DEV_SPAN: u16 = 140;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// An address that nothing listens on now; different at every call.
pub(crate) fn free_address() -> SocketAddr {
    loop {
        let port = draw(1);
        if is_free(port) {
            return SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        }
    }
}

/// A base for `dev --http-port-base` whose ports for `nodes` nodes are free.
pub(crate) fn free_dev_base(nodes: u16) -> u16 {
    loop {
        let base = draw(DEV_SPAN);
        if (0..=nodes).all(|node| is_free(base + node) && is_free(base + 100 + node)) {
            return base;
        }
    }
}

/// The next `count` ports. Where to start depends on the process, so that two runs of these
/// tests at the same time rarely meet.
fn draw(count: u16) -> u16 {
    let spread = (std::process::id() % 150) as u16 * 100;
    let taken = NEXT.fetch_add(count, Ordering::Relaxed);
    FIRST + spread.wrapping_add(taken) % (LAST - FIRST - DEV_SPAN)
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
