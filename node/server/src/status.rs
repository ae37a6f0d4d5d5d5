//! `status`: asks a running node how it is.

use clap::Args;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;
use thiserror::Error;

/// Ask a running node how it is; exits with 1 when it cannot serve.
///
/// Prints what the node answers to `GET /readyz`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Where the node serves clients
    #[arg(long, default_value = "http://127.0.0.1:8100")]
    url: String,
}

/// Why there is no good answer.
#[derive(Debug, Error)]
pub(crate) enum StatusError {
    #[error("--url '{0}': http://HOST:PORT expected")]
    Url(String),
    #[error("no answer from {url}: {source}")]
    Io { url: String, source: io::Error },
    #[error("{url} answers with what is no HTTP")]
    NoHttp { url: String },
    #[error("{url} cannot serve now ({status}): {body}")]
    NotReady { url: String, status: String, body: String },
}

const TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of an answer, at most.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

impl Status {
    pub(crate) fn run(self) -> Result<(), StatusError> {
        let url = self.url;
        let host = url.strip_prefix("http://").map(|host| host.trim_end_matches('/'));
        let Some(host) = host.filter(|host| !host.contains('/') && host.contains(':')) else {
            return Err(StatusError::Url(url));
        };
        let answer =
            get(host, "/readyz").map_err(|source| StatusError::Io { url: url.clone(), source })?;
        let Some((head, body)) = answer.split_once("\r\n\r\n") else {
            return Err(StatusError::NoHttp { url });
        };
        let status = head.lines().next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
        match status {
            None => Err(StatusError::NoHttp { url }),
            Some(status) if status.starts_with("200") => {
                #[expect(clippy::print_stdout, reason = "the command line talks to people")]
                {
                    println!("{body}");
                }
                Ok(())
            }
            Some(status) => {
                let (status, body) = (status.to_owned(), body.to_owned());
                Err(StatusError::NotReady { url, status, body })
            }
        }
    }
}

fn get(host: &str, path: &str) -> io::Result<String> {
    let nowhere = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let address = host.to_socket_addrs()?.next().ok_or_else(nowhere)?;
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}
