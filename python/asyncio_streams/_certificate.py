"""Decodes certificates to the dict that CPython makes of them.

The bytes come from the peer and may be malformed. Fields that cannot be read are left
out.
"""

import base64
import re

_INTEGER, _OCTETS, _OID, _SEQUENCE, _SET = 0x02, 0x04, 0x06, 0x30, 0x31
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
# The constructed tags [0] and [3], and the primitive tag [6].
_VERSION, _EXTENSIONS, _URI = 0xA0, 0xA3, 0x86

# Strings, by how their characters are encoded.
_ENCODINGS = {
    0x0C: "utf-8",  # UTF8String
    0x12: "latin-1",  # NumericString
    0x13: "latin-1",  # PrintableString
    0x14: "latin-1",  # T61String
    0x16: "latin-1",  # IA5String
    0x1A: "latin-1",  # VisibleString
    0x1C: "utf-32-be",  # UniversalString
    0x1E: "utf-16-be",  # BMPString
}

# Attributes of names, by OpenSSL's long names for them.
_ATTRIBUTES = {
    "0.9.2342.19200300.100.1.1": "userId",
    "0.9.2342.19200300.100.1.25": "domainComponent",
    "1.2.840.113549.1.9.1": "emailAddress",
    "1.2.840.113549.1.9.2": "unstructuredName",
    "1.2.840.113549.1.9.8": "unstructuredAddress",
    "1.3.6.1.4.1.311.60.2.1.1": "jurisdictionLocalityName",
    "1.3.6.1.4.1.311.60.2.1.2": "jurisdictionStateOrProvinceName",
    "1.3.6.1.4.1.311.60.2.1.3": "jurisdictionCountryName",
    "2.5.4.3": "commonName",
    "2.5.4.4": "surname",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "countryName",
    "2.5.4.7": "localityName",
    "2.5.4.8": "stateOrProvinceName",
    "2.5.4.9": "streetAddress",
    "2.5.4.10": "organizationName",
    "2.5.4.11": "organizationalUnitName",
    "2.5.4.12": "title",
    "2.5.4.13": "description",
    "2.5.4.15": "businessCategory",
    "2.5.4.17": "postalCode",
    "2.5.4.20": "telephoneNumber",
    "2.5.4.41": "name",
    "2.5.4.42": "givenName",
    "2.5.4.43": "initials",
    "2.5.4.44": "generationQualifier",
    "2.5.4.46": "dnQualifier",
    "2.5.4.65": "pseudonym",
    "2.5.4.97": "organizationIdentifier",
}

_SUBJECT_ALT_NAME, _CRL_POINTS, _ACCESS = "2.5.29.17", "2.5.29.31", "1.3.6.1.5.5.7.1.1"
_OCSP, _CA_ISSUERS = "1.3.6.1.5.5.7.48.1", "1.3.6.1.5.5.7.48.2"

_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\s(.*?)-----END CERTIFICATE-----", re.DOTALL)


# The errors of reading a malformed element.
_MALFORMED = (ValueError, IndexError)


def decode(der):
    """Returns the certificate as `ssl.SSLSocket.getpeercert` does."""
    try:
        tag, content, _ = _element(der)
        body, *_ = _inside((tag, content), _SEQUENCE)
        fields = _inside(body, _SEQUENCE)
        version = _inside(fields.pop(0))[0] if fields[0][0] == _VERSION else (_INTEGER, b"\0")
        serial, _, issuer, validity, subject, *more = fields
    except _MALFORMED:
        return {}
    extensions = _attempt(lambda: _extensions(more)) or {}
    access, points = extensions.get(_ACCESS), extensions.get(_CRL_POINTS)
    certificate = {
        "subject": _attempt(lambda: _name(subject)),
        "issuer": _attempt(lambda: _name(issuer)),
        "version": _attempt(lambda: _integer(version) + 1),
        "serialNumber": _attempt(lambda: _hexadecimal(_integer(serial))),
        "notBefore": _attempt(lambda: _time(*_inside(validity)[0])),
        "notAfter": _attempt(lambda: _time(*_inside(validity)[1])),
        "subjectAltName": _attempt(lambda: _alt_names(extensions.get(_SUBJECT_ALT_NAME))),
        "OCSP": _attempt(lambda: _locations(access, _OCSP)),
        "caIssuers": _attempt(lambda: _locations(access, _CA_ISSUERS)),
        "crlDistributionPoints": _attempt(lambda: _crl_points(points)),
    }
    return {name: value for name, value in certificate.items() if value is not None}


def split(data):
    """Splits concatenated certificates in DER."""
    certificates = []
    while data:
        _, _, rest = _element(data)
        certificates.append(data[: len(data) - len(rest)])
        data = rest
    return certificates


def from_pem(text):
    """Returns the certificates of this PEM, in DER."""
    return [base64.b64decode(b"".join(body.split()), validate=True) for body in _PEM.findall(text)]


def to_pem(der):
    text = base64.b64encode(der).decode("ascii")
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----\n"])


def _attempt(read):
    try:
        return read()
    except _MALFORMED:
        return None


def _element(data):
    """Returns the first element's tag and content, and the data after it."""
    if len(data) < 2 or data[0] & 0x1F == 0x1F:
        raise ValueError("no element")
    tag, size, start = data[0], data[1], 2
    if size & 0x80:
        start += size & 0x7F
        if not 2 < start <= 6:
            raise ValueError("no length")
        size = int.from_bytes(data[2:start], "big")
    end = start + size
    if len(data) < end:
        raise ValueError("cut short")
    return tag, data[start:end], data[end:]


def _inside(element, wanted=None):
    """Returns the elements inside one, each as its tag and its content."""
    elements, data = [], _content(element, wanted)
    while data:
        tag, content, data = _element(data)
        elements.append((tag, content))
    return elements


def _content(element, wanted=None):
    tag, content = element
    if wanted is not None and tag != wanted:
        raise ValueError(f"tag {tag:#x} instead of {wanted:#x}")
    return content


def _integer(element):
    return int.from_bytes(_content(element, _INTEGER), "big", signed=True)


def _hexadecimal(number):
    digits = f"{abs(number):X}"
    return "-" * (number < 0) + "0" * (len(digits) % 2) + digits


def _oid(content):
    """Formats an object identifier in digits and dots."""
    if not content or len(content) > 64 or content[-1] & 0x80:
        raise ValueError("no object identifier")
    arcs, arc = [], 0
    for byte in content:
        arc = arc << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))


def _name(element):
    parts = _inside(element, _SEQUENCE)
    return tuple(tuple(map(_attribute, _inside(part, _SET))) for part in parts)


def _attribute(element):
    kind, (tag, value) = _inside(element, _SEQUENCE)
    kind = _oid(_content(kind, _OID))
    if tag not in _ENCODINGS:
        raise ValueError(f"tag {tag:#x} is no string's")
    return _ATTRIBUTES.get(kind, kind), value.decode(_ENCODINGS[tag])


def _time(tag, content):
    digits = {_UTC_TIME: 2, _GENERALIZED_TIME: 4}.get(tag, 0)
    pattern = rf"(\d{{{digits}}})" + r"(\d\d)" * 5 + r"(\.\d+)?Z"
    found = re.fullmatch(pattern, content.decode("ascii"))
    if not digits or not found or not 1 <= int(found[2]) <= 12:
        raise ValueError("no time")
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    if tag == _UTC_TIME:
        year += 2000 if year < 50 else 1900
    time = f"{hour:02}:{minute:02}:{second:02}{found[7] or ''}"
    return f"{_MONTHS[month - 1]} {day:2} {time} {year} GMT"


def _extensions(fields):
    """Returns the element of each extension, by its identifier."""
    extensions = {}
    for field in fields:
        if field[0] == _EXTENSIONS:
            for extension in _inside(_inside(field)[0], _SEQUENCE):
                kind, *_, value = _inside(extension, _SEQUENCE)
                value = _inside((_OCTETS, _content(value, _OCTETS)))
                extensions[_oid(_content(kind, _OID))] = value[0]
    return extensions


def _alt_names(element):
    return element and tuple(map(_general_name, _inside(element, _SEQUENCE)))


def _general_name(element):
    tag, content = element
    match tag:
        case 0xA0:
            return "othername", "<unsupported>"
        case 0x81:
            return "email", content.decode()
        case 0x82:
            return "DNS", content.decode()
        case 0xA3:
            return "X400Name", "<unsupported>"
        case 0xA4:
            return "DirName", _name(_inside(element)[0])
        case 0xA5:
            return "EdiPartyName", "<unsupported>"
        case 0x86:
            return "URI", content.decode()
        case 0x87:
            return "IP Address", _ip_address(content)
        case 0x88:
            kind = _oid(content)
            return "Registered ID", _ATTRIBUTES.get(kind, kind)
    raise ValueError(f"tag {tag:#x} is no name's")


def _ip_address(content):
    match len(content):
        case 4:
            return ".".join(map(str, content))
        case 16:
            groups = (content[at : at + 2] for at in range(0, 16, 2))
            return ":".join(f"{int.from_bytes(group, 'big'):X}" for group in groups)
    return "<invalid>"


def _locations(element, wanted):
    """Returns the URIs of the access descriptions of this kind."""
    found = []
    for access in _inside(element, _SEQUENCE) if element else ():
        kind, (tag, content) = _inside(access, _SEQUENCE)
        if tag == _URI and _oid(_content(kind, _OID)) == wanted:
            found.append(content.decode())
    return tuple(found) or None


def _crl_points(element):
    found = []
    for point in _inside(element, _SEQUENCE) if element else ():
        for name in (part for part in _inside(point, _SEQUENCE) if part[0] == 0xA0):
            for full in (part for part in _inside(name) if part[0] == 0xA0):
                found += [text.decode() for tag, text in _inside(full) if tag == _URI]
    return tuple(found) or None
