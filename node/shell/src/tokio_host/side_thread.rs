//! A thread beside the run loop that works now and then, and waits in between: it can be asked to
//! stop at any time, and ends after the piece of work that it is at.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, JoinHandle};
use tokio::time::Instant;

/// The thread, of one opening of a node.
#[derive(Debug)]
pub(super) struct SideThread {
    thread: JoinHandle<()>,
    stop: Stop,
}

/// How the thread learns that it is to stop.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl SideThread {
    /// Starts it.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub(super) fn start(name: &str, work: impl FnOnce(&Stop) + Send + 'static) -> io::Result<Self> {
        let stop = Stop::default();
        let thread = thread::Builder::new().name(name.to_owned()).spawn({
            let stop = stop.clone();
            move || work(&stop)
        })?;
        Ok(Self { thread, stop })
    }

    /// Ends it after the piece of work that it is at. Blocks.
    pub(super) fn join(self) {
        self.stop.0.store(true, Relaxed);
        self.thread.thread().unpark();
        let name = self.thread.thread().name().unwrap_or_default().to_owned();
        if self.thread.join().is_err() {
            tracing::error!(thread = name, "a thread beside the node panicked");
        }
    }
}

impl Stop {
    /// `false`: asked to stop before.
    pub(super) fn wait_until(&self, due: Instant) -> bool {
        while !self.0.load(Relaxed) {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::park_timeout(left);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::SideThread;
    use std::sync::mpsc::channel;
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn a_thread_that_waits_is_stopped_at_once_and_one_that_is_due_is_not() {
        let (said, heard) = channel();
        let thread = SideThread::start("test", move |stop| {
            said.send(stop.wait_until(Instant::now())).unwrap();
            said.send(stop.wait_until(Instant::now() + Duration::from_secs(3_600))).unwrap();
        });
        assert!(heard.recv().unwrap(), "what is due is done");
        thread.unwrap().join();
        assert!(!heard.recv().unwrap(), "it did not wait for an hour");
    }
}
