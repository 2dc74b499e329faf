"""The issuance cycle: prepared, linted, recorded, signed, verified, recorded, once."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text

from ca.inventory import CertificateState, Inventory
from ca.issuing.issuance import CertificateRequest
from ca.issuing.subject import SubjectFields
from ca.issuing.template import validity
from hsm.token import Token
from kernel.algorithms import (
    ECDSA_P384_SHA384,
    ED25519,
    RSA_PKCS1_SHA256,
    PublicKey,
)
from kernel.asn1.certificate import Certificate
from kernel.identifiers import parse_serial, serial_text
from kernel.refusals import Conflict, NotFound, Refusal, Unavailable, Unprocessable
from policies.catalogue import ProfileCatalogue
from records.database import Database
from records.journal import records
from tests.ca.openssl import openssl
from tests.ca.world import World, operator_request
from tests.software_keys import SoftwareKey


def code_of(refusal: Any) -> str:
    assert isinstance(refusal, Refusal)
    return refusal.code


def state_of(world: World, serial: Any) -> CertificateState:
    record = Inventory(world.database).by_serial(serial)
    assert record is not None
    return record.state


def test_a_card_s_certificate_holds_what_its_profile_says(
    world: World, chain_file: Path, tmp_path: Path
) -> None:
    issued = world.issue(common_name="张三", serial_number="OP-0001")
    certificate = issued.certificate
    assert certificate.serial == issued.serial
    assert issued.serial.bit_length() == 158
    assert (
        certificate.attribute("2.5.4.97")
        == "NTRCN-" + "91330200MA2CLABC1" + (certificate.attribute("2.5.4.97") or "?")[-1]
    )
    assert certificate.attribute("2.5.4.5") == "OP-0001"
    assert certificate.key_usage == {"digitalSignature", "nonRepudiation"}
    assert certificate.extended_key_usage == {"1.3.6.1.5.5.7.3.2"}
    assert certificate.policies == ("1.3.6.1.4.1.32473.1.3",)
    part = issued.serial % 8 + 1  # of the eight that the profile says
    assert certificate.crl_urls == (f"http://status.portseal.example/crl/issuing/{part}.crl",)
    assert certificate.ocsp_urls == ("http://status.portseal.example/ocsp",)
    assert certificate.ca_issuers_urls == ("http://status.portseal.example/certs/issuing.cer",)
    (tmp_path / "card.pem").write_text(certificate.pem)
    openssl("verify", "-x509_strict", "-CAfile", chain_file, tmp_path / "card.pem")
    shown = openssl("asn1parse", "-in", tmp_path / "card.pem")
    assert "UTF8STRING" in shown
    assert "PRINTABLESTRING   :CN" in shown
    assert issued.chain == (
        world.authorities.issuing_key.certificate,
        world.authorities.root_key.certificate,
    )


def test_every_kind_of_key_that_the_profile_names_is_certified(world: World) -> None:
    for suite in (ECDSA_P384_SHA384, RSA_PKCS1_SHA256):
        request = operator_request(SoftwareKey.generate(suite))
        issued = world.issuing.issue(world.issuing.prepare("operator", request))
        assert issued.certificate.public_key.spki == request.public_key.spki


def test_the_inventory_finds_it_by_serial_key_and_reference(any_world: World) -> None:
    request = operator_request()
    issued = any_world.issuing.issue(any_world.issuing.prepare("operator", request))
    inventory = Inventory(any_world.database)
    record = inventory.by_serial(issued.serial)
    assert record is not None
    assert record.certificate == issued.certificate
    assert inventory.by_key(request.public_key.fingerprint) == [record]
    assert inventory.by_reference(request.reference) == [record]
    with any_world.database.reading() as connection:
        told = [entry.event for entry in records(connection, serial_text(issued.serial))]
        assert any_world.journal.verify(connection).intact
    assert told == ["certificate.intended", "certificate.issued"]


def test_an_intent_is_issued_once(world: World) -> None:
    intent = world.issuing.prepare("operator", operator_request())
    world.issuing.issue(intent)
    for used in (intent, replace(intent)):
        with pytest.raises(Conflict) as refusal:
            world.issuing.issue(used)
        assert refusal.value.code == "intent.used"


def test_a_forged_intent_reaches_no_key(world: World) -> None:
    intent = world.issuing.prepare("operator", operator_request())
    forged = replace(intent, tbs=world.authorities.root_key.certificate.tbs)
    with pytest.raises(Conflict):
        world.issuing.issue(forged)
    assert world.issuing.issue(intent).certificate.tbs == intent.tbs


def test_a_key_is_certified_once(any_world: World) -> None:
    request = operator_request()
    any_world.issuing.issue(any_world.issuing.prepare("operator", request))
    other = operator_request(common_name="李四")
    stolen = replace(other, public_key=request.public_key)
    for again in (request, stolen):
        with pytest.raises(Conflict) as refusal:
            any_world.issuing.prepare("operator", again)
        assert refusal.value.code == "public-key.already-certified"
        with any_world.database.reading() as connection:
            (*_, told) = records(connection, again.reference)
        assert (told.event, "already-certified" in told.facts) == ("certificate.refused", True)
    with pytest.raises(Conflict):  # twice in one batch
        any_world.issuing.prepare_many([("operator", other), ("operator", other)])
    assert Inventory(any_world.database).by_reference(other.reference) == []


def test_a_key_may_be_certified_again_for_its_holder_after_expiry(world: World) -> None:
    request = operator_request()
    soon = world.clock.now() + timedelta(days=30)
    world.issuing.issue(world.issuing.prepare("operator", replace(request, not_after=soon)))
    world.clock.advance(timedelta(days=31))
    again = world.issuing.issue(world.issuing.prepare("operator", request))
    assert again.certificate.public_key == request.public_key


def weak_rsa_key() -> PublicKey:
    der = openssl_bytes("genrsa", "1024")
    spki = openssl_bytes("pkey", "-pubout", "-outform", "DER", stdin=der)
    return PublicKey.from_spki(spki)


def openssl_bytes(*arguments: str, stdin: bytes | None = None) -> bytes:
    return subprocess.run(
        ["openssl", *arguments], input=stdin, capture_output=True, check=True
    ).stdout


def test_weak_and_unwanted_keys_are_refused(world: World) -> None:
    request = operator_request()
    with pytest.raises(Unprocessable) as weak:
        world.issuing.prepare("operator", replace(request, public_key=weak_rsa_key()))
    assert weak.value.code == "public-key.weak"
    unwanted = replace(request, public_key=SoftwareKey.generate(ED25519).public_key)
    with pytest.raises(Unprocessable) as refusal:
        world.issuing.prepare("operator", unwanted)
    assert refusal.value.code == "public-key.not-allowed"


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("common_name", "张\u202e三", "subject.bidi"),
        ("common_name", "张\x00三", "subject.control-character"),
        ("common_name", "张\n三", "subject.control-character"),
        ("common_name", "张\u200b三", "subject.control-character"),
        ("common_name", "三" * 65, "subject.too-long"),
        ("common_name", "", "subject.blank"),
        ("common_name", " 张三", "subject.blank"),
        ("common_name", "e\u0301", "subject.not-normalised"),
        ("common_name", "p\u0430yp\u0430l", "subject.look-alike"),
        ("common_name", "\uff21\uff22\uff23公司", "subject.look-alike"),
        ("common_name", "张三 11010519491231002X", "subject.identity-number"),
        ("serial_number", "11010519491231002X", "subject.identity-number"),
        ("serial_number", "卡", "subject.pattern"),
        ("serial_number", "A" * 33, "subject.too-long"),
        ("organization_identifier", "NTRCN-123", "subject.pattern"),
        ("country", "US", "subject.fixed"),
        ("organizational_unit", "报关部", "subject.not-allowed"),
    ],
)
def test_misleading_subjects_are_refused(world: World, field: str, value: str, code: str) -> None:
    request = operator_request(None, **{field: value})
    with pytest.raises(Unprocessable) as refusal:
        world.issuing.prepare("operator", request)
    assert refusal.value.code == code
    assert refusal.value.facts["field"] == field
    with world.database.reading() as connection:
        (told,) = records(connection, request.reference)
    assert told.event == "certificate.refused"
    assert code in told.facts
    assert value[:8] not in told.facts or not value, "a value may be a person's"


def test_a_missing_field_is_refused(world: World) -> None:
    request = replace(operator_request(), subject=SubjectFields(organization="甲"))
    with pytest.raises(Unprocessable) as refusal:
        world.issuing.prepare("operator", request)
    assert refusal.value.code == "subject.missing"


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.text(max_size=70))
def test_any_name_is_certified_as_it_stands_or_refused(world: World, name: str) -> None:
    refused = None
    try:
        issued = world.issue(common_name=name)
    except Unprocessable as refusal:
        refused = refusal.code
    if refused is None:
        assert issued.certificate.attribute("2.5.4.3") == name
    else:
        assert refused.startswith("subject.")


def test_validity_stays_inside_profile_and_issuer(world: World) -> None:
    now, request = world.clock.now(), operator_request()
    for not_after, code in (
        (now + timedelta(days=731), "validity.too-long"),
        (now - timedelta(seconds=2), "validity.past"),
    ):
        with pytest.raises(Unprocessable) as refusal:
            world.issuing.prepare("operator", replace(request, not_after=not_after))
        assert refusal.value.code == code
    issuer, profile = world.authorities.issuing_key.certificate, world.catalogue["operator"]
    late = issuer.not_after - timedelta(days=10)
    assert validity(profile, issuer, late, None).not_after == issuer.not_after
    assert validity(profile, issuer, issuer.not_before, None).not_before == issuer.not_before
    world.clock.advance(issuer.not_after - now + timedelta(days=1))
    with pytest.raises(Unprocessable) as expired:
        world.issuing.prepare("operator", operator_request())
    assert expired.value.code == "validity.issuer-expired"


def test_an_algorithm_is_not_used_beyond_its_day(world: World) -> None:
    world.clock.advance(datetime(2036, 1, 2, tzinfo=UTC) - world.clock.now())
    with pytest.raises(Unprocessable) as refusal:
        world.issuing.prepare("operator", operator_request())
    assert refusal.value.facts["lint"] == "signature-algorithm"


def test_a_long_chinese_name_is_counted_in_characters(world: World) -> None:
    name = "中国（浙江）自由贸易试验区舟山片区远洋国际货物运输代理与报关服务股份有限公司"
    issued = world.issue(common_name=name, organization=name)
    assert issued.certificate.attribute("2.5.4.3") == name


def test_an_authority_issues_its_own_profiles_alone(world: World) -> None:
    request = operator_request()
    for authority, profile in (
        (world.authorities.root, "operator"),
        (world.issuing, "issuing"),
        (world.authorities.root, "root"),
    ):
        with pytest.raises(Unprocessable) as refusal:
            authority.prepare(profile, request)
        assert refusal.value.code == "profile.other-issuer"
    with pytest.raises(NotFound) as unknown:
        world.issuing.prepare("emperor", request)
    assert unknown.value.code == "profile.unknown"


def test_a_lint_error_stops_the_issue_and_is_journalled(world: World) -> None:
    """The template is made to err: what was drafted for one profile is linted against another."""
    honest = world.catalogue["operator"]
    dishonest = honest.model_copy(update={"key_usage": ("digitalSignature", "keyCertSign")})
    world.issuing._catalogue = ProfileCatalogue({"operator": dishonest})
    request = operator_request()
    with pytest.raises(Unprocessable) as refusal:
        world.issuing.prepare("operator", request)
    assert refusal.value.code == "lint.failed"
    assert refusal.value.facts["lint"] == "key-usage"
    assert Inventory(world.database).by_reference(request.reference) == []
    with world.database.reading() as connection:
        told = records(connection, request.reference)
    assert [entry.event for entry in told] == ["certificate.refused"]
    assert "key-usage" in told[0].facts


def test_batches_are_all_or_none_and_keep_their_order(any_world: World) -> None:
    requests = [("operator", operator_request()) for _ in range(20)]
    intents = any_world.issuing.prepare_many(requests)
    issued = any_world.issuing.issue_many(intents)
    assert [each.serial for each in issued] == [intent.serial for intent in intents]
    for (_, request), each in zip(requests, issued, strict=True):
        assert each.certificate.public_key == request.public_key


class FailingKey:
    """Signs a few times, then its token is gone."""

    def __init__(self, world: World, signatures: int) -> None:
        self._key = world.authorities.issuing_key.key
        self.public_key, self.suite = self._key.public_key, self._key.suite
        self._left = signatures

    def sign(self, message: bytes) -> bytes:
        if self._left == 0:
            raise Unavailable("token.missing", "the token was pulled")
        self._left -= 1
        return self._key.sign(message)

    sign_digest = sign


def test_a_token_pulled_midway_loses_nothing_that_was_signed(world: World) -> None:
    intents = world.issuing.prepare_many([("operator", operator_request()) for _ in range(5)])
    world.issuing._key = FailingKey(world, 3)
    with pytest.raises(Unavailable) as refusal:
        world.issuing.issue_many(intents)
    assert refusal.value.code == "token.missing"
    states = [state_of(world, intent.serial) for intent in intents]
    assert states == [CertificateState.ISSUED] * 3 + [CertificateState.ABANDONED] * 2
    with world.database.reading() as connection:
        told = [record.event for record in records(connection, serial_text(intents[3].serial))]
    assert told == ["certificate.intended", "certificate.abandoned"]


def test_a_key_whose_certificate_the_token_did_not_sign_may_be_certified_at_once(
    any_world: World,
) -> None:
    request, key = operator_request(), any_world.issuing._key
    any_world.issuing._key = FailingKey(any_world, 0)
    with pytest.raises(Unavailable, match=r"token\.missing"):
        any_world.issuing.issue(any_world.issuing.prepare("operator", request))
    any_world.issuing._key = key
    any_world.issuing.issue(any_world.issuing.prepare("operator", request))


def test_an_intent_that_cannot_be_abandoned_at_once_is_reconciled(world: World) -> None:
    """The token and the database fail together."""

    class Falling(FailingKey):
        def sign(self, message: bytes) -> bytes:
            failing.setattr(world.database, "transaction", refuse)
            return super().sign(message)

    def refuse() -> None:
        raise Unavailable("database.unavailable", "gone")

    intent = world.issuing.prepare("operator", operator_request())
    world.issuing._key = Falling(world, 0)
    with pytest.MonkeyPatch.context() as failing, pytest.raises(Unavailable) as refusal:
        world.issuing.issue(intent)
    assert refusal.value.code == "token.missing"
    assert state_of(world, intent.serial) is CertificateState.INTENDED
    world.clock.advance(timedelta(minutes=10))
    assert world.issuing.reconcile(timedelta(minutes=5)) == [intent.serial]


def test_a_signature_that_does_not_verify_is_not_recorded(world: World) -> None:
    class WrongKey(FailingKey):
        def sign(self, message: bytes) -> bytes:
            return super().sign(message + b"!")

    intent = world.issuing.prepare("operator", operator_request())
    world.issuing._key = WrongKey(world, 1)
    with pytest.raises(Unavailable) as refusal:
        world.issuing.issue(intent)
    assert refusal.value.code == "token.wrong-key"
    assert state_of(world, intent.serial) is CertificateState.ABANDONED


def test_an_abandoned_intent_can_never_be_issued(any_world: World) -> None:
    intent = any_world.issuing.prepare("operator", operator_request())
    any_world.clock.advance(timedelta(minutes=10))
    assert intent.serial in any_world.issuing.reconcile(timedelta(minutes=5))
    with pytest.raises(Conflict) as refusal:
        any_world.issuing.issue(intent)
    assert refusal.value.code == "intent.abandoned"
    assert state_of(any_world, intent.serial) is CertificateState.ABANDONED
    assert any_world.issuing.reconcile(timedelta(minutes=5)) == []


def test_reconciling_leaves_alone_what_is_being_issued(world: World) -> None:
    intent = world.issuing.prepare("operator", operator_request())
    assert world.issuing.reconcile(timedelta(minutes=5)) == []
    assert isinstance(world.issuing.issue(intent).certificate, Certificate)


# -- processes --------------------------------------------------------------------------------


def start(world: World, token: Token, *arguments: str) -> subprocess.Popen[str]:
    url = world.database.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.ca.worker", url, token.label, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.long
def test_threads_and_processes_issue_at_once(any_world: World, ca_token: Token) -> None:
    world = any_world
    processes = [start(world, ca_token, "40") for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        mine = list(pool.map(lambda _: world.issue().serial, range(80)))
    theirs = []
    for process in processes:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        theirs += [parse_serial(line) for line in output.split()]
    serials = mine + theirs
    assert len(set(serials)) == 160
    for serial in serials:
        assert state_of(world, serial) is CertificateState.ISSUED
    with world.database.reading() as connection:
        assert world.journal.verify(connection).intact


def test_two_threads_cannot_certify_one_key(any_world: World) -> None:
    any_world.issue()
    key = SoftwareKey.generate()
    requests = [operator_request(key, common_name=f"操作员{n}") for n in range(8)]

    def attempt(request: CertificateRequest) -> str:
        try:
            any_world.issuing.prepare("operator", request)
        except Conflict as refusal:
            return refusal.code
        return "prepared"

    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(attempt, requests))
    assert outcomes == ["prepared"] + ["public-key.already-certified"] * 7


# -- the database's faults --------------------------------------------------------------------


def test_a_locked_database_refuses_and_keeps_order(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    intent = world.issuing.prepare("operator", operator_request())
    monkeypatch.setattr("records.database._BUSY_MILLISECONDS", 50)
    hurried = Database(world.database.engine.url.render_as_string())
    world.issuing._database = hurried
    with world.database.transaction():
        for work in (
            lambda: world.issuing.prepare("operator", operator_request()),
            lambda: world.issuing.issue(intent),
        ):
            with pytest.raises(Unavailable) as refusal:
                work()
            assert refusal.value.code == "database.unavailable"
    assert state_of(world, intent.serial) is CertificateState.INTENDED
    assert state_of(world, world.issuing.prepare("operator", operator_request()).serial)
    hurried.dispose()


def test_a_full_disk_refuses_and_leaves_a_consistent_state(world: World) -> None:
    with world.database.engine.connect() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    full = Database(world.database.engine.url.render_as_string())

    @event.listens_for(full.engine, "connect")
    def fill(connection: Any, record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages + 4}")

    world.issuing._database = full
    intents, refusals = [], []
    for _ in range(50):
        try:
            intents.append(world.issuing.prepare("operator", operator_request()))
        except Unavailable as refusal:
            refusals.append(refusal.code)
            break
    assert refusals == ["database.unavailable"]
    full.dispose()
    world.issuing._database = world.database
    with world.database.reading() as connection:
        assert world.journal.verify(connection).intact
    for intent in intents:
        assert world.issuing.issue(intent).serial == intent.serial
