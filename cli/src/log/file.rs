use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use asyncio_streams_host::Output;

use super::LogFormat;
use crate::output;

/// The mode of a log's file that is made.
const MODE: u32 = 0o640;

/// A log's file. A thread writes it, so that a slow disk delays no connection.
pub(super) struct LogFile {
    path: PathBuf,
    format: LogFormat,
    state: Mutex<State>,
}

struct State {
    output: Output,
    /// The number of events for which there was no room.
    lost: u64,
}

impl LogFile {
    pub(super) fn open(path: PathBuf, format: LogFormat) -> io::Result<Self> {
        let output = open(&path)?;
        Ok(Self {
            path,
            format,
            state: Mutex::new(State { output, lost: 0 }),
        })
    }

    /// Writes an event, or counts it as lost.
    pub(super) fn write(&self, event: &[u8]) {
        let mut state = self.state();
        let written = match state.lost {
            0 => state.output.try_write(event),
            lost => state
                .output
                .try_write(&[self.lost_event(lost).as_bytes(), event].concat()),
        };
        if written {
            state.lost = 0;
            return;
        }
        state.lost += 1;
        if state.lost == 1 {
            output::message(&format!(
                "asyncio-streams: {} takes no events: the log is being lost until it does, or \
                 until SIGHUP opens it anew\n",
                self.path.display()
            ));
        }
    }

    pub(super) fn reopen(&self) {
        match open(&self.path) {
            // Dropping the old output leaves its thread to write what it has.
            Ok(output) => self.state().output = output,
            Err(error) => output::message(&format!(
                "asyncio-streams: cannot open {} anew: {error}; the log goes on where it went\n",
                self.path.display()
            )),
        }
    }

    pub(super) fn give_up_at(&self, deadline: Instant) {
        self.output().give_up_at(deadline);
    }

    pub(super) fn finish(&self) {
        self.output().finish();
    }

    fn output(&self) -> Output {
        self.state().output.clone()
    }

    fn lost_event(&self, lost: u64) -> String {
        match self.format {
            LogFormat::Text => format!("WARN {lost} events were lost: the log took none\n"),
            LogFormat::Json => format!(
                "{{\"level\":\"WARN\",\"message\":\"events were lost: the log took none\",\
                 \"lost\":{lost}}}\n"
            ),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(path: &Path) -> io::Result<Output> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(MODE);
    Ok(Output::new(options.open(path)?))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_was_renamed_is_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("log"), folder.path().join("log.1"));
        let log = LogFile::open(path.clone(), LogFormat::Text).unwrap();
        log.write(b"one\n");
        log.finish();
        fs::rename(&path, &old).unwrap();
        log.write(b"two\n");
        log.finish();
        log.reopen();
        log.write(b"three\n");
        log.finish();
        assert_eq!(fs::read_to_string(old).unwrap(), "one\ntwo\n");
        assert_eq!(fs::read_to_string(path).unwrap(), "three\n");
    }

    #[test]
    fn events_that_found_no_room_are_counted_in_the_form_of_the_log() {
        let path = PathBuf::from("/dev/null");
        let json = LogFile::open(path, LogFormat::Json).unwrap();
        let event: serde_json::Value = serde_json::from_str(&json.lost_event(7)).unwrap();
        assert_eq!(event["lost"], 7);
    }
}
