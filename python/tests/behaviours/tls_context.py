"""The settings of TLS."""

from asyncio_streams import ssl

from .support import check, departs, fails

CLIENT, SERVER = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER


@check
async def ssl_contexts_have_the_defaults_of_their_side():
    client, server = ssl.SSLContext(CLIENT), ssl.SSLContext(SERVER)
    assert (client.verify_mode, client.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (server.verify_mode, server.check_hostname) == (ssl.CERT_NONE, False)
    for context in (client, server):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        assert context.maximum_version == ssl.TLSVersion.MAXIMUM_SUPPORTED
    assert client.protocol == CLIENT and server.protocol == SERVER
    default = ssl.create_default_context()
    assert default.protocol == CLIENT and default.check_hostname
    assert ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).protocol == SERVER
    await fails(ValueError, ssl.SSLContext, 99)
    await fails(TypeError, ssl.create_default_context, "server")
    await fails(TypeError, client.load_default_certs, "server")
    assert ssl.HAS_SNI and ssl.HAS_ALPN and ssl.HAS_TLSv1_3 and not ssl.HAS_SSLv3


@check
async def ssl_names_are_not_checked_without_certificates():
    context = ssl.create_default_context()
    error = await fails(ValueError, setattr, context, "verify_mode", ssl.CERT_NONE)
    text = "Cannot set verify_mode to CERT_NONE when check_hostname is enabled."
    assert str(error) == text
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.check_hostname = True
    assert context.verify_mode is ssl.CERT_REQUIRED
    error = await fails(ValueError, setattr, context, "verify_mode", 7)
    assert str(error) == "invalid value for verify_mode"


@check
async def ssl_versions_below_a_minimum_are_not_spoken():
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.minimum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
    error = await fails(ValueError, setattr, context, "minimum_version", 5)
    assert str(error) == "Unsupported TLS/SSL version 0x5"


@check
async def ssl_application_protocols_have_1_to_255_letters():
    context = ssl.create_default_context()
    for wrong in ("", "a" * 256):
        error = await fails(ssl.SSLError, context.set_alpn_protocols, ["h2", wrong])
        assert str(error) == "('ALPN protocols must be 1 to 255 in length',)" or (
            str(error) == "ALPN protocols must be 1 to 255 in length"
        )
    await fails(UnicodeEncodeError, context.set_alpn_protocols, ["é"])
    await fails(TypeError, context.set_alpn_protocols, [b"h2"])


@check
async def ssl_roots_are_certificates():
    context = ssl.create_default_context()
    load = context.load_verify_locations
    error = await fails(TypeError, load)
    assert str(error) == "cafile, capath and cadata cannot be all omitted"
    for cadata in (3, "é"):
        error = await fails(TypeError, load, cadata=cadata)
        assert str(error) == "cadata should be an ASCII string or a bytes-like object"
    for cadata in ("", b""):
        error = await fails(ValueError, load, cadata=cadata)
        assert str(error) == "Empty certificate data"
    begin, end = (f"-----{word} CERTIFICATE-----\n" for word in ("BEGIN", "END"))
    for cadata in ("none", b"none", begin + "AAAA\n" + end, begin + "****\n" + end, b"0\x03abc"):
        error = await fails(ssl.SSLError, load, cadata=cadata)
        assert "cadata does not contain a certificate" in str(error) or cadata == b"0\x03abc"
    for name in ("cafile", "capath"):
        error = await fails(TypeError, load, **{name: 3})
        assert str(error) == f"{name} should be a valid filesystem path"
    await fails(FileNotFoundError, load, cafile="/no/such/file")


@departs("ours")
@check
async def ssl_keys_stay_with_the_host():
    context = ssl.SSLContext(SERVER)
    error = await fails(NotImplementedError, context.load_cert_chain, "cert.pem", "key.pem")
    assert "use_identity" in str(error) and "--tls-identity" in str(error)
    await fails(TypeError, context.use_identity, b"name")
    await fails(NotImplementedError, setattr, context, "maximum_version", ssl.TLSVersion.TLSv1_2)


@check
async def ssl_options_that_are_so_anyway_may_be_set():
    for protocol in (CLIENT, SERVER):
        context = ssl.SSLContext(protocol)
        assert context.options & ssl.OP_NO_SSLv3 and context.options & ssl.OP_NO_COMPRESSION
        assert not context.options & ssl.OP_IGNORE_UNEXPECTED_EOF
        context.options |= ssl.OP_NO_SSLv2 | ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_1
        assert context.options & ssl.OP_NO_TLSv1 and context.options & ssl.OP_NO_TLSv1_1
        context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
        assert context.options & ssl.OP_IGNORE_UNEXPECTED_EOF
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        assert not context.options & ssl.OP_IGNORE_UNEXPECTED_EOF
        assert isinstance(context.options, ssl.Options)
        await fails(TypeError, setattr, context, "options", "none")


@departs("ours")
@check
async def ssl_options_that_would_have_no_effect_are_refused():
    context = ssl.SSLContext(CLIENT)
    await fails(NotImplementedError, setattr, context, "options", 0x4000)
    assert not context.require_alpn
    context.require_alpn = True
    assert context.require_alpn
