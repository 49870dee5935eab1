"""The entry: `asyncio.run(main())`."""

import asyncio
import contextvars
import sys
import traceback

import wit_world.exports
from componentize_py_types import Err
from wit_world.imports import exit as wit_exit

from . import _loop, _server, _stdio, _streams

_main = None


def run(main, *, debug=None, loop_factory=None):
    """Runs a coroutine as the program.

    The module that calls it is run when the component is made; the coroutine
    runs when the component does. What the calling module needs for that, the
    class `Run`, is put into it.
    """
    global _main
    if not asyncio.iscoroutine(main):
        raise ValueError(f"a coroutine was expected, got {main!r}")
    if _loop.is_running():
        main.close()
        raise RuntimeError("asyncio.run() cannot be called from a running event loop")
    if debug or loop_factory is not None:
        main.close()
        raise NotImplementedError("debug and loop_factory are not supported")
    if _main is not None:
        main.close()
        raise RuntimeError("asyncio.run() can be called once in a component")
    _main = main
    sys._getframe(1).f_globals["Run"] = Run


class Run(wit_world.exports.Run):
    """The export wasi:cli/run."""

    async def run(self):
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(line_buffering=True)
        code = await _run(_main)
        _server.close_all()
        # With an exit code of its own the program ends at once, so no task could
        # send the remaining data.
        _streams.close_all(wait=code > 1)
        await _stdio.finish()
        finished = await _loop.finish()
        sys.stdout.flush()
        sys.stderr.flush()
        if code > 1 or not finished:
            wit_exit.exit_with_code(code)
        if code:
            raise Err(None)


async def _run(main):
    """Runs the program and returns its exit code."""
    loop = _loop.loop
    loop.context = contextvars.copy_context()
    # A separate task: SystemExit must not be raised in the callback's frame.
    loop.main = loop.create_task(main)
    code = 0
    try:
        await asyncio.wait([loop.main])
        if loop.stopped is not None:
            code = _code(loop.stopped)
        elif loop.main.cancelled():
            print("asyncio.CancelledError", file=sys.stderr)
            code = 1
        elif (error := loop.main.exception()) is not None:
            traceback.print_exception(error)
            code = 1
        await _loop.cancel_all(asyncio.current_task())
    except Exception as error:
        traceback.print_exception(error)
        code = 1
    return code


def _code(error):
    """Returns the exit code that SystemExit asks for."""
    code = getattr(error, "code", 1)
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1
