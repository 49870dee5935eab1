"""Compares how `_certificate.py` and CPython read certificates made by OpenSSL.

CPython runs this program. It prints `ok` and the compared names, or fails.
"""

import importlib.util
import pathlib
import random
import ssl
import subprocess
import tempfile

SOURCE = pathlib.Path(__file__).parent.parent / "asyncio_streams" / "_certificate.py"

NAMES = """
[ext]
subjectAltName = @alt
authorityInfoAccess = OCSP;URI:http://ocsp.example/, OCSP;URI:http://ocsp2.example/, \
caIssuers;URI:http://ca.example/ca.cer, caIssuers;DNS:no.location
crlDistributionPoints = URI:http://crl.example/1, URI:http://crl.example/2
basicConstraints = critical, CA:false
[alt]
DNS.1 = example.com
DNS.2 = *.example.com
IP.1 = 127.0.0.1
IP.2 = 2001:db8::1
IP.3 = ::
email.1 = somebody@example.com
URI.1 = https://example.com/path
RID.1 = 1.2.3.4
RID.2 = 2.5.4.3
dirName.1 = directory
otherName.1 = 1.2.3.4.5;UTF8:other
[directory]
C = DE
O = Directory
"""

# Names, further arguments of openssl, and extensions.
CERTIFICATES = [
    ("/CN=localhost", [], ""),
    ("/CN=localhost", [], NAMES),
    ("/C=DE/ST=Bayern/L=München/O=Größe/OU=a/OU=b/CN=x+emailAddress=a@b.c", [], ""),
    ("/L=München/O=日本", [], ""),
    ("/L=München/O=Größe", [], ""),
    ("/DC=org/DC=example/UID=me/serialNumber=17/SN=b/GN=a/title=Dr/street=s/postalCode=1", [], ""),
    ("/1.2.3.4.5=unknown/organizationIdentifier=o/businessCategory=Private", [], ""),
    ("/jurisdictionC=DE/jurisdictionST=b/jurisdictionL=m/dnQualifier=q/pseudonym=p", [], ""),
    ("/CN=0", ["-set_serial", "0"], ""),
    ("/CN=1", ["-set_serial", "0x0123456789abcdef"], ""),
    ("/CN=2", ["-set_serial", "-128"], ""),
    ("/CN=3", ["-set_serial", "0xffffffffffffffffffffffffffffffffffffffff"], ""),
    ("/CN=after 2050", ["-days", "20000"], ""),
    ("/", [], "[ext]\nsubjectAltName = critical, DNS:only.example\n"),
    ("/CN=e", [], "[ext]\nsubjectAltName = IP:::ffff:1.2.3.4\n"),
    ("/CN=d", [], "[ext]\nauthorityInfoAccess = caIssuers;URI:http://only.example/\n"),
]


# The string types that names use, in turn.
MASKS = ["utf8only", "pkix", "nombstr"]

# Replacements for the first time, each of the same length.
TIMES = [b"500101000000Z", b"491231235959Z", b"000229010203Z"]


def load():
    specification = importlib.util.spec_from_file_location("_certificate", SOURCE)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, (arguments, done.stderr)


def make(folder):
    """Returns the certificates that OpenSSL makes, in DER."""
    key, config, request, file = (folder / name for name in ("key", "config", "request", "file"))
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    for number, (subject, arguments, extensions) in enumerate(CERTIFICATES):
        mask = MASKS[number % len(MASKS)]
        request_section = f"[req]\nstring_mask = {mask}\ndistinguished_name = dn\n[dn]\n"
        config.write_text(request_section + extensions)
        named = ["-subj", subject, "-utf8", "-config", config]
        openssl("req", "-new", "-key", key, *named, "-out", request)
        more = ["-extfile", config, "-extensions", "ext"] if extensions else []
        signed = ["-signkey", key, "-outform", "DER", "-out", file]
        openssl("x509", "-req", "-in", request, *signed, *arguments, *more)
        yield file.read_bytes()


def cpythons(der, folder):
    file = folder / "certificate.pem"
    file.write_text(ssl.DER_cert_to_PEM_cert(der))
    return ssl._ssl._test_decode_cert(str(file))


def damaged(der, random):
    """Returns the certificate cut short, and with a few bytes changed."""
    yield from (der[:end] for end in range(len(der)))
    for _ in range(2000):
        other = bytearray(der)
        for _ in range(random.randint(1, 4)):
            other[random.randrange(len(other))] = random.randrange(256)
        yield bytes(other)


def main():
    ours = load()
    dice = random.Random(5)
    fields = set()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        certificates = list(make(folder))
        first = certificates[0]
        begins = first.index(b"\x17\x0d") + 2
        certificates += (first[:begins] + time + first[begins + 13 :] for time in TIMES)
        for der in certificates:
            expected = cpythons(der, folder)
            assert ours.decode(der) == expected, (ours.decode(der), expected)
            assert list(ours.decode(der)) == list(expected)
            fields |= set(expected)
            assert ours.to_pem(der) == ssl.DER_cert_to_PEM_cert(der)
        assert ours.split(b"".join(certificates)) == certificates
        pem = "".join(map(ours.to_pem, certificates))
        assert ours.from_pem(f"words\n{pem}words".encode()) == certificates
        for der in certificates:
            for other in damaged(der, dice):
                assert isinstance(ours.decode(other), dict)
    for garbage in (b"", b"\x30", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", b"\x1f" * 9, b"0\0" * 9):
        assert ours.decode(garbage) == {}, garbage
    print("ok", len(certificates), *sorted(fields))


main()
