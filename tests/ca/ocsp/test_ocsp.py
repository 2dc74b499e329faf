"""The OCSP responder, asked by openssl over HTTP and by malformed messages."""

import base64
import gc
import threading
import tracemalloc
import wsgiref.simple_server
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ca.crl.archive import CrlArchive
from ca.inventory import RevocationReason
from ca.issuing.issuance import IssuedCertificate
from ca.ocsp.messages import MAX_REQUEST_BYTES
from ca.ocsp.responder import OcspResponder
from ca.ocsp.service import Answering
from ca.revocation import Revocation
from ca.status_watch import POLL_SECONDS
from ca.web import CrlApplication, OcspApplication, StatusApplication
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.keys import KeyHandle
from kernel.refusals import Unavailable
from records.database import Database
from records.lookup import Lookup
from tests.ca.crl.test_crl import crl_issuer
from tests.ca.openssl import openssl, run
from tests.ca.world import World, operator_request

Status = ocsp.OCSPResponseStatus


class Client:
    """Speaks WSGI to the application."""

    def __init__(self, application: StatusApplication) -> None:
        self._application = application
        self.status = ""
        self.headers: dict[str, str] = {}

    def post(self, body: bytes, content_type: str = "application/ocsp-request") -> bytes:
        return self._call(
            REQUEST_METHOD="POST",
            PATH_INFO="/ocsp",
            CONTENT_LENGTH=str(len(body)),
            CONTENT_TYPE=content_type,
            **{"wsgi.input": BytesIO(body)},
        )

    def get(self, path: str, **headers: str) -> bytes:
        return self._call(REQUEST_METHOD="GET", PATH_INFO=path, **headers)

    def _call(self, **environ: Any) -> bytes:
        def start_response(status: str, headers: list[tuple[str, str]]) -> None:
            self.status, self.headers = status, dict(headers)

        return b"".join(self._application(environ, start_response))


def responder_of(world: World, key: KeyHandle | None = None, **options: Any) -> OcspResponder:
    issuing, pair = world.authorities.issuing_key.certificate, world.authorities.ocsp
    return OcspResponder(
        "issuing",
        issuing,
        key or pair.key,
        pair.certificate,
        world.database,
        world.clock,
        **{"poll_seconds": 0.0, **options},
    )


def application_of(world: World, responder: Answering | None = None) -> StatusApplication:
    keys = world.authorities
    certificates = {"root": keys.root_key.certificate, "issuing": keys.issuing_key.certificate}
    crls = CrlApplication(CrlArchive(world.database), certificates)
    return StatusApplication(OcspApplication(responder or responder_of(world)), crls)


@pytest.fixture
def client(world: World) -> Client:
    return Client(application_of(world))


def request_for(
    world: World,
    serial: int,
    nonce: bytes | None = None,
    digest: hashes.HashAlgorithm | None = None,
    issuer: Certificate | None = None,
) -> bytes:
    named = issuer or world.authorities.issuing_key.certificate
    algorithm = digest or hashes.SHA1()
    _, bits = der.children(named.spki, der.read(named.spki))
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        _hash(algorithm, named.subject_der),
        _hash(algorithm, named.spki[bits.content + 1 :]),
        serial,
        algorithm,
    )
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def _hash(algorithm: hashes.HashAlgorithm, data: bytes) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return digest.finalize()


def revoke(world: World, issued: IssuedCertificate) -> None:
    Revocation(world.database, world.journal, world.outbox, world.clock).revoke(
        issued.serial, RevocationReason.KEY_COMPROMISE, "admin"
    )


@pytest.fixture
def server(world: World) -> Iterator[str]:
    class Quiet(wsgiref.simple_server.WSGIRequestHandler):
        def log_request(self, *args: object) -> None:
            pass

    with wsgiref.simple_server.make_server(
        "127.0.0.1", 0, application_of(world), handler_class=Quiet
    ) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


def test_openssl_hears_good_then_revoked(
    world: World, server: str, chain_file: Path, tmp_path: Path
) -> None:
    issued = world.issue()
    (tmp_path / "issuing.pem").write_text(world.authorities.issuing_key.certificate.pem)
    (tmp_path / "card.pem").write_text(issued.certificate.pem)

    def ask(*options: str) -> str:
        return openssl(
            "ocsp",
            *options,
            *("-issuer", tmp_path / "issuing.pem", "-CAfile", chain_file),
            *("-cert", tmp_path / "card.pem", "-respout", tmp_path / "response.der"),
            *("-url", f"{server}/ocsp"),
        )

    for options in ((), ("-no_nonce",), ("-sha256",), ("-no_nonce", "-sha256")):
        answer = ask(*options)
        assert "Response verify OK" in answer
        assert "card.pem: good" in answer
        assert "WARNING" not in answer
    revoke(world, issued)
    for options in ((), ("-no_nonce",)):
        answer = ask(*options)
        assert "card.pem: revoked" in answer
        assert "keyCompromise" in answer
    kept = openssl(
        *("ocsp", "-respin", tmp_path / "response.der", "-issuer", tmp_path / "issuing.pem"),
        *("-cert", tmp_path / "card.pem", "-CAfile", chain_file),
    )
    assert "card.pem: revoked" in kept


def test_several_certificates_in_one_request(
    world: World, server: str, chain_file: Path, tmp_path: Path
) -> None:
    good, bad = world.issue(), world.issue()
    revoke(world, bad)
    (tmp_path / "issuing.pem").write_text(world.authorities.issuing_key.certificate.pem)
    (tmp_path / "good.pem").write_text(good.certificate.pem)
    (tmp_path / "bad.pem").write_text(bad.certificate.pem)
    answer = openssl(
        *("ocsp", "-issuer", tmp_path / "issuing.pem", "-CAfile", chain_file),
        *("-cert", tmp_path / "good.pem", "-cert", tmp_path / "bad.pem"),
        *("-url", f"{server}/ocsp"),
    )
    assert "good.pem: good" in answer
    assert "bad.pem: revoked" in answer


def test_a_serial_never_issued_is_revoked_in_the_extended_sense(
    world: World, client: Client
) -> None:
    for serial in (4711, world.issuing.prepare("operator", operator_request()).serial):
        answer = ocsp.load_der_ocsp_response(client.post(request_for(world, serial)))
        assert answer.certificate_status is ocsp.OCSPCertStatus.REVOKED
        assert answer.revocation_time_utc == datetime(1970, 1, 1, tzinfo=UTC)
        assert answer.revocation_reason is x509.ReasonFlags.certificate_hold
        assert answer.next_update_utc is None
        oids = [extension.oid.dotted_string for extension in answer.extensions]
        assert "1.3.6.1.5.5.7.48.1.9" in oids
        assert client.headers["Cache-Control"] == "no-store"


def test_a_certificate_is_good_as_soon_as_it_is_issued(world: World, client: Client) -> None:
    intent = world.issuing.prepare("operator", operator_request())
    request = request_for(world, intent.serial)
    client.post(request)
    world.issuing.issue(intent)
    answer = ocsp.load_der_ocsp_response(client.post(request))
    assert answer.certificate_status is ocsp.OCSPCertStatus.GOOD


@pytest.mark.parametrize("digest", [hashes.SHA1(), hashes.SHA256()])
def test_the_nonce_is_echoed_whatever_the_hash(
    world: World, client: Client, digest: hashes.HashAlgorithm
) -> None:
    for nonce in (b"n", b"n" * 32, b"n" * 128):
        request = request_for(world, world.issue().serial, nonce, digest)
        answer = ocsp.load_der_ocsp_response(client.post(request))
        echoed = answer.extensions.get_extension_for_class(x509.OCSPNonce).value
        assert echoed.nonce == nonce


@pytest.mark.parametrize("nonce", [b"", b"n" * 129])
def test_a_nonce_of_a_wrong_length_is_malformed(world: World, client: Client, nonce: bytes) -> None:
    answer = client.post(request_for(world, world.issue().serial, nonce))
    assert ocsp.load_der_ocsp_response(answer).response_status is Status.MALFORMED_REQUEST


def test_a_foreign_issuer_is_not_answered_for(world: World, client: Client) -> None:
    foreign = request_for(world, 4711, issuer=world.authorities.root_key.certificate)
    answer = ocsp.load_der_ocsp_response(client.post(foreign))
    assert answer.response_status is Status.UNAUTHORIZED


def test_get_answers_with_headers_for_caches(world: World, client: Client) -> None:
    encoded = base64.b64encode(request_for(world, world.issue().serial)).decode()
    body = client.get(f"/ocsp/{encoded}")
    assert ocsp.load_der_ocsp_response(body).certificate_status is ocsp.OCSPCertStatus.GOOD
    assert client.headers["Content-Type"] == "application/ocsp-response"
    assert "max-age=" in client.headers["Cache-Control"]
    assert {"Last-Modified", "Expires", "ETag"} <= set(client.headers)
    assert client.get(f"/ocsp/{encoded}", HTTP_IF_NONE_MATCH=client.headers["ETag"]) == b""
    assert client.status.startswith("304")
    escaped = client.get(f"/ocsp/{quote(encoded, safe='')}")
    assert ocsp.load_der_ocsp_response(escaped).certificate_status is ocsp.OCSPCertStatus.GOOD


def test_a_kept_answer_is_used_until_the_status_changes(world: World) -> None:
    responder = responder_of(world)
    first, second = world.issue(), world.issue()
    requests = [request_for(world, issued.serial) for issued in (first, second)]
    client = Client(application_of(world, responder))
    bodies = [client.post(request) for request in requests]
    assert [client.post(request) for request in requests] == bodies
    revoke(world, first)
    assert client.post(requests[0]) != bodies[0]
    assert client.post(requests[1]) == bodies[1]  # the other stays
    world.clock.advance(timedelta(minutes=10))
    assert client.post(requests[1]) != bodies[1]


def test_another_process_sees_a_revocation_within_a_second(world: World) -> None:
    elsewhere = Database(world.database.engine.url.render_as_string(hide_password=False))
    issued = world.issue()
    now = [0.0]
    watching = responder_of(replace(world, database=elsewhere), monotonic=lambda: now[0])
    request = request_for(world, issued.serial)
    watching.cached(request)
    watching.answer(request, request)
    assert watching.cached(request) is not None
    revoke(world, issued)
    assert POLL_SECONDS < 1
    now[0] = POLL_SECONDS
    assert watching.cached(request) is None
    told = ocsp.load_der_ocsp_response(watching.answer(request, request).der)
    assert told.certificate_status is ocsp.OCSPCertStatus.REVOKED
    elsewhere.dispose()


def kept(responder: OcspResponder) -> int:
    return len(responder._cache)


def test_the_cache_is_bounded_in_octets(world: World) -> None:
    capacity = 256 * 1024
    responder = responder_of(world, cache_bytes=capacity)
    serial = world.issue().serial
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for number in range(150):
        responder.answer(request_for(world, serial), f"/ocsp/{number:0650d}")
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 20 < kept(responder) < 100
    assert responder._cache.size <= capacity
    assert after - before < 1.5 * capacity


def test_only_what_can_be_asked_in_one_way_is_kept(world: World) -> None:
    responder = responder_of(world)
    client = Client(application_of(world, responder))
    serial = world.issue().serial
    plain = request_for(world, serial)
    (body,) = (plain[each.start : each.end] for each in der.children(plain, der.read(plain)))
    (listed,) = (body[each.start : each.end] for each in der.children(body, der.read(body)))
    (request,) = (listed[each.start : each.end] for each in der.children(listed, der.read(listed)))
    version = der.explicit(0, der.integer(0))
    named = der.explicit(1, der.explicit(4, der.sequence()))
    certificate = request[der.read(request).content :]
    extension = der.sequence(der.oid("1.2.3"), der.octet_string(b"x"))
    many = der.sequence(der.sequence(der.sequence(*[request] * 10)))
    for variant in (
        der.sequence(der.sequence(named, listed)),
        der.sequence(der.sequence(version, listed)),
        der.sequence(body, der.explicit(0, der.sequence())),
        der.sequence(der.sequence(listed, der.explicit(2, der.sequence(extension)))),
        der.sequence(
            der.sequence(
                der.sequence(der.sequence(certificate, der.explicit(0, der.sequence(extension))))
            )
        ),
        many,
    ):
        answer = ocsp.load_der_ocsp_response(client.post(variant))
        assert answer.response_status is Status.SUCCESSFUL
        assert kept(responder) == 0
    encoded = base64.b64encode(plain).decode()
    assert encoded.startswith("M")
    client.get("/ocsp/%4D" + encoded[1:])
    assert kept(responder) == 0
    usual = "/ocsp/" + encoded
    client.get(usual)
    client.post(plain)
    assert kept(responder) == 2


def test_without_the_token_the_client_is_told_to_come_later(world: World) -> None:
    class PulledKey:
        public_key = world.authorities.ocsp.key.public_key
        suite = world.authorities.ocsp.key.suite

        def sign(self, message: bytes) -> bytes:
            raise Unavailable("token.missing", "pulled")

        sign_digest = sign

    client = Client(application_of(world, responder_of(world, PulledKey())))
    answer = client.post(request_for(world, world.issue().serial))
    assert ocsp.load_der_ocsp_response(answer).response_status is Status.TRY_LATER


def test_without_the_database_the_client_is_told_to_come_later(
    world: World, tmp_path: Path
) -> None:
    gone = Database(f"sqlite:///{tmp_path / 'nowhere' / 'x.db'}")
    responder = responder_of(world)
    issued = world.issue()
    client = Client(application_of(world, responder))
    request = request_for(world, issued.serial)
    client.post(request)
    responder._database = responder._watch._database = gone
    responder._state = Lookup(gone, "SELECT state FROM ca_certificates")
    answer = ocsp.load_der_ocsp_response(client.post(request))
    assert answer.response_status is Status.TRY_LATER


def test_oversized_and_foreign_requests_are_refused(client: Client) -> None:
    client.post(b"\x30" * (MAX_REQUEST_BYTES + 1))
    assert client.status.startswith("413")
    client.post(b"", content_type="text/html")
    assert client.status.startswith("415")
    client.get("/ocsp/" + "A" * 100_000)
    assert client.status.startswith("414")
    answer = client.get("/ocsp/%%%")
    assert ocsp.load_der_ocsp_response(answer).response_status is Status.MALFORMED_REQUEST


def test_too_many_certificates_in_one_request_are_malformed(world: World, client: Client) -> None:
    single = request_for(world, 4711)
    body = next(der.children(single, der.read(single)))
    listed = next(der.children(single, body))
    (one,) = der.children(single, listed)
    for count, expected in ((20, Status.SUCCESSFUL), (21, Status.MALFORMED_REQUEST)):
        many = der.sequence(der.sequence(der.sequence(single[one.start : one.end] * count)))
        response = client.post(many)
        told = run("ocsp", "-respin", "/dev/stdin", "-noverify", "-resp_text", stdin=response)
        name = "successful" if expected is Status.SUCCESSFUL else "malformedrequest"
        assert name in told.stdout.decode()


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_changed_request_breaks_the_responder(world: World, client: Client, data: Any) -> None:
    request = bytearray(request_for(world, 4711, b"n" * 32))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(request) - 1))
        request[position] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(request)))
    for message in (bytes(request), bytes(request[:cut])):
        response = client.post(message)
        assert client.status == "200 OK"
        ocsp.load_der_ocsp_response(response)


def test_lists_and_certificates_are_served_with_validators(world: World, client: Client) -> None:
    client.get("/crl/issuing.crl")
    assert client.status.startswith("404")
    crl = crl_issuer(world).issue()
    fresh = Client(application_of(world))
    assert fresh.get("/crl/issuing.crl") == crl.der
    assert fresh.headers["Content-Type"] == "application/pkix-crl"
    assert fresh.get("/crl/issuing.crl", HTTP_IF_NONE_MATCH=fresh.headers["ETag"]) == b""
    assert fresh.status.startswith("304")
    issuing = world.authorities.issuing_key.certificate
    assert fresh.get("/certs/issuing.cer") == issuing.der
    for path in ("/certs/issuing.crl", "/crl/nobody.crl", "/certs/../etc.cer", "/", ""):
        fresh.get(path)
        assert fresh.status.startswith("404")
