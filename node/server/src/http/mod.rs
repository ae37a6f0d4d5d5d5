//! The HTTP API: JSON in and out, money as integers of minor units, every error a
//! `application/problem+json`. It translates; what an answer means is decided by the core.

pub(crate) mod accept;
pub(crate) mod body;
pub(crate) mod civil_date;
mod documents;
mod health;
pub(crate) mod metrics;
mod options;
pub(crate) mod problem;
mod reads;
mod seal;
mod session;
mod traffic;
pub(crate) mod writes;

use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use billing_shell::tokio_host::Handle;
use billing_wire::Genesis;
use problem::Problem;
use std::sync::Arc;
use tokio::net::TcpListener;
use traffic::Traffic;

/// What every handler gets.
#[derive(Debug, Clone)]
struct Api {
    node: Handle,
    genesis: Arc<Genesis>,
    traffic: Arc<Traffic>,
}

/// Serves clients until the node is told to stop, then finishes what is in flight.
pub(crate) async fn serve(listener: TcpListener, node: Handle, genesis: Arc<Genesis>) {
    let api = Api { node: node.clone(), genesis, traffic: Arc::default() };
    accept::accept_clients(listener, router(api), node).await;
}

fn router(api: Api) -> Router {
    Router::new()
        .route("/v1/accounts", post(writes::write::<writes::OpenAccount>))
        .route("/v1/payments", post(writes::write::<writes::RecordPayment>))
        .route("/v1/reads", post(writes::write::<writes::RecordRead>))
        .route("/v1/adjustments", post(writes::write::<writes::PostAdjustment>))
        .route("/v1/reversals", post(writes::write::<writes::ReversePayment>))
        .route("/v1/closures", post(writes::write::<writes::CloseAccount>))
        .route("/v1/refunds", post(writes::write::<writes::RequestRefund>))
        .route("/v1/invoices", post(writes::write::<writes::IssueInvoice>))
        .route("/v1/payouts", post(writes::write::<writes::ConfirmPayout>))
        .route("/v1/accounts/{account}/balance", get(reads::balance))
        .route("/v1/accounts/{account}/history", get(reads::history))
        .route("/v1/accounts/{account}/statement", get(documents::statement))
        .route("/v1/accounts/{account}/invoices", get(documents::invoices))
        .route("/v1/accounts/{account}/invoices/{period}", get(documents::invoice_of_month))
        .route("/v1/invoices/{number}", get(documents::invoice))
        .route("/v1/suspense", get(documents::suspense))
        .route("/v1/outbox", get(documents::outbox))
        .route("/v1/operations/{op_id}", get(reads::operation))
        .route("/v1/trial-balance", get(reads::trial_balance))
        .route("/v1/seal", post(seal::seal))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .fallback(no_such_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(api.clone(), traffic::count))
        .with_state(api)
}

async fn no_such_path(uri: Uri) -> Problem {
    let detail = format!("there is nothing at {}", uri.path());
    Problem::new(StatusCode::NOT_FOUND, "no-such-path", "no such path", detail)
}

async fn wrong_method(method: axum::http::Method, uri: Uri) -> Problem {
    let detail = format!("{} does not take {method}; see the header `allow`", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", "wrong method", detail)
}
