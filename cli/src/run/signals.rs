use std::sync::{Arc, OnceLock};
use std::time::Duration;
use std::{fmt, io, thread};

use asyncio_streams_host::StopHandle;
use asyncio_streams_host::tls::Tls;

#[cfg(unix)]
use super::tls;
use crate::cli::say;

/// A request to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// SIGINT, or Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Stop {
    /// The exit code for a process that it stopped.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        })
    }
}

/// How long a program may take to give way when its time is over: it cannot be
/// dropped while it computes without a pause.
pub(super) const COMPUTING: Duration = Duration::from_secs(2);

/// The first request to stop, once there is one.
pub(crate) type FirstStop = Arc<OnceLock<Stop>>;

/// Has the first request stop the runs of the program. The process ends at the second one, or
/// when the program has not ended some time after its grace, from a thread of its
/// own. SIGHUP has the files of `files` read again; without, it means what it does
/// to any process.
pub(crate) fn watch(
    program: Vec<StopHandle>,
    grace: Duration,
    files: Option<Tls>,
) -> io::Result<FirstStop> {
    let first = FirstStop::default();
    let seen = Arc::clone(&first);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut requests = {
        let _guard = runtime.enter();
        Requests::new(files)?
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                let stop = requests.next().await;
                let _ = seen.set(stop);
                program.iter().for_each(StopHandle::stop);
                let grace = if program.iter().any(StopHandle::has_served) {
                    grace
                } else {
                    Duration::ZERO
                };
                let limit = grace.saturating_add(COMPUTING);
                let last = tokio::time::timeout(limit, requests.next()).await;
                program.iter().for_each(StopHandle::reset_unfinished);
                if last.is_err() {
                    say(format_args!(
                        "the program computes and did not give way within {limit:?} of {stop}; the \
                         process ends"
                    ));
                }
                std::process::exit(i32::from(last.unwrap_or(stop).code()));
            });
        })?;
    Ok(first)
}

#[cfg(unix)]
struct Requests {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: Option<(tokio::signal::unix::Signal, Tls)>,
}

#[cfg(unix)]
impl Requests {
    fn new(files: Option<Tls>) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let hang_up = files.map(|files| Ok::<_, io::Error>((signal(SignalKind::hangup())?, files)));
        Ok(Self {
            hang_up: hang_up.transpose()?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Stop {
        loop {
            let hang_up = async {
                match &mut self.hang_up {
                    Some((signal, files)) => signal.recv().await.map(|()| files),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = self.interrupt.recv() => return Stop::Interrupt,
                _ = self.terminate.recv() => return Stop::Terminate,
                Some(files) = hang_up => tls::reload(files),
            }
        }
    }
}

#[cfg(not(unix))]
struct Requests;

#[cfg(not(unix))]
impl Requests {
    fn new(_: Option<Tls>) -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Stop {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Stop::Interrupt,
            Err(_) => std::future::pending().await,
        }
    }
}
