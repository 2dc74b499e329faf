"""Answers made ahead, several authorities behind one address, responder keys that rotate."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from pkilint import loader, pkix
from pkilint.pkix import extension, name
from pkilint.pkix import ocsp as pkilint_ocsp

from ca.authority import Authority
from ca.ceremonies.labels import OCSP
from ca.inventory import RevocationReason
from ca.ocsp import store as ocsp_store
from ca.ocsp.ahead import OcspAhead
from ca.ocsp.responder import AnswerPlan, OcspResponder
from ca.ocsp.rotation import ResponderKeys
from ca.ocsp.service import OcspService
from hsm.token import Token
from kernel.asn1.certificate import Certificate
from kernel.keys import KeyHandle
from kernel.refusals import Unavailable
from records.database import Database
from records.journal import records
from tests.ca.crl.test_crl import revocation
from tests.ca.ocsp.test_ocsp import Client, Status, application_of, request_for, responder_of
from tests.ca.openssl import openssl
from tests.ca.world import World, hold_ceremony, new_clock, open_world
from tests.token import TokenBench

AHEAD = AnswerPlan(ahead=True)


class PulledKey:
    """A token that is away."""

    def __init__(self, key: KeyHandle) -> None:
        self.public_key, self.suite = key.public_key, key.suite

    def sign(self, message: bytes) -> bytes:
        raise Unavailable("token.missing", "pulled")

    sign_digest = sign


def root_responder(world: World, **options: Any) -> OcspResponder:
    issuer, held = world.authorities.root_key.certificate, world.authorities.root_ocsp
    return OcspResponder(
        "root", issuer, held.key, held.certificate, world.database, world.clock,
        **{"poll_seconds": 0.0, **options},
    )  # fmt: skip


def ahead(world: World, scope: Any = "all") -> OcspAhead:
    return OcspAhead(responder_of(world, plan=AHEAD), world.database, world.clock, scope)


def without_token(world: World) -> OcspResponder:
    return responder_of(world, PulledKey(world.authorities.ocsp.key), plan=AHEAD)


def status_of(responder: OcspResponder, request: bytes) -> Any:
    answer = ocsp.load_der_ocsp_response(responder.answer(request).der)
    if answer.response_status is not Status.SUCCESSFUL:
        return answer.response_status
    return answer.certificate_status


def test_what_is_made_ahead_is_served_without_the_token(any_world: World) -> None:
    good, bad = any_world.issue(), any_world.issue()
    revocation(any_world).revoke(bad.serial, RevocationReason.KEY_COMPROMISE, "admin")
    assert ahead(any_world).run() == 2
    assert ahead(any_world).run() == 0
    responder = without_token(any_world)
    for issued, wanted in (
        (good, ocsp.OCSPCertStatus.GOOD),
        (bad, ocsp.OCSPCertStatus.REVOKED),
    ):
        request = request_for(any_world, issued.serial)
        assert status_of(responder, request) is wanted
        with_nonce = request_for(any_world, issued.serial, b"n" * 32)
        assert status_of(responder, with_nonce) is Status.TRY_LATER
    answer = ocsp.load_der_ocsp_response(responder.answer(request_for(any_world, good.serial)).der)
    lifetime = answer.next_update_utc - answer.this_update_utc  # type: ignore[operator]
    assert lifetime == timedelta(hours=12)


def test_an_answer_made_ahead_ends_with_the_next_change_of_status(any_world: World) -> None:
    issued, responder = any_world.issue(), responder_of(any_world, plan=AHEAD)
    request = request_for(any_world, issued.serial)
    ahead(any_world).run()
    assert status_of(without_token(any_world), request) is ocsp.OCSPCertStatus.GOOD
    revocation(any_world).revoke(issued.serial, RevocationReason.CERTIFICATE_HOLD, "admin")
    assert status_of(without_token(any_world), request) is Status.TRY_LATER
    assert status_of(responder, request) is ocsp.OCSPCertStatus.REVOKED
    revocation(any_world).release(issued.serial, "admin")
    assert status_of(without_token(any_world), request) is Status.TRY_LATER
    assert status_of(responder, request) is ocsp.OCSPCertStatus.GOOD


def test_an_answer_signed_while_the_status_changed_is_not_served(world: World) -> None:
    issued, responder = world.issue(), responder_of(world, plan=AHEAD)
    late = responder.make_ahead([issued.serial], timedelta(hours=1))
    revocation(world).revoke(issued.serial, RevocationReason.SUPERSEDED, "admin")
    with world.database.transaction() as connection:
        ocsp_store.store(connection, "issuing", late)
    assert status_of(responder, request_for(world, issued.serial)) is ocsp.OCSPCertStatus.REVOKED


def test_what_was_asked_for_is_made_ahead_from_then_on(any_world: World) -> None:
    asked, other = any_world.issue(), any_world.issue()
    responder = responder_of(any_world, plan=AHEAD)
    assert ahead(any_world, "recent").run() == 0
    assert responder._demand is not None
    responder._demand._next_flush = float("inf")  # this test writes it down itself
    responder.answer(request_for(any_world, asked.serial))
    responder.answer(request_for(any_world, 12345678))
    responder._demand.flush()
    assert ahead(any_world, "recent").run() == 1
    pulled = without_token(any_world)
    assert pulled._demand is not None
    pulled._demand._next_flush = float("inf")
    assert status_of(pulled, request_for(any_world, asked.serial)) is ocsp.OCSPCertStatus.GOOD
    assert status_of(pulled, request_for(any_world, other.serial)) is Status.TRY_LATER
    any_world.clock.advance(timedelta(hours=7))
    assert ahead(any_world, "recent").run() == 1
    any_world.clock.advance(timedelta(days=2))
    assert ahead(any_world, "recent").run() == 0


def test_one_authority_does_not_give_what_another_made_ahead(any_world: World) -> None:
    issued, root = any_world.issue(), any_world.authorities.root_key.certificate
    assert ahead(any_world).run() == 1
    request = request_for(any_world, issued.serial, issuer=root)
    told = ocsp.load_der_ocsp_response(root_responder(any_world, plan=AHEAD).answer(request).der)
    assert told.certificate_status is ocsp.OCSPCertStatus.REVOKED, "the root never issued it"
    asked = ocsp.load_der_ocsp_request(request)
    assert (told.issuer_key_hash, told.serial_number) == (asked.issuer_key_hash, issued.serial)


def test_several_authorities_answer_behind_one_address(world: World) -> None:
    service = OcspService([responder_of(world), root_responder(world)])
    client = Client(application_of(world, service))
    issuing, root = world.authorities.issuing_key.certificate, world.authorities.root_key
    leaf = world.issue()
    own = ocsp.load_der_ocsp_response(client.post(request_for(world, leaf.serial)))
    above = request_for(world, issuing.serial, issuer=root.certificate)
    unknown = ocsp.load_der_ocsp_response(client.post(above))
    assert own.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert own.responder_key_hash != unknown.responder_key_hash
    # This database knows nothing of the ceremony: for the root, its serial was never issued.
    assert unknown.certificate_status is ocsp.OCSPCertStatus.REVOKED
    for _ in range(2):  # the second from the cache
        assert ocsp.load_der_ocsp_response(client.post(above)).response_status is Status.SUCCESSFUL
    foreign = request_for(world, 5, issuer=world.authorities.tsa.certificate)
    answer = ocsp.load_der_ocsp_response(client.post(foreign))
    assert answer.response_status is Status.UNAUTHORIZED


def test_answers_say_since_when_status_is_kept(world: World, tmp_path: Path) -> None:
    body = responder_of(world).answer(request_for(world, world.issue().serial)).der
    (tmp_path / "answer.der").write_bytes(body)
    text = openssl("ocsp", "-respin", tmp_path / "answer.der", "-resp_text", "-noverify")
    since = world.authorities.issuing_key.certificate.not_before
    cutoff = text.partition("OCSP Archive Cutoff")[2].split("\n")[1]
    assert f"{since:%H:%M:%S %Y}" in cutoff


def test_pkilint_finds_nothing_in_answers(world: World) -> None:
    good, bad = world.issue(), world.issue()
    revocation(world).revoke(bad.serial, RevocationReason.KEY_COMPROMISE, "admin")
    validator = pkilint_ocsp.create_pkix_ocsp_response_validator_container(
        [
            pkilint_ocsp.create_response_decoder(),
            pkix.create_attribute_decoder(name.ATTRIBUTE_TYPE_MAPPINGS),
            pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS),
        ],
        [],
    )
    for request in (
        request_for(world, good.serial),
        request_for(world, good.serial, b"n" * 32),
        request_for(world, bad.serial),
        request_for(world, 99),
    ):
        body = responder_of(world).answer(request).der
        document = loader.RFC6960OCSPResponseDocumentLoader().load_document(body, "answer")
        found = [
            f"{result.node.path}: {described.finding.code}"
            for result in validator.validate(document.root)
            for described in result.finding_descriptions
            if described.finding.severity.name in ("WARNING", "ERROR", "FATAL")
        ]
        assert found == []


@pytest.fixture
def own_world(token_bench: TokenBench, any_database: Database, request: Any) -> World:
    """With a token that these tests may fill with keys."""
    token = token_bench.new_token(f"rotate-{id(request)}"[:32])
    clock = new_clock()
    hold_ceremony(token, any_database, clock)
    return open_world(token, any_database, clock)


def responder_keys(world: World, token: Token | None = None) -> ResponderKeys:
    first = world.authorities.ocsp
    return ResponderKeys(
        world.issuing,
        OCSP,
        first.certificate,
        first.key.suite,
        token or world.token,
        world.database,
        world.journal,
        world.clock,
    )


def near_the_end(world: World) -> None:
    ends = world.authorities.ocsp.certificate.not_after
    world.clock.advance(ends - world.clock.now() - timedelta(days=30))


def test_a_responder_s_key_is_replaced_before_its_certificate_ends(own_world: World) -> None:
    world, keys = own_world, responder_keys(own_world)
    assert not keys.rotate_if_due()
    near_the_end(world)
    responder = responder_of(world, renewal=keys.newest, renewal_poll_seconds=0.0)
    issued = world.issue()
    before = signer_of(responder, request_for(world, issued.serial, b"a" * 16))
    assert before == world.authorities.ocsp.certificate.der
    assert keys.rotate_if_due()
    assert not responder_keys(world).rotate_if_due()
    after = signer_of(responder, request_for(world, issued.serial, b"b" * 16))
    assert after != before
    certificate = Certificate.parse(after)
    assert certificate.has_ocsp_nocheck
    assert certificate.spki != world.authorities.ocsp.certificate.spki
    assert certificate.not_after > world.authorities.ocsp.certificate.not_after
    assert "ocsp-1" in world.token.key_labels()
    with world.database.reading() as connection:
        told = records(connection, "ocsp-1")
    assert [record.event for record in told] == ["responder.rotated"]


def test_whoever_looks_at_the_newest_key_takes_it_from_no_responder(own_world: World) -> None:
    world, keys = own_world, responder_keys(own_world)
    near_the_end(world)
    assert keys.rotate_if_due()
    newest = keys.certificate
    assert newest.der != world.authorities.ocsp.certificate.der
    responder = responder_of(world, renewal=keys.newest, renewal_poll_seconds=0.0)
    request = request_for(world, world.issue().serial, b"a" * 16)
    assert signer_of(responder, request) == newest.der
    assert keys.certificate == newest


def signer_of(responder: OcspResponder, request: bytes) -> bytes:
    answer = ocsp.load_der_ocsp_response(responder.answer(request).der)
    assert answer.certificate_status is ocsp.OCSPCertStatus.GOOD
    (certificate,) = answer.certificates
    return certificate.public_bytes(Encoding.DER)


@pytest.mark.parametrize("step", ["generate", "issue", "write_certificate"])
def test_a_rotation_that_died_is_finished_by_the_next_node(
    own_world: World, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = own_world
    near_the_end(world)
    owner: Any = Authority if step == "issue" else Token
    with monkeypatch.context() as dying:
        dying.setattr(owner, step, dies)
        with pytest.raises(KeyboardInterrupt):
            responder_keys(world).rotate_if_due()
    assert not responder_keys(world).rotate_if_due()  # the claim may still be alive
    world.clock.advance(timedelta(minutes=11))
    world.issuing.reconcile(timedelta(minutes=5))
    assert responder_keys(world).rotate_if_due()
    signer = responder_keys(world).newest()
    assert signer is not None
    assert world.token.certificate("ocsp-1") == signer.certificate.der


def dies(*arguments: object, **named: object) -> None:
    raise KeyboardInterrupt


def test_a_node_whose_token_lacks_the_new_key_serves_on_with_the_old(own_world: World) -> None:
    world = own_world
    near_the_end(world)
    responder_keys(world).rotate_if_due()

    class Lacking:
        def key(self, label: str, suite: object) -> None:
            raise Unavailable("token.no-key", "no such key")

    lacking: Any = Lacking()
    renewal = responder_keys(world, lacking).newest
    responder = responder_of(world, renewal=renewal, renewal_poll_seconds=0.0)
    request = request_for(world, world.issue().serial)
    assert signer_of(responder, request) == world.authorities.ocsp.certificate.der
