//! The payment provider as the real host sees it: something that is asked and answers later. How
//! it is spoken to is decided where the process is put together.

use super::counters::Counters;
use billing_core::{Effect, EffectResult, Input};
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How a payout will have ended.
pub type Paying = Pin<Box<dyn Future<Output = EffectResult> + Send>>;

/// Pays refunds out.
pub trait PaymentProvider: Send + Sync + Debug {
    /// Asks for a payout. The future is dropped when it takes longer than the effect allows.
    fn pay(&self, effect: Effect) -> Paying;
}

/// Asks, without waiting; the answer becomes an input of the node, if it still runs.
pub(super) fn call(
    provider: &Arc<dyn PaymentProvider>,
    effect: Effect,
    results: mpsc::UnboundedSender<Input>,
    counters: Arc<Counters>,
) {
    counters.payouts_called.fetch_add(1, Relaxed);
    let paying = timeout(Duration::from_millis(effect.timeout_ms), provider.pay(effect));
    tokio::spawn(async move {
        let result = paying.await.unwrap_or(EffectResult::Unknown);
        let counter = match result {
            EffectResult::Paid { .. } => &counters.payouts_paid,
            EffectResult::Refused => &counters.payouts_refused,
            EffectResult::Unknown => &counters.payouts_unknown,
        };
        counter.fetch_add(1, Relaxed);
        // A node that has ended pays nothing; the next one asks again under the same key.
        let _ = results.send(Input::EffectDone { id: effect.id, result });
    });
}
