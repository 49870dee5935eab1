"""What tests/e2e/python.rs checks: each function of CHECKS prints `ok name` or
a traceback and `failed name`.

Arguments: the port of `peer.py`, which resets connections; the exit code; names
of checks, all without.
"""

import errno
import gc
import socket
import sys
import traceback

import asyncio_streams as asyncio

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def raises(kind, function, *args, **kwargs):
    """The exception of exactly this class."""
    try:
        function(*args, **kwargs)
    except BaseException as error:
        assert type(error) is kind, f"{error!r} is no {kind.__name__}"
        return error
    raise AssertionError(f"no {kind.__name__}")


async def fails(kind, awaitable):
    try:
        result = await awaitable
    except BaseException as error:
        assert type(error) is kind, f"{error!r} is no {kind.__name__}"
        return error
    raise AssertionError(f"{result!r} and no {kind.__name__}")


class Pair:
    """A connection inside this component: reader and writer of both ends."""

    def __init__(self, **options):
        self.options = options

    async def __aenter__(self):
        accepted = asyncio.Queue()
        server = await asyncio.start_server(lambda *pair: accepted.put_nowait(pair), "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        self.reader, self.writer = await asyncio.open_connection(host, port, **self.options)
        self.peer_reader, self.peer_writer = await accepted.get()
        server.close()
        return self

    async def __aexit__(self, *error):
        self.writer.transport.abort()
        self.peer_writer.transport.abort()

    async def send(self, data):
        """Sends to the reader and waits until it can be read there."""
        self.peer_writer.write(data)
        await asyncio.sleep(0.05)


@check
async def reading():
    async with Pair() as pair:
        await pair.send(b"one\ntwo\nthree,four;five!rest")
        assert await pair.reader.read(0) == b""
        assert await pair.reader.readline() == b"one\n"
        assert await pair.reader.readexactly(4) == b"two\n"
        assert await pair.reader.readuntil(b",") == b"three,"
        assert await pair.reader.readuntil((b"!", b";")) == b"four;"
        assert await pair.reader.read(2) == b"fi"
        assert await pair.reader.read(100) == b"ve!rest"
        assert not pair.reader.at_eof()
        pair.peer_writer.write(b"last")
        assert pair.peer_writer.can_write_eof()
        pair.peer_writer.write_eof()
        assert await pair.reader.read() == b"last"
        assert pair.reader.at_eof()
        assert await pair.reader.read(1) == b"" == await pair.reader.readline()


@check
async def iteration():
    async with Pair() as pair:
        pair.peer_writer.writelines(line for line in (b"a\n", b"\n", bytearray(b"b\nc")))
        pair.peer_writer.close()
        assert [line async for line in pair.reader] == [b"a\n", b"\n", b"b\n", b"c"]


@check
async def incomplete_read():
    async with Pair() as pair:
        await pair.send(b"12345")
        pair.peer_writer.close()
        error = await fails(asyncio.IncompleteReadError, pair.reader.readexactly(9))
        assert (error.partial, error.expected) == (b"12345", 9)
        assert isinstance(error, EOFError)
        assert str(error) == "5 bytes read on a total of 9 expected bytes"
        error = await fails(asyncio.IncompleteReadError, pair.reader.readuntil())
        assert (error.partial, error.expected) == (b"", None)


@check
async def limit_overrun():
    async with Pair(limit=3) as pair:
        await pair.send(b"abcdef\nok\n")
        error = await fails(asyncio.LimitOverrunError, pair.reader.readuntil(b"\n"))
        assert error.consumed == 6, error.consumed
        error = await fails(asyncio.LimitOverrunError, pair.reader.readline())
        assert error.consumed == 6, error.consumed
        assert await pair.reader.readexactly(error.consumed) == b"abcdef"
        assert await pair.reader.readline() == b"\n"
        assert await pair.reader.readline() == b"ok\n"
        await pair.send(b"abcdef")
        error = await fails(asyncio.LimitOverrunError, pair.reader.readuntil(b"END"))
        assert error.consumed == 4, error.consumed
        discarding = asyncio.create_task(pair.reader.discard_line())
        await pair.send(b"gh\nxy\n")
        assert await discarding == 9
        assert await pair.reader.readline() == b"xy\n"
        await pair.send(b"abc\n")
        assert await pair.reader.readline() == b"abc\n", "the separator is not counted"


@check
async def reading_arguments():
    async with Pair() as pair:
        reader = pair.reader
        await fails(ValueError, reader.readuntil(b""))
        await fails(ValueError, reader.readuntil(()))
        await fails(ValueError, reader.readexactly(-1))
        assert await reader.readexactly(0) == b""


@check
async def a_second_reader_is_refused():
    async with Pair() as pair:
        first = asyncio.create_task(pair.reader.readline())
        await asyncio.sleep(0)
        await fails(RuntimeError, pair.reader.read(1))
        assert await pair.reader.read(0) == b""
        await pair.send(b"line\n")
        assert await first == b"line\n"


@check
async def a_cancelled_read_loses_nothing():
    async with Pair() as pair:
        reader = pair.reader
        await pair.send(b"par")
        for read in (reader.readline, lambda: reader.readexactly(9), reader.read):
            await fails(TimeoutError, asyncio.wait_for(read(), 0.02))
        # Of another kind than the one that waited.
        assert await reader.read(2) == b"pa"
        waiting = asyncio.create_task(reader.readexactly(4))
        await asyncio.sleep(0)
        waiting.cancel()
        assert await reader.readexactly(1) == b"r", "right after the cancel"
        waiting = asyncio.create_task(reader.readline())
        await asyncio.sleep(0)
        await pair.send(b"abc")
        waiting.cancel()
        assert await reader.read(100) == b"abc"


@check
async def many_timeouts():
    async with Pair() as pair:
        for _ in range(200):
            await fails(TimeoutError, asyncio.wait_for(pair.reader.readline(), 0))
        async def impatient():
            async with asyncio.timeout(0.02):
                await pair.writer.wait_closed()
        for _ in range(5):
            await fails(TimeoutError, impatient())
        await pair.send(b"still here\n")
        assert await pair.reader.readline() == b"still here\n"


@check
async def writing_errors():
    async with Pair() as pair:
        error = raises(TypeError, pair.writer.write, "text")
        assert "bytes-like" in str(error)
        raises(TypeError, pair.writer.writelines, b"bytes")
        pair.writer.write_eof()
        raises(RuntimeError, pair.writer.write, b"more")
        pair.writer.write_eof()
        assert not pair.writer.is_closing()
        pair.writer.close()
        pair.writer.close()
        assert pair.writer.is_closing()
        raises(RuntimeError, pair.writer.write, b"more")


@check
async def water_marks():
    async with Pair() as pair:
        transport = pair.writer.transport
        assert transport.get_write_buffer_limits() == (16384, 65536)
        transport.set_write_buffer_limits(high=1000)
        assert transport.get_write_buffer_limits() == (250, 1000)
        transport.set_write_buffer_limits(low=1000)
        assert transport.get_write_buffer_limits() == (1000, 4000)
        raises(ValueError, transport.set_write_buffer_limits, high=1, low=2)
        raises(ValueError, transport.set_write_buffer_limits, high=-1)
        amount = 16 * 2**20
        pair.writer.write(bytes(amount))
        assert transport.get_write_buffer_size() > 0
        draining = [asyncio.create_task(pair.writer.drain()) for _ in range(3)]
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in draining)
        assert len(await pair.peer_reader.readexactly(amount)) == amount
        await asyncio.gather(*draining)
        assert transport.get_write_buffer_size() <= 1000


@check
async def abort_ends_a_drain():
    async with Pair() as pair:
        pair.writer.write(bytes(16 * 2**20))
        draining = asyncio.create_task(pair.writer.drain())
        await asyncio.sleep(0.02)
        pair.writer.transport.abort()
        given_up = asyncio.create_task(pair.writer.drain())
        await asyncio.sleep(0)
        given_up.cancel()
        error = await fails(ConnectionAbortedError, draining)
        assert error.errno == errno.ECONNABORTED
        await pair.writer.wait_closed()


@check
async def pausing():
    async with Pair() as pair:
        transport = pair.writer.transport
        assert transport.is_reading()
        transport.pause_reading()
        assert not transport.is_reading()
        transport.resume_reading()
        assert transport.is_reading()
        assert transport.get_extra_info("peername") == pair.peer_writer.get_extra_info("sockname")


@check
async def extra_info():
    async with Pair() as pair:
        host, port = pair.writer.get_extra_info("peername")
        assert host == "127.0.0.1" and port > 0
        assert pair.writer.get_extra_info("sockname") == pair.peer_writer.get_extra_info("peername")
        assert pair.writer.get_extra_info("socket", "none") == "none"
        pair.writer.close()
        await pair.writer.wait_closed()
        assert pair.writer.get_extra_info("peername") == (host, port)


@check
async def connecting_errors():
    # Bound, and refusing connections.
    server = await asyncio.start_server(print, "127.0.0.1", 0, start_serving=False)
    _, port = server.sockets[0].getsockname()
    error = await fails(ConnectionRefusedError, asyncio.open_connection("127.0.0.1", port))
    assert error.errno == errno.ECONNREFUSED
    assert f"('127.0.0.1', {port})" in str(error), error
    assert len(error.exceptions) == 1
    error = await fails(PermissionError, asyncio.open_connection("192.0.2.1", 80))
    assert error.errno == errno.EACCES
    await fails(PermissionError, asyncio.open_connection("denied.invalid", 80))
    error = await fails(socket.gaierror, asyncio.open_connection("name.invalid", port))
    assert isinstance(error, OSError) and "name.invalid" in str(error)
    # Both loopback addresses; IPv6 is not allowed.
    error = await fails(OSError, asyncio.open_connection(None, port))
    assert {type(e) for e in error.exceptions} == {ConnectionRefusedError, PermissionError}
    assert error.errno is None
    error = await fails(ExceptionGroup, asyncio.open_connection(None, port, all_errors=True))
    assert len(error.exceptions) == 2


@check
async def connecting_arguments():
    connect = asyncio.open_connection
    await fails(ValueError, connect())
    for limit in (0, -1):
        await fails(ValueError, connect("127.0.0.1", 1, limit=limit))
    await fails(OverflowError, connect("127.0.0.1", 65536))
    await fails(ValueError, connect("127.0.0.1", 1, family=99))
    await fails(ValueError, connect("127.0.0.1", 1, flags=1 << 20))
    await fails(ValueError, connect("127.0.0.1", 1, server_hostname="a"))
    await fails(ValueError, connect("127.0.0.1", 1, ssl_handshake_timeout=1))
    await fails(ValueError, connect("127.0.0.1", 1, ssl_shutdown_timeout=1))
    await fails(ValueError, connect("127.0.0.1", 1, happy_eyeballs_delay=-1))
    await fails(NotImplementedError, connect("127.0.0.1", 1, ssl=True))
    await fails(NotImplementedError, connect("127.0.0.1", 1, ssl=object()))
    await fails(NotImplementedError, connect(sock=object()))
    await fails(ValueError, connect("127.0.0.1", sock=object()))
    raises(TypeError, connect, "127.0.0.1", 1, colour="red")
    raises(TypeError, connect, "127.0.0.1", 1, 2)
    await fails(TypeError, connect("127.0.0.1", 1.5))


@check
async def connecting_options():
    accepted = asyncio.Queue()
    async with await asyncio.start_server(lambda *pair: accepted.put_nowait(pair), "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(
            host.encode(),
            str(port),
            limit=None,
            family=socket.AF_INET,
            proto=6,
            flags=socket.AI_NUMERICHOST,
            local_addr=("127.0.0.1", 0),
            happy_eyeballs_delay=0.25,
            interleave=1,
        )
        assert writer.get_extra_info("peername") == (host, port)
        _, peer = await accepted.get()
        assert peer.get_extra_info("peername") == writer.get_extra_info("sockname")


@check
async def a_cancelled_connect_leaves_nothing_open():
    ended = asyncio.Event()

    async def serve(reader, writer):
        assert await reader.read() == b""
        ended.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        connecting = asyncio.create_task(asyncio.open_connection(*server.sockets[0].getsockname()))
        await asyncio.sleep(0)
        connecting.cancel()
        await fails(asyncio.CancelledError, connecting)
        await asyncio.wait_for(ended.wait(), 10)


@check
async def resets():
    port = int(sys.argv[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"reset\n")
    # What came before the reset is not lost.
    assert await reader.readexactly(6) == b"before"
    error = await fails(ConnectionResetError, reader.readexactly(1))
    assert error.errno == errno.ECONNRESET
    await fails(ConnectionResetError, reader.readline())
    await fails(ConnectionResetError, writer.drain())
    await fails(ConnectionResetError, writer.wait_closed())
    await fails(ConnectionResetError, writer.wait_closed())


@check
async def writing_to_a_closed_peer():
    port = int(sys.argv[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"close\n")
    assert await reader.read() == b""
    try:
        for _ in range(1000):
            writer.write(b"into the void")
            await writer.drain()
            await asyncio.sleep(0.001)
        raise AssertionError("no error")
    except (BrokenPipeError, ConnectionResetError) as error:
        assert error.errno in (errno.EPIPE, errno.ECONNRESET)


@check
async def serving_arguments():
    serve = asyncio.start_server
    await fails(ValueError, serve(print))
    await fails(ValueError, serve(print, [], 0))
    await fails(ValueError, serve(print, "127.0.0.1", 0, limit=0))
    await fails(OverflowError, serve(print, "127.0.0.1", 70000))
    await fails(TypeError, serve(print, "127.0.0.1", 0, ssl=True))
    await fails(NotImplementedError, serve(print, "127.0.0.1", 0, ssl=object()))
    await fails(ValueError, serve(print, "127.0.0.1", 0, ssl_handshake_timeout=1))
    await fails(NotImplementedError, serve(print, "127.0.0.1", 0, reuse_port=True))
    await fails(TypeError, serve(None, "127.0.0.1", 0))
    raises(TypeError, serve, print, "127.0.0.1", 0, colour="red")
    await fails(PermissionError, serve(print, "192.0.2.1", 0))
    async with await serve(print, "127.0.0.1", 0) as server:
        _, port = server.sockets[0].getsockname()
        error = await fails(OSError, serve(print, "127.0.0.1", port))
        assert error.errno == errno.EADDRINUSE
        assert f"('127.0.0.1', {port})" in str(error)


@check
async def a_server_that_does_not_serve_yet():
    server = await asyncio.start_server(print, "127.0.0.1", 0, start_serving=False)
    address = server.sockets[0].getsockname()
    assert not server.is_serving()
    await fails(ConnectionRefusedError, asyncio.open_connection(*address))
    await server.start_serving()
    await server.start_serving()
    assert server.is_serving()
    _, writer = await asyncio.open_connection(*address)
    writer.close()
    server.close()
    server.close()
    assert not server.is_serving()
    await server.wait_closed()
    await fails(RuntimeError, server.start_serving())
    await fails(RuntimeError, server.serve_forever())


@check
async def serving_for_ever():
    async def echo(reader, writer):
        while line := await reader.readline():
            writer.write(line)

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    forever = asyncio.create_task(server.serve_forever())
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello\n")
    assert await reader.readline() == b"hello\n"
    await fails(RuntimeError, server.serve_forever())
    forever.cancel()
    await fails(asyncio.CancelledError, forever)
    assert server.sockets == ()
    assert await reader.read() == b"", "its connections are closed as well"

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    forever = asyncio.create_task(server.serve_forever())
    await asyncio.sleep(0)
    server.close()
    await fails(asyncio.CancelledError, forever)


@check
async def ending_the_clients():
    for end in ("close_clients", "abort_clients"):
        held = []
        server = await asyncio.start_server(lambda *pair: held.append(pair), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        while not held:
            await asyncio.sleep(0.01)
        server.close()
        waiting = asyncio.create_task(server.wait_closed())
        await asyncio.sleep(0.02)
        assert not waiting.done(), "a connection lives"
        getattr(server, end)()
        await waiting
        assert await reader.read() == b""


@check
async def failing_callbacks():
    """Reported, and the connection closed: a coroutine's and a plain one's."""

    def plain(reader, writer):
        raise ValueError("plain callback")

    async def coroutine(reader, writer):
        await reader.readline()
        raise ValueError("coroutine callback")

    for callback in (plain, coroutine):
        async with await asyncio.start_server(callback, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"go\n")
            assert await reader.read() == b""
    reported = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: reported.append(context))
    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        reader, _ = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await reader.read() == b""
    loop.set_exception_handler(None)
    assert isinstance(reported[0]["exception"], ValueError)


@check
async def returning_callbacks():
    """The connection ends when nobody holds it, also with a read given up."""

    async def leaves(reader, writer):
        writer.write(b"bye")
        await fails(TimeoutError, asyncio.wait_for(reader.readline(), 0.01))

    class Awaits:
        async def __call__(self, reader, writer):
            await leaves(reader, writer)

    for callback in (leaves, lambda *pair: leaves(*pair), Awaits()):
        async with await asyncio.start_server(callback, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            assert await asyncio.wait_for(reader.read(), 10) == b"bye"


@check
async def dropping_what_is_not_sent_yet():
    """Dropped between two tasks; what was written arrives."""
    amount = 4 * 2**20
    accepted = asyncio.Queue()
    async with await asyncio.start_server(lambda *pair: accepted.put_nowait(pair), "127.0.0.1", 0) as server:
        async def writes():
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(bytes(amount))

        asyncio.create_task(writes())
        reader, _ = await accepted.get()
        await asyncio.sleep(0.05)
        gc.collect()
        assert len(await reader.read()) == amount


@check
async def several_hosts():
    accepted = asyncio.Queue()
    hosts = ["127.0.0.1", "127.0.0.1", "127.0.0.2"]
    async with await asyncio.start_server(lambda *pair: accepted.put_nowait(pair), hosts, 0) as server:
        names = [sock.getsockname() for sock in server.sockets]
        assert [host for host, _ in names] == ["127.0.0.1", "127.0.0.2"], names
        assert len({port for _, port in names}) == 1
        assert all(sock.family == socket.AF_INET for sock in server.sockets)


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
    assert 0.1 <= loop.time() - start < 5
    assert order == ["soon", "early", "late"]
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        tasks = [group.create_task(asyncio.sleep(0.01, n)) for n in range(100)]
    assert [task.result() for task in tasks] == list(range(100))


@check
async def a_failed_task_does_not_end_the_program():
    async def fail():
        raise ValueError("never retrieved")

    asyncio.create_task(fail())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()


@check
async def run_is_refused_inside():
    async def nothing():
        pass

    raises(RuntimeError, asyncio.run, nothing())
    raises(ValueError, asyncio.run, nothing)


@check
async def many_connections():
    async def echo(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()

    async def client(address, n):
        reader, writer = await asyncio.open_connection(*address)
        data = bytes([n]) * 100_000
        writer.write(data)
        writer.write_eof()
        assert await reader.read() == data
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        address = server.sockets[0].getsockname()
        await asyncio.gather(*(client(address, n) for n in range(50)))


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
    server = await asyncio.start_server(lambda *pair: held.append(pair), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    await fails(TimeoutError, asyncio.wait_for(reader.readline(), 0.01))
    globals().update(kept=(server, reader, writer, held))
    sys.exit(int(code))


asyncio.run(main())
