"""Exceptions."""

import pickle

import asyncio_streams as asyncio

from .support import Pair, check, fails, waiting


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
