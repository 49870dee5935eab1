//! A server of HTTP/1.1 for three pages, one request a connection.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;

use super::text;
use crate::run::status::Status;

/// The time that a request may take, from the connection to the last byte of its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The time that a program has to answer before it counts as hanging.
const ALIVE: Duration = Duration::from_secs(2);

/// The number of connections at a time. Others wait in the kernel's queue.
const CONNECTIONS: usize = 32;

/// The length of a request, in bytes.
const REQUEST: usize = 8 * 1024;

/// The number of a request's headers.
const HEADERS: usize = 64;

/// The time after which accepting is tried again when it fails, such as for want of
/// descriptors.
const RETRY: Duration = Duration::from_millis(100);

const TEXT: &str = "text/plain; charset=utf-8";

/// The type of Prometheus' text format.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A listener for requests.
pub(super) enum Server {
    Tcp(TcpListener),
    Unix(UnixListener),
}

struct Answer {
    status: &'static str,
    media: &'static str,
    body: String,
}

impl Server {
    pub(super) fn tcp(address: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self::Tcp(TcpListener::from_std(listener)?))
    }

    pub(super) fn unix(path: &Path) -> io::Result<Self> {
        Ok(Self::Unix(UnixListener::bind(path)?))
    }

    /// The address of TCP that it listens on.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }

    /// Serves for ever.
    pub(super) async fn run(self, status: &Arc<Status>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let accepted = match &self {
                Self::Tcp(listener) => {
                    let accepted = listener.accept().await;
                    accepted.map(|(stream, _)| serve(stream, Arc::clone(status), place))
                }
                Self::Unix(listener) => {
                    let accepted = listener.accept().await;
                    accepted.map(|(stream, _)| serve(stream, Arc::clone(status), place))
                }
            };
            if accepted.is_err() {
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Answers one request in a task of its own. `place` is free when that is done.
fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    status: Arc<Status>,
    place: impl Send + 'static,
) {
    tokio::spawn(async move {
        // A peer that is too slow, or gone, gets no answer.
        let _ = tokio::time::timeout(PATIENCE, exchange(stream, &status)).await;
        drop(place);
    });
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    status: &Status,
) -> io::Result<()> {
    let mut request = Vec::new();
    let (answer, with_body) = loop {
        let mut chunk = [0; 1024];
        let count = stream.read(&mut chunk).await?;
        if count == 0 {
            return Ok(());
        }
        request.extend_from_slice(chunk.get(..count).unwrap_or_default());
        match parse(&request) {
            Ok(Some((method, path))) => {
                let answer = match method {
                    "GET" | "HEAD" => answer(path, status).await,
                    _ => Answer::text("405 Method Not Allowed", "only GET and HEAD are known"),
                };
                break (answer, method != "HEAD");
            }
            Ok(None) if request.len() < REQUEST => {}
            _ => break (Answer::text("400 Bad Request", "not a request"), true),
        }
    };
    let Answer {
        status,
        media,
        body,
    } = answer;
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {}\r\nCache-Control: \
         no-store\r\nConnection: close\r\n\r\n",
        body.len()
    );
    if with_body {
        bytes.push_str(&body);
    }
    stream.write_all(bytes.as_bytes()).await?;
    stream.shutdown().await
}

/// The method and the path of a request, without its query. `None` while it is not whole.
fn parse(bytes: &[u8]) -> Result<Option<(&str, &str)>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    if request.parse(bytes)?.is_partial() {
        return Ok(None);
    }
    let path = request.path.unwrap_or_default();
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    Ok(Some((request.method.unwrap_or_default(), path)))
}

async fn answer(path: &str, status: &Status) -> Answer {
    match path {
        "/metrics" => Answer {
            status: "200 OK",
            media: EXPOSITION,
            body: text::render(status).await,
        },
        "/healthz" => match status.hanging(ALIVE).await {
            None => Answer::text("200 OK", "ok"),
            Some(number) => Answer {
                body: format!("worker {number} does not answer: the program computes\n"),
                ..Answer::text("503 Service Unavailable", "")
            },
        },
        "/readyz" => match status.not_ready() {
            None => Answer::text("200 OK", "ok"),
            Some(reason) => Answer::text("503 Service Unavailable", reason),
        },
        _ => Answer::text("404 Not Found", "there are /metrics, /healthz and /readyz"),
    }
}

impl Answer {
    fn text(status: &'static str, line: &str) -> Self {
        Self {
            status,
            media: TEXT,
            body: format!("{line}\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_parsed_once_it_is_whole() {
        let whole = b"GET /metrics?a=b HTTP/1.1\r\nHost: a\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(parse(&whole[..end]), Ok(None), "{end}");
        }
        assert_eq!(parse(whole), Ok(Some(("GET", "/metrics"))));
        assert!(parse(b"\x16\x03\x01\x00").is_err());
    }
}
