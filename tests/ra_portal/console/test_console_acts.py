"""Acts at the console: who must sign, what a signature is worth, the exceptions that are told."""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from kernel.refusals import Conflict, Forbidden, Malformed, Refusal, Unauthenticated, Unprocessable
from policies.permissions import permissions
from ra_portal.console.act import Act, SignedAct
from ra_portal.console.act_rows import Missing
from ra_portal.people.identity import HolderKind, Identity, Role, console
from tests.ra_portal.world import PortalWorld, pkcs10
from tests.software_keys import SoftwareKey

DESTROY = Act("key.destroy", "key.manage", "old", {"reason": "drill is over"})
ROTATE = Act("signin-key.rotate", "signin-key.rotate", "the key in use", {"compromised": "no"})
AT_THE_CONSOLE = (
    "ceremony.hold", "root.session", "key.manage", "backup.make", "backup.restore",
    "signin-key.rotate", "clock.confirm", "authority.reissue", "certificate.issue",
    "certificate.revoke", "archive.delete", "escrow.manage",
)  # fmt: skip


@dataclass(frozen=True)
class Officer:
    identity: Identity
    card: str
    key: SoftwareKey
    certificate: bytes

    def signs(self, statement: str) -> SignedAct:
        return SignedAct(statement, self.certificate, self.key.sign(statement.encode()))


def officer(portal: PortalWorld, *roles: Role) -> Officer:
    """Somebody with an active card, appointed in an emergency where others could appoint."""
    added = portal.services.officers.add(console("tests"), "李某", roles, "a test of the console")
    key = SoftwareKey.generate()
    assert added.activation_code is not None
    made = portal.services.enrolment.enrol(added.activation_code, pkcs10(key))
    identity = Identity(HolderKind.OFFICER, added.officer.id, "李某", frozenset(roles))
    return Officer(identity, made.card.number, key, made.certificate.der)


def signed_by(portal: PortalWorld, act: Act, *officers: Officer) -> None:
    acts = portal.services.console_acts
    opened = acts.open(act, "root")
    for each in officers:
        acts.sign(opened, act, each.signs(opened.statement))


def take(portal: PortalWorld, act: Act, emergency: str = "") -> Identity:
    acts = portal.services.console_acts
    return acts.take(acts.open(act, "root"), act, "root", emergency).by


def test_one_proposes_another_confirms_and_the_first_is_who_acts(portal: PortalWorld) -> None:
    acts = portal.services.console_acts
    system, business = (
        officer(portal, Role.SYSTEM_ADMINISTRATOR),
        officer(portal, Role.ADMINISTRATOR),
    )
    officer(portal, Role.SYSTEM_ADMINISTRATOR)
    opened = acts.open(DESTROY, "root")
    assert "act: key.destroy\npermission: key.manage\non: old\nreason: drill" in opened.statement
    with pytest.raises(Forbidden, match=r"act\.waits") as told:
        take(portal, DESTROY)
    assert told.value.facts["permission"] == "key.manage"
    signed_by(portal, DESTROY, business)
    signed_by(portal, DESTROY, business)  # again: it is one person still
    with pytest.raises(Forbidden, match=r"act\.waits"):
        take(portal, DESTROY)
    assert [each.id for each in acts.waiting()] == [opened.id]
    signed_by(portal, DESTROY, system)
    assert take(portal, DESTROY).actor == f"officer:{system.identity.subject}"
    with pytest.raises(Conflict, match=r"act\.state"):
        acts.take(opened, DESTROY, "root")
    events = portal.events(f"act:{opened.id}")
    assert events == ["act.signed", "act.signed", "act.allowed"]
    assert acts.open(DESTROY, "root").id != opened.id
    assert acts.unacknowledged() == []


def test_nobody_is_the_second_of_himself(portal: PortalWorld) -> None:
    one = officer(portal, Role.SYSTEM_ADMINISTRATOR)  # may do it, and may confirm it
    other = officer(portal, Role.SYSTEM_ADMINISTRATOR)
    signed_by(portal, DESTROY, one)
    with pytest.raises(Forbidden, match=r"act\.waits"):
        take(portal, DESTROY)
    signed_by(portal, DESTROY, other)
    assert take(portal, DESTROY).subject == one.identity.subject


def test_each_cell_of_the_table_holds_at_the_console(portal: PortalWorld) -> None:
    officers, table = {role: officer(portal, role) for role in Role}, permissions()
    for permission in AT_THE_CONSOLE:
        act = Act("some.act", permission, "something")
        opened = portal.services.console_acts.open(act, "root")
        wanted = (permission, table[permission].second_permission or permission)
        for role, one in officers.items():
            told = refused(portal, act, one.signs(opened.statement))
            may = any(table.allows([role], each) for each in wanted)
            assert told == (None if may else "role.missing"), (permission, role)


def end(portal: PortalWorld, whose: Officer) -> None:
    """Two of the same family have the card revoked."""
    (role,) = whose.identity.roles
    one, other = officer(portal, role), officer(portal, role)
    changes = portal.services.officer_changes
    proposed = changes.propose_card_end(one.identity, whose.card, "keyCompromise", "a test")
    changes.confirm(other.identity, proposed.id)


def refused(portal: PortalWorld, act: Act, signed: SignedAct) -> str | None:
    acts = portal.services.console_acts
    try:
        acts.sign(acts.open(act, "root"), act, signed)
    except Refusal as refusal:
        return refusal.code
    return None


def test_a_signature_counts_for_this_act_by_a_card_in_force_and_for_nothing_else(
    portal: PortalWorld,
) -> None:
    acts = portal.services.console_acts
    one, other = (
        officer(portal, Role.SYSTEM_ADMINISTRATOR),
        officer(portal, Role.SYSTEM_ADMINISTRATOR),
    )
    opened = acts.open(ROTATE, "root")
    right = one.signs(opened.statement)
    elsewhere = acts.open(replace(ROTATE, facts={"compromised": "yes"}), "root")
    assert refused(portal, ROTATE, one.signs(elsewhere.statement)) == "act.other-statement"
    text = opened.statement.replace("compromised: no", "compromised: yes")
    assert refused(portal, ROTATE, one.signs(text)) == "act.other-statement"
    flipped = bytes([right.signature[0], *right.signature[1:-1], right.signature[-1] ^ 1])
    assert refused(portal, ROTATE, replace(right, signature=flipped)) == "act.signature"
    assert refused(portal, ROTATE, replace(right, signature=bytes(5000))) == "act.signature"
    assert refused(portal, ROTATE, replace(right, certificate=other.certificate)) == "act.signature"
    root = portal.authority.authorities.root_key.certificate.der
    assert refused(portal, ROTATE, replace(right, certificate=root)) == "act.signer"
    assert (refused(portal, ROTATE, replace(right, certificate=b"0")) or "").startswith("cert")
    assert portal.events(f"act:{opened.id}") == ["act.refused"] * 7
    end(portal, one)
    assert refused(portal, ROTATE, right) == "act.signer"
    with pytest.raises(Forbidden, match=r"act\.waits"):
        take(portal, ROTATE)


def test_a_card_that_ended_after_it_signed_counts_no_longer(portal: PortalWorld) -> None:
    one = officer(portal, Role.SYSTEM_ADMINISTRATOR)
    officer(portal, Role.SYSTEM_ADMINISTRATOR)
    signed_by(portal, ROTATE, one)
    end(portal, one)
    with pytest.raises(Forbidden, match=r"act\.waits"):
        take(portal, ROTATE)


def test_what_a_lost_card_signed_does_not_count_when_its_officer_has_another(
    portal: PortalWorld,
) -> None:
    cards = portal.services.cards
    one, second, third = (officer(portal, Role.SYSTEM_ADMINISTRATOR) for _ in range(3))
    signed_by(portal, ROTATE, one)
    end(portal, one)
    again, _ = cards.replace(second.identity, one.card)
    _, code = cards.confirm_code(third.identity, again.number)
    key = SoftwareKey.generate()
    made = portal.services.enrolment.enrol(code, pkcs10(key))
    with pytest.raises(Forbidden, match=r"act\.waits"):
        take(portal, ROTATE)
    renewed = Officer(one.identity, again.number, key, made.certificate.der)
    signed_by(portal, ROTATE, renewed)
    assert take(portal, ROTATE).subject == one.identity.subject


def test_an_act_waits_for_a_day_and_its_signatures_are_worth_nothing_later(
    portal: PortalWorld,
) -> None:
    acts, one = portal.services.console_acts, officer(portal, Role.SYSTEM_ADMINISTRATOR)
    opened = acts.open(ROTATE, "root")
    signed = one.signs(opened.statement)
    portal.authority.clock.advance(timedelta(hours=24))
    with pytest.raises(Conflict, match=r"act\.state"):
        acts.take(opened, ROTATE, "root", "a long enough reason")
    assert acts.open(ROTATE, "root").id != opened.id
    assert refused(portal, ROTATE, signed) == "act.other-statement"


def test_what_only_proposes_needs_one_card_since_the_portal_asks_for_the_second(
    portal: PortalWorld,
) -> None:
    one = officer(portal, Role.ADMINISTRATOR)
    officer(portal, Role.APPROVER)
    act = Act("platform.add", "platform.manage", "平台", proposes=True)
    signed_by(portal, act, one)
    assert take(portal, act).subject == one.identity.subject


def test_before_the_first_cards_the_console_acts_and_the_audit_hears_of_it(
    portal: PortalWorld,
) -> None:
    acts = portal.services.console_acts
    ceremony = Act("ceremony.hold", "ceremony.hold", "house 1")
    assert take(portal, ceremony).actor == "console:root"
    (told,) = acts.unacknowledged()
    assert (told.exception, told.account, told.subject) == (Missing.NO_OFFICER, "root", "house 1")
    assert portal.events(f"act:{told.id}") == ["act.without-card"]
    for role in set(Role) - {Role.AUDIT_ADMINISTRATOR}:
        with pytest.raises(Forbidden, match=r"role\.missing"):
            acts.acknowledge(portal.officer(role), [told.id])
    audit = portal.officer(Role.AUDIT_ADMINISTRATOR)
    assert [each.id for each in acts.exceptions(audit)] == [told.id]
    assert (acts.acknowledge(audit, [told.id]), acts.acknowledge(audit, [told.id])) == (1, 0)
    assert acts.unacknowledged() == []
    assert portal.events(f"act:{told.id}")[-1] == "act.acknowledged"


def test_one_card_is_not_enough_as_soon_as_somebody_could_be_the_second(
    portal: PortalWorld,
) -> None:
    """And where nobody could, who signed acts, and it is told."""
    acts, one = portal.services.console_acts, officer(portal, Role.SYSTEM_ADMINISTRATOR)
    signed_by(portal, DESTROY, one)
    assert take(portal, DESTROY).subject == one.identity.subject
    assert [each.exception for each in acts.unacknowledged()] == [Missing.NO_OFFICER]
    officer(portal, Role.ADMINISTRATOR)
    signed_by(portal, DESTROY, one)
    with pytest.raises(Forbidden, match=r"act\.waits"):
        take(portal, DESTROY)


def test_an_emergency_is_named_and_not_for_everything(portal: PortalWorld) -> None:
    acts = portal.services.console_acts
    officer(portal, Role.SYSTEM_ADMINISTRATOR), officer(portal, Role.ADMINISTRATOR)
    with pytest.raises(Unprocessable, match=r"act\.reason"):
        take(portal, DESTROY, "because")
    why = "every card was in the safe that burnt"
    assert take(portal, DESTROY, why).actor == "console:root"
    (told,) = acts.unacknowledged()
    assert (told.exception, told.reason) == (Missing.EMERGENCY, why)
    for permission in ("archive.delete", "certificate.issue", "authority.reissue"):
        with pytest.raises(Forbidden, match=r"act\.waits"):
            take(portal, Act("some.act", permission, "something"), why)


def test_what_the_table_never_leaves_to_the_console_waits_even_when_nobody_can(
    portal: PortalWorld,
) -> None:
    with pytest.raises(Forbidden, match=r"act\.waits"):
        take(portal, Act("archive.delete", "archive.delete", "something"), "a long reason")


def test_an_act_that_stands_is_repeated_by_a_program_until_its_day(portal: PortalWorld) -> None:
    acts, now = portal.services.console_acts, portal.authority.clock.now()
    one, other = officer(portal, Role.SYSTEM_ADMINISTRATOR), officer(portal, Role.ADMINISTRATOR)
    plain = Act("backup.make", "backup.make", "key 0123")
    stands = replace(plain, stands_until=now + timedelta(days=30))
    assert acts.standing(plain, "backup") is None
    signed_by(portal, stands, one, other)
    assert "may-be-repeated-until" in acts.open(stands, "root").statement
    take(portal, stands)
    allowed = acts.standing(plain, "backup")
    assert allowed is not None
    assert allowed.by.subject == one.identity.subject
    assert portal.events(f"act:{allowed.act}")[-1] == "act.repeated"
    assert acts.standing(Act("backup.make", "backup.make", "key 4567"), "backup") is None
    portal.authority.clock.advance(timedelta(days=30))
    assert acts.standing(plain, "backup") is None
    with pytest.raises(Unprocessable, match=r"act\.standing"):
        acts.open(replace(plain, stands_until=now + timedelta(days=500)), "root")


def test_an_act_stands_only_while_those_who_signed_are_in_office(portal: PortalWorld) -> None:
    acts, now = portal.services.console_acts, portal.authority.clock.now()
    one, other = officer(portal, Role.SYSTEM_ADMINISTRATOR), officer(portal, Role.ADMINISTRATOR)
    plain = Act("backup.make", "backup.make", "key 0123")
    stands = replace(plain, stands_until=now + timedelta(days=30))
    signed_by(portal, stands, one, other)
    take(portal, stands)
    end(portal, other)
    assert acts.standing(plain, "backup") is None


@pytest.mark.parametrize(
    ("subject", "facts"),
    [
        ("", {}),
        ("two\nlines", {}),
        ("a\u202eb", {}),
        ("x" * 301, {}),
        ("x", {"nonce": "1"}),
        ("x", {"Reason": "1"}),
        ("x", {f"n{'a' * number}": "1" for number in range(21)}),
    ],
)
def test_what_cannot_be_shown_is_signed_by_nobody(subject: str, facts: dict[str, str]) -> None:
    with pytest.raises(Malformed, match=r"act\.fact"):
        Act("key.destroy", "key.manage", subject, facts)


def test_a_strangers_certificate_is_no_signer(portal: PortalWorld) -> None:
    key = SoftwareKey.generate()
    code = portal.operator(portal.legal_person(1)).activation_code
    made = portal.services.enrolment.enrol(code, pkcs10(key))
    acts = portal.services.console_acts
    opened = acts.open(ROTATE, "root")
    signed = SignedAct(opened.statement, made.certificate.der, key.sign(opened.statement.encode()))
    with pytest.raises(Unauthenticated, match=r"act\.signer"):
        acts.sign(opened, ROTATE, signed)
