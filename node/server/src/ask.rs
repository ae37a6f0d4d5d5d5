//! One request to a running node, for the commands that talk to one: no client library is needed
//! for a line of HTTP on loopback.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;
use thiserror::Error;

/// How long a node may take to answer; a seal takes the longest.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer, at most.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Why there is no answer.
#[derive(Debug, Error)]
pub(crate) enum AskError {
    #[error("--url '{0}': http://HOST:PORT expected")]
    Url(String),
    #[error("no answer from {url}: {source}")]
    Io { url: String, source: io::Error },
    #[error("{url} answers with what is no HTTP")]
    NoHttp { url: String },
}

/// What a node answered.
#[derive(Debug)]
pub(crate) struct Reply {
    /// `200 OK`
    pub(crate) status: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn is_ok(&self) -> bool {
        self.status.starts_with("200")
    }
}

/// Sends `METHOD PATH` with this body to the node at `url`.
///
/// # Errors
/// See [`AskError`].
pub(crate) fn ask(url: &str, request: &str, body: &str) -> Result<Reply, AskError> {
    ask_with(url, request, &[], body)
}

/// As [`ask`], with these headers.
///
/// # Errors
/// See [`AskError`].
pub(crate) fn ask_with(
    url: &str,
    request: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Reply, AskError> {
    let host = url.strip_prefix("http://").map(|host| host.trim_end_matches('/'));
    let Some(host) = host.filter(|host| !host.contains('/') && host.contains(':')) else {
        return Err(AskError::Url(url.to_owned()));
    };
    let answer = exchange(host, request, headers, body)
        .map_err(|source| AskError::Io { url: url.to_owned(), source })?;
    let no_http = || AskError::NoHttp { url: url.to_owned() };
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(no_http)?;
    let status = head.lines().next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
    let status = status.ok_or_else(no_http)?.to_owned();
    Ok(Reply { status, body: body.to_owned() })
}

fn exchange(host: &str, request: &str, headers: &[(&str, &str)], body: &str) -> io::Result<String> {
    let nowhere = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let address = host.to_socket_addrs()?.next().ok_or_else(nowhere)?;
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let (length, mut head) = (body.len(), String::new());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    // One write: a request that is cut short by a kill is no request.
    let message = format!(
        "{request} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n{head}connection: close\r\n\r\n{body}"
    );
    stream.write_all(message.as_bytes())?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}
