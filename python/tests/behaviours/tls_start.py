"""TLS on open connections."""

import functools

import asyncio_streams as asyncio
from asyncio_streams import ssl

from .support import Pair, check, connect, departs, echo, fails, serve, server_context, until
from .tls import secure


@check
async def l13_tls_may_begin_on_an_open_connection():
    async def serves(reader, writer):
        assert await reader.readline() == b"STARTTLS\n"
        writer.write(b"ready\n")
        await writer.start_tls(server_context())
        assert writer.get_extra_info("ssl_object").server_side
        await echo(reader, writer)

    async with await serve(serves) as server:
        reader, writer = await connect(server)
        writer.write(b"STARTTLS\n")
        assert await reader.readline() == b"ready\n"
        context = ssl.create_default_context()
        await writer.start_tls(context, server_hostname="localhost")
        assert writer.get_extra_info("sslcontext") is context
        assert writer.transport.get_extra_info("cipher")[1] == "TLSv1.3"
        writer.write(b"secret\n")
        assert await reader.readline() == b"secret\n"
        writer.close()


@departs("3.15")
@check
async def l13_a_handshake_that_has_arrived_with_other_data_is_used():
    async def serves(reader, writer):
        assert await reader.readline() == b"STARTTLS\n"
        await until(lambda: reader._wit.buffered() > 0)
        await writer.start_tls(server_context())
        await echo(reader, writer)

    async with await serve(serves) as server:
        reader, writer = await connect(server)
        writer.write(b"STARTTLS\n")
        await writer.start_tls(ssl.create_default_context(), server_hostname="localhost")
        writer.write(b"secret\n")
        assert await reader.readline() == b"secret\n"
        writer.close()


@departs("ours")
@check
async def l13_data_put_before_the_session_are_refused():
    def serves(reader, writer):
        writer.write(b"ready\nput there by somebody else\n")
        return reader.read()

    async with await serve(serves) as server:
        reader, writer = await connect(server)
        assert await reader.readline() == b"ready\n"
        starting = functools.partial(writer.start_tls, server_hostname="localhost")
        error = await fails(ssl.SSLError, starting, ssl.create_default_context())
        assert "before the TLS session" in str(error)
        assert writer.is_closing()


@check
async def l13_what_start_tls_is_given_is_checked():
    async with Pair() as pair:
        for writer in (pair.writer, pair.peer_writer):
            error = await fails(TypeError, writer.start_tls, True)
            text = "sslcontext is expected to be an instance of ssl.SSLContext, got True"
            assert str(error) == text
        await pair.send(b"unharmed")
        assert await pair.reader.read(100) == b"unharmed"


@departs("3.11")
@check
async def l13_tls_may_begin_inside_a_session():
    def context():
        context = server_context()
        context.set_alpn_protocols(["inner"])
        return context

    async def serves(reader, writer):
        assert await reader.readline() == b"CONNECT\n"
        writer.write(b"ready\n")
        await writer.start_tls(context())
        await echo(reader, writer)

    async with await serve(serves, ssl=server_context()) as server:
        reader, writer = await connect(server, ssl=True)
        outer = writer.get_extra_info("ssl_object")
        writer.write(b"CONNECT\n")
        assert await reader.readline() == b"ready\n"
        context_inside = ssl.create_default_context()
        context_inside.set_alpn_protocols(["inner"])
        await writer.start_tls(context_inside, server_hostname="localhost")
        inner = writer.get_extra_info("ssl_object")
        assert inner.context is context_inside is writer.get_extra_info("sslcontext")
        assert inner.selected_alpn_protocol() == "inner"
        assert outer is not inner and outer.selected_alpn_protocol() is None
        assert outer.version() == "TLSv1.3" and outer.getpeercert() == inner.getpeercert()
        writer.write(b"secret\n")
        assert await reader.readline() == b"secret\n"
        writer.close()
        await writer.wait_closed()


@departs("ours")
@check
async def l13_a_client_names_the_server_it_starts_tls_with():
    async with Pair() as pair:
        await fails(ValueError, pair.writer.start_tls, ssl.create_default_context())
        await pair.send(b"unharmed")
        assert await pair.reader.read(100) == b"unharmed"


@check
async def l13_tls_may_begin_at_once_and_given_up_it_closes_the_connection():
    async with Pair() as pair:
        context = ssl.create_default_context()
        starting = pair.writer.start_tls(context, server_hostname="localhost")
        await fails(TimeoutError, asyncio.wait_for(starting, 0.1))
        assert pair.writer.is_closing()
