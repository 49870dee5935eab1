"""The sessions of TLS: their ends and their details."""

from asyncio_streams import ssl

from .support import Pair, check, connect, departs, echo, fails, serve, server_context, until
from .tls import Reports, secure


@departs("P8")
@check
async def t1_a_cut_end_is_told_from_the_end():
    async with secure() as pair:
        await pair.send(b"a part")
        pair.peer_writer.transport.abort()
        assert await pair.reader.read(100) == b"a part"
        error = await fails(ssl.SSLEOFError, pair.reader.read(100))
        assert error.errno == 8 and isinstance(error, ssl.SSLError)
    async with secure() as pair:
        await pair.send(b"a part")
        pair.peer_writer.transport.abort()
        error = await fails(ssl.SSLEOFError, pair.reader.read())
        assert error.partial == b"a part"


@departs("P8")
@check
async def t1_a_cut_end_is_the_end_where_that_is_asked_for():
    context = ssl.create_default_context()
    context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
    async with secure(ssl=context) as pair:
        await pair.send(b"one\ntw")
        pair.peer_writer.transport.abort()
        assert [line async for line in pair.reader] == [b"one\n", b"tw"]
        pair.writer.close()
        await pair.writer.wait_closed()


@check
async def a_session_without_a_common_protocol_has_none():
    server, client = server_context(), ssl.create_default_context()
    server.set_alpn_protocols(["http/1.1"])
    client.set_alpn_protocols(["h2"])
    async with secure(server={"ssl": server}, ssl=client) as pair:
        for writer in (pair.writer, pair.peer_writer):
            assert writer.get_extra_info("ssl_object").selected_alpn_protocol() is None
        await pair.send(b"data")


@departs("ours")
@check
async def a_required_protocol_is_agreed_on_or_the_handshake_fails():
    for requires_here, requires_there in ((False, True), (True, False)):
        server, client = server_context(), ssl.create_default_context()
        server.set_alpn_protocols(["http/1.1"])
        client.set_alpn_protocols(["h2"])
        client.require_alpn, server.require_alpn = requires_here, requires_there
        reports = Reports()
        async with await serve(echo, ssl=server) as listening:
            await fails(ssl.SSLError, connect, listening, ssl=client)
            client.set_alpn_protocols(["h2", "http/1.1"])
            reader, writer = await connect(listening, ssl=client)
            details = writer.get_extra_info("ssl_object")
            assert details.selected_alpn_protocol() == "http/1.1"
            writer.close()
        reports.end()


@departs("ours")
@check
async def ss16_the_number_of_handshakes_has_a_limit():
    reports = Reports()
    async with await serve(echo, ssl=server_context(), max_ssl_handshakes=2) as server:
        stalled = [await connect(server) for _ in range(3)]
        await until(lambda: reports.contexts)
        assert "2 handshakes" in str(reports.contexts[0]["exception"])
        for _, writer in stalled:
            writer.close()
    reports.end()
    await fails(ValueError, serve, echo, max_ssl_handshakes=2)
    await fails(ValueError, serve, echo, ssl=server_context(), max_ssl_handshakes=0)


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
async def a_session_that_both_ends_have_ended_closes_well_although_the_peer_is_gone():
    ended = []

    async def serves(reader, writer):
        assert await reader.read() == b"bye"
        writer.close()
        try:
            await writer.wait_closed()
            ended.append(None)
        except Exception as error:
            ended.append(error)

    async with await serve(serves, ssl=server_context()) as server:
        for _ in range(50):
            _, writer = await connect(server, ssl=True)
            writer.write(b"bye")
            writer.close()
        await until(lambda: len(ended) == 50)
    assert ended == [None] * 50, ended


@check
async def l14_the_end_of_a_session_has_a_limit():
    async with secure(ssl_shutdown_timeout=0.2) as pair:
        # More data than the buffers hold, and the end behind it.
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
