//! Answers to monitoring: counters, health and readiness over HTTP, and notes to the service
//! manager.

mod http;
mod text;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::{env, fs, thread};

use anyhow::Context as _;
use clap::Args;
use sd_notify::NotifyState;

use self::http::Server;
use super::status::Status;
use crate::report::report;

/// The variable with the socket of the service manager: sd_notify(3).
const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Log and metrics")]
pub(crate) struct MetricsArgs {
    /// Serve counters for Prometheus at /metrics, and /healthz and /readyz, over HTTP on ADDRESS:
    /// tcp://127.0.0.1:9100, or unix:PATH
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<MetricsAddress>,
}

/// The address that metrics are served on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MetricsAddress {
    /// An address of TCP.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl MetricsArgs {
    /// Returns the path of the socket that metrics are served on, if it is one.
    pub(super) fn file(&self) -> Option<&Path> {
        match self.metrics.as_ref()? {
            MetricsAddress::Tcp(_) => None,
            MetricsAddress::Unix(path) => Some(path),
        }
    }

    /// Starts a thread that serves metrics and tells the service manager about the program,
    /// where either is asked for.
    pub(super) fn start(&self, status: &Arc<Status>) -> anyhow::Result<()> {
        let notifies = env::var_os(NOTIFY_SOCKET).is_some();
        if self.metrics.is_none() && !notifies {
            return Ok(());
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime of --metrics")?;
        let server = match &self.metrics {
            None => None,
            Some(address) => {
                let _guard = runtime.enter();
                let server = bind(address).with_context(|| format!("--metrics {address}"))?;
                if let Some(address) = server.address() {
                    report(format_args!("metrics on http://{address}/metrics"));
                }
                Some(server)
            }
        };
        let status = Arc::clone(status);
        let work = async move {
            let serving = async {
                match server {
                    Some(server) => server.run(&status).await,
                    None => std::future::pending().await,
                }
            };
            let notifying = async {
                if notifies {
                    notify_manager(&status).await;
                }
            };
            tokio::join!(serving, notifying)
        };
        thread::Builder::new()
            .name("metrics".to_owned())
            .spawn(move || runtime.block_on(work))
            .context("cannot start the thread of --metrics")?;
        Ok(())
    }
}

/// Tells the service manager when the program is ready, and when it stops.
async fn notify_manager(status: &Status) {
    let address = status.listening().await;
    let listening = format!("listening on {address}");
    notify(&[NotifyState::Ready, NotifyState::Status(&listening)]);
    status.stopping().await;
    notify(&[NotifyState::Stopping]);
}

/// Tells the service manager that settings are being read again, does it, and tells that it
/// is done.
pub(super) fn reloading(reload: impl FnOnce()) {
    let notifies = env::var_os(NOTIFY_SOCKET).is_some();
    if notifies {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => notify(&[NotifyState::Reloading, now]),
            Err(_) => notify(&[NotifyState::Reloading]),
        }
    }
    reload();
    if notifies {
        notify(&[NotifyState::Ready]);
    }
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "cannot notify the service manager");
    }
}

fn bind(address: &MetricsAddress) -> io::Result<Server> {
    match address {
        MetricsAddress::Tcp(address) => Server::tcp(*address),
        MetricsAddress::Unix(path) => {
            // A file that a killed process has left, at which nothing listens.
            let left = UnixStream::connect(path)
                .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
            if left {
                fs::remove_file(path)?;
            }
            Server::unix(path)
        }
    }
}

impl FromStr for MetricsAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected tcp://ADDRESS:PORT or unix:PATH".to_owned();
        if let Some(address) = text.strip_prefix("tcp://") {
            let address = address.parse().map_err(|_| wrong())?;
            return Ok(Self::Tcp(address));
        }
        match text.strip_prefix("unix:") {
            Some(path) if !path.is_empty() => {
                Ok(Self::Unix(path.strip_prefix("//").unwrap_or(path).into()))
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for MetricsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_of_tcp_or_a_path() {
        for text in ["tcp://127.0.0.1:9100", "tcp://[::1]:0", "unix:/run/m.sock"] {
            assert_eq!(text.parse::<MetricsAddress>().unwrap().to_string(), text);
        }
        let rule = "unix:///run/m.sock".parse::<MetricsAddress>();
        assert_eq!(rule, "unix:/run/m.sock".parse());
        for text in [
            "",
            "127.0.0.1:9100",
            "tcp://localhost:1",
            "unix:",
            "tcp://127.0.0.1",
        ] {
            assert!(text.parse::<MetricsAddress>().is_err(), "{text}");
        }
    }
}
