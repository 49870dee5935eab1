"""Adds timers, an exception handler and safe import calls to componentize-py's loop.

The loop of componentize-py 0.25 has no timers and no exception handler. It also
traps when a task that waits for an import is cancelled: it cannot cancel the call,
and no longer expects its result. So a task of its own makes each call that may
wait, and is never cancelled (`call`).
"""

import asyncio
import contextvars
import heapq
import sys
import traceback

import componentize_py_async_support as _support
import componentize_py_runtime as _runtime
from wit_world.imports import monotonic_clock

# Tasks that wait for an import. asyncio keeps only weak references to tasks.
_calls = set()

# The tasks among them that wait for a time. The end of the program drops them.
_clocks = set()

# Seconds that calls may take to end after the program has ended.
_LINGER = 5

# Calls in a row that may go without waiting before other tasks run.
_CALLS = 64

# Turns of the loop in a row before the host runs.
_TURNS = 1000

_left = _CALLS


def start(coroutine, eager=False):
    """Makes a task for one import call; await it through `end_of`. With `eager` the
    task has begun, and has already ended if it need not wait."""
    context = loop.context_of(None)
    task = asyncio.Task(coroutine, loop=loop, context=context, eager_start=eager)
    if task.done():
        _ended(task)
    else:
        _calls.add(task)
        task.add_done_callback(_ended)
    return task


def _ended(task):
    _calls.discard(task)
    _clocks.discard(task)
    if not task.cancelled():
        task.exception()  # marks it as retrieved, in case no task waits for it


def spent():
    """Counts a call that may not wait. Returns true if other tasks should run
    first."""
    global _left
    _left -= 1
    if _left > 0:
        return False
    _left = _CALLS
    return True


def end_of(task):
    """Returns a future that is done when the task is. Cancelling the future does not
    cancel the task. Unlike asyncio.shield, it then reports no failure of the task."""
    future = loop.create_future()

    def end(_):
        if not future.done():
            future.set_result(None)

    task.add_done_callback(end)
    future.add_done_callback(lambda _: task.remove_done_callback(end))
    return future


async def call(coroutine, late=None, cancel=None):
    """Returns the result of one import call. If the caller is cancelled, `cancel` makes
    the call end, and `late` gets a result that arrives in spite of that."""
    task = start(coroutine, eager=True)
    if task.done():
        return task.result()
    try:
        await end_of(task)
    except asyncio.CancelledError:
        if cancel is not None:
            cancel()
        if late is not None:
            task.add_done_callback(lambda task: task.exception() or late(task.result()))
        raise
    return task.result()


class Shared:
    """A call that any number of tasks share; made again after it has ended."""

    def __init__(self, function):
        self._function = function
        self._task = None

    async def __call__(self):
        task = self._task
        if task is None or task.done():
            task = self._task = start(self._function(), eager=True)
        if not task.done():
            await end_of(task)
        return task.result()


class _Loop(type(_support._loop)):
    """componentize-py's loop with timers, `call_soon` without a context, and
    errors that are reported instead of ending the program."""

    def setup(self):
        self._timers = []
        self._waits = []
        self._handler = None
        self._count = 0
        self._breath = None
        self.stopped = None
        self.main = None
        self.context = None

    def poll(self, state):
        """Runs the tasks that can run. After `_TURNS` turns the rest waits, so that the
        host runs too, and with it the streams component."""
        turns = 0
        while state.handles:
            if turns == _TURNS:
                if self._breath is None or self._breath.done():
                    self._breath = start(monotonic_clock.wait_for(1), eager=True)
                    _clocks.add(self._breath)
                return
            turns += 1
            handles, state.handles = state.handles, []
            for handle in handles:
                if handle._cancelled:
                    continue
                try:
                    handle._run()
                except (SystemExit, KeyboardInterrupt) as error:
                    self.stopped = error
                    if self.main is not None:
                        self.main.cancel()
            if self.exception is not None:
                raise self.exception

    def context_of(self, context):
        """Returns the context, or the program's if it belongs to no call of an export.
        Finalizers that run between tasks have such a context."""
        context = contextvars.copy_context() if context is None else context
        return context if _support._future_state in context else self.context.copy()

    def call_soon(self, callback, *args, context=None):
        return super().call_soon(callback, *args, context=self.context_of(context))

    call_soon_threadsafe = call_soon

    def create_task(self, coroutine, *, name=None, context=None, **more):
        context = self.context_of(context)
        return asyncio.Task(coroutine, loop=self, name=name, context=context, **more)

    def time(self):
        return monotonic_clock.now() / 1e9

    def call_later(self, delay, callback, *args, context=None):
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(self, when, callback, *args, context=None):
        timer = asyncio.TimerHandle(when, callback, args, self, self.context_of(context))
        timer._scheduled = True
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, timer))
        self._wait_for_first()
        return timer

    def _timer_handle_cancelled(self, handle):
        """Does nothing: a wait cannot be cancelled, and `_wait` skips the timer."""

    def _wait_for_first(self):
        """Starts a wait for the first timer, unless one under way ends before it."""
        while self._timers and self._timers[0][2]._cancelled:
            heapq.heappop(self._timers)
        if self._timers:
            when = self._timers[0][0]
            if not any(end <= when for end in self._waits):
                self._waits.append(when)
                _clocks.add(start(self._wait(when)))

    async def _wait(self, when):
        await monotonic_clock.wait_until(max(0, int(when * 1e9) + 1))
        self._waits.remove(when)
        now = self.time()
        handles = _support._future_state.get().handles
        while self._timers and self._timers[0][0] <= now:
            _, _, timer = heapq.heappop(self._timers)
            timer._scheduled = False
            handles.append(timer)
        self._wait_for_first()

    async def getaddrinfo(self, host, port, *, family=0, type=0, proto=0, flags=0):
        from ._lookup import getaddrinfo  # not at the top: it needs this module

        return await getaddrinfo(host, port, family=family, type=type, proto=proto, flags=flags)

    def set_exception_handler(self, handler):
        self._handler = handler

    def get_exception_handler(self):
        return self._handler

    def call_exception_handler(self, context):
        if self._handler is not None:
            self._handler(self, context)
        else:
            self.default_exception_handler(context)

    def default_exception_handler(self, context):
        print(context.get("message", "Unhandled exception in event loop"), file=sys.stderr)
        error = context.get("exception")
        if error is not None:
            traceback.print_exception(error)


loop = _support._loop
loop.__class__ = _Loop
loop.setup()


def is_running():
    """Returns true if the component runs, and false while it is being built."""
    return _support._future_state.get(None) is not None


async def cancel_all(keep):
    """Cancels the program's tasks, as asyncio.run does at its end."""
    tasks = [task for task in asyncio.all_tasks(loop) if task not in _calls and task is not keep]
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            loop.call_exception_handler({"message": "exception at the end", "exception": outcome})


async def finish():
    """Waits for the calls that have not ended. Returns false if they take too long.

    A call into the streams component that ends after the program has returned
    traps. A call that waits for a time does not, so it is dropped.
    """
    if calls := _calls - _clocks:
        _, late = await asyncio.wait(calls, timeout=_LINGER)
        if late:
            return False
    state = _support._future_state.get()
    for waitable in state.futures:
        _runtime.waitable_join(waitable, 0)
    return True
