use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use std::{fmt, future, io, thread};

use asyncio_streams_host::StopHandle;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::reload::Reload;
use crate::output;
use crate::report::report;

/// The time for a call of the host to return after the grace. A program is dropped wherever it
/// computes or waits, but not within such a call.
pub(super) const IN_THE_HOST: Duration = Duration::from_secs(2);

/// The time that the readers of a program's output have after a signal, if the program is
/// not a server.
const UNWRITTEN: Duration = Duration::from_secs(1);

/// The first signal that asked the program to stop, once there is one.
pub(crate) type FirstStop = Arc<OnceLock<Stop>>;

/// A signal that asks the program to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Stop {
    /// The exit code of a process that this signal stopped, as a shell shows it.
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

/// Starts a thread that handles signals.
///
/// The first SIGINT or SIGTERM stops the runs of the program. The process ends at the second
/// one, or when the runs have not ended [`IN_THE_HOST`] after their grace. SIGHUP runs
/// `reload`; without it, it ends the process, as by default.
pub(crate) fn watch(
    runs: Vec<StopHandle>,
    grace: Duration,
    reload: Option<Reload>,
) -> io::Result<FirstStop> {
    let first = FirstStop::default();
    let seen = Arc::clone(&first);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // Before this returns, so that no signal is missed.
    let mut signals = {
        let _guard = runtime.enter();
        Signals::new(reload)?
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                let stop = signals.next_stop().await;
                let _ = seen.set(stop);
                let code = stop_all(&runs, grace, stop, &mut signals).await;
                output::exit_at_once(code);
            });
        })?;
    Ok(first)
}

/// Stops the runs, waits for the second signal or until their time is over, and returns the
/// exit code. When the runs end in time, the process ends during the wait.
async fn stop_all(runs: &[StopHandle], grace: Duration, stop: Stop, signals: &mut Signals) -> u8 {
    runs.iter().for_each(StopHandle::stop);
    let (grace, unwritten) = match runs.iter().any(StopHandle::has_served) {
        true => (grace, grace),
        false => (Duration::ZERO, grace.min(UNWRITTEN)),
    };
    if let Some(deadline) = Instant::now().checked_add(unwritten) {
        output::give_up_at(deadline);
    }
    let limit = grace.saturating_add(IN_THE_HOST);
    let second = tokio::time::timeout(limit, signals.next_stop()).await;
    runs.iter().for_each(StopHandle::reset_unfinished);
    if second.is_err() {
        report(format_args!(
            "the program is in a call of the host and did not end within {limit:?} of {stop}; the \
             process ends"
        ));
    }
    second.unwrap_or(stop).code()
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Option<(Signal, Reload)>,
}

impl Signals {
    fn new(reload: Option<Reload>) -> io::Result<Self> {
        let hang_up =
            reload.map(|reload| Ok::<_, io::Error>((signal(SignalKind::hangup())?, reload)));
        Ok(Self {
            hang_up: hang_up.transpose()?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for SIGINT or SIGTERM, and handles SIGHUP meanwhile.
    async fn next_stop(&mut self) -> Stop {
        loop {
            let hang_up = async {
                match &mut self.hang_up {
                    Some((signal, reload)) => signal.recv().await.map(|()| reload),
                    None => future::pending().await,
                }
            };
            tokio::select! {
                _ = self.interrupt.recv() => return Stop::Interrupt,
                _ = self.terminate.recv() => return Stop::Terminate,
                Some(reload) = hang_up => reload.run(),
            }
        }
    }
}
