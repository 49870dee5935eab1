//! The standard streams of the process: what the program and the command itself write.

use std::io;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use asyncio_streams_host::{Finished, Output};

use crate::log;
use crate::report::report;

/// The exit code when the reader of standard output is gone and the program was not told:
/// the one that a shell shows for a process that SIGPIPE ended.
const BROKEN_PIPE: u8 = 141;

/// The exit code when standard output cannot be written, and the program was not told.
const NOT_WRITTEN: u8 = 1;

/// The number of messages that were lost because standard error took none.
static LOST: AtomicU64 = AtomicU64::new(0);

/// Writes a message to standard error without waiting for its reader.
pub(crate) fn message(text: &str) {
    let Ok(stderr) = Output::stderr() else {
        return;
    };
    let lost = LOST.swap(0, Ordering::Relaxed);
    let written = match lost {
        0 => stderr.try_write(text.as_bytes()),
        _ => stderr.try_write(
            format!("asyncio-streams: {lost} messages were lost: standard error was full\n{text}")
                .as_bytes(),
        ),
    };
    if !written {
        LOST.fetch_add(lost.saturating_add(1), Ordering::Relaxed);
    }
}

/// Has nothing wait for the readers of the standard streams from then on.
pub(crate) fn give_up_at(deadline: Instant) {
    for output in [Output::stdout(), Output::stderr()].into_iter().flatten() {
        output.give_up_at(deadline);
    }
    log::give_up_at(deadline);
}

/// Waits until the standard streams are written, and returns the exit code of a process
/// that would have ended with `code`.
pub(crate) fn finish(code: u8) -> u8 {
    let code = match Output::stdout() {
        Ok(stdout) => after_stdout(&stdout.finish(), code),
        Err(_) => code,
    };
    if let Ok(stderr) = Output::stderr() {
        let _ = stderr.finish();
    }
    log::finish();
    code
}

/// Ends the process, and leaves the readers of the standard streams little time.
pub(crate) fn exit_at_once(code: u8) -> ! {
    give_up_at(Instant::now());
    process::exit(i32::from(finish(code)))
}

fn after_stdout(finished: &Finished, code: u8) -> u8 {
    if finished.unwritten > 0 {
        report(format_args!(
            "the last {} bytes of the program's output were not written: its reader takes nothing",
            finished.unwritten
        ));
    }
    match &finished.failure {
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe && code == 0 => BROKEN_PIPE,
        Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            report(format_args!("cannot write the program's output: {error}"));
            code.max(NOT_WRITTEN)
        }
        _ => code,
    }
}
