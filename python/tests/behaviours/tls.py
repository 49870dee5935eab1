"""The beginning of TLS. The identities are those of tests/e2e/python/identities.rs: `localhost`
and `example`, whose authority is a default root; `expired`; and `stranger`."""

import functools

import asyncio_streams as asyncio
from asyncio_streams import ssl

from .support import (
    ORIGINAL,
    Pair,
    check,
    connect,
    departs,
    echo,
    fails,
    serve,
    server_context,
    until,
)


def secure(*identities, **options):
    """Makes a pair that speaks TLS, with the default context unless another is given."""
    server = {"ssl": server_context(*identities), **options.pop("server", {})}
    return Pair(server, **{"ssl": True, **options})


async def refused(*identities, **options):
    """Returns the reason why a client does not accept this server."""
    reports = Reports()
    async with await serve(echo, ssl=server_context(*identities)) as server:
        error = await fails(
            ssl.SSLCertVerificationError, connect, server, **{"ssl": True, **options}
        )
    reports.end()
    assert error.reason == "CERTIFICATE_VERIFY_FAILED" and error.library == "SSL"
    assert error.errno == 1 and isinstance(error, (ssl.SSLError, ValueError, OSError))
    assert str(error).startswith("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: ")
    assert error.verify_message in str(error)
    return error


class Reports:
    """Collects the reports to the loop's exception handler."""

    def __init__(self):
        self.contexts = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: self.contexts.append(context))

    def end(self):
        asyncio.get_running_loop().set_exception_handler(None)


@check
async def oc13_ssl_true_speaks_tls_with_the_default_context():
    async with secure() as pair:
        await pair.send(b"to the client")
        assert await pair.reader.readexactly(13) == b"to the client"
        pair.writer.write(bytes(300_000))
        pair.writer.write(b"end\n")
        await asyncio.gather(pair.writer.drain(), pair.peer_reader.readexactly(300_000))
        assert await pair.peer_reader.readline() == b"end\n"
        pair.writer.close()
        assert await pair.peer_reader.read() == b""
        pair.peer_writer.close()
        await pair.writer.wait_closed()
        await pair.peer_writer.wait_closed()


@check
async def oc13_a_context_may_be_given_and_falsy_is_plain():
    for falsy in (None, False):
        async with Pair(ssl=falsy) as pair:
            assert pair.writer.get_extra_info("ssl_object", "plain") == "plain"
    context = ssl.create_default_context()
    for hostname in (None, "localhost"):
        async with secure(ssl=context, server_hostname=hostname) as pair:
            assert pair.writer.get_extra_info("sslcontext") is context
            asked = pair.writer.get_extra_info("ssl_object").server_hostname
            assert asked == hostname or asked == "127.0.0.1"


@check
async def oc13_the_name_has_to_be_the_certificates():
    error = await refused(server_hostname="example.com")
    assert error.verify_code == 62
    assert error.verify_message.startswith("Hostname mismatch"), error
    assert "example.com" in error.verify_message


@check
async def oc13_the_authority_has_to_be_trusted():
    error = await refused("stranger", server_hostname="localhost")
    # CPython reports it as self-signed.
    assert error.verify_code == (18 if ORIGINAL else 20), error.verify_code


@check
async def oc13_the_certificate_has_to_be_valid_now():
    error = await refused("expired", server_hostname="localhost")
    assert error.verify_code == 10
    assert error.verify_message == "certificate has expired"


@check
async def oc13_without_a_check_of_the_name_others_are_taken():
    context = ssl.create_default_context()
    context.check_hostname = False
    async with secure(ssl=context, server_hostname="example.com") as pair:
        cert = pair.writer.get_extra_info("peercert")
        assert ("DNS", "localhost") in cert["subjectAltName"]
    error = await refused("stranger", ssl=context)
    assert error.reason == "CERTIFICATE_VERIFY_FAILED"


@check
async def oc13_without_any_check_strangers_are_taken_and_their_details_are_not():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with secure("stranger", ssl=context) as pair:
        await pair.send(b"data")
        details = pair.writer.get_extra_info("ssl_object")
        assert details.getpeercert() == {} == pair.writer.get_extra_info("peercert")
        der = details.getpeercert(binary_form=True)
    # The certificate that was seen once is trusted from then on.
    pem = ssl.DER_cert_to_PEM_cert(der)
    for cadata in (pem, der):
        context = ssl.create_default_context(cadata=cadata)
        async with secure("stranger", ssl=context, server_hostname="localhost") as pair:
            await pair.send(b"data")
        await refused(ssl=context)


@check
async def oc14_oc16_details_of_tls_without_tls_are_value_errors():
    connecting = functools.partial(asyncio.open_connection, "127.0.0.1", 1)
    for name in ("server_hostname", "ssl_handshake_timeout", "ssl_shutdown_timeout"):
        for falsy in ({}, {"ssl": False}, {"ssl": None}):
            value = "" if name == "server_hostname" else 0
            error = await fails(ValueError, connecting, **{name: value}, **falsy)
            assert str(error) == f"{name} is only meaningful with ssl"
        if "timeout" in name:
            error = await fails(ValueError, serve, print, **{name: 1})
            assert str(error) == f"{name} is only meaningful with ssl"


@check
async def oc15_without_a_host_a_name_is_needed():
    for host in (None, ""):
        error = await fails(ValueError, asyncio.open_connection, host, 1, ssl=True)
        assert str(error) == "You must set server_hostname when using ssl without a host"
    async with await serve(echo, None, ssl=server_context()) as server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection(None, port, ssl=True, server_hostname="localhost")
        writer.close()


@check
async def oc15_an_empty_name_is_not_checked():
    async with secure(server_hostname="") as pair:
        await pair.send(b"data")
        assert pair.writer.get_extra_info("ssl_object").server_hostname is None


@check
async def oc15_a_name_may_be_of_any_language():
    async with secure(server_hostname="bücher.example") as pair:
        details = pair.writer.get_extra_info("ssl_object")
        assert details.server_hostname == "xn--bcher-kva.example"


@departs("ours")
@check
async def oc15_what_is_no_name_is_a_value_error():
    async with await serve(echo, ssl=server_context()) as server:
        for name in ("a b", ".example.com", "\0", "a" * 300):
            connecting = functools.partial(connect, server, ssl=True, server_hostname=name)
            await fails((ValueError, TypeError), connecting)


@check
async def oc16_a_handshake_has_a_limit():
    async with await serve(lambda reader, writer: reader.read()) as silent:
        for limit in (0.2, 1):
            error = await fails(
                ConnectionAbortedError, connect, silent, ssl=True, ssl_handshake_timeout=limit
            )
            text = f"SSL handshake is taking longer than {limit} seconds: aborting the connection"
            assert str(error) == text
        for name in ("ssl_handshake_timeout", "ssl_shutdown_timeout"):
            for limit in (0, -1.5):
                error = await fails(ValueError, connect, silent, ssl=True, **{name: limit})
                assert str(error) == f"{name} should be a positive number, got {limit}"
            await fails(TypeError, connect, silent, ssl=True, **{name: "1"})


@departs("ours")
@check
async def wrong_arguments_for_tls_are_errors_before_anything_is_opened():
    connecting = functools.partial(asyncio.open_connection, "127.0.0.1", 1)
    await fails(TypeError, connecting, ssl=object())
    await fails(TypeError, serve, print, ssl=object())
    await fails(ValueError, serve, print, ssl=server_context(), ssl_handshake_timeout=0)
    error = await fails(ssl.SSLError, serve, print, ssl=ssl.create_default_context())
    assert "Cannot create a server socket with a PROTOCOL_TLS_CLIENT context" in str(error)
    error = await fails(ssl.SSLError, connecting, ssl=server_context())
    assert "Cannot create a client socket with a PROTOCOL_TLS_SERVER context" in str(error)
    await fails(ssl.SSLError, connecting, ssl=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    await fails(PermissionError, serve, print, ssl=server_context("no such identity"))
    error = await fails(ssl.SSLError, serve, print, ssl=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    assert "use_identity()" in str(error)


@check
async def ss14_a_server_needs_a_context():
    for value in (True, False):
        error = await fails(TypeError, serve, print, ssl=value)
        assert str(error) == "ssl argument must be an SSLContext or None"


@departs("D15")
@check
async def ss16_a_handshake_that_fails_is_reported_and_the_server_goes_on():
    reports = Reports()
    context = server_context()
    async with await serve(echo, ssl=context, ssl_handshake_timeout=2) as server:
        reader, writer = await connect(server)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        await until(lambda: len(reports.contexts) == 1)
        silent = await connect(server)
        await until(lambda: len(reports.contexts) == 2)
        reader, writer = await connect(server, ssl=True)
        writer.write(b"still here\n")
        assert await reader.readline() == b"still here\n"
        writer.close()
    reports.end()
    garbage, timeout = (report["exception"] for report in reports.contexts)
    assert garbage.reason == "WRONG_VERSION_NUMBER", garbage
    assert type(timeout) is ConnectionAbortedError and "2 seconds" in str(timeout)
    assert "handshake" in reports.contexts[0]["message"]
    silent[1].close()


@check
async def t6_a_peer_that_does_not_speak_tls_is_told_apart():
    async def answer(reader, writer):
        writer.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")
        await writer.drain()
        await reader.read()
        writer.close()

    async with await serve(answer) as server:
        error = await fails(ssl.SSLError, connect, server, ssl=True)
        assert error.reason == "WRONG_VERSION_NUMBER" and error.errno == 1


@check
async def t7_a_peer_that_ends_the_handshake_is_a_reset():
    async def leave(reader, writer):
        await reader.read(1000)
        writer.close()

    async with await serve(leave) as server:
        await fails(ConnectionResetError, connect, server, ssl=True)
