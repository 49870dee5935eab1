//! Standard output and standard error, without a program that blocks the host.

mod guest;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::ops::Deref;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::fstat;
use rustix::io::Errno;

use crate::lock::lock;

/// The number of bytes of a guest that wait to be written. A guest with more waits.
const BUFFER: usize = 1024 * 1024;

/// The number of bytes beyond [`BUFFER`] that only the host's own messages may take.
const RESERVE: usize = 64 * 1024;

/// The number of bytes that are written at a time. A slow reader's progress shows after
/// each of them.
const CHUNK: usize = 4096;

/// The number of free bytes that wakes a waiting guest at once.
const ROOM: usize = 64 * 1024;

/// The time between two wake-ups of a guest for which there is less room.
const WAKE: Duration = Duration::from_millis(100);

/// The time that a file has at the end in any case.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// A standard stream that guests and the host write to: a bounded buffer, which a thread
/// of its own writes to a file.
///
/// It never blocks the thread that runs a guest. WASI 0.3 and 0.2 share it:
///
/// - A guest's byte stream of WASI 0.3 waits while the buffer is full. Nothing else of the
///   guest does.
/// - A call of WASI 0.2 has to answer before the guest goes on. It waits for a reader that
///   takes something, and fails with "would block" when the reader of a full buffer has
///   taken nothing for 5 s.
/// - [`try_write`](Self::try_write), for the host's messages, never waits.
///
/// When the file's reader is gone, a guest's next write fails with "broken pipe", as any
/// write to such a file. A process that ends calls [`finish`](Self::finish) first.
///
/// ```no_run
/// use asyncio_streams_host::Output;
/// use wasmtime_wasi::WasiCtx;
///
/// # fn main() -> std::io::Result<()> {
/// let stdout = Output::stdout()?;
/// let wasi = WasiCtx::builder()
///     .inherit_stdin()
///     .stdout(stdout.clone())
///     .stderr(Output::stderr()?)
///     .build();
/// // Run the program, then:
/// stdout.finish();
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Output(Arc<Owner>);

/// The result of [`Output::finish`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Finished {
    /// The number of bytes that the file did not take before the deadline of [`Output::give_up_at`].
    pub unwritten: usize,
    /// The error of the file, if it failed and no guest was told.
    pub failure: Option<io::Error>,
}

/// Ends the writing thread when the last output of the file is gone and all is written.
#[derive(Debug)]
struct Owner(Arc<Shared>);

impl Deref for Owner {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        lock(&self.state).closed = true;
        self.filled.notify_one();
    }
}

#[derive(Debug)]
struct Shared {
    file: File,
    state: Mutex<State>,
    /// Wakes the writing thread.
    filled: Condvar,
    /// Wakes [`Output::finish`].
    progress: Condvar,
}

#[derive(Debug)]
struct State {
    /// Bytes that the thread has not taken.
    queued: Vec<u8>,
    /// The number of bytes that the thread has in hand.
    in_hand: usize,
    /// The error after which the file takes no more.
    failure: Option<Errno>,
    /// A guest was told of the failure.
    told: bool,
    /// Guests that wait for room.
    waiting: Vec<Waker>,
    /// The moment of the last wake-up of guests.
    woken: Instant,
    /// The moment when the file took something last, or the buffer was empty.
    taken: Instant,
    /// The moment from which nothing waits for the file any more.
    deadline: Option<Instant>,
    /// The writing thread runs.
    started: bool,
    /// No output of the file is left.
    closed: bool,
}

impl Output {
    /// Makes an output of a file, a pipe or a terminal.
    #[must_use]
    pub fn new(file: impl Into<OwnedFd>) -> Self {
        let now = Instant::now();
        Self(Arc::new(Owner(Arc::new(Shared {
            file: File::from(file.into()),
            state: Mutex::new(State {
                queued: Vec::new(),
                in_hand: 0,
                failure: None,
                told: false,
                waiting: Vec::new(),
                woken: now,
                taken: now,
                deadline: None,
                started: false,
                closed: false,
            }),
            filled: Condvar::new(),
            progress: Condvar::new(),
        }))))
    }

    /// Returns the standard output of this process, the same one each time.
    ///
    /// # Errors
    ///
    /// Fails when the process has no descriptor left.
    pub fn stdout() -> io::Result<Self> {
        static STDOUT: OnceLock<Output> = OnceLock::new();
        once(&STDOUT, || {
            Ok(Self::new(io::stdout().as_fd().try_clone_to_owned()?))
        })
    }

    /// Returns the standard error of this process, the same one each time. It is
    /// [`stdout`](Self::stdout) when both are the same file, so that their lines stay in
    /// order.
    ///
    /// # Errors
    ///
    /// Fails when the process has no descriptor left.
    pub fn stderr() -> io::Result<Self> {
        static STDERR: OnceLock<Output> = OnceLock::new();
        once(&STDERR, || {
            let stderr = io::stderr();
            let (own, other) = (fstat(&stderr), fstat(io::stdout()));
            let same = own.is_ok_and(|own| {
                other.is_ok_and(|other| (own.st_dev, own.st_ino) == (other.st_dev, other.st_ino))
            });
            match same {
                true => Self::stdout(),
                false => Ok(Self::new(stderr.as_fd().try_clone_to_owned()?)),
            }
        })
    }

    /// Returns true if the file is a terminal.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.0.file.is_terminal()
    }

    /// Writes a message of the host. Returns false if the buffer has no room for it, or the
    /// file has failed: the message is lost.
    pub fn try_write(&self, message: &[u8]) -> bool {
        let mut state = lock(&self.0.state);
        let room = (BUFFER + RESERVE).saturating_sub(state.unwritten());
        if state.failure.is_some() || room < message.len() {
            return false;
        }
        self.push(&mut state, message);
        true
    }

    /// Waits until the file has taken everything, or until the moment of
    /// [`give_up_at`](Self::give_up_at), but 100 ms at least: a last message needs them.
    pub fn finish(&self) -> Finished {
        let least = Instant::now() + LAST_WORDS;
        let mut state = lock(&self.0.state);
        loop {
            let wait = match state.deadline.map(|deadline| deadline.max(least)) {
                _ if state.unwritten() == 0 => break,
                None => None,
                Some(deadline) => match deadline.checked_duration_since(Instant::now()) {
                    None => break,
                    wait => wait,
                },
            };
            state = wait_for(&self.0.progress, state, wait);
        }
        Finished {
            unwritten: state.unwritten(),
            failure: state.failure.filter(|_| !state.told).map(Into::into),
        }
    }

    /// Sets the moment from which neither [`finish`](Self::finish) nor a guest's call of
    /// WASI 0.2 waits for the file. An earlier moment replaces a later one.
    pub fn give_up_at(&self, deadline: Instant) {
        let mut state = lock(&self.0.state);
        let earlier = state.deadline.is_none_or(|before| deadline < before);
        if earlier {
            state.deadline = Some(deadline);
        }
        self.0.progress.notify_all();
        state.wake(Instant::now());
    }

    /// Appends as much as a guest may write. Pending if that is nothing.
    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = lock(&self.0.state);
        match state.room() {
            Ok(0) if !bytes.is_empty() => {
                state.wait(cx);
                Poll::Pending
            }
            Ok(room) => {
                let count = room.min(bytes.len());
                self.push(&mut state, bytes.get(..count).unwrap_or(bytes));
                Poll::Ready(Ok(count))
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Ready when a guest may write something, or the file has failed.
    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(&self.0.state);
        match state.room() {
            Ok(0) => {
                state.wait(cx);
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    /// The number of bytes that a guest may write now.
    fn room(&self) -> io::Result<usize> {
        lock(&self.0.state).room()
    }

    /// The time until the reader of a full buffer has taken nothing for `patience`.
    /// `None` when that time is over.
    fn patience_left(&self, patience: Duration) -> Option<Duration> {
        let state = lock(&self.0.state);
        let end = state.taken.checked_add(patience)?;
        let end = state.deadline.map_or(end, |deadline| end.min(deadline));
        end.checked_duration_since(Instant::now())
    }

    fn push(&self, state: &mut State, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if state.unwritten() == 0 {
            state.taken = Instant::now();
        }
        state.queued.extend_from_slice(bytes);
        if !state.started {
            state.started = self.start();
            if !state.started {
                state.fail(Errno::AGAIN);
            }
        }
        self.0.filled.notify_one();
    }

    fn start(&self) -> bool {
        let shared = Arc::clone(&self.0.0);
        let thread = thread::Builder::new().name("output".to_owned());
        thread.spawn(move || shared.write_all()).is_ok()
    }
}

impl Shared {
    /// Writes what is queued, until the file fails or no output of it is left.
    fn write_all(&self) {
        let mut data = Vec::new();
        loop {
            data.clear();
            {
                let mut state = lock(&self.state);
                while state.queued.is_empty() {
                    if state.closed {
                        return;
                    }
                    state = wait_for(&self.filled, state, None);
                }
                std::mem::swap(&mut state.queued, &mut data);
                state.in_hand = data.len();
            }
            for chunk in data.chunks(CHUNK) {
                if let Err(errno) = self.write_chunk(chunk) {
                    let mut state = lock(&self.state);
                    state.fail(errno);
                    self.progress.notify_all();
                    return;
                }
            }
        }
    }

    fn write_chunk(&self, mut chunk: &[u8]) -> Result<(), Errno> {
        while !chunk.is_empty() {
            match (&self.file).write(chunk) {
                Ok(count) => {
                    chunk = chunk.get(count..).unwrap_or_default();
                    let mut state = lock(&self.state);
                    state.took(count);
                    if state.unwritten() == 0 {
                        self.progress.notify_all();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The process that started this one may have made the file non-blocking.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut files = [PollFd::new(&self.file, PollFlags::OUT)];
                    poll(&mut files, None).or_else(|errno| match errno {
                        Errno::INTR => Ok(0),
                        errno => Err(errno),
                    })?;
                }
                Err(error) => return Err(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
            }
        }
        Ok(())
    }
}

impl State {
    fn unwritten(&self) -> usize {
        self.queued.len().saturating_add(self.in_hand)
    }

    /// The number of bytes that a guest may write. A guest that gets the error has been
    /// told of it.
    fn room(&mut self) -> io::Result<usize> {
        match self.failure {
            None => Ok(BUFFER.saturating_sub(self.unwritten())),
            Some(errno) => {
                self.told = true;
                Err(errno.into())
            }
        }
    }

    fn wait(&mut self, cx: &Context<'_>) {
        if !self.waiting.iter().any(|it| it.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
    }

    /// The file took `count` bytes. Wakes guests when there is room enough, and now and then
    /// when a slow reader leaves little.
    fn took(&mut self, count: usize) {
        self.in_hand = self.in_hand.saturating_sub(count);
        self.taken = Instant::now();
        let room = BUFFER.saturating_sub(self.unwritten());
        let due = self.taken.duration_since(self.woken) >= WAKE;
        if !self.waiting.is_empty() && room > 0 && (room >= ROOM || due) {
            self.wake(self.taken);
        }
    }

    fn wake(&mut self, now: Instant) {
        self.woken = now;
        self.waiting.drain(..).for_each(Waker::wake);
    }

    fn fail(&mut self, errno: Errno) {
        self.failure = Some(errno);
        self.queued = Vec::new();
        self.in_hand = 0;
        self.wake(Instant::now());
    }
}

/// Returns the output of `slot`, made at the first call.
fn once(
    slot: &'static OnceLock<Output>,
    make: impl FnOnce() -> io::Result<Output>,
) -> io::Result<Output> {
    if let Some(output) = slot.get() {
        return Ok(output.clone());
    }
    let made = make()?;
    Ok(slot.get_or_init(|| made).clone())
}

/// Waits for `condition`, for at most `time`.
fn wait_for<'a>(
    condition: &Condvar,
    state: MutexGuard<'a, State>,
    time: Option<Duration>,
) -> MutexGuard<'a, State> {
    // Poisoning is ignored, as in `lock`.
    match time {
        None => condition
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner),
        Some(time) => match condition.wait_timeout(state, time) {
            Ok((state, _)) => state,
            Err(poisoned) => poisoned.into_inner().0,
        },
    }
}
