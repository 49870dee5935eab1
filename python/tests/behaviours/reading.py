"""Reading."""

import errno

import asyncio_streams as asyncio

from .support import MEBIBYTE, ORIGINAL, Pair, check, departs, fails, peer, waiting


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
    error = await fails(ConnectionResetError, reader.read)
    assert error.partial == b"fore"
    for read in (reader.read, reader.readline, reader.readuntil):
        error = await fails(ConnectionResetError, read)
        assert error.errno == errno.ECONNRESET


@check
async def rd17_a_reader_knows_the_error_of_its_connection():
    reader, _ = await peer(b"reset")
    assert reader.exception() is None
    await fails(ConnectionResetError, reader.readexactly, 100)
    assert type(reader.exception()) is ConnectionResetError


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
        # Cancelled in the same turn in which the line arrived.
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
