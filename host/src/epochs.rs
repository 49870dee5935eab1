//! The clock that makes guests give way while they compute.
//!
//! Compiled code compares the epoch of its engine with the deadline of its store, at the
//! start of each function and at each turn of a loop. One thread of the process advances
//! the epochs of all engines with guests. It sleeps while no guest runs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, io, thread};

use wasmtime::{Engine, Store, UpdateDeadline};

use crate::lock::lock;

/// The time for which a guest computes before it gives way to the rest of its thread.
const SLICE: Duration = Duration::from_millis(2);

/// The slices without a turn of a guest after which the thread sleeps.
const QUIET: u32 = 500;

static CLOCK: Clock = Clock::new();

struct Clock {
    engines: Mutex<Engines>,
    /// Wakes the thread.
    waking: Condvar,
    /// Counts the slices.
    slices: AtomicU64,
    /// A guest has had a turn in this slice.
    active: AtomicBool,
    /// The thread sleeps until a guest has a turn.
    asleep: AtomicBool,
}

struct Engines {
    used: Vec<Used>,
    has_thread: bool,
}

/// An engine with guests.
struct Used {
    engine: Engine,
    guests: usize,
    /// The guests that do not announce their turns. The thread never sleeps while there
    /// are any.
    silent: usize,
}

/// A guest whose engine's epoch advances while it runs.
pub(crate) struct Epochs {
    engine: Engine,
    silent: bool,
}

impl Epochs {
    /// Begins to advance the epoch for a guest that announces its turns by
    /// [`turn`](Turns::turn).
    ///
    /// # Errors
    ///
    /// Fails when the clock's thread cannot be started.
    pub(crate) fn announced(engine: &Engine) -> io::Result<Self> {
        Self::begin(engine, false)
    }

    /// Begins to advance the epoch for a guest whose turns are unknown.
    ///
    /// # Errors
    ///
    /// Fails when the clock's thread cannot be started.
    pub(crate) fn silent(engine: &Engine) -> io::Result<Self> {
        Self::begin(engine, true)
    }

    fn begin(engine: &Engine, silent: bool) -> io::Result<Self> {
        CLOCK.add(engine, silent)?;
        Ok(Self {
            engine: engine.clone(),
            silent,
        })
    }
}

impl Drop for Epochs {
    fn drop(&mut self) {
        CLOCK.remove(&self.engine, self.silent);
    }
}

impl fmt::Debug for Epochs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epochs")
            .field("silent", &self.silent)
            .finish_non_exhaustive()
    }
}

/// Has the guest of a store give way at the end of each slice.
pub(crate) fn yield_each_slice<T>(store: &mut Store<T>) {
    store.epoch_deadline_async_yield_and_update(1);
    store.set_epoch_deadline(1);
}

/// The turns of one guest.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turns(std::sync::Arc<AtomicU64>);

impl Turns {
    /// Has the guest of a store give way at the end of each slice, unless its turn began in
    /// the new one: the first turn after a pause finds the epoch advanced.
    pub(crate) fn yield_in_time<T>(&self, store: &mut Store<T>) {
        let began = self.clone();
        yield_each_slice(store);
        store.epoch_deadline_callback(move |_| {
            Ok(match began.is_over() {
                true => UpdateDeadline::Yield(1),
                false => UpdateDeadline::Continue(1),
            })
        });
    }

    /// Announces that the guest has a turn now.
    pub(crate) fn turn(&self) {
        self.0
            .store(CLOCK.slices.load(Ordering::Relaxed), Ordering::Relaxed);
        CLOCK.wake_for_turn();
    }

    fn is_over(&self) -> bool {
        CLOCK.slices.load(Ordering::Relaxed) != self.0.load(Ordering::Relaxed)
    }
}

impl Clock {
    const fn new() -> Self {
        Self {
            engines: Mutex::new(Engines {
                used: Vec::new(),
                has_thread: false,
            }),
            waking: Condvar::new(),
            slices: AtomicU64::new(0),
            active: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
        }
    }

    fn add(&'static self, engine: &Engine, silent: bool) -> io::Result<()> {
        let mut engines = lock(&self.engines);
        if !engines.has_thread {
            thread::Builder::new()
                .name("epochs".to_owned())
                .spawn(|| self.run())?;
            engines.has_thread = true;
        }
        let silent = usize::from(silent);
        match engines.position(engine) {
            Some(used) => {
                used.guests += 1;
                used.silent += silent;
            }
            None => engines.used.push(Used {
                engine: engine.clone(),
                guests: 1,
                silent,
            }),
        }
        self.wake(engines);
        Ok(())
    }

    fn remove(&self, engine: &Engine, silent: bool) {
        let mut engines = lock(&self.engines);
        if let Some(used) = engines.position(engine) {
            used.guests -= 1;
            used.silent -= usize::from(silent);
        }
        engines.used.retain(|used| used.guests > 0);
    }

    /// Wakes the thread if it sleeps. Many threads call this often, so that it writes to
    /// their common memory only once in a slice.
    fn wake_for_turn(&self) {
        if self.active.load(Ordering::Relaxed) {
            return;
        }
        // Sequential consistency: either this sees that the thread sleeps, or the thread
        // sees before it sleeps that a guest is active.
        self.active.store(true, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) {
            self.wake(lock(&self.engines));
        }
    }

    fn wake(&self, _engines: MutexGuard<'_, Engines>) {
        self.asleep.store(false, Ordering::SeqCst);
        self.waking.notify_one();
    }

    fn run(&self) {
        let mut quiet = 0;
        loop {
            thread::sleep(SLICE);
            let silent = self.advance();
            quiet = match self.active.swap(false, Ordering::SeqCst) || silent {
                true => 0,
                false => quiet + 1,
            };
            if quiet == QUIET {
                quiet = 0;
                self.sleep();
            }
        }
    }

    /// Begins the next slice. Returns true if there are guests whose turns are unknown.
    fn advance(&self) -> bool {
        // First: a guest that sees the new epoch sees the new slice too.
        self.slices.fetch_add(1, Ordering::Release);
        let engines = lock(&self.engines);
        engines
            .used
            .iter()
            .for_each(|used| used.engine.increment_epoch());
        engines.used.iter().any(|used| used.silent > 0)
    }

    fn sleep(&self) {
        let mut engines = lock(&self.engines);
        if engines.used.iter().any(|used| used.silent > 0) {
            return;
        }
        self.asleep.store(true, Ordering::SeqCst);
        if self.active.load(Ordering::SeqCst) {
            self.asleep.store(false, Ordering::SeqCst);
            return;
        }
        while self.asleep.load(Ordering::SeqCst) {
            engines = self
                .waking
                .wait(engines)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Engines {
    fn position(&mut self, engine: &Engine) -> Option<&mut Used> {
        self.used
            .iter_mut()
            .find(|used| Engine::same(&used.engine, engine))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn clock() -> &'static Clock {
        Box::leak(Box::new(Clock::new()))
    }

    fn until(done: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(300);
        while !done() {
            assert!(Instant::now() < deadline, "not in time");
            thread::yield_now();
        }
    }

    #[test]
    fn the_clock_sleeps_without_turns_and_the_next_turn_wakes_it() {
        let clock = clock();
        clock.add(&Engine::default(), false).unwrap();
        for _ in 0..2 {
            until(|| clock.asleep.load(Ordering::SeqCst));
            let slept = clock.slices.load(Ordering::SeqCst);
            clock.wake_for_turn();
            until(|| clock.slices.load(Ordering::SeqCst) >= slept + 2);
        }
    }

    #[test]
    fn a_guest_whose_turns_are_unknown_keeps_the_clock_awake() {
        let clock = clock();
        let engine = Engine::default();
        clock.add(&engine, true).unwrap();
        until(|| clock.slices.load(Ordering::SeqCst) > 2 * u64::from(QUIET));
        clock.remove(&engine, true);
        until(|| clock.asleep.load(Ordering::SeqCst));
    }
}
