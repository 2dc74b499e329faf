"""Activation code and PKCS#10 become a certificate and an active card, once."""

from datetime import timedelta

import pytest

from ca.inventory import CertificateState, Inventory
from kernel.identifiers import parse_serial
from kernel.refusals import Conflict, Refusal, TooMany, Unauthenticated, Unavailable
from ra_portal.cards.card import CardState
from ra_portal.cards.card_making import CardMaking
from ra_portal.cards.enrolment import EnrolledCard, Enrolment
from ra_portal.people.identity import Identity, Role, console
from tests.ra_portal import samples
from tests.ra_portal.world import PortalWorld, pkcs10
from tests.software_keys import SoftwareKey

_NAME, _SERIAL, _ORGANIZATION, _IDENTIFIER = "2.5.4.3", "2.5.4.5", "2.5.4.10", "2.5.4.97"


def test_a_legal_person_card_is_made_from_our_records(any_portal: PortalWorld) -> None:
    application = any_portal.approved()
    card, code = any_portal.services.registration.new_activation_code(application.id)
    key = SoftwareKey.generate()

    enrolled = any_portal.services.enrolment.enrol(code, pkcs10(key, common_name="somebody else"))

    certificate = enrolled.certificate
    assert certificate.public_key.spki == key.public_key.spki
    assert certificate.attribute(_NAME) == application.details.name
    assert certificate.attribute(_ORGANIZATION) == application.details.name
    assert certificate.attribute(_IDENTIFIER) == f"NTRCN-{samples.uscc()}"
    assert certificate.is_signed_by(enrolled.chain[0])
    assert enrolled.chain[-1].is_self_issued
    assert enrolled.card.number == card.number
    assert enrolled.card.state is CardState.ACTIVE
    assert enrolled.card.fingerprint == certificate.fingerprint
    assert any_portal.events(card.number) == [
        "card.requested",
        "card.code-offered",
        "enrolment.started",
        "card.made",
    ]


def test_operators_and_officers_get_their_own_profiles(portal: PortalWorld) -> None:
    added = portal.operator(portal.legal_person(), "declare-import")
    operator = portal.services.enrolment.enrol(added.activation_code, pkcs10()).certificate
    assert operator.attribute(_NAME) == "张操作"
    assert operator.attribute(_SERIAL) == _card_number(added.view.card)
    assert operator.attribute(_IDENTIFIER) == f"NTRCN-{samples.uscc()}"

    clerk = portal.services.officers.add(console("root"), "赵审批", [Role.APPROVER])
    officer = portal.services.enrolment.enrol(clerk.activation_code or "", pkcs10()).certificate
    assert officer.attribute(_NAME) == "赵审批"
    assert officer.attribute(_ORGANIZATION) == "Example E-Port"
    assert officer.policies != operator.policies


def test_a_code_works_once(portal: PortalWorld) -> None:
    code = _code(portal)
    portal.services.enrolment.enrol(code, pkcs10())
    with pytest.raises(Unauthenticated) as refused:
        portal.services.enrolment.enrol(code, pkcs10())
    assert refused.value.code == "enrolment.code"


def test_who_was_interrupted_before_the_certificate_was_on_the_key_gets_it_again(
    any_portal: PortalWorld,
) -> None:
    portal, key = any_portal, SoftwareKey.generate()
    code, enrol = _code(portal), portal.services.enrolment.enrol
    first = enrol(code, pkcs10(key))
    again = enrol(code, pkcs10(key))
    assert (again.certificate, again.chain, again.card) == (
        first.certificate,
        first.chain,
        first.card,
    )
    assert portal.events(first.card.number).count("card.made") == 1
    forged = bytearray(pkcs10(key))
    forged[-1] ^= 1
    with pytest.raises(Refusal, match=r"pkcs10\.signature"):
        enrol(code, bytes(forged))
    owner = Identity(first.card.holder.kind, first.card.holder.id, "")
    portal.services.life.freeze(owner, first.card.number, "not yet")
    with pytest.raises(Unauthenticated, match=r"enrolment\.code"):
        enrol(code, pkcs10(key))


def test_the_code_of_a_card_that_is_made_ends_with_its_time(portal: PortalWorld) -> None:
    code, key = _code(portal), SoftwareKey.generate()
    portal.services.enrolment.enrol(code, pkcs10(key))
    portal.authority.clock.advance(timedelta(days=7))
    with pytest.raises(Unauthenticated, match=r"enrolment\.code"):
        portal.services.enrolment.enrol(code, pkcs10(key))


def test_a_new_code_replaces_the_old(portal: PortalWorld) -> None:
    application = portal.approved()
    old = portal.services.registration.new_activation_code(application.id)[1]
    new = portal.services.registration.new_activation_code(application.id)[1]
    with pytest.raises(Unauthenticated, match=r"enrolment\.code"):
        portal.services.enrolment.enrol(old, pkcs10())
    assert portal.services.enrolment.enrol(new, pkcs10()).card.state is CardState.ACTIVE


def test_a_code_ends_after_a_week(portal: PortalWorld) -> None:
    code = _code(portal)
    portal.authority.clock.advance(timedelta(days=7))
    with pytest.raises(Unauthenticated, match=r"enrolment\.code"):
        portal.services.enrolment.enrol(code, pkcs10())


@pytest.mark.parametrize("code", ["", "A" * 28, "0000-0000", "x" * 5000, "'; DROP TABLE cards; --"])
def test_a_guessed_code_opens_nothing(portal: PortalWorld, code: str) -> None:
    _code(portal)
    with pytest.raises(Unauthenticated, match=r"enrolment\.code"):
        portal.services.enrolment.enrol(code, pkcs10())


def test_bad_requests_leave_the_code_usable_but_not_for_ever(portal: PortalWorld) -> None:
    code = _code(portal)
    forged = bytearray(pkcs10())
    forged[-1] ^= 1
    for request, refusal in ((b"", "pkcs10.malformed"), (bytes(forged), "pkcs10.signature")):
        with pytest.raises(Refusal) as refused:
            portal.services.enrolment.enrol(code, request)
        assert refused.value.code == refusal
    for _ in range(8):
        with pytest.raises(Refusal):
            portal.services.enrolment.enrol(code, b"junk")
    with pytest.raises(TooMany) as stopped:
        portal.services.enrolment.enrol(code, pkcs10())
    assert stopped.value.code == "enrolment.attempts"


def test_a_key_that_is_certified_already_is_refused(portal: PortalWorld) -> None:
    key = SoftwareKey.generate()
    portal.services.enrolment.enrol(_code(portal), pkcs10(key))
    other = portal.services.officers.add(console("root"), "钱登记", [Role.REGISTRAR])
    with pytest.raises(Conflict) as refused:
        portal.services.enrolment.enrol(other.activation_code or "", pkcs10(key))
    assert refused.value.code == "public-key.already-certified"


def test_dying_after_the_issue_the_same_key_takes_its_certificate_over(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, key = _code(portal), SoftwareKey.generate()
    with monkeypatch.context() as dying:
        dying.setattr(Enrolment, "_activate", _die)
        with pytest.raises(KeyboardInterrupt):
            portal.services.enrolment.enrol(code, pkcs10(key))
    enrolled = portal.services.enrolment.enrol(code, pkcs10(key))
    assert [record.state for record in _certificates(portal, enrolled)] == [CertificateState.ISSUED]
    assert enrolled.certificate.public_key.spki == key.public_key.spki


def test_dying_after_the_issue_another_key_revokes_the_orphan(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = _code(portal)
    with monkeypatch.context() as dying:
        dying.setattr(Enrolment, "_activate", _die)
        with pytest.raises(KeyboardInterrupt):
            portal.services.enrolment.enrol(code, pkcs10())
    portal.authority.clock.advance(timedelta(seconds=1))
    enrolled = portal.services.enrolment.enrol(code, pkcs10())
    states = [record.state for record in _certificates(portal, enrolled)]
    assert states == [CertificateState.ISSUED, CertificateState.REVOKED]


def test_dying_before_the_signature_the_card_waits_for_the_reconciliation(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, key = _code(portal), SoftwareKey.generate()
    with monkeypatch.context() as dying:
        dying.setattr(type(portal.authority.issuing), "issue", _die)
        with pytest.raises(KeyboardInterrupt):
            portal.services.enrolment.enrol(code, pkcs10(key))
    with pytest.raises(Unavailable) as refused:
        portal.services.enrolment.enrol(code, pkcs10(key))
    assert refused.value.code == "enrolment.unsettled"

    portal.authority.clock.advance(timedelta(minutes=1))
    portal.authority.issuing.reconcile(older_than=timedelta(seconds=30))
    enrolled = portal.services.enrolment.enrol(code, pkcs10(key))
    states = {record.state for record in _certificates(portal, enrolled)}
    assert states == {CertificateState.ISSUED, CertificateState.ABANDONED}


def test_an_attempt_that_is_overtaken_leaves_no_certificate_in_force(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = portal.approved()
    code = portal.services.registration.new_activation_code(application.id)[1]
    issue = CardMaking._issue

    def overtaken(self: CardMaking, *arguments: object) -> object:
        certificate = issue(self, *arguments)  # type: ignore[arg-type]
        portal.services.registration.new_activation_code(application.id)
        return certificate

    with monkeypatch.context() as slow:
        slow.setattr(CardMaking, "_issue", overtaken)
        with pytest.raises(Conflict, match=r"card\.changed"):
            portal.services.enrolment.enrol(code, pkcs10())
    card = portal.services.registration.card_of(application.id)
    assert card is not None
    assert card.state is CardState.REQUESTED
    records = Inventory(portal.authority.database).by_reference(card.number)
    assert [record.state for record in records] == [CertificateState.REVOKED]


def _code(portal: PortalWorld) -> str:
    return portal.services.registration.new_activation_code(portal.approved().id)[1]


def _card_number(card: object) -> str:
    number = getattr(card, "number", None)
    assert isinstance(number, str)
    return number


def _certificates(portal: PortalWorld, enrolled: EnrolledCard) -> list:  # type: ignore[type-arg]
    inventory = Inventory(portal.authority.database)
    assert enrolled.card.serial is not None
    own = inventory.by_serial(parse_serial(enrolled.card.serial))
    assert own is not None
    assert own.state is CertificateState.ISSUED
    return inventory.by_reference(enrolled.card.number)


def _die(*arguments: object) -> None:
    raise KeyboardInterrupt
