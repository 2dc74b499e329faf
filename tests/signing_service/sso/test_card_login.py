"""Proof of possession of a card: what is accepted, and every reason to refuse."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from kernel.algorithms import (
    ECDSA_P256_SHA256,
    ECDSA_P384_SHA384,
    ED25519,
    RSA_PKCS1_SHA256,
    RSA_PSS_SHA256,
    AlgorithmSuite,
)
from kernel.clock import FixedClock
from kernel.refusals import Malformed, Refusal, Unavailable
from records.events import Event
from records.journal import Record, records
from signing_service.ports import CertificateStatus, HolderKind
from signing_service.sso.authentication_token import (
    make_authentication_token,
    read_authentication_token,
    signed_value,
)
from signing_service.sso.services import SsoServices
from tests.signing_service.sso.cards import EMAIL, ORIGIN, Card, CardAuthority, Registry
from tests.software_keys import SoftwareKey

BROWSER = "a" * 43
STRANGERS = {
    "signin.challenge-missing", "signin.challenge-expired", "signin.token-length",
    "signin.token-format", "signin.token-malformed", "signin.certificate", "signin.issuer",
}  # fmt: skip
UNPROVEN = {"signin.algorithm", "signin.signature"}
"""Whoever shows a certificate, which is public, has not used its key."""
Answer = dict[str, str]


def journalled(services: SsoServices, event: Event) -> list[Record]:
    with services.database.reading() as connection:
        assert services.journal.verify(connection).intact
        return [record for record in records(connection) if record.event == event]


def refusal_of(services: SsoServices, answer: Answer | str, nonce: str | None = None) -> Refusal:
    """The refusal of one try; in the journal too, when the key of a certificate of ours signed."""
    text = answer if isinstance(answer, str) else json.dumps(answer)
    before = len(journalled(services, Event.SIGNIN_REFUSED))
    with pytest.raises(Refusal) as caught:
        services.card_login.prove(BROWSER, text, nonce)
    refused = journalled(services, Event.SIGNIN_REFUSED)
    if caught.value.code in STRANGERS | UNPROVEN:
        assert len(refused) == before
    else:
        assert len(refused) == before + 1
        assert json.loads(refused[-1].facts)["code"] == caught.value.code
    return caught.value


def code_of(services: SsoServices, card: Card, change: Callable[[Answer], object]) -> str:
    """The refusal code of a good answer after `change`."""
    answer = card.answer(services.challenges.issue(BROWSER).nonce)
    change(answer)
    return refusal_of(services, answer).code


def reissued(card: Card, registry: Registry, authority: CardAuthority, **wrong: object) -> Card:
    certificate = authority.issue(card.key, **wrong)  # type: ignore[arg-type]
    return replace(card, certificate=certificate, holder=registry.register(certificate))


def test_a_card_in_a_token_proves_its_holder(services: SsoServices, card: Card) -> None:
    answer = card.answer(services.challenges.issue(BROWSER).nonce)
    proven = services.card_login.prove(BROWSER, json.dumps(answer))
    assert proven.certificate == card.certificate
    assert proven.holder == card.holder


@pytest.mark.parametrize(
    "suite", [ECDSA_P384_SHA384, RSA_PKCS1_SHA256, RSA_PSS_SHA256], ids=lambda s: s.jose
)
def test_other_algorithms_of_the_list_are_accepted(
    services: SsoServices, registry: Registry, card_authority: CardAuthority, suite: AlgorithmSuite
) -> None:
    key = SoftwareKey.generate(suite)
    certificate = card_authority.issue(key)
    card = Card(key, certificate, registry.register(certificate))
    answer = card.answer(services.challenges.issue(BROWSER).nonce)
    assert answer["algorithm"] == suite.jose
    assert services.card_login.prove(BROWSER, json.dumps(answer)).certificate == certificate


def test_the_signed_value_is_two_digests_side_by_side() -> None:
    value = signed_value(ECDSA_P256_SHA256, "https://a.example", "nonce")
    assert value == ECDSA_P256_SHA256.hash(b"https://a.example") + ECDSA_P256_SHA256.hash(b"nonce")


def test_a_replayed_answer_is_refused(services: SsoServices, card: Card) -> None:
    nonce = services.challenges.issue(BROWSER).nonce
    answer = card.answer(nonce)
    services.card_login.prove(BROWSER, json.dumps(answer), nonce)
    assert refusal_of(services, answer, nonce).code == "signin.challenge-missing"
    services.challenges.issue(BROWSER)
    assert refusal_of(services, answer).code == "signin.signature"


def test_an_expired_challenge_is_refused(
    services: SsoServices, card: Card, clock: FixedClock
) -> None:
    answer = card.answer(services.challenges.issue(BROWSER).nonce)
    clock.advance(timedelta(minutes=5))
    assert refusal_of(services, answer).code == "signin.challenge-expired"


def test_a_failed_try_spends_the_challenge(services: SsoServices, card: Card) -> None:
    nonce = services.challenges.issue(BROWSER).nonce
    assert refusal_of(services, "too short", nonce).code == "signin.token-length"
    assert refusal_of(services, card.answer(nonce), nonce).code == "signin.challenge-missing"


@pytest.mark.parametrize("origin", ["http://evil.example", ORIGIN + "/", ORIGIN + ":80"])
def test_an_answer_for_another_origin_is_refused(
    services: SsoServices, card: Card, origin: str
) -> None:
    answer = card.answer(services.challenges.issue(BROWSER).nonce, origin)
    assert refusal_of(services, answer).code == "signin.signature"


def test_another_cards_key_is_refused(services: SsoServices, card: Card, other_card: Card) -> None:
    thief = replace(other_card, certificate=card.certificate)
    answer = thief.answer(services.challenges.issue(BROWSER).nonce)
    assert refusal_of(services, answer).code == "signin.signature"


@pytest.mark.parametrize(
    "algorithm", ["ES384", "RS256", "PS256", "ES512", "HS256", "none", "", "EdDSA"]
)
def test_an_algorithm_that_does_not_fit_the_key_is_refused(
    services: SsoServices, card: Card, algorithm: str
) -> None:
    assert code_of(services, card, lambda a: a.update(algorithm=algorithm)) == "signin.algorithm"


def test_a_key_of_a_kind_off_the_list_is_refused(
    services: SsoServices, registry: Registry, card_authority: CardAuthority
) -> None:
    key = SoftwareKey.generate(ED25519)
    certificate = card_authority.issue(key)
    card = Card(key, certificate, registry.register(certificate))
    assert code_of(services, card, lambda a: None) == "signin.algorithm"


@pytest.mark.parametrize("size", [0, 63, 65, 4000])
def test_a_signature_of_another_length_is_refused(
    services: SsoServices, card: Card, size: int
) -> None:
    text = base64.b64encode(b"\x01" * size).decode()
    assert code_of(services, card, lambda a: a.update(signature=text)) == "signin.signature"


def test_every_flipped_bit_of_the_signature_is_refused(services: SsoServices, card: Card) -> None:
    for position in (0, 31, 32, 63):
        nonce = services.challenges.issue(BROWSER).nonce
        answer = card.answer(nonce)
        value = bytearray(base64.b64decode(answer["signature"]))
        value[position] ^= 1
        answer["signature"] = base64.b64encode(value).decode()
        assert refusal_of(services, answer, nonce).code == "signin.signature"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"usages": ("content_commitment",)}, "signin.key-usage"),
        ({"usages": ("digital_signature",), "ca": True}, "signin.key-usage"),
        ({"purposes": (EMAIL,)}, "signin.extended-key-usage"),
        ({"policies": ()}, "signin.policy"),
        ({"policies": ("1.3.6.1.4.1.99999.9.9",)}, "signin.policy"),
        ({"critical": "1.3.6.1.4.1.99999.7"}, "signin.critical-extension"),
        ({"ends": timedelta(seconds=-1)}, "signin.not-valid-now"),
        ({"starts": timedelta(hours=1)}, "signin.not-valid-now"),
    ],
)
def test_a_certificate_not_meant_for_this_is_refused(
    services: SsoServices,
    card: Card,
    registry: Registry,
    card_authority: CardAuthority,
    wrong: dict[str, object],
    code: str,
) -> None:
    bad = reissued(card, registry, card_authority, **wrong)
    assert code_of(services, bad, lambda a: None) == code


def test_a_certificate_without_extended_key_usage_is_accepted(
    services: SsoServices, card: Card, registry: Registry, card_authority: CardAuthority
) -> None:
    free = reissued(card, registry, card_authority, purposes=())
    answer = free.answer(services.challenges.issue(BROWSER).nonce)
    assert services.card_login.prove(BROWSER, json.dumps(answer)).certificate == free.certificate


def test_a_namesake_of_the_pinned_authority_is_not_trusted(
    services: SsoServices, card: Card, registry: Registry, clock: FixedClock
) -> None:
    forged = reissued(card, registry, CardAuthority(clock.now()))
    assert code_of(services, forged, lambda a: None) == "signin.issuer"


def test_an_authority_whose_pin_was_removed_is_not_trusted(
    services: SsoServices, card: Card
) -> None:
    unpinned = replace(services, pinned_issuers=())
    assert code_of(unpinned, card, lambda a: None) == "signin.issuer"


def test_a_revoked_card_is_refused(services: SsoServices, card: Card, registry: Registry) -> None:
    registry.revoke(card.certificate)
    assert code_of(services, card, lambda a: None) == "signin.revoked"


def test_a_certificate_unknown_to_its_authority_is_refused(
    services: SsoServices, card: Card, registry: Registry
) -> None:
    registry.statuses[card.certificate.fingerprint] = CertificateStatus.UNKNOWN
    assert code_of(services, card, lambda a: None) == "signin.status-unknown"


def test_without_a_status_nobody_signs_in(
    services: SsoServices, card: Card, registry: Registry
) -> None:
    answer = card.answer(services.challenges.issue(BROWSER).nonce)
    registry.silent = True
    refusal = refusal_of(services, answer)
    assert (refusal.code, refusal.status) == ("signin.status-unavailable", 503)
    registry.failing = Unavailable("ocsp.unavailable", "no answer")
    answer = card.answer(services.challenges.issue(BROWSER).nonce)
    assert refusal_of(services, answer).status == 503


@pytest.mark.parametrize(
    ("age", "good"),
    [
        (timedelta(minutes=2), True),
        (timedelta(seconds=121), False),
        (-timedelta(minutes=14), True),
        (-timedelta(minutes=16), False),
    ],
)
def test_a_status_is_at_most_two_minutes_old(
    services: SsoServices, card: Card, registry: Registry, age: timedelta, good: bool
) -> None:
    registry.age = age
    answer = card.answer(services.challenges.issue(BROWSER).nonce)
    if good:
        services.card_login.prove(BROWSER, json.dumps(answer))
    else:
        refusal = refusal_of(services, answer)
        assert (refusal.code, refusal.status) == ("signin.status-stale", 503)


def test_a_frozen_card_is_refused_as_such_with_the_time(
    services: SsoServices, card: Card, registry: Registry, clock: FixedClock
) -> None:
    since = (clock.now() - timedelta(hours=3)).replace(microsecond=0)
    registry.set_state(card.certificate, "frozen", since)
    told = [refusal_of(services, card.answer(services.challenges.issue(BROWSER).nonce))]
    registry.revoke(card.certificate, "certificateHold")
    told.append(refusal_of(services, card.answer(services.challenges.issue(BROWSER).nonce)))
    for refusal in told:
        assert (refusal.status, refusal.code) == (403, "signin.frozen")
        assert refusal.facts == {"since": since.isoformat()}
        assert "legal-person card unfreezes it" in refusal.detail
        assert since.isoformat() in refusal.detail


def test_a_hold_by_the_authority_alone_counts_from_its_own_time(
    services: SsoServices, card: Card, registry: Registry, clock: FixedClock
) -> None:
    registry.revoke(card.certificate, "certificateHold")
    refusal = refusal_of(services, card.answer(services.challenges.issue(BROWSER).nonce))
    assert (refusal.code, refusal.facts["since"]) == (
        "signin.frozen",
        clock.now().isoformat(timespec="seconds"),
    )


def test_a_lost_card_is_refused_as_such_with_the_time_of_the_report(
    services: SsoServices, card: Card, registry: Registry, clock: FixedClock
) -> None:
    registry.revoke(card.certificate)
    reported = clock.now().replace(microsecond=0) + timedelta(seconds=1)
    registry.set_state(card.certificate, "lost", reported)
    refusal = refusal_of(services, card.answer(services.challenges.issue(BROWSER).nonce))
    assert (refusal.status, refusal.code) == (403, "signin.lost")
    assert refusal.facts == {"since": reported.isoformat()}
    assert "legal-person card replaces it" in refusal.detail


@pytest.mark.parametrize("kind", [HolderKind.LEGAL_PERSON, HolderKind.OFFICER])
def test_who_has_nobody_above_in_an_enterprise_is_sent_to_an_administrator(
    services: SsoServices, card: Card, registry: Registry, clock: FixedClock, kind: HolderKind
) -> None:
    registry.holders[card.certificate.fingerprint] = replace(card.holder, kind=kind)
    for state in ("frozen", "lost"):
        registry.set_state(card.certificate, state, clock.now())
        refusal = refusal_of(services, card.answer(services.challenges.issue(BROWSER).nonce))
        assert refusal.code == f"signin.{state}"
        assert "administrator" in refusal.detail
        assert "legal-person" not in refusal.detail


@pytest.mark.parametrize("state", ["active", "frozen", "lost", "revoked", "expired"])
def test_without_its_key_nobody_learns_the_state_of_a_card(
    services: SsoServices, card: Card, other_card: Card, registry: Registry, state: str
) -> None:
    """Certificates are public: whoever shows another's hears the same, whatever became of it."""
    registry.set_state(card.certificate, state, registry.clock.now())
    if state != "active":
        registry.revoke(card.certificate, "certificateHold" if state == "frozen" else "superseded")
    thief = replace(other_card, certificate=card.certificate)
    refusal = refusal_of(services, thief.answer(services.challenges.issue(BROWSER).nonce))
    assert (refusal.code, refusal.facts) == ("signin.signature", {})
    assert registry.asked == 0, "a status was asked for before the key was proven"


@pytest.mark.parametrize("state", ["revoked", "suspended", "expired", "replaced"])
def test_a_card_that_is_not_active_is_refused(
    services: SsoServices, card: Card, registry: Registry, state: str
) -> None:
    registry.set_state(card.certificate, state)
    assert code_of(services, card, lambda a: None) == "signin.card-state"


def test_a_strangers_certificate_is_refused(
    services: SsoServices, card: Card, registry: Registry
) -> None:
    registry.holders.clear()
    assert code_of(services, card, lambda a: None) == "signin.unknown-holder"


def test_whoever_shows_anothers_certificate_writes_nothing_about_its_holder(
    services: SsoServices, card: Card, registry: Registry, card_authority: CardAuthority
) -> None:
    """Certificates are public: only a signature by the key makes a record that names its holder,
    whatever else is wrong with the card. The others are counted."""
    counted: list[str] = []
    watched = replace(services, on_refused=counted.append)
    expired = reissued(card, registry, card_authority, policies=())
    for each in (card, expired):
        for wrong in (b"\x01" * 64, b"", b"\x01" * 4000):
            answer = each.answer(watched.challenges.issue(BROWSER).nonce)
            answer["signature"] = base64.b64encode(wrong).decode()
            with pytest.raises(Refusal):
                watched.card_login.prove(BROWSER, json.dumps(answer))
    assert journalled(watched, Event.SIGNIN_REFUSED) == []
    assert counted == ["signin.signature"] * 3 + ["signin.policy"] * 3
    assert code_of(watched, expired, lambda a: None) == "signin.policy"
    assert len(journalled(watched, Event.SIGNIN_REFUSED)) == 1


def test_strangers_do_not_fill_the_journal(
    services: SsoServices,
    card: Card,
    registry: Registry,
    card_authority: CardAuthority,
    clock: FixedClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Only a certificate that the pinned authority signed makes a permanent record."""
    caplog.set_level("INFO", "portseal.signin")
    stranger = reissued(card, registry, CardAuthority(clock.now()), policies=())
    assert code_of(services, card, lambda a: a.update(signature="%%%")) == "signin.token-malformed"
    answer = stranger.answer(services.challenges.issue(BROWSER).nonce)
    for _ in range(2):  # the second finds no challenge
        with pytest.raises(Refusal):
            services.card_login.prove(BROWSER, json.dumps(answer))
    assert journalled(services, Event.SIGNIN_REFUSED) == []
    assert [record.args for record in caplog.records] == [
        ("signin.token-malformed",), ("signin.policy",), ("signin.challenge-missing",),
    ]  # fmt: skip
    ours = reissued(card, registry, card_authority, policies=())
    assert code_of(services, ours, lambda a: None) == "signin.policy"


def test_a_status_is_not_asked_for_a_stranger(
    services: SsoServices, card: Card, registry: Registry, clock: FixedClock
) -> None:
    forged = reissued(card, registry, CardAuthority(clock.now(), "Other CA"))
    assert code_of(services, forged, lambda a: None) == "signin.issuer"
    assert registry.asked == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda a: a.update(format="web-eid:2.0"), "signin.token-format"),
        (lambda a: a.pop("format"), "signin.token-format"),
        (lambda a: a.pop("signature"), "signin.token-malformed"),
        (lambda a: a.update(jwk="{}"), "signin.token-malformed"),
        (lambda a: a.update(signature="%%%"), "signin.token-malformed"),
        (lambda a: a.update(signature="é"), "signin.token-malformed"),
        (lambda a: a.update(unverifiedCertificate="MAA="), "signin.certificate"),
        (lambda a: a.update(unverifiedCertificate="LS0tLS1CRUdJTg=="), "signin.certificate"),
    ],
)
def test_a_token_is_read_strictly(
    services: SsoServices, card: Card, change: Callable[[Answer], object], code: str
) -> None:
    assert code_of(services, card, change) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x" * 99, "signin.token-length"),
        ("x" * 10_001, "signin.token-length"),
        ("x" * 100, "signin.token-malformed"),
        ("[" * 10_000, "signin.token-malformed"),
        ('["' + "x" * 100 + '"]', "signin.token-malformed"),
        ('{"format":"web-eid:1.0","format":"web-eid:1.0","a":"' + "x" * 99 + '"}',
         "signin.token-malformed"),
        ('{"format":1,"a":"' + "x" * 99 + '"}', "signin.token-malformed"),
        ('{"format":"web-eid:1.0","a":' + "9" * 9000 + "}", "signin.token-malformed"),
        ("\ud800" * 200, "signin.token-malformed"),
    ],
)  # fmt: skip
def test_what_is_no_token_is_refused(text: str, code: str) -> None:
    with pytest.raises(Malformed) as caught:
        read_authentication_token(text)
    assert caught.value.code == code


def test_the_holders_side_writes_what_the_servers_side_reads(card: Card) -> None:
    made = make_authentication_token(card.key, card.certificate.der, ORIGIN, "n" * 44, "test/1")
    assert made["format"] == "web-eid:1.0"
    read = read_authentication_token(json.dumps(made))
    assert read.certificate_der == card.certificate.der
    assert len(read.signature) == 64
