"""What nobody sends in good faith."""

import io
import json
from typing import Any

TEXTS = (
    "", " ", "\0", "a\0b", "\ud800", "\udfff\ud800", "‮\u2066", "𠀀" * 500, "'; DROP TABLE cards;--",
    "{{7*7}}", "../../etc/passwd", "%00", "x" * 60_000, "\r\nSet-Cookie: a=b", "NaN", "-1",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    *TEXTS, None, True, 0, -1, 2**64, 10**400, 1.5, [], {}, [[]], [None], ["\0"], ["\ud800"],
    {"a": {"b": []}}, ["x"] * 5000,
)  # fmt: skip

PLAUSIBLE: dict[str, Any] = {
    "activation_code": "ABCD-EFGH-JKLM-NPQR",
    "pkcs10": "MIIB",
    "name": "某人",
    "employee_number": "1",
    "rights": ["declare-import"],
    "roles": ["registrar"],
    "reason": "boredom",
    "reasons": "因为",
    "token": {"format": "web-eid:1.0"},
    "document": "PGEvPg==",
    "certificate": "MIIB",
    "format": "CAdES",
    "id": "0" * 32,
    "signature_value": "MAA=",
}

RAW_JSON = (
    b"", b"{", b"[]", b"null", b"1e999", b'"x"', b"\xff\xfe{}", b"{}{}", b'{"a":NaN}', b"\0",
    b"[" * 30_000, b'{"a":' * 9_000, b'{"name":' + b"9" * 9_000 + b"}", b'{"name":"\\ud800"}',
    '{"name":"é"}'.encode("utf-16"), b'{"name":1,"name":2}', b" " * 60_000, b"x" * 200_000,
)  # fmt: skip


def json_bodies() -> list[bytes]:
    """Broken JSON, and objects in which every member, or one of them, is of the wrong kind."""
    bodies = list(RAW_JSON)
    bodies += [json.dumps(dict.fromkeys(PLAUSIBLE, value)).encode() for value in VALUES]
    for number, name in enumerate(PLAUSIBLE):
        for step in (0, 7, 15):
            value = VALUES[(number * 3 + step) % len(VALUES)]
            bodies.append(json.dumps({**PLAUSIBLE, name: value}).encode())
    return bodies


FORM_FIELDS = (
    "uscc", "name", "customs_code", "legal_representative", "region", "phone", "email",
    "reference", "access_code", "decision", "reasons", "reason", "confirmation",
    "employee_number", "rights", "roles", "token", "nonce", "next", "client_id",
    "client_secret", "code", "code_verifier", "grant_type", "redirect_uri", "scope",
    "response_type", "state", "id_token_hint",
)  # fmt: skip

QUERIES = (
    "page=-1", "page=0", "page=99999999999999999999", "page=x", "state=%00", "state=%ff",
    "q=%00", "q=%25%25_%5C", "q=%ed%a0%80", "lang=xx", "lang=%00", "next=//evil.example",
    "next=javascript:alert(1)", "below=-1", "below=1e9", "below=99999999999999999999",
    "after=1" + "0" * 30, "after=-1" + "0" * 30,
    "subject=%00", "verify=%ff", "a=1&" * 1200, "client_id=%00&redirect_uri=%ff", "=&=&;", "%",
    "request=x&request_uri=http://evil.example", "state=" + "x" * 7000,
    "client_id=" + "x" * 3000, "scope=openid%00&response_type=code",
)  # fmt: skip

PATHS = (
    "/%", "/%zz", "/%00", "/%ff%fe", "//", "//evil.example/", "/.", "/..", "/../../etc/passwd",
    "/static/../../portseal.toml", "/static/..%2f..%2fportseal.toml", "/static/%00",
    "/verify/static/..%2f..%2f..%2fetc%2fpasswd", "/" + "a/" * 2000, "/" + "x" * 30_000,
    "/api/", "/api/v1", "/api/v1/nothing", "/api/v1/cards/%00", "/api/v1/cards/%ff",
    "/api/v1/cards/..%2f..", "/api/v1/signatures/%00", "/api/v1/applications/%ed%a0%80",
    "/cards/" + "x" * 5000, "/officer/applications/%00", "/enterprise/operators/%00",
    "/crl/", "/crl/%00.crl", "/crl/../issuing.crl", "/crl/issuing.crl/", "/crl/nobody.crl",
    "/certs/issuing.crl", "/certs/x.cer", "/ocsp/%", "/ocsp/%00", "/ocsp/AAAA",
    "/ocsp/" + "A" * 9000, "/ocsp/%ff", "/tsa/", "/tsa/x", "/oidc/", "/.well-known/", "/health",
    "/health/%00",
    "*", "http://evil.example/", "/;", "/\\", "/?%00", "/api/v1/rights?%ff=%fe",
)  # fmt: skip

HEADERS: tuple[dict[str, str], ...] = (
    {"Cookie": "portseal-session=%00"},
    {"Cookie": "portseal-session=" + "A" * 6000},
    {"Cookie": "portseal-form=eyJhIjoxfQ.x.y; portseal-session=x"},
    {"Cookie": "portseal-form=.eJx.AAAA.AAAA"},
    {"Cookie": ";;;=;=;===; a"},
    {"Cookie": "language=../../etc; portseal-session=é"},
    {"Accept": "\x7f;q=x,,,"},
    {"Accept-Language": "zz-\u00ff;q=NaN, *;q=9999"},
    {"Authorization": "Basic %%%"},
    {"Authorization": "Basic " + "A" * 5000},
    {"Authorization": "Bearer \u00ff"},
    {"Authorization": "Bearer a.b.c"},
    {"Authorization": "Digest x"},
    {"Origin": "null"},
    {"Origin": "https://evil.example"},
    {"Host": "evil.example"},
    {"Host": "\u00ff"},
    {"X-Request-Id": "<script>"},
    {"X-Forwarded-For": "\u00ff" * 50, "X-Forwarded-Proto": "gopher"},
    {"If-None-Match": '"\u00ff'},
    {"If-Modified-Since": "yesterday"},
    {"Range": "bytes=9-1,-"},
    {"Content-Encoding": "gzip"},
    {"Transfer-Encoding": "identity"},
    {"Expect": "200-maybe"},
)

MEDIA_TYPES = (
    "", "application/json; charset=utf-99", "application/x-www-form-urlencoded; charset=\u00ff",
    "text/plain", "multipart/form-data", "multipart/form-data; boundary=", "image/png",
    "multipart/form-data; boundary=" + "x" * 300, "application/json, application/json", "/",
    "application/ocsp-request", "application/timestamp-query",
)  # fmt: skip


def part(head: bytes, body: bytes) -> bytes:
    return b"--edge\r\n" + head + b"\r\n\r\n" + body + b"\r\n"


def multiparts() -> list[bytes]:
    """Bodies for `multipart/form-data; boundary=edge` that no browser makes."""
    licence = b'Content-Disposition: form-data; name="licence"; filename='
    document = b'Content-Disposition: form-data; name="document"; filename="d"'
    signature = b'Content-Disposition: form-data; name="signature"; filename="s"'
    field = b'Content-Disposition: form-data; name="uscc"'
    end = b"--edge--\r\n"
    many = io.BytesIO()
    for number in range(300):
        many.write(part(b'Content-Disposition: form-data; name="f%d"' % number, b"x"))
    return [
        b"", end, b"--edge", b"--edge\r\n", b"no boundary at all", part(field, b"x"),
        part(b"", b"x") + end, part(b"Content-Disposition: form-data", b"x") + end,
        part(b"Content-Disposition: attachment; name=document", b"x") + end,
        part(b'Content-Disposition: form-data; name="\xff\x00"', b"x") + end,
        part(field, b"\xff\xfe\x00") + end, part(field, b"x" * (3 << 20)) + end,
        part(licence + b'"../../x"', b"\x89PNG") + end, part(licence + b'"\x00"', b"") + end,
        part(licence + b"\"a\"; filename*=utf-99''%ff", b"%PDF-") + end,
        part(document, b"<a/>") * 2 + end, part(document, b"") + end,
        part(document, b"<a/>") + part(signature, b"\x30\x80" * 2000) + end,
        part(signature, b"0") + end, many.getvalue() + end,
        part(document + b"\r\nContent-Type: \xff/\xff; charset=x", b"<a/>") + end,
        part(document + b"\r\nContent-Transfer-Encoding: base64", b"!!") + end,
        b"--edge\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
    ]  # fmt: skip


_ENTITIES = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(12))
DOCUMENTS: dict[str, bytes] = {
    "entity bomb": f'<!DOCTYPE a [<!ENTITY e0 "boom">{_ENTITIES}]><a>&e12;</a>'.encode(),
    "external entity": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    "external DTD": b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/evil.dtd"><a/>',
    "parameter entity": b'<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd">%p;]><a/>',
    "XInclude": b'<a xmlns:x="http://www.w3.org/2001/XInclude">'
    b'<x:include href="/etc/passwd" parse="text"/></a>',
    "deep": b"<a>" * 50_000 + b"</a>" * 50_000,
    "many attributes": b"<a " + b" ".join(b'a%d="x"' % n for n in range(20_000)) + b"/>",
    "not closed": b"<a",
    "wrong encoding": b'<?xml version="1.0" encoding="utf-99"?><a/>',
    "UTF-16 without a mark": '<?xml version="1.0" encoding="UTF-16"?><a/>'.encode("utf-16-le"),
    "NUL": b"<a>\0</a>",
    "nothing": b"",
    "DER of no end": b"\x30\x84\xff\xff\xff\xff\x06\x09",
    "indefinite length": b"\x30\x80" * 10_000,
    "PDF": b"%PDF-1.7\n%%EOF",
    "ZIP": b"PK\x03\x04" + b"\0" * 100,
}
