"""The module, its loop and its entry."""

import codecs
import gc
import pickle

import asyncio_streams as asyncio

from .support import Pair, check, departs, fails


@departs("D12")
@check
async def many_timeouts_cost_no_data_and_no_calls():
    async with Pair() as pair:
        for _ in range(200):
            await fails(TimeoutError, asyncio.wait_for(pair.reader.readline(), 0))
        for _ in range(100):
            given_up = asyncio.create_task(pair.reader.readline())
            await asyncio.sleep(0)
            given_up.cancel()
        await pair.send(b"still here\n")
        assert await pair.reader.readline() == b"still here\n"


@check
async def the_loop_has_timers():
    loop = asyncio.get_running_loop()
    order = []
    loop.call_later(0.06, order.append, "late")
    loop.call_later(0.02, order.append, "early")
    loop.call_later(0.04, order.append, "never").cancel()
    loop.call_soon(order.append, "soon")
    start = loop.time()
    await asyncio.sleep(0.1)
    assert 0.09 <= loop.time() - start < 5
    assert order == ["soon", "early", "late"]
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        tasks = [group.create_task(asyncio.sleep(0.01, n)) for n in range(100)]
    assert [task.result() for task in tasks] == list(range(100))


@check
async def a_task_that_never_waits_lets_the_host_in():
    async with Pair() as pair:
        pair.peer_writer.write(b"data")
        reading = asyncio.create_task(pair.reader.readexactly(4))
        timer = asyncio.create_task(asyncio.sleep(0.01))
        while not (reading.done() and timer.done()):
            await asyncio.sleep(0)
        assert reading.result() == b"data"


@departs("ours")
@check
async def a_program_can_open_no_file():
    for path in ("/etc/passwd", "file", __file__):
        await fails(FileNotFoundError, open, path)
        await fails(FileNotFoundError, open, path, "w")


@check
async def a_failed_task_does_not_end_the_program():
    async def fail():
        raise ValueError("never retrieved")

    asyncio.create_task(fail())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()


@check
async def the_codecs_that_the_readme_names_are_there():
    for name in ("utf-8", "utf8", "ascii", "latin-1", "latin1", "iso-8859-1"):
        assert codecs.decode(codecs.encode("a", name), name) == "a"
        assert codecs.lookup(name).name
    assert "b\u00fccher.example".encode("idna") == b"xn--bcher-kva.example"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        data = [b"\x00\xff", "\u20ac", 1.5]
        assert pickle.loads(pickle.dumps(data, protocol)) == data


@departs("ours")
@check
async def run_is_refused_inside():
    async def nothing():
        pass

    await fails(RuntimeError, asyncio.run, nothing())
    await fails(ValueError, asyncio.run, nothing)
