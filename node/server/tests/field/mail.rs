//! A cluster of real processes and a mail service on loopback that refuses each notice once, then
//! takes it and hangs up without a word, and only then behaves. Every customer is told of every
//! invoice, under the key of the invoice, and payments are answered meanwhile.

use crate::api::{NEW_YEAR, payment};
use crate::cluster::{Cluster, PATIENCE};
use crate::payouts::{answer, request};
use crate::record::Recorder;
use crate::session::Session;
use crate::stopwatch::wait_for;
use billing_wire::{AccountId, BillingPeriod, Command, NodeId, OpId, ServicePointId, Submission};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::thread::scope;
use std::time::Duration;

const ACCOUNT: AccountId = AccountId(1);
const INVOICES: u128 = 5;
const TIMEOUT: Duration = Duration::from_secs(10);
const TUNING: &str =
    "effect_timeout_ms = 400\neffect_retry_ms = 50\neffect_retry_max_ms = 200\n[outbox]\n";

/// What was handed over under each key, each time.
type Heard = Mutex<BTreeMap<String, Vec<Value>>>;

fn serve(stream: TcpStream, heard: &Heard) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some((key, body)) = request(&mut stream, "/v1/notices")? {
        let body: Value = serde_json::from_slice(&body)?;
        let times = {
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            let told = heard.entry(key).or_default();
            told.push(body);
            told.len()
        };
        match times {
            1 => answer(&mut stream, "503 Service Unavailable", "{}")?,
            2 => return Ok(()),
            _ => answer(&mut stream, "202 Accepted", "")?,
        }
    }
    Ok(())
}

/// Closes the service when it is dropped, also by a test that fails.
struct Open<'a>(&'a AtomicBool, SocketAddr);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
        // It looks again when somebody calls; if nobody listens any more, the better.
        let _ = TcpStream::connect(self.1);
    }
}

#[test]
fn every_customer_is_told_of_every_invoice_by_a_service_that_fails() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (heard, is_closed) = (Heard::default(), AtomicBool::default());
    scope(|threads| {
        let (heard, is_closed) = (&heard, &is_closed);
        threads.spawn(move || {
            for stream in listener.incoming().flatten() {
                if is_closed.load(Relaxed) {
                    return;
                }
                // A caller that gave up has hung up.
                threads.spawn(move || serve(stream, heard).ok());
            }
        });
        let _open = Open(is_closed, address);
        bill_all(heard, address);
    });
}

/// Issues invoices, and looks at what the service heard.
fn bill_all(heard: &Heard, address: SocketAddr) {
    let tuning = format!("{TUNING}mail = \"http://{address}/v1/notices\"\n");
    let mut cluster = Cluster::found(3, &tuning);
    cluster.start_all();
    let recorder = Recorder::new();
    let addresses = cluster.addresses();
    let mut session = Session::new(0, &recorder, addresses, TIMEOUT);
    let (service_point, date) = (ServicePointId(1), NEW_YEAR);
    let open = Command::OpenAccount { account: ACCOUNT, service_point, date };
    session.insist(NodeId(1), &Submission { op_id: OpId(1), command: open });
    for number in 0..INVOICES {
        let period = BillingPeriod(BillingPeriod::of(date).0 + number as u16);
        let command = Command::IssueInvoice { account: ACCOUNT, period, date };
        session.insist(NodeId(1), &Submission { op_id: OpId(100 + number), command });
        let command = payment(ACCOUNT, 10, &number.to_string());
        session.insist(NodeId(1), &Submission { op_id: OpId(200 + number), command });
    }
    let told = || heard.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let told = wait_for("every notice to be taken", PATIENCE, || {
        let told = told();
        let is_done = told.len() == INVOICES as usize && told.values().all(|told| told.len() > 2);
        is_done.then_some(told)
    });
    for (number, (key, bodies)) in (0..INVOICES).zip(&told) {
        assert_eq!(*key, OpId(100 + number).to_string());
        for body in bodies {
            assert_eq!(body["op_id"], key.as_str());
            assert_eq!(body["invoice"], format!("REGION0-INV-{:06}", number + 1));
            assert_eq!((&body["total"], &body["account"]), (&990.into(), &1.into()));
        }
    }
    cluster.stop_all();
}
