//! One client: one operation at a time, its session token, and a connection to every node.
//! Everything it does is recorded.

use crate::api::{header_of, path_of, read_answer, request_of, write_answer};
use crate::cluster::PATIENCE;
use crate::http_client::HttpClient;
use crate::record::Recorder;
use crate::stopwatch::wait_for;
use billing_wire::{
    Query, QueryResult, Read, ReadAnswer, ReadLevel, Receipt, Submission, Token, WriteAnswer,
};
use billsim_oracle::{Answer, Endpoint, Request};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// A client of a cluster.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    number: u32,
    recorder: &'a Recorder,
    nodes: BTreeMap<Endpoint, HttpClient>,
    token: Option<Token>,
    last_status: Option<u16>,
}

impl<'a> Session<'a> {
    /// `timeout`: how long it waits for an answer.
    pub(crate) fn new(
        number: u32,
        recorder: &'a Recorder,
        nodes: impl IntoIterator<Item = (impl Into<Endpoint>, SocketAddr)>,
        timeout: Duration,
    ) -> Self {
        let mut clients = BTreeMap::new();
        for (to, address) in nodes {
            clients.insert(to.into(), HttpClient::new(address, timeout));
        }
        Self { number, recorder, nodes: clients, token: None, last_status: None }
    }

    /// Sends a submission once.
    pub(crate) fn write(
        &mut self,
        to: impl Into<Endpoint>,
        submission: &Submission,
        retry: bool,
    ) -> Answer {
        let to = to.into();
        let request = Request::write(submission.clone(), self.token);
        let call = self.recorder.invoke(self.number, to, request, retry);
        let key = submission.op_id.to_string();
        let token = self.token.as_ref().map(header_of);
        let mut headers = vec![("idempotency-key", key.as_str())];
        headers.extend(token.as_deref().map(|token| ("session-token", token)));
        let (path, body) = request_of(&submission.command);
        let body = body.to_string();
        let client = self.nodes.get_mut(&to).expect("it knows its address");
        let reply = client.send("POST", path, &headers, body.as_bytes());
        self.last_status = reply.as_ref().ok().map(|reply| reply.status);
        let answer = write_answer(submission, reply);
        if let Answer::Write(WriteAnswer::Done(receipt)) = &answer {
            self.token = Some(receipt.token);
        }
        self.recorder.returned(call, answer.clone());
        answer
    }

    /// Status of the answer to the last write, if there was one.
    pub(crate) fn last_status(&self) -> Option<u16> {
        self.last_status
    }

    /// Sends a submission to a node until it has a receipt.
    ///
    /// # Panics
    /// When a healthy cluster would long have given one.
    pub(crate) fn insist(&mut self, to: impl Into<Endpoint>, submission: &Submission) -> Receipt {
        let (to, mut retry) = (to.into(), false);
        wait_for(&format!("a receipt for {submission:?}"), PATIENCE, || {
            let answer = self.write(to, submission, retry);
            retry = true;
            match answer {
                Answer::Write(WriteAnswer::Done(receipt)) => Some(receipt),
                _ => None,
            }
        })
    }

    /// Reads; at the levels above `local` with what the session has seen.
    pub(crate) fn read(
        &mut self,
        to: impl Into<Endpoint>,
        query: Query,
        level: ReadLevel,
    ) -> Option<ReadAnswer> {
        let token = self.token.filter(|_| level != ReadLevel::Local);
        let (to, read) = (to.into(), Read { query, level, token });
        let call = self.recorder.invoke(self.number, to, Request::Read(read), false);
        let header = token.as_ref().map(header_of);
        let headers: Vec<_> =
            header.as_deref().map(|token| ("session-token", token)).into_iter().collect();
        let client = self.nodes.get_mut(&to).expect("it knows its address");
        let answer = read_answer(&read, client.send("GET", &path_of(&read), &headers, &[]));
        let found = match &answer {
            Answer::Read(found) => Some((**found).clone()),
            _ => None,
        };
        if let Some(found) = found.as_ref().filter(|_| level != ReadLevel::Local) {
            self.token = Some(found.token);
        }
        self.recorder.returned(call, answer);
        found
    }

    /// What a node says to a query, whatever the session has seen.
    ///
    /// # Panics
    /// When it does not answer.
    pub(crate) fn look(&mut self, to: impl Into<Endpoint>, query: Query) -> QueryResult {
        self.read(to, query, ReadLevel::Local).expect("a healthy node answers").result
    }
}
