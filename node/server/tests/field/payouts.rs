//! A cluster of real processes and a payment provider on loopback that nobody should trust to
//! answer: it pays and hangs up, pays and is slow, pays and says that it failed, or refuses, each
//! refund once before it behaves. The leader is killed while it has calls open. Every refund is
//! paid once and booked as paid.

use crate::api::{NEW_YEAR, payment};
use crate::cluster::{Cluster, PATIENCE};
use crate::record::Recorder;
use crate::session::Session;
use crate::stopwatch::wait_for;
use billing_wire::{
    AccountId, Command, Disposition, LedgerCode, NodeId, OpId, OperationState, Position, Query,
    QueryResult, ServicePointId, Submission, derived_op_id,
};
use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{Scope, scope, sleep};
use std::time::Duration;

const ACCOUNT: AccountId = AccountId(1);
const PAYMENT: OpId = OpId(2);
const PAID: i64 = 10_000;
const REFUNDS: u128 = 12;
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than the nodes wait for an answer.
const SLOW: Duration = Duration::from_millis(900);
const TUNING: &str =
    "effect_timeout_ms = 400\neffect_retry_ms = 50\neffect_retry_max_ms = 400\n[outbox]\n";

/// A payout that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Paid {
    refund: String,
    amount: i64,
}

/// The provider's books, by key.
#[derive(Debug, Default)]
struct Books {
    asked: BTreeMap<String, u32>,
    paid: BTreeMap<String, Paid>,
    /// Payouts that were made, in order.
    executed: Vec<Paid>,
}

/// A provider that listens until it is told to stop.
#[derive(Debug, Default)]
struct Provider {
    books: Mutex<Books>,
    is_closed: AtomicBool,
}

/// Closes a provider when it is dropped, also by a test that fails.
struct Open<'a>(&'a Provider, SocketAddr);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.is_closed.store(true, Relaxed);
        // It looks again when somebody calls; if nobody listens any more, the better.
        let _ = TcpStream::connect(self.1);
    }
}

impl Provider {
    fn listen<'s>(&'s self, threads: &'s Scope<'s, '_>, listener: &TcpListener) {
        for stream in listener.incoming().flatten() {
            if self.is_closed.load(Relaxed) {
                return;
            }
            // A caller that gave up has hung up.
            threads.spawn(move || self.serve(stream).ok());
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        while let Some((key, body)) = request(&mut stream, "/v1/payouts")? {
            let body: serde_json::Value = serde_json::from_slice(&body)?;
            let refund = body["refund"].as_str().expect("a refund").to_owned();
            let amount = body["amount"].as_i64().expect("an amount");
            assert_eq!((&key, body["currency"].as_str()), (&refund, Some("EUR")));
            let asked = {
                let mut books = self.books();
                let asked = books.asked.entry(key.clone()).or_default();
                *asked += 1;
                *asked
            };
            let manner = key.bytes().next_back().map_or(0, |digit| digit % 4);
            let is_first = asked == 1;
            if is_first && manner == 2 {
                answer(&mut stream, "503 Service Unavailable", "{}")?;
                continue;
            }
            let paid = self.pay(key, Paid { refund, amount });
            let on = "2026-04-01";
            let said = serde_json::json!({
                "status": "paid", "refund": paid.refund, "amount": paid.amount, "paid_on": on,
            });
            match manner {
                0 if is_first => sleep(SLOW),
                1 if is_first => return Ok(()),
                3 if is_first => {
                    answer(&mut stream, "500 Internal Server Error", "{}")?;
                    continue;
                }
                _ => {}
            }
            answer(&mut stream, "200 OK", &said.to_string())?;
        }
        Ok(())
    }

    /// Pays what was not paid under this key before.
    fn pay(&self, key: String, payout: Paid) -> Paid {
        let mut books = self.books();
        if let Some(paid) = books.paid.get(&key) {
            return paid.clone();
        }
        books.executed.push(payout.clone());
        books.paid.insert(key, payout.clone());
        payout
    }
}

/// Key and body of the next request on a connection.
pub(crate) fn request(
    stream: &mut BufReader<TcpStream>,
    path: &str,
) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut first = String::new();
    if stream.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    assert_eq!(first, format!("POST {path} HTTP/1.1\r\n"));
    let (mut key, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "idempotency-key" => value.clone_into(&mut key),
            "content-length" => length = value.parse().expect("a length"),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Some((key, body)))
}

pub(crate) fn answer(
    stream: &mut BufReader<TcpStream>,
    status: &str,
    body: &str,
) -> io::Result<()> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.get_mut().write_all(format!("{head}{body}").as_bytes())
}

fn refund(number: u128) -> OpId {
    OpId(100 + number)
}

fn amount(number: u128) -> i64 {
    10 + number as i64
}

#[test]
fn every_refund_is_paid_once_by_a_provider_that_loses_answers_and_booked_as_paid() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let provider = Provider::default();
    scope(|threads| {
        let (provider, listener) = (&provider, &listener);
        threads.spawn(move || provider.listen(threads, listener));
        let open = Open(provider, address);
        pay_all(open.0, open.1);
    });
}

/// Asks for refunds, kills the leader meanwhile, and looks at the books of provider and nodes.
fn pay_all(provider: &Provider, address: SocketAddr) {
    let tuning = format!("{TUNING}provider = \"http://{address}/v1/payouts\"\n");
    let mut cluster = Cluster::found(3, &tuning);
    cluster.start_all();
    let recorder = Recorder::new();
    let addresses = cluster.addresses();
    let mut session = Session::new(0, &recorder, addresses.clone(), TIMEOUT);
    let (service_point, date) = (ServicePointId(1), NEW_YEAR);
    let open = Command::OpenAccount { account: ACCOUNT, service_point, date };
    session.insist(NodeId(1), &Submission { op_id: OpId(1), command: open });
    let command = payment(ACCOUNT, PAID, "1");
    session.insist(NodeId(1), &Submission { op_id: PAYMENT, command });
    let leader = cluster.await_leader();
    for number in 1..=REFUNDS {
        let command = Command::RequestRefund { payment: PAYMENT, amount: amount(number), date };
        session.insist(leader, &Submission { op_id: refund(number), command });
    }
    wait_for("the first calls", PATIENCE, || {
        let books = provider.books();
        (!books.executed.is_empty()).then_some(())
    });
    cluster.kill(leader);
    cluster.start(leader);
    cluster.await_ready();
    // Its connection to the killed process is gone.
    let mut session = Session::new(1, &recorder, addresses, TIMEOUT);
    for node in cluster.nodes() {
        wait_for("an empty outbox", PATIENCE, || is_drained(&mut session, node).then_some(()));
    }
    let books = provider.books();
    let mut paid: Vec<_> = books.executed.iter().map(|p| (p.refund.clone(), p.amount)).collect();
    paid.sort();
    let granted = (1..=REFUNDS).map(|number| (refund(number).to_string(), amount(number)));
    assert_eq!(paid, granted.collect::<Vec<_>>(), "each is paid once");
    assert!(books.asked.values().any(|times| *times > 1), "{:?}", books.asked);
    let sum: i64 = (1..=REFUNDS).map(amount).sum();
    for node in cluster.nodes() {
        for number in 1..=REFUNDS {
            let op_id = derived_op_id(refund(number), "paid");
            let found = session.look(node, Query::Operation { op_id });
            let is_booked = matches!(
                found,
                QueryResult::Operation(OperationState::Final {
                    disposition: Disposition::Applied,
                    ..
                })
            );
            assert!(is_booked, "node {node}: {found:?}");
        }
        let QueryResult::TrialBalance(view) = session.look(node, Query::TrialBalance) else {
            panic!("node {node} has no trial balance")
        };
        let of = |code| view.sums.iter().find(|(known, _)| *known == code).map(|(_, sum)| *sum);
        assert_eq!(of(LedgerCode::CASH), Some(i128::from(PAID - sum)), "{view:?}");
        assert_eq!(of(LedgerCode::REFUNDS), Some(0), "{view:?}");
    }
    cluster.stop_all();
}

fn is_drained(session: &mut Session<'_>, node: NodeId) -> bool {
    let query = Query::Outbox { after: Position::default(), limit: 100 };
    match session.look(node, query) {
        QueryResult::Outbox(page) => page.items.is_empty(),
        other => panic!("node {node}: {other:?}"),
    }
}
