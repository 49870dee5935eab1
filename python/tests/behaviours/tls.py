"""TLS. The identities are those of tests/e2e/python/identities.rs: `localhost`
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
    """A pair that speaks TLS, by the default context unless another is given."""
    server = {"ssl": server_context(*identities), **options.pop("server", {})}
    return Pair(server, **{"ssl": True, **options})


async def refused(*identities, **options):
    """Why a client does not take this server for the one it wants."""
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
    """What the loop's exception handler is told."""

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
    # For CPython it is a self-signed one first.
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
    # Seen once, trusted from then on.
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
    await fails(ValueError, connecting, ssl=True, server_hostname="a b")


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
    async with await serve(echo, ssl=context, ssl_handshake_timeout=0.2) as server:
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
    assert type(timeout) is ConnectionAbortedError and "0.2 seconds" in str(timeout)
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


@departs("P8")
@check
async def t1_a_cut_end_is_told_from_the_end():
    async with secure() as pair:
        await pair.send(b"a part")
        pair.peer_writer.transport.abort()
        assert await pair.reader.read(100) == b"a part"
        error = await fails(ssl.SSLEOFError, pair.reader.read(100))
        assert error.errno == 8 and isinstance(error, ssl.SSLError)


@departs("D17")
@check
async def d17_write_eof_ends_one_half_of_the_session():
    async with secure() as pair:
        assert pair.writer.can_write_eof()
        pair.writer.write(b"question")
        pair.writer.write_eof()
        assert await pair.peer_reader.read() == b"question"
        pair.peer_writer.write(b"answer")
        pair.peer_writer.close()
        assert await pair.reader.read() == b"answer"


@check
async def l14_the_end_of_a_session_has_a_limit():
    async with secure(ssl_shutdown_timeout=0.2) as pair:
        # More than anybody buffers: the end is behind it.
        pair.peer_writer.transport.pause_reading()
        pair.writer.close()
        error = await fails(TimeoutError, pair.writer.wait_closed())
        assert str(error) == "SSL shutdown timed out"


@check
async def wr20_the_details_of_a_session_are_asyncios():
    server, client = server_context(), ssl.create_default_context()
    server.set_alpn_protocols(["other", "http/1.1"])
    client.set_alpn_protocols(["h2", "http/1.1"])
    async with secure(server={"ssl": server}, ssl=client) as pair:
        for writer, context in ((pair.writer, client), (pair.peer_writer, server)):
            name, version, bits = writer.get_extra_info("cipher")
            assert name in ("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"), name
            assert version == "TLSv1.3" and bits == int(name[8:11])
            details = writer.get_extra_info("ssl_object")
            assert details is writer.transport.get_extra_info("ssl_object")
            assert details.cipher() == (name, version, bits)
            assert details.version() == "TLSv1.3"
            assert details.selected_alpn_protocol() == "http/1.1"
            assert details.compression() is None
            assert writer.get_extra_info("compression", "default") is None
            assert details.server_side is (writer is pair.peer_writer)
            assert details.context is context is writer.get_extra_info("sslcontext")
        assert pair.peer_writer.get_extra_info("peercert", "default") is None
        details = pair.writer.get_extra_info("ssl_object")
        cert = details.getpeercert()
        assert cert == pair.writer.get_extra_info("peercert")
        assert cert["subject"] == ((("commonName", "localhost"),),)
        assert cert["issuer"] == ((("commonName", "tests' authority"),),)
        assert cert["version"] == 3 and int(cert["serialNumber"], 16) > 0
        assert cert["notBefore"] == "Jan  1 00:00:00 1975 GMT"
        assert cert["notAfter"] == "Jan  1 00:00:00 2096 GMT"
        assert ("IP Address", "127.0.0.1") in cert["subjectAltName"]
        assert details.getpeercert(binary_form=True)[:1] == b"0"
    async with Pair() as plain:
        for name in ("ssl_object", "sslcontext", "peercert", "cipher", "compression"):
            assert plain.writer.get_extra_info(name, "default") == "default"


@departs("ours")
@check
async def wr20_a_server_knows_the_name_that_was_asked_for_and_presents_its_identity():
    for hostname in ("localhost", "example.com"):
        async with secure("localhost", "example", server_hostname=hostname) as pair:
            assert pair.peer_writer.get_extra_info("ssl_object").server_hostname == hostname
            names = pair.writer.get_extra_info("peercert")["subjectAltName"]
            assert ("DNS", hostname) in names


@check
async def a_server_may_want_the_clients_certificate():
    server = server_context()
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_default_certs(ssl.Purpose.CLIENT_AUTH)
    client = server_context("example", context=ssl.create_default_context())
    async with secure(server={"ssl": server}, ssl=client) as pair:
        await pair.send(b"data")
        cert = pair.peer_writer.get_extra_info("peercert")
        assert cert["subject"] == ((("commonName", "example"),),)
    server.verify_mode = ssl.CERT_OPTIONAL
    async with secure(server={"ssl": server}) as pair:
        await pair.send(b"data")
        assert pair.peer_writer.get_extra_info("peercert") is None


@departs("D15")
@check
async def a_client_without_the_certificate_that_is_wanted_learns_it_and_so_does_the_server():
    context = server_context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
    reports = Reports()
    async with await serve(echo, ssl=context) as server:
        reader, writer = await connect(server, ssl=True)
        error = await fails(ssl.SSLError, reader.read(1))
        assert error.reason == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
        await until(lambda: reports.contexts)
        error = reports.contexts[0]["exception"]
        assert error.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE"
    reports.end()


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


@departs("ours")
@check
async def l13_a_client_names_the_server_it_starts_tls_with():
    async with Pair() as pair:
        await fails(ValueError, pair.writer.start_tls, ssl.create_default_context())
        await pair.send(b"unharmed")
        assert await pair.reader.read(100) == b"unharmed"
    async with secure() as pair:
        starting = functools.partial(pair.writer.start_tls, server_hostname="localhost")
        await fails((ValueError, NotImplementedError), starting, ssl.create_default_context())


@check
async def l13_a_start_of_tls_that_is_given_up_closes_the_connection():
    async with Pair() as pair:
        context = ssl.create_default_context()
        starting = pair.writer.start_tls(context, server_hostname="localhost")
        await fails(TimeoutError, asyncio.wait_for(starting, 0.1))
        assert pair.writer.is_closing()
