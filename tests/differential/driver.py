"""CPython's asyncio streams, doing what the control connection asks for.

The program `driver` of the tests' guests does the same with ours; what they
say to each other is described in subject.rs.

Arguments: the port of the control connection.
"""

import asyncio
import errno
import logging
import sys
import time

HOST = '127.0.0.1'
PATIENCE = 10


def quote(data):
    """Bytes as one word."""
    if not data:
        return '-'
    plain = b'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz|;,.'
    return ''.join(chr(b) if b in plain else '\\x%02x' % b for b in data)


def unquote(word):
    if word == '-':
        return b''
    data = bytearray()
    at = 0
    while at < len(word):
        if word[at] == '\\':
            data.append(int(word[at + 2:at + 4], 16))
            at += 4
        else:
            data.append(ord(word[at]))
            at += 1
    return bytes(data)


def describe(error):
    """An exception as the words that both drivers use."""
    if isinstance(error, asyncio.IncompleteReadError):
        expected = '-' if error.expected is None else error.expected
        return f'incomplete {quote(error.partial)} {expected}'
    if isinstance(error, asyncio.LimitOverrunError):
        return f'overrun {error.consumed}'
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return 'connection'
    if isinstance(error, OSError) and error.errno == errno.ENOTCONN:
        return 'not-connected'
    if isinstance(error, asyncio.CancelledError):
        return 'cancelled'
    if isinstance(error, ValueError):
        return 'invalid'
    if isinstance(error, RuntimeError):
        if 'another coroutine is already waiting' in str(error):
            return 'busy'
        if 'after write_eof' in str(error):
            return 'eof-written'
    return f'unexpected {type(error).__name__}: {error}'


class Connection:
    """A connection, and what was begun on it."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.protocol = writer.transport.get_protocol()
        self.tasks = {}
        # Bytes that have come from the transport, and that reads have returned.
        self.received = self.taken = 0
        feed = reader.feed_data

        def counting(data):
            self.received += len(data)
            feed(data)

        reader.feed_data = counting
        self.received = len(reader._buffer)

    def buffered(self):
        """What has come and no read has returned, read(-1) in the middle of
        its work included."""
        return len(self.reader._buffer) + sum(map(len, self.collected()))

    def collected(self):
        for task in self.tasks.values():
            inner = task.get_coro().cr_await
            if getattr(inner, 'cr_frame', None) is not None:
                yield from inner.cr_frame.f_locals.get('blocks', ())

    async def read(self, method, *args):
        try:
            data = await method(*args)
        except asyncio.IncompleteReadError as error:
            self.taken += len(error.partial)
            raise
        self.taken += len(data)
        return data

    async def readline(self):
        try:
            return await self.read(self.reader.readline)
        except ValueError as error:
            # What is neither returned nor here any more was thrown away.
            dropped = self.received - self.taken - len(self.reader._buffer)
            self.taken += dropped
            kind = 'found' if 'is found' in str(error) else 'missing'
            return f'line-overrun {kind} {dropped}'

    def begin(self, verb, args):
        """What waits: a coroutine."""
        reader, writer = self.reader, self.writer
        if verb == 'read':
            return self.read(reader.read, int(args[0]))
        if verb == 'readexactly':
            return self.read(reader.readexactly, int(args[0]))
        if verb == 'readuntil':
            return self.read(reader.readuntil, unquote(args[0]))
        if verb == 'readline':
            return self.readline()
        if verb == 'drain':
            return writer.drain()
        if verb == 'wait_closed':
            return writer.wait_closed()
        return None

    def call(self, verb, args):
        """What does not wait: its result."""
        reader, writer = self.reader, self.writer
        transport = writer.transport
        if verb == 'settle':
            return None
        if verb == 'cancel':
            self.tasks[int(args[0])].cancel()
            return None
        if verb == 'write':
            return writer.write(unquote(args[0]))
        if verb == 'flood':
            return writer.write(b'abcdefghijklmnop' * (int(args[0]) // 16))
        if verb == 'writelines':
            return writer.writelines(list(map(unquote, args)))
        if verb == 'set_write_buffer_limits':
            high, low = (None if arg == '-' else int(arg) for arg in args)
            return transport.set_write_buffer_limits(high=high, low=low)
        if verb == 'get_write_buffer_limits':
            return '%d %d' % transport.get_write_buffer_limits()
        if verb == 'get_extra_info':
            value = writer.get_extra_info(args[0])
            return 'none' if value is None else '%s:%d' % value
        plain = {
            'at_eof': reader.at_eof, 'is_closing': writer.is_closing,
            'write_eof': writer.write_eof, 'can_write_eof': writer.can_write_eof,
            'close': writer.close, 'abort': transport.abort,
            'is_reading': transport.is_reading,
            'pause_reading': transport.pause_reading,
            'resume_reading': transport.resume_reading,
        }
        return plain[verb]()

    def settled(self, total, fin, reset, stalled):
        writer, transport = self.writer, self.writer.transport
        queued = transport.get_write_buffer_size() > 0
        if writer.is_closing():
            return self.closed() or (stalled and queued and not reset)
        if queued and not stalled:
            return False
        if reset and stalled:
            return False
        if not transport.is_reading():
            return True
        if self.received < total:
            return False
        if fin:
            return self.reader._eof
        return not reset

    def closed(self):
        return self.protocol._connection_lost

    def state(self):
        transport = self.writer.transport
        return 'received={} buffered={} reading={:d} closing={:d} closed={:d} eof={:d} queued={:d}'.format(
            self.received, self.buffered(), transport.is_reading(), self.writer.is_closing(),
            self.closed(), self.reader.at_eof(), transport.get_write_buffer_size() > 0)

    async def step(self, name, total, flags, *words):
        made = {}
        for name, (verb, *args) in enumerate(calls(words), int(name)):
            work = self.begin(verb, args)
            if work is not None:
                self.tasks[name] = asyncio.create_task(work)
                made[name] = 'pending'
                continue
            try:
                made[name] = result(self.call(verb, args))
            except Exception as error:
                made[name] = describe(error)
        done = await settle(lambda: self.settled(int(total), *(flag in flags for flag in 'frs')))
        for name, task in list(self.tasks.items()):
            if task.done():
                del self.tasks[name]
                made[name] = ended(task)
        if not done:
            made[name] = 'stuck'
        answers = [f'{name}={answer}' for name, answer in made.items()]
        return '\t'.join(answers + [self.state()])


def calls(words):
    """The calls that are to be made in one go."""
    call = []
    for word in words:
        if word == '&':
            yield call
            call = []
        else:
            call.append(word)
    yield call


def ended(task):
    if task.cancelled():
        return 'cancelled'
    if task.exception() is not None:
        return describe(task.exception())
    return result(task.result())


def result(value):
    if value is None:
        return 'ok'
    if isinstance(value, bytes):
        return f'data {quote(value)}'
    if isinstance(value, bool):
        return str(value).lower()
    return value


async def settle(condition):
    """Until it is so and nothing is left to do at once; not for ever."""
    deadline = time.monotonic() + PATIENCE
    ready = asyncio.get_running_loop()._ready
    turns = 0
    while True:
        # What the selector has to tell is heard once each turn.
        await asyncio.sleep(0 if turns < 1000 else 0.001)
        turns += 1
        if turns > 2 and not ready and condition():
            await asyncio.sleep(0)
            if not ready and condition():
                return True
        if time.monotonic() > deadline:
            return False


async def main():
    port, = map(int, sys.argv[1:])
    # It tells of every write that is lost; that is looked at here.
    logging.disable()
    control, answer = await asyncio.open_connection(HOST, port, limit=1 << 26)
    servers, accepted = {}, []
    connection = None
    while line := await control.readline():
        verb, *args = line.decode().split()
        if verb == 'step':
            text = await connection.step(*args)
        elif verb == 'connect':
            connection = Connection(*await asyncio.open_connection(
                HOST, int(args[0]), limit=int(args[1])))
            text = 'ok'
        elif verb == 'listen':
            limit = int(args[0])
            if limit not in servers:
                servers[limit] = await asyncio.start_server(
                    lambda *pair: accepted.append(Connection(*pair)), HOST, 0, limit=limit)
            text = str(servers[limit].sockets[0].getsockname()[1])
        elif verb == 'accept':
            await settle(lambda: accepted)
            connection = accepted.pop()
            text = 'ok'
        elif verb == 'leave':
            for task in connection.tasks.values():
                task.cancel()
            if not connection.closed():
                connection.writer.transport.abort()
            await settle(connection.closed)
            connection = None
            text = 'ok'
        answer.write(text.encode() + b'\n')


asyncio.run(main())
