//! The mail service as the real host sees it: something that is asked and says later whether it has
//! a notice. How it is spoken to is decided where the process is put together.

use super::counters::Counters;
use billing_core::{Input, Notice};
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Whether the service will have taken a notice.
pub type Mailing = Pin<Box<dyn Future<Output = bool> + Send>>;

/// Tells customers of their invoices.
pub trait MailService: Send + Sync + Debug {
    /// Hands a notice over. The future is dropped when it takes longer than the notice allows.
    fn send(&self, notice: Notice) -> Mailing;
}

/// Hands a notice over, without waiting; the answer becomes an input of the node, if it still runs.
pub(super) fn call(
    service: &Arc<dyn MailService>,
    notice: Notice,
    results: mpsc::UnboundedSender<Input>,
    counters: Arc<Counters>,
) {
    counters.notices_called.fetch_add(1, Relaxed);
    let mailing = timeout(Duration::from_millis(notice.timeout_ms), service.send(notice));
    tokio::spawn(async move {
        let is_taken = mailing.await.unwrap_or(false);
        let counter = if is_taken { &counters.notices_taken } else { &counters.notices_failed };
        counter.fetch_add(1, Relaxed);
        // A node that has ended sends nothing; the next one asks again under the same key.
        let _ = results.send(Input::MailDone { key: notice.key, is_taken });
    });
}
