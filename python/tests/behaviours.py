"""What tests/e2e/python.rs checks: each function of CHECKS prints `ok name` or
a traceback and `failed name`. The names begin with ids of docs/conformance.md.

CPython's own asyncio passes the same checks, but for those that depart: the
test runs this file with it as well.

Arguments: the ports of `peer.py`; the exit code; names of checks, all without.
"""

import errno
import functools
import gc
import inspect
import pickle
import socket
import sys
import traceback

import asyncio_streams as asyncio

CHECKS = []

# This is CPython's own module; see tests/e2e/python.rs.
ORIGINAL = asyncio.__name__ == "asyncio"

MEBIBYTE = 2**20


def check(function):
    CHECKS.append(function)
    return function


def departs(_why):
    """Not with the original. Why: a departure's id, a later version than 3.11's
    first, or `ours` for what asyncio has not."""

    def mark(function):
        if ORIGINAL:
            CHECKS.remove(function)
        return function

    return mark


async def fails(kinds, function, *args, **kwargs):
    """The exception, which is of exactly one of these classes."""
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    try:
        result = function(*args, **kwargs) if callable(function) else function
        if inspect.isawaitable(result):
            result = await result
    except BaseException as error:
        assert type(error) in kinds, f"{error!r} is none of {kinds}"
        return error
    raise AssertionError(f"{result!r} and none of {kinds}")


def ports():
    """Of the peer, and where nobody is ever connected."""
    return map(int, sys.argv[1].split())


async def peer(line):
    own, _ = ports()
    reader, writer = await asyncio.open_connection("127.0.0.1", own)
    writer.write(line + b"\n")
    return reader, writer


def serve(callback, host="127.0.0.1", port=0, **options):
    return asyncio.start_server(callback, host, port, **options)


def connect(server, **options):
    return asyncio.open_connection(*server.sockets[0].getsockname()[:2], **options)


async def until(condition):
    while not condition():
        await asyncio.sleep(0.001)


async def arrived(reader, count):
    """Waits until so many bytes can be read."""
    if ORIGINAL:
        await until(lambda: len(reader._buffer) >= count)
    else:
        await until(lambda: reader._wit.buffered() >= count)


async def waiting(coroutine):
    """A task that has begun to wait."""
    task = asyncio.create_task(coroutine)
    await asyncio.sleep(0.02)
    assert not task.done(), task
    return task


class Pair:
    """A connection inside this program: reader and writer of both ends."""

    def __init__(self, **options):
        self.options = options

    async def __aenter__(self):
        accepted = asyncio.Queue()
        server = await serve(lambda *pair: accepted.put_nowait(pair))
        self.reader, self.writer = await connect(server, **self.options)
        self.peer_reader, self.peer_writer = await accepted.get()
        server.close()
        return self

    async def __aexit__(self, *error):
        for writer in (self.writer, self.peer_writer):
            if not writer.is_closing():
                writer.transport.abort()

    async def send(self, data):
        """Sends to the reader, which has nothing else, and waits until it can
        be read there."""
        self.peer_writer.write(data)
        await arrived(self.reader, len(data))

    async def end(self, data=b""):
        self.peer_writer.write(data)
        self.peer_writer.write_eof()
        await arrived(self.reader, len(data))


# Reading


@check
async def rd1_a_negative_read_returns_all_to_the_end_whatever_the_limit():
    for n in ((), (-1,), (-5,)):
        async with Pair(limit=4) as pair:
            await pair.end(b"more than the limit")
            assert await pair.reader.read(*n) == b"more than the limit"
            assert await pair.reader.read(*n) == b""


@check
async def rd2_a_read_of_nothing_is_empty_at_once_also_while_another_waits():
    async with Pair() as pair:
        reading = await waiting(pair.reader.readexactly(4))
        assert await pair.reader.read(0) == b""
        pair.peer_writer.write(b"data")
        assert await reading == b"data"


@check
async def rd3_a_read_returns_what_has_arrived_up_to_n():
    async with Pair(limit=4) as pair:
        reading = await waiting(pair.reader.read(100))
        pair.peer_writer.write(b"abc")
        assert await reading == b"abc"
        await pair.send(b"defghijk")
        assert await pair.reader.read(2) == b"de"
        assert await pair.reader.read(2**70 if not ORIGINAL else 2**40) == b"fghijk"
        await pair.end()
        assert await pair.reader.read(1) == b""


@check
async def rd4_readexactly_waits_for_all_past_the_limit_and_leaves_the_rest():
    async with Pair(limit=4) as pair:
        pair.peer_writer.write(bytes(MEBIBYTE) + b"rest")
        assert await pair.reader.readexactly(MEBIBYTE) == bytes(MEBIBYTE)
        assert await pair.reader.readexactly(4) == b"rest"


@check
async def rd4_an_early_end_is_an_error_with_what_there_was_which_is_consumed():
    async with Pair() as pair:
        await pair.end(b"12345")
        error = await fails(asyncio.IncompleteReadError, pair.reader.readexactly(9))
        assert (error.partial, error.expected) == (b"12345", 9)
        error = await fails(asyncio.IncompleteReadError, pair.reader.readexactly(9))
        assert (error.partial, error.expected) == (b"", 9)


@check
async def rd5_a_negative_readexactly_is_a_value_error_and_none_is_empty():
    async with Pair() as pair:
        await fails(ValueError, pair.reader.readexactly(-1))
        assert await pair.reader.readexactly(0) == b""


@check
async def rd6_readuntil_returns_up_to_and_with_the_first_separator():
    async with Pair() as pair:
        await pair.send(b"one\ntwo;three--four;")
        assert await pair.reader.readuntil() == b"one\n"
        assert await pair.reader.readuntil(bytearray(b";")) == b"two;"
        assert await pair.reader.readuntil(memoryview(b"--")) == b"three--"
        assert await pair.reader.readuntil(separator=b";") == b"four;"


@check
async def rd7_a_separator_is_bytes_and_not_empty():
    async with Pair() as pair:
        await fails(ValueError, pair.reader.readuntil(b""))
        await pair.send(b"line\n")
        await fails(TypeError, pair.reader.readuntil("\n"))
        await fails(TypeError, pair.reader.readuntil(10))
        assert await pair.reader.readline() == b"line\n"


@check
async def rd8_a_separator_behind_the_limit_is_an_overrun_and_at_it_none():
    async with Pair(limit=3) as pair:
        await pair.send(b"abc\nabcdef\n")
        assert await pair.reader.readuntil() == b"abc\n"
        error = await fails(asyncio.LimitOverrunError, pair.reader.readuntil())
        assert error.consumed == 6 and "is found" in str(error), error
        assert await pair.reader.read(100) == b"abcdef\n"


@check
async def rd9_without_a_separator_the_overrun_depends_on_its_length():
    for separator, count in ((b"\n", 4), (b"END", 6)):
        async with Pair(limit=3) as pair:
            await pair.send(bytes(count - 1))
            reading = await waiting(pair.reader.readuntil(separator))
            pair.peer_writer.write(bytes(1))
            error = await fails(asyncio.LimitOverrunError, reading)
            assert error.consumed == 4 and "not found" in str(error), error


@check
async def rd10_reading_the_consumed_bytes_gets_past_an_overrun():
    async with Pair(limit=3) as pair:
        await pair.send(b"abcdef\nok\n")
        error = await fails(asyncio.LimitOverrunError, pair.reader.readuntil())
        assert await pair.reader.readexactly(error.consumed) == b"abcdef"
        assert await pair.reader.readuntil() == b"\n"
        assert await pair.reader.readuntil() == b"ok\n"


@check
async def rd11_the_end_without_a_separator_comes_after_the_limit():
    async with Pair(limit=5) as pair:
        await pair.end(b"long EN")
        error = await fails(asyncio.LimitOverrunError, pair.reader.readuntil(b"\n"))
        assert await pair.reader.readexactly(error.consumed) == b"long EN"
    async with Pair() as pair:
        await pair.end(b"short EN")
        error = await fails(asyncio.IncompleteReadError, pair.reader.readuntil(b"END"))
        assert (error.partial, error.expected) == (b"short EN", None)
        error = await fails(asyncio.IncompleteReadError, pair.reader.readuntil(b"END"))
        assert error.partial == b""


@check
async def rd12_after_an_overrun_reading_goes_on():
    async with Pair(limit=3) as pair:
        data = bytes(1000) + b"\n"
        await pair.send(data[:500])
        await fails(asyncio.LimitOverrunError, pair.reader.readuntil())
        pair.peer_writer.write(data[500:])
        assert await pair.reader.readexactly(1001) == data


@check
async def rd13_readline_returns_the_rest_at_the_end_and_then_nothing():
    async with Pair() as pair:
        await pair.end(b"one\n\nrest")
        lines = [await pair.reader.readline() for _ in range(4)]
        assert lines == [b"one\n", b"\n", b"rest", b""]


@departs("D2")
@check
async def rd14_a_line_over_the_limit_is_an_overrun_that_loses_nothing():
    async with Pair(limit=3) as pair:
        await pair.send(b"abcdef\nok\n")
        for _ in range(2):
            error = await fails(asyncio.LimitOverrunError, pair.reader.readline())
            assert error.consumed == 6
        assert await pair.reader.discard_line() == 7
        assert await pair.reader.readline() == b"ok\n"


@check
async def rd15_at_eof_is_true_when_all_was_read_and_not_before():
    async with Pair() as pair:
        assert not pair.reader.at_eof()
        await pair.end(b"x")
        assert not pair.reader.at_eof()
        assert await pair.reader.read() == b"x"
        assert pair.reader.at_eof()
    reader, _ = await peer(b"reset")
    await fails(ConnectionResetError, reader.readexactly(100))
    assert not reader.at_eof(), "a reset is no end"


@check
async def rd16_a_second_read_that_would_wait_is_a_runtime_error():
    async with Pair() as pair:
        first = await waiting(pair.reader.readline())
        for read in (pair.reader.read, pair.reader.readline, pair.reader.readuntil):
            await fails(RuntimeError, read)
        await fails(RuntimeError, pair.reader.readexactly(1))
        pair.peer_writer.write(b"line\n")
        assert await first == b"line\n"


@departs("D6")
@check
async def rd16_a_second_read_takes_nothing_from_the_first():
    async with Pair() as pair:
        first = await waiting(pair.reader.readexactly(4))
        await pair.send(b"abc")
        await fails(RuntimeError, pair.reader.read(1))
        pair.peer_writer.write(b"d")
        assert await first == b"abcd"


@departs("D1")
@check
async def rd17_what_came_before_a_reset_is_read_and_then_the_error():
    reader, _ = await peer(b"reset")
    await fails(ConnectionResetError, reader.readexactly(100))
    await fails(ConnectionResetError, reader.readline())
    assert await reader.readexactly(2) == b"be"
    assert await reader.read() == b"fore"
    for read in (reader.read, reader.readline, reader.readuntil):
        error = await fails(ConnectionResetError, read)
        assert error.errno == errno.ECONNRESET


@check
async def rd20_lines_are_iterated_with_empty_ones_and_the_unended_last():
    async with Pair() as pair:
        pair.peer_writer.write(b"a\n\nb\nc")
        pair.peer_writer.close()
        assert [line async for line in pair.reader] == [b"a\n", b"\n", b"b\n", b"c"]
        assert [line async for line in pair.reader] == []


@departs("D2")
@check
async def rd20_an_overrun_ends_an_iteration_that_can_be_begun_again():
    async with Pair(limit=3) as pair:
        await pair.end(b"a\nlong line\nb\n")
        lines = []

        async def iterate():
            async for line in pair.reader:
                lines.append(line)

        await fails(asyncio.LimitOverrunError, iterate)
        await pair.reader.discard_line()
        await iterate()
        assert lines == [b"a\n", b"b\n"]


@check
async def rd21_a_read_that_is_given_up_has_consumed_nothing():
    async with Pair() as pair:
        reader = pair.reader
        await pair.send(b"par")
        reads = reader.readline, reader.readuntil, lambda: reader.readexactly(9)
        for read in reads:
            await fails(TimeoutError, asyncio.wait_for(read(), 0.02))
        assert await reader.read(100) == b"par"
        given_up = await waiting(reader.readline())
        await pair.send(b"abc")
        given_up.cancel()
        await fails(asyncio.CancelledError, given_up)
        # Cancelled in the turn in which the line came.
        given_up = await waiting(reader.readline())
        pair.peer_writer.write(b"\n")
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait({given_up})
        if given_up.cancelled():
            assert await reader.readline() == b"abc\n"
        else:
            assert given_up.result() == b"abc\n"


@departs("D12")
@check
async def rd21_a_read_to_the_end_that_is_given_up_has_consumed_nothing():
    async with Pair() as pair:
        await pair.send(b"all ")
        await fails(TimeoutError, asyncio.wait_for(pair.reader.read(), 0.02))
        await pair.end(b"of it")
        assert await pair.reader.read() == b"all of it"


@departs("D12")
@check
async def rd21_nothing_is_received_any_more_for_a_read_that_is_given_up():
    for read in (lambda reader: reader.read(), lambda reader: reader.readexactly(2**30)):
        async with Pair(limit=1000) as pair:
            given_up = await waiting(read(pair.reader))
            given_up.cancel()
            await fails(asyncio.CancelledError, given_up)
            amount = 32 * MEBIBYTE
            pair.peer_writer.write(bytes(amount))
            await fails(TimeoutError, asyncio.wait_for(pair.peer_writer.drain(), 0.3))
            assert len(await pair.reader.readexactly(amount)) == amount


@departs("D12")
@check
async def rd22_a_read_right_after_a_cancelled_one_goes_on_where_it_was():
    async with Pair() as pair:
        await pair.send(b"par")
        given_up = await waiting(pair.reader.readexactly(4))
        given_up.cancel()
        assert await pair.reader.readexactly(1) == b"p"
        given_up = await waiting(pair.reader.readline())
        given_up.cancel()
        reading = asyncio.create_task(pair.reader.readexactly(4))
        await asyncio.sleep(0)
        pair.peer_writer.write(b"ts")
        assert await reading == b"arts"


@departs("D11")
@check
async def rd24_a_loop_of_ready_reads_lets_others_run():
    async with Pair() as pair:
        await pair.send(bytes(1000))
        others = []
        asyncio.get_running_loop().call_soon(others.append, True)
        while not others:
            assert await pair.reader.read(1)


@check
async def rd25_after_close_what_arrived_can_be_read_and_then_the_data_end():
    for end in ("close", "abort"):
        async with Pair() as pair:
            await pair.send(b"here")
            getattr(pair.writer.transport, end)()
            assert await pair.reader.read(2) == b"he"
            assert await pair.reader.read() == b"re"
            assert await pair.reader.readline() == b""
        async with Pair() as pair:
            await pair.send(b"half")
            reading = await waiting(pair.reader.readexactly(5))
            getattr(pair.writer.transport, end)()
            assert (await fails(asyncio.IncompleteReadError, reading)).partial == b"half"


@departs("3.13")
@check
async def l36_of_several_separators_the_one_that_ends_first_wins():
    async with Pair(limit=5) as pair:
        await pair.send(b"one;two\r\nthree!")
        assert await pair.reader.readuntil((b"\r\n", b";")) == b"one;"
        assert await pair.reader.readuntil((b"wo\r\n", bytearray(b"\r"))) == b"two\r"
        assert await pair.reader.readuntil((b"\n",)) == b"\n"
        assert await pair.reader.readuntil((b"?", b"!")) == b"three!"
        await pair.send(b"too long")
        error = await fails(asyncio.LimitOverrunError, pair.reader.readuntil((b"?", b"END")))
        assert error.consumed == 6, error.consumed


@departs("3.13")
@check
async def l38_a_tuple_without_a_separator_is_a_value_error():
    async with Pair() as pair:
        for separators in ((), (b"",), (b"\n", b"")):
            await fails(ValueError, pair.reader.readuntil(separators))
        await fails(TypeError, pair.reader.readuntil((b"\n", "\r")))
        await fails(TypeError, pair.reader.readuntil([b"\n"]))


@departs("ours")
@check
async def readlines_returns_all_complete_lines_that_have_arrived():
    async with Pair() as pair:
        await pair.send(b"a\nb\nc\nd")
        assert await pair.reader.readlines(2) == [b"a\n", b"b\n"]
        assert await pair.reader.readlines() == [b"c\n"]
        reading = await waiting(pair.reader.readlines())
        pair.peer_writer.write(b"!\n")
        assert await reading == [b"d!\n"]
        await fails(asyncio.LimitOverrunError, limited(pair, b"long\n", pair.reader.readlines))
        await fails(ValueError, pair.reader.readlines(0))
        pair.peer_writer.write_eof()
        assert await pair.reader.read(5) == b"long\n"
        assert await pair.reader.readlines() == []


async def limited(pair, data, read):
    await pair.send(data)
    await read(limit=3)


@departs("ours")
@check
async def a_limit_may_be_given_for_one_read():
    async with Pair(limit=3) as pair:
        await pair.send(b"longer\nlong\n")
        assert await pair.reader.readline(limit=6) == b"longer\n"
        await fails(asyncio.LimitOverrunError, pair.reader.readuntil(b"\n"))
        assert await pair.reader.readuntil(b"\n", limit=4) == b"long\n"
        await fails(ValueError, pair.reader.readline(limit=0))


@departs("ours")
@check
async def discard_line_drops_all_up_to_the_next_newline_or_the_end():
    async with Pair(limit=3) as pair:
        await pair.send(b"abcdef")
        discarding = await waiting(pair.reader.discard_line())
        pair.peer_writer.write(b"gh\nxy\nlong end")
        assert await discarding == 9
        assert await pair.reader.readline() == b"xy\n"
        given_up = await waiting(pair.reader.discard_line())
        given_up.cancel()
        pair.peer_writer.write_eof()
        await fails(asyncio.CancelledError, given_up)
        assert await pair.reader.discard_line() == 0


# Writing


@check
async def wr1_write_takes_bytes_and_the_like_and_nothing_else():
    async with Pair() as pair:
        data = bytearray(b"bytearray ")
        assert pair.writer.write(b"bytes ") is None
        pair.writer.write(data)
        data[:] = b"something!"
        pair.writer.write(memoryview(b"a memoryview")[2:])
        pair.writer.write(b"")
        for wrong in ("text", 7, None, [1]):
            assert "bytes" in str(await fails(TypeError, pair.writer.write, wrong))
        pair.writer.write_eof()
        assert await pair.peer_reader.read() == b"bytes bytearray memoryview"


@check
async def wr2_write_after_write_eof_is_a_runtime_error_even_of_nothing():
    async with Pair() as pair:
        pair.writer.write_eof()
        for data in (b"more", b""):
            await fails(RuntimeError, pair.writer.write, data)


@departs("D3")
@check
async def wr3_write_after_close_is_a_runtime_error():
    async with Pair() as pair:
        pair.writer.write(bytes(4 * MEBIBYTE))
        pair.writer.close()
        await fails(RuntimeError, pair.writer.write, b"more")
        await fails(RuntimeError, pair.writer.writelines, [b"more"])
        assert len(await pair.peer_reader.read()) == 4 * MEBIBYTE


@check
async def wr5_writelines_takes_any_iterable_all_of_it_or_none():
    async with Pair() as pair:
        pair.writer.writelines([b"list ", b"", bytearray(b"of "), memoryview(b"pieces ")])
        pair.writer.writelines(piece for piece in (b"gen", b"erator"))
        pair.writer.writelines(())
        for wrong in (b"bytes", "text", [b"a", "b"], 7):
            await fails(TypeError, pair.writer.writelines, wrong)
        pair.writer.write_eof()
        assert await pair.peer_reader.read() == b"list of pieces generator"


@check
async def wr7_drain_waits_above_the_high_mark_until_the_low_one():
    async with Pair() as pair:
        transport = pair.writer.transport
        await asyncio.wait_for(pair.writer.drain(), 10)
        transport.set_write_buffer_limits(high=1000)
        pair.writer.write(bytes(16 * MEBIBYTE))
        assert transport.get_write_buffer_size() > 1000
        draining = [await waiting(pair.writer.drain()) for _ in range(3)]
        assert len(await pair.peer_reader.readexactly(16 * MEBIBYTE)) == 16 * MEBIBYTE
        await asyncio.gather(*draining)
        assert transport.get_write_buffer_size() <= 250


@departs("D8")
@check
async def wr10_a_drain_that_abort_cut_short_is_an_error():
    async with Pair() as pair:
        pair.writer.write(bytes(16 * MEBIBYTE))
        draining, given_up = [await waiting(pair.writer.drain()) for _ in range(2)]
        given_up.cancel()
        pair.writer.transport.abort()
        error = await fails(ConnectionAbortedError, draining)
        assert error.errno == errno.ECONNABORTED


@check
async def wr11_a_reset_ends_a_waiting_drain():
    _, writer = await peer(b"stall")
    writer.write(bytes(16 * MEBIBYTE))
    await fails((ConnectionResetError, BrokenPipeError), writer.drain())


@departs("D11")
@check
async def wr12_a_loop_of_writes_and_drains_lets_others_run():
    async with Pair() as pair:
        others = []
        asyncio.get_running_loop().call_soon(others.append, True)
        while not others:
            pair.writer.write(b"x")
            await pair.writer.drain()


@check
async def wr14_write_eof_ends_one_direction_and_may_be_called_again():
    async with Pair() as pair:
        assert pair.writer.can_write_eof() is True
        pair.writer.write(b"question")
        pair.writer.write_eof()
        pair.writer.write_eof()
        assert not pair.writer.is_closing()
        assert await pair.peer_reader.read() == b"question"
        pair.peer_writer.write(b"answer")
        pair.peer_writer.close()
        pair.peer_writer.write_eof()
        assert await pair.reader.read() == b"answer"


@check
async def wr15_close_sends_what_was_written_and_may_be_called_again():
    async with Pair() as pair:
        pair.writer.write(bytes(4 * MEBIBYTE))
        assert pair.writer.close() is None
        pair.writer.close()
        assert len(await pair.peer_reader.read()) == 4 * MEBIBYTE
        await pair.writer.wait_closed()


@check
async def wr16_a_writer_is_closing_after_close_and_not_after_the_peers_end():
    async with Pair() as pair:
        await pair.end()
        assert await pair.reader.read() == b""
        assert not pair.writer.is_closing()
        pair.writer.close()
        assert pair.writer.is_closing()
    assert pair.peer_writer.is_closing(), "aborted"


@check
async def wr17_wait_closed_waits_and_raises_the_connections_error_every_time():
    async with Pair() as pair:
        closed = await waiting(pair.writer.wait_closed())
        pair.writer.close()
        assert await closed is None
        assert await pair.writer.wait_closed() is None
    reader, writer = await peer(b"reset")
    await fails(ConnectionResetError, writer.wait_closed())
    await fails(ConnectionResetError, writer.wait_closed())


@departs("D4")
@check
async def wr18_a_wait_for_the_close_that_is_given_up_harms_nobody():
    async with Pair() as pair:
        other = await waiting(pair.writer.wait_closed())
        for _ in range(5):
            await fails(TimeoutError, asyncio.wait_for(pair.writer.wait_closed(), 0.01))
        pair.writer.close()
        await other
        await pair.writer.wait_closed()


@check
async def wr19_a_peer_that_does_not_read_delays_the_close_until_abort():
    async with Pair() as pair:
        pair.writer.write(bytes(16 * MEBIBYTE))
        pair.writer.close()
        closed = await waiting(pair.writer.wait_closed())
        pair.writer.transport.abort()
        await closed


@check
async def wr20_the_names_of_both_ends_are_known_also_after_close():
    async with Pair() as pair:
        names = [pair.writer.get_extra_info(name) for name in ("peername", "sockname")]
        assert [host for host, _ in names] == ["127.0.0.1"] * 2
        peers = [pair.peer_writer.get_extra_info(name) for name in ("sockname", "peername")]
        assert names == peers
        assert pair.writer.transport.get_extra_info("peername") == names[0]
        assert pair.writer.get_extra_info("cipher") is None
        for name in ("no such name", "\ud800", 5):
            assert pair.writer.get_extra_info(name, "default") == "default"
        pair.writer.close()
        await pair.writer.wait_closed()
        assert pair.writer.get_extra_info("peername") == names[0]


@check
async def l5_the_socket_among_the_details_stands_for_the_real_one():
    async with Pair() as pair:
        stand_in = pair.writer.get_extra_info("socket")
        assert stand_in.getsockname() == pair.writer.get_extra_info("sockname")
        assert stand_in.getpeername() == pair.writer.get_extra_info("peername")
        kind = stand_in.family, stand_in.type, stand_in.proto
        assert kind == (socket.AF_INET, socket.SOCK_STREAM, 6), kind
        assert "127.0.0.1" in repr(stand_in)
        assert pair.writer.get_extra_info("socket") is stand_in


@check
async def wr21_the_transport_is_one_object_with_the_writers_methods():
    async with Pair() as pair:
        transport = pair.writer.transport
        assert transport is pair.writer.transport
        assert isinstance(transport, asyncio.Transport)
        assert transport.can_write_eof() and not transport.is_closing()
        transport.write(b"one ")
        transport.writelines([b"two ", b"three"])
        transport.write_eof()
        assert await pair.peer_reader.read() == b"one two three"
        transport.close()
        assert pair.writer.is_closing()


@check
async def wr22_writing_to_a_closed_peer_becomes_an_error():
    reader, writer = await peer(b"close")
    assert await reader.read() == b""

    async def write():
        while True:
            writer.write(b"into the void")
            await writer.drain()
            await asyncio.sleep(0.001)

    await fails((BrokenPipeError, ConnectionResetError), write)


@check
async def rd26_wr23_reader_writer_and_transport_have_a_repr():
    async with Pair() as pair:
        await pair.send(b"abc")
        assert repr(pair.reader).startswith("<StreamReader 3 bytes")
        assert repr(pair.writer).startswith("<StreamWriter transport=<")


# The transport


@check
async def tr1_abort_drops_what_waits_and_ends_reading():
    async with Pair() as pair:
        pair.writer.write(bytes(16 * MEBIBYTE))
        pair.writer.transport.abort()
        assert await pair.reader.read() == b""
        await pair.writer.wait_closed()
        assert pair.writer.transport.get_write_buffer_size() == 0
        received = 0
        try:
            while data := await pair.peer_reader.read(MEBIBYTE):
                received += len(data)
        except ConnectionResetError:
            pass
        assert received < 16 * MEBIBYTE


@check
async def tr2_the_water_marks_have_defaults_from_each_other():
    async with Pair() as pair:
        transport = pair.writer.transport
        for marks, expected in (
            ({}, (16384, 65536)),
            ({"high": 1000}, (250, 1000)),
            ({"low": 1000}, (1000, 4000)),
            ({"high": 0}, (0, 0)),
            ({"high": 5, "low": 5}, (5, 5)),
        ):
            transport.set_write_buffer_limits(**marks)
            assert tuple(transport.get_write_buffer_limits()) == expected
        for high, low in ((1, 2), (-1, None), (5, -1)):
            await fails(ValueError, transport.set_write_buffer_limits, high, low)


@check
async def tr5_while_paused_nothing_arrives_and_afterwards_all():
    async with Pair() as pair:
        transport = pair.writer.transport
        assert transport.is_reading()
        transport.pause_reading()
        transport.pause_reading()
        assert not transport.is_reading()
        pair.peer_writer.write(b"patience")
        await asyncio.sleep(0.05)
        if not ORIGINAL:
            # What was being received when it paused may come.
            assert pair.reader._wit.buffered() in (0, 8)
        transport.resume_reading()
        transport.resume_reading()
        assert transport.is_reading()
        assert await pair.reader.readexactly(8) == b"patience"
        await pair.end()
        assert await pair.reader.read() == b""
        assert transport.is_reading(), "also after the end"
        transport.close()
        assert not transport.is_reading()
        transport.pause_reading()
        transport.resume_reading()


@check
async def tr8_after_the_peers_end_writing_goes_on():
    async with Pair() as pair:
        await pair.end(b"question")
        assert await pair.reader.read() == b"question"
        pair.writer.write(b"answer")
        await pair.writer.drain()
        pair.writer.close()
        assert await pair.peer_reader.read() == b"answer"


# Exceptions


@check
async def ex1_an_incomplete_read_is_an_eof_error_with_text_and_can_be_pickled():
    async with Pair() as pair:
        await pair.end(b"123")
        error = await fails(asyncio.IncompleteReadError, pair.reader.readexactly(5))
        assert isinstance(error, EOFError)
        assert str(error) == "3 bytes read on a total of 5 expected bytes"
        copy = pickle.loads(pickle.dumps(error))
        assert (copy.partial, copy.expected) == (b"123", 5)
        error = await fails(asyncio.IncompleteReadError, pair.reader.readuntil())
        assert str(error) == "0 bytes read on a total of undefined expected bytes"


@check
async def ex2_an_overrun_has_the_count_and_can_be_pickled():
    async with Pair(limit=3) as pair:
        await pair.send(b"12345")
        error = await fails(asyncio.LimitOverrunError, pair.reader.readuntil())
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is type(error) and copy.consumed == error.consumed == 5
        assert str(copy) == str(error)


@check
async def ex4_a_cancellation_passes_handlers_of_ordinary_exceptions():
    async with Pair() as pair:
        async def reads():
            try:
                await pair.reader.read(1)
            except Exception:
                return "caught"

        reading = await waiting(reads())
        reading.cancel()
        await fails(asyncio.CancelledError, reading)


# Connecting


@check
async def oc1_a_limit_below_one_is_a_value_error_before_connecting():
    for limit in (0, -1):
        await fails(ValueError, asyncio.open_connection, "127.0.0.1", 1, limit=limit)


@departs("D13")
@check
async def k1_no_limit_given_is_64_kib():
    for options in ({}, {"limit": None}):
        async with Pair(**options) as pair:
            await pair.send(bytes(2**16) + b"\n")
            assert len(await pair.reader.readline()) == 2**16 + 1
            await pair.send(bytes(2**16 + 1))
            await fails(asyncio.LimitOverrunError, pair.reader.readline())


@check
async def oc2_oc3_an_address_or_a_socket_and_not_both():
    await fails(ValueError, asyncio.open_connection)
    await fails(ValueError, asyncio.open_connection, "127.0.0.1", 1, sock=object())
    await fails(TypeError, asyncio.open_connection, "127.0.0.1", 1, colour="red")
    await fails(TypeError, asyncio.open_connection, "127.0.0.1", 1, 2)


@check
async def oc5_no_host_is_this_machine():
    # What stands for it is tried in turn: IPv6 first, where nobody listens.
    server = await serve(lambda reader, writer: writer.close())
    port = server.sockets[0].getsockname()[1]
    for options in ({}, {"happy_eyeballs_delay": 0.25}, {"interleave": 1}):
        reader, writer = await asyncio.open_connection(None, port, **options)
        assert writer.get_extra_info("peername") == ("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()
    server.close()


@check
async def oc6_hosts_may_be_bytes_and_ports_text():
    async with await serve(lambda reader, writer: writer.close()) as server:
        host, port = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(
            host.encode(),
            str(port),
            family=socket.AF_INET,
            proto=6,
            flags=socket.AI_NUMERICHOST,
        )
        assert writer.get_extra_info("peername") == (host, port)
        writer.close()
    for port in (65536, -1):
        await fails(OverflowError, asyncio.open_connection, "127.0.0.1", port)


@check
async def oc8_one_failure_keeps_its_number_and_names_the_address():
    server = await serve(print, start_serving=False)
    address = server.sockets[0].getsockname()
    error = await fails(ConnectionRefusedError, connect(server))
    assert error.errno == errno.ECONNREFUSED and str(address) in str(error), error
    server.close()


@departs("D14")
@check
async def oc8_several_failures_are_in_the_error_one_by_one_in_order():
    server = await serve(print, start_serving=False)
    _, port = server.sockets[0].getsockname()
    # IPv6 is not allowed.
    error = await fails(OSError, asyncio.open_connection, None, port)
    first, second = error.exceptions
    assert type(first) is PermissionError and f"('::1', {port}" in str(first)
    assert type(second) is ConnectionRefusedError and f"('127.0.0.1', {port})" in str(second)
    assert error.errno is None and str(first) in str(error)
    group = await fails(
        ExceptionGroup, asyncio.open_connection, None, port, all_errors=True
    )
    assert [type(error) for error in group.exceptions] == [type(first), type(second)]
    error = await fails(PermissionError, asyncio.open_connection, "192.0.2.1", 80)
    assert error.errno == errno.EACCES and len(error.exceptions) == 1
    server.close()


@check
async def oc9_a_name_that_does_not_resolve_is_a_gaierror():
    error = await fails(socket.gaierror, asyncio.open_connection, "name.invalid", 80)
    assert isinstance(error, OSError)


@departs("ours")
@check
async def oc9_the_name_is_in_the_error_and_may_be_denied():
    error = await fails(socket.gaierror, asyncio.open_connection, "name.invalid", 80)
    assert "name.invalid" in str(error)
    error = await fails(PermissionError, asyncio.open_connection, "denied.invalid", 80)
    assert "denied.invalid" in str(error)


@check
async def oc10_a_local_address_is_bound_before_connecting():
    async with await serve(lambda reader, writer: writer.close()) as server:
        _, writer = await connect(server, local_addr=("127.0.0.2", 0))
        assert writer.get_extra_info("sockname")[0] == "127.0.0.2"
        writer.close()


@check
async def oc12_a_family_that_the_literal_is_not_of_is_a_gaierror():
    wrong = functools.partial(asyncio.open_connection, "127.0.0.1", 1)
    await fails(socket.gaierror, wrong, family=socket.AF_INET6)


@check
async def oc14_oc16_details_of_tls_without_tls_are_value_errors():
    for option in ("server_hostname", "ssl_handshake_timeout", "ssl_shutdown_timeout"):
        value = "name" if option == "server_hostname" else 1
        for falsy in ({}, {"ssl": False}, {"ssl": None}):
            connecting = functools.partial(asyncio.open_connection, "127.0.0.1", 1)
            await fails(ValueError, connecting, **{option: value}, **falsy)
        if option != "server_hostname":
            await fails(ValueError, serve, print, **{option: value})
    await fails(TypeError, serve, print, ssl=True)


@check
async def oc17_a_connect_that_is_cancelled_leaves_nothing_open():
    ended = asyncio.Event()

    async def serves(reader, writer):
        assert await reader.read() == b""
        ended.set()

    server = await serve(serves)
    connecting = asyncio.create_task(connect(server))
    await asyncio.sleep(0)
    connecting.cancel()
    await fails(asyncio.CancelledError, connecting)
    await asyncio.wait_for(ended.wait(), 10)
    server.close()


@departs("ours")
@check
async def a_connect_may_have_a_timeout():
    _, full = ports()
    connecting = functools.partial(asyncio.open_connection, "127.0.0.1", full)
    error = await fails(TimeoutError, connecting, timeout=0.05)
    assert error.errno == errno.ETIMEDOUT
    await fails(ValueError, connecting, timeout=-1)
    await fails(ValueError, connecting, happy_eyeballs_delay=-1)
    async with await serve(lambda reader, writer: writer.close()) as server:
        _, writer = await connect(server, timeout=1e9)
        writer.close()


@departs("ours")
@check
async def wrong_arguments_are_errors_before_anything_is_opened():
    await fails(ValueError, serve, print, limit=0)
    await fails(TypeError, serve, None)
    await fails(PermissionError, serve, print, "192.0.2.1")
    connecting = functools.partial(asyncio.open_connection, "127.0.0.1", 1)
    await fails(ValueError, connecting, family=99)
    await fails(ValueError, connecting, flags=1 << 20)
    await fails(TypeError, connecting, limit="64")
    await fails(TypeError, asyncio.open_connection, "127.0.0.1", 1.5)
    await fails(TypeError, asyncio.open_connection, 127, 1)
    for address in (("\ud800", 1), ("127.0.0.1", "\ud800"), (b"\xff", 1)):
        await fails((UnicodeEncodeError, UnicodeDecodeError), asyncio.open_connection, *address)
    await fails(socket.gaierror, asyncio.open_connection, "127.0.0.1", "no-such-service")
    await fails(NotImplementedError, asyncio.open_connection, sock=object())


# Serving


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@check
async def ss1_each_connection_has_its_own_pair_and_one_call():
    calls = []

    async def counts(reader, writer):
        calls.append(reader)
        await echo(reader, writer)

    async def client(n):
        reader, writer = await connect(server)
        data = bytes([n]) * 100_000
        writer.write(data)
        writer.write_eof()
        assert await reader.read() == data
        writer.close()
        await writer.wait_closed()

    async with await serve(counts) as server:
        await asyncio.gather(*(client(n) for n in range(50)))
    assert len(calls) == len(set(map(id, calls))) == 50


@check
async def ss2_plain_callbacks_and_all_that_return_coroutines_are_called():
    async def coroutine(reader, writer):
        plain(reader, writer)

    def plain(reader, writer):
        writer.write(b"called")
        writer.close()

    class Callable:
        async def __call__(self, reader, writer):
            plain(reader, writer)

    class Method:
        async def method(self, reader, writer):
            plain(reader, writer)

    callbacks = (
        plain,
        coroutine,
        lambda *pair: coroutine(*pair),
        Callable(),
        Method().method,
        functools.partial(coroutine),
    )
    for callback in callbacks:
        async with await serve(callback) as server:
            reader, writer = await connect(server)
            assert await reader.read() == b"called"
            writer.close()


@departs("D7, 3.11.7")
@check
async def ss3_ss4_a_callback_that_fails_is_reported_and_its_connection_closed():
    def plain(reader, writer):
        raise ValueError("plain callback")

    async def coroutine(reader, writer):
        await reader.readline()
        raise ValueError("coroutine callback")

    loop = asyncio.get_running_loop()
    for callback in (plain, coroutine):
        reported = []
        loop.set_exception_handler(lambda loop, context: reported.append(context))
        async with await serve(callback) as server:
            reader, writer = await connect(server)
            writer.write(b"go\n")
            assert await reader.read() == b""
        loop.set_exception_handler(None)
        (context,) = reported
        assert context["message"] == "Unhandled exception in client_connected_cb"
        assert isinstance(context["exception"], ValueError)
        peername = context["transport"].get_extra_info("peername")
        assert peername == writer.get_extra_info("sockname")
        # And without a handler on standard error.
        async with await serve(callback) as server:
            reader, writer = await connect(server)
            writer.write(b"go\n")
            assert await reader.read() == b""


@departs("D7, 3.13")
@check
async def ss5_a_callback_that_returns_closes_what_nobody_holds():
    held = []

    async def leaves(reader, writer):
        writer.write(b"bye")
        await fails(TimeoutError, asyncio.wait_for(reader.readline(), 0.01))

    def hands_over(reader, writer):
        held.append(writer)

    async with await serve(leaves) as server:
        reader, writer = await connect(server)
        assert await asyncio.wait_for(reader.read(), 10) == b"bye"
    async with await serve(hands_over) as server:
        reader, writer = await connect(server)
        await until(lambda: held)
        held.pop().write(b"written after the callback had returned")
        assert await reader.read() == b"written after the callback had returned"


@check
async def l11_a_running_callback_is_not_forgotten():
    async def line(reader, writer):
        writer.write(await reader.readline())
        writer.close()

    async with await serve(line) as server:
        reader, writer = await connect(server)
        await asyncio.sleep(0.02)
        gc.collect()
        writer.write(b"still here\n")
        assert await reader.readline() == b"still here\n"
        writer.close()


@departs("3.12")
@check
async def l22_a_callback_that_is_cancelled_closes_its_connection():
    tasks = []

    async def waits(reader, writer):
        tasks.append(asyncio.current_task())
        await reader.readline()

    async with await serve(waits) as server:
        reader, writer = await connect(server)
        await until(lambda: tasks)
        tasks[0].cancel()
        assert await asyncio.wait_for(reader.read(), 10) == b""


@departs("3.11.5")
@check
async def l19_a_connection_that_nobody_holds_is_closed_after_sending():
    accepted = asyncio.Queue()

    async def writes():
        _, writer = await connect(server)
        writer.write(bytes(4 * MEBIBYTE))

    async with await serve(lambda *pair: accepted.put_nowait(pair)) as server:
        writing = asyncio.create_task(writes())
        reader, _ = await accepted.get()
        await writing
        gc.collect()
        assert len(await reader.read()) == 4 * MEBIBYTE


@departs("D9")
@check
async def ss6_no_host_is_all_interfaces_on_one_port():
    for host in (None, "", [""]):
        async with await serve(lambda reader, writer: writer.close(), host) as server:
            names = [sock.getsockname() for sock in server.sockets]
            assert {name[0] for name in names} == {"0.0.0.0", "::"}, names
            (port,) = {name[1] for name in names}
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await reader.read() == b""
            writer.close()


@check
async def ss7_each_host_of_a_list_is_bound_once():
    async with await serve(print, ["127.0.0.1", "127.0.0.1", "127.0.0.2"]) as server:
        hosts = [sock.getsockname()[0] for sock in server.sockets]
        assert sorted(hosts) == ["127.0.0.1", "127.0.0.2"]


@departs("D9, D15")
@check
async def ss7_the_hosts_share_the_port_and_an_empty_list_is_a_value_error():
    async with await serve(print, ("127.0.0.1", "127.0.0.2")) as server:
        assert len({sock.getsockname()[1] for sock in server.sockets}) == 1
    await fails(ValueError, serve, print, [])


@check
async def ss8_neither_an_address_nor_a_socket_is_a_value_error():
    await fails(ValueError, asyncio.start_server, print)
    await fails(ValueError, asyncio.start_server, print, "127.0.0.1", 0, sock=object())
    await fails(TypeError, serve, print, colour="red")


@check
async def ss9_a_bind_that_fails_leaves_nothing_open():
    async with await serve(print, "127.0.0.2") as server:
        _, port = server.sockets[0].getsockname()
        error = await fails(OSError, serve, print, ["127.0.0.1", "127.0.0.2"], port)
        assert error.errno == errno.EADDRINUSE and f"('127.0.0.2', {port})" in str(error)
        async with await serve(print, "127.0.0.1", port):
            pass


@check
async def ss10_ports_may_be_text_and_not_out_of_range():
    async with await serve(print, port="0") as server:
        assert server.sockets[0].getsockname()[1] > 0
    for port in (70000, -1):
        await fails(OverflowError, serve, print, port=port)


@check
async def ss11_an_address_may_be_used_again_at_once():
    for options in ({}, {"reuse_address": True}):
        async with await serve(echo, **options) as server:
            _, port = server.sockets[0].getsockname()
            reader, writer = await connect(server)
            writer.write_eof()
            assert await reader.read() == b""
        async with await serve(echo, port=port, **options):
            writer.close()


@check
async def ss11_without_reuse_an_address_that_old_connections_hold_is_taken():
    async with await serve(lambda reader, writer: writer.close()) as server:
        _, port = server.sockets[0].getsockname()
        reader, writer = await connect(server)
        assert await reader.read() == b""
    error = await fails(OSError, serve, print, port=port, reuse_address=False)
    assert error.errno == errno.EADDRINUSE
    async with await serve(print, port=port):
        writer.close()


@check
async def ss12_a_port_is_shared_where_both_servers_ask_for_it():
    async with await serve(print, reuse_port=True) as server:
        _, port = server.sockets[0].getsockname()
        async with await serve(print, port=port, reuse_port=True):
            pass
        error = await fails(OSError, serve, print, port=port)
        assert error.errno == errno.EADDRINUSE


@check
async def ss13_a_server_may_be_bound_and_not_serve_yet():
    server = await serve(lambda reader, writer: writer.close(), start_serving=False)
    assert not server.is_serving()
    await fails(ConnectionRefusedError, connect(server))
    await server.start_serving()
    await server.start_serving()
    assert server.is_serving()
    reader, writer = await connect(server)
    assert await reader.read() == b""
    writer.close()
    server.close()
    assert not server.is_serving()


@departs("D15")
@check
async def ss15_a_want_of_descriptors_is_reported_once_and_passes():
    reported = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: reported.append(context))
    held = []
    async with await serve(lambda *pair: held.append(pair), backlog=1000) as server:
        _, port = server.sockets[0].getsockname()
        _, flood = await peer(b"flood %d" % port)
        await until(lambda: reported)
        await asyncio.sleep(1.5)
        (context,) = reported
        assert context["message"] == "socket.accept() out of system resource"
        assert isinstance(context["exception"], OSError)
        for _, writer in held:
            writer.transport.abort()
        flood.close()
        had = len(held)
        await until(lambda: len(held) > had)
        server.close()
        server.abort_clients()
    loop.set_exception_handler(None)


@departs("3.13")
@check
async def l34_idle_connections_may_be_probed():
    async with await serve(lambda reader, writer: writer.close(), keep_alive=True) as server:
        reader, writer = await connect(server)
        assert await reader.read() == b""
        writer.close()


@check
async def sv1_the_sockets_of_a_server_are_a_tuple_of_stand_ins_empty_once_closed():
    server = await serve(print)
    (stand_in,) = server.sockets
    assert isinstance(server.sockets, tuple)
    assert stand_in.getsockname()[0] == "127.0.0.1"
    assert (stand_in.family, stand_in.type) == (socket.AF_INET, socket.SOCK_STREAM)
    await fails(OSError, stand_in.getpeername)
    assert server.get_loop() is asyncio.get_running_loop()
    assert server.is_serving()
    server.close()
    server.close()
    assert server.sockets == () and not server.is_serving()


@departs("D15")
@check
async def sv3_a_server_that_is_closed_cannot_serve_again():
    server = await serve(print)
    server.close()
    await server.wait_closed()
    await fails(RuntimeError, server.start_serving())
    assert not server.is_serving()


@check
async def sv4_a_server_that_nobody_holds_goes_on_serving():
    address = (await serve(echo)).sockets[0].getsockname()
    gc.collect()
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"still here")
    assert await reader.readexactly(10) == b"still here"
    writer.close()


@check
async def sv4_close_ends_listening_and_no_connection():
    server = await serve(echo)
    address = server.sockets[0].getsockname()
    reader, writer = await connect(server)
    writer.write(b"before")
    assert await reader.readexactly(6) == b"before"
    server.close()

    async def connects():
        while True:
            _, writer = await asyncio.open_connection(*address)
            writer.close()

    # The original closes at once, here it is the next thing that is done.
    await fails(ConnectionRefusedError, connects)
    writer.write(b"after")
    assert await reader.readexactly(5) == b"after"
    writer.close()


@departs("D5, 3.13")
@check
async def sv5_wait_closed_waits_for_the_connections_which_can_be_ended():
    for end in ("close_clients", "abort_clients"):
        held = []
        server = await serve(lambda *pair: held.append(pair))
        reader, writer = await connect(server)
        await until(lambda: held)
        server.close()
        closed = await waiting(server.wait_closed())
        given_up = await waiting(server.wait_closed())
        given_up.cancel()
        getattr(server, end)()
        await closed
        await server.wait_closed()
        assert await reader.read() == b""


@check
async def sv6_serve_forever_ends_by_a_cancellation_or_the_close():
    server = await serve(echo, start_serving=False)
    forever = await waiting(server.serve_forever())
    assert server.is_serving()
    await fails(RuntimeError, server.serve_forever())
    forever.cancel()
    await fails(asyncio.CancelledError, forever)
    assert server.sockets == ()
    server = await serve(echo)
    forever = await waiting(server.serve_forever())
    server.close()
    await fails(asyncio.CancelledError, forever)
    await fails(RuntimeError, server.serve_forever())


@departs("D5, 3.15")
@check
async def sv6_cancelling_serve_forever_closes_the_connections():
    server = await serve(echo)
    forever = await waiting(server.serve_forever())
    reader, writer = await connect(server)
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    forever.cancel()
    await fails(asyncio.CancelledError, forever)
    assert await reader.read() == b""


@departs("D5")
@check
async def sv7_leaving_the_scope_closes_the_server_and_its_connections():
    async with await serve(echo) as server:
        reader, writer = await connect(server)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
    assert server.sockets == ()
    assert await reader.read() == b""


@departs("D15")
@check
async def sv9_connections_that_come_with_the_close_are_closed_quietly():
    reported = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: reported.append(context))
    for _ in range(20):
        server = await serve(echo)
        reader, writer = await connect(server)
        server.close()
        writer.write_eof()
        try:
            assert await asyncio.wait_for(reader.read(), 10) == b""
        except ConnectionResetError:
            pass
        await asyncio.wait_for(server.wait_closed(), 10)
    loop.set_exception_handler(None)
    assert not reported, reported


# The module, its loop and its entry


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
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
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


@check
async def a_failed_task_does_not_end_the_program():
    async def fail():
        raise ValueError("never retrieved")

    asyncio.create_task(fail())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()


@departs("ours")
@check
async def run_is_refused_inside():
    async def nothing():
        pass

    await fails(RuntimeError, asyncio.run, nothing())
    await fails(ValueError, asyncio.run, nothing)


async def background():
    try:
        await asyncio.sleep(3600)
    finally:
        print("background task cancelled")


async def main():
    code, *chosen = sys.argv[2:]
    for function in CHECKS:
        if chosen and function.__name__ not in chosen:
            continue
        try:
            await asyncio.wait_for(function(), 60)
            print("ok", function.__name__)
        except Exception:
            traceback.print_exc()
            print("failed", function.__name__)
    # The end cancels what runs, closes what is open, and gives up calls that
    # have no end: a read, a server, a timer.
    asyncio.create_task(background())
    held = []
    server = await serve(lambda *pair: held.append(pair))
    reader, writer = await connect(server)
    await fails(TimeoutError, asyncio.wait_for(reader.readline(), 0.01))
    globals().update(kept=(server, reader, writer, held))
    sys.exit(int(code))


asyncio.run(main())
