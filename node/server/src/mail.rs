//! The mail service over HTTP: a notice is a `POST` with the invoice's `op_id` as
//! `Idempotency-Key`. Any answer of success means that the service has it; whatever else comes back
//! means nothing, and the notice is sent again under the same key.

use crate::service::{HttpService, ServiceError};
use billing_core::Notice;
use billing_shell::tokio_host::{MailService, Mailing};
use billing_wire::{Genesis, RegionMembers};
use serde_json::{Value, json};
use std::sync::Arc;

/// Where notices are handed over.
#[derive(Debug)]
pub(crate) struct HttpMail {
    service: HttpService,
    /// The names of the regions stand in the numbers of invoices.
    genesis: Arc<Genesis>,
}

impl HttpMail {
    /// A mail service at a URL. Its host is looked up once, here.
    pub(crate) fn at(url: &str, genesis: Arc<Genesis>) -> Result<Self, ServiceError> {
        Ok(Self { service: HttpService::at(url)?, genesis })
    }

    fn body(&self, notice: &Notice) -> Value {
        let of_series = |region: &&RegionMembers| region.region == notice.invoice.region;
        let region = self.genesis.regions.iter().find(of_series);
        json!({
            "notice": "invoice_issued",
            "op_id": notice.key.to_string(),
            "account": notice.account.0,
            "invoice": notice.invoice.text(region.map_or("?", |region| &region.name)),
            "total": notice.total,
            "currency": String::from_utf8_lossy(&notice.currency),
        })
    }
}

impl MailService for HttpMail {
    fn send(&self, notice: Notice) -> Mailing {
        let posted = self.service.post(notice.key, &self.body(&notice));
        Box::pin(async move { posted.await.is_ok_and(|answer| answer.status.is_success()) })
    }
}
