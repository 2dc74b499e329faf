"""An escrowed key comes back to its holder with an officer, or by order with two, and is told."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from ca.inventory import RevocationReason
from kernel.identifiers import Serial, serial_text
from kernel.refusals import Conflict, Refusal
from key_centre import recovery_rows
from key_centre.recovery import DELIVERY_PERIOD, Recovery, RecoveryState
from key_centre.recovery_rows import Wanted
from portseal.holder.opening import open_message
from ra_portal.people.identity import Identity, Role
from tests.ca.openssl import openssl
from tests.key_centre.world import OTHER_TRANSPORT, TRANSPORT, CentreWorld, Holder

ORDER = b"%PDF-1.7\n1 0 obj\n<< >>\nendobj\n%%EOF\n"


def opener(centre: CentreWorld) -> Identity:
    return centre.officer(Role.RECOVERY_OFFICER)


def approver(centre: CentreWorld) -> Identity:
    return centre.officer(Role.RECOVERY_APPROVER)


def escrowed(centre: CentreWorld, holder: Holder) -> Serial:
    """The serial number of the holder's encryption certificate."""
    made = centre.centre.deliveries.deliver(holder.asks_for(TRANSPORT.public_key))
    return made.certificate.serial


def replaced(centre: CentreWorld, holder: Holder) -> Holder:
    """The same holder, with the next card after the first was lost."""
    owner = centre.portal.legal_person_of(holder.card)
    _, code = centre.portal.services.cards.replace(owner, holder.card.number)
    assert code is not None
    return centre.enrolled(code)


def order(centre: CentreWorld, by: Identity, serial: Serial, **changes: object) -> Recovery:
    values: dict[str, object] = {
        "number": "2026-02-0017",
        "issued_by": "宁波市中级人民法院",
        "evidence": ORDER,
        "transport_key": OTHER_TRANSPORT.public_key.spki,
        "reason": "调取证据",
        **changes,
    }
    return centre.centre.recoveries.open_order(by, serial, **values)  # type: ignore[arg-type]


def approve_order(centre: CentreWorld, by: Identity, identifier: str, reason: str = "x") -> None:
    """With the fingerprint that whom the order names told."""
    told = OTHER_TRANSPORT.public_key.fingerprint
    centre.centre.recoveries.approve(by, identifier, reason, told)


def waiting(centre: CentreWorld, by: Identity) -> list[Recovery]:
    page = centre.centre.oversight.listed(by, Wanted(RecoveryState.REQUESTED))
    return [recovery for recovery, _ in page.found]


def code_of(act: object, *arguments: object) -> str:
    with pytest.raises(Refusal) as refusal:
        act(*arguments)  # type: ignore[operator]
    return refusal.value.code


def test_a_holder_with_a_new_card_reads_old_documents_again(
    centre: CentreWorld, tmp_path: Path
) -> None:
    directory = tmp_path
    first = centre.operator()
    delivery = centre.centre.deliveries.deliver(first.asks_for(TRANSPORT.public_key))
    (directory / "to.pem").write_text(delivery.certificate.pem)
    (directory / "old").write_text("旧合同")
    openssl(
        "cms", "-encrypt", "-binary", "-aes256", "-in", directory / "old", "-outform", "DER",
        "-out", directory / "sealed", directory / "to.pem",
    )  # fmt: skip
    second = replaced(centre, first)
    second.installs(centre.centre.deliveries.deliver(second.asks()))
    sealed = (directory / "sealed").read_bytes()
    assert code_of(open_message, sealed, second.slot.keys()) == "enveloped.other-recipient"

    old = delivery.certificate.serial
    recoveries = centre.centre.recoveries
    asked = recoveries.request(old, second.asks(recovers=old), "旧合同")
    assert asked.state is RecoveryState.REQUESTED
    assert code_of(recoveries.fetch_for_holder, asked.id) == "key-recovery.state"
    by = approver(centre)
    assert recoveries.approve(by, asked.id, "身份已核实").state is RecoveryState.APPROVED
    second.installs(recoveries.fetch_for_holder(asked.id), recovered=True)
    assert open_message(sealed, second.slot.keys()) == "旧合同".encode()

    told = [each for each in centre.told(serial_text(old)) if each.event.startswith("key.")]
    assert [each.event for each in told] == [
        "key.delivered", "key.recovery-requested", "key.recovery-approved", "key.recovered",
    ]  # fmt: skip
    assert [each.actor for each in told[2:]] == [by.actor, asked.requested_by]
    assert asked.id in told[3].facts


def test_a_key_is_recovered_for_its_own_holder_with_a_live_card(centre: CentreWorld) -> None:
    holder = centre.operator()
    old = escrowed(centre, holder)
    other = centre.operator(centre.enterprise(2))
    recoveries = centre.centre.recoveries
    foreign = other.asks_for(TRANSPORT.public_key, recovers=old)
    assert code_of(recoveries.request, old, foreign, "x") == "key-recovery.other-holder"
    plain = holder.asks_for(TRANSPORT.public_key)  # the statement of a delivery, not a recovery
    assert code_of(recoveries.request, old, plain, "x") == "key-delivery.signature"
    unknown = Serial(4711)
    nothing = holder.asks_for(TRANSPORT.public_key, recovers=unknown)
    assert code_of(recoveries.request, unknown, nothing, "x") == "escrow.unknown"

    asked = recoveries.request(old, holder.asks_for(TRANSPORT.public_key, recovers=old), "x")
    recoveries.approve(approver(centre), asked.id, "y")
    administrator = centre.officer(Role.ADMINISTRATOR)
    centre.portal.services.cards.revoke(
        administrator, holder.card.number, RevocationReason.KEY_COMPROMISE
    )
    assert code_of(recoveries.fetch_for_holder, asked.id) == "key-delivery.card"
    lost = holder.asks_for(TRANSPORT.public_key, recovers=old)
    assert code_of(recoveries.request, old, lost, "x") == "key-delivery.card"


def test_an_order_takes_two_officers_of_the_centre(any_centre: CentreWorld) -> None:
    centre = any_centre
    serial = escrowed(centre, centre.operator())
    recoveries = centre.centre.recoveries
    first, second = opener(centre), approver(centre)
    both = Identity(first.kind, first.subject, "x", frozenset(
        {Role.RECOVERY_OFFICER, Role.RECOVERY_APPROVER}
    ))  # fmt: skip
    opened = order(centre, both, serial)
    assert code_of(recoveries.approve, both, opened.id, "x") == "key-recovery.same-officer"
    assert code_of(recoveries.approve, first, opened.id, "x") == "role.missing"
    assert code_of(recoveries.fetch_for_order, first, opened.id) == "key-recovery.state"
    approve_order(centre, second, opened.id, "命令已核实")
    assert code_of(recoveries.fetch_for_order, second, opened.id) == "role.missing"
    assert code_of(recoveries.fetch_for_holder, opened.id) == "key-recovery.ground"
    delivery = recoveries.fetch_for_order(first, opened.id)
    assert delivery.certificate.serial == serial

    told = [each for each in centre.told(serial_text(serial)) if "recover" in each.event]
    assert [each.event for each in told] == [
        "key.recovery-requested", "key.recovery-approved", "key.recovered",
    ]  # fmt: skip
    facts = json.loads(told[0].facts)
    assert facts["order"] == "2026-02-0017"
    assert facts["ordered_by"] == "宁波市中级人民法院"
    assert len(facts["sha256"]) == 64
    assert centre.centre.oversight.evidence(first, opened.id) == ORDER


def test_an_officer_who_puts_another_transport_key_in_place_is_found_out(
    centre: CentreWorld,
) -> None:
    """The approver knows the fingerprint from whom the order names."""
    serial = escrowed(centre, centre.operator())
    recoveries, first, second = centre.centre.recoveries, opener(centre), approver(centre)
    named = OTHER_TRANSPORT.public_key.fingerprint
    own = order(centre, first, serial, transport_key=TRANSPORT.public_key.spki)
    for told in (named, None, "", named.upper()):
        refused = code_of(recoveries.approve, second, own.id, "x", told)
        assert refused == "key-recovery.transport-key"
    assert recoveries.state(own.id).state is RecoveryState.REQUESTED
    assert code_of(recoveries.fetch_for_order, first, own.id) == "key-recovery.state"
    honest = order(centre, first, serial)
    for officer in (first, second):
        shown = {each.id: each for each in waiting(centre, officer)}
        assert shown[honest.id].transport_key_sha256 == named
        assert shown[own.id].transport_key_sha256 == TRANSPORT.public_key.fingerprint
    assert recoveries.approve(second, honest.id, "x", named).state is RecoveryState.APPROVED


def test_the_evidence_is_read_for_whoever_reads_it_alone(any_centre: CentreWorld) -> None:
    serial = escrowed(any_centre, any_centre.operator())
    by, recoveries = opener(any_centre), any_centre.centre.recoveries
    oversight = any_centre.centre.oversight
    opened = order(any_centre, by, serial)
    read: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if "kc_recoveries.evidence " in statement or "kc_recoveries.evidence," in statement:
            read.append(statement)

    engine = any_centre.portal.authority.database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        waiting(any_centre, by)
        oversight.dossier(by, opened.id)
        oversight.figures(by)
        recoveries.state(opened.id)
        approve_order(any_centre, approver(any_centre), opened.id)
        recoveries.fetch_for_order(by, opened.id)
        assert read == []
        assert oversight.evidence(by, opened.id) == ORDER
        assert len(read) == 1
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    "roles", [(Role.ADMINISTRATOR,), (Role.APPROVER, Role.REGISTRAR), (Role.AUDITOR,), ()]
)
def test_nobody_else_recovers_anything(centre: CentreWorld, roles: tuple[Role, ...]) -> None:
    serial = escrowed(centre, centre.operator())
    opened = order(centre, opener(centre), serial)
    someone = Identity(opener(centre).kind, "other", "x", frozenset(roles))
    recoveries, oversight = centre.centre.recoveries, centre.centre.oversight
    for act, arguments in (
        (recoveries.approve, (someone, opened.id, "x")),
        (recoveries.refuse, (someone, opened.id, "x")),
        (recoveries.fetch_for_order, (someone, opened.id)),
        (oversight.listed, (someone, Wanted())),
        (oversight.dossier, (someone, opened.id)),
        (oversight.evidence, (someone, opened.id)),
        (oversight.figures, (someone,)),
    ):
        assert code_of(act, *arguments) == "role.missing"
    with pytest.raises(Refusal, match=r"role\.missing"):
        order(centre, someone, serial)


def test_a_refused_or_old_recovery_gives_nothing(centre: CentreWorld) -> None:
    serial = escrowed(centre, centre.operator())
    recoveries, first, second = centre.centre.recoveries, opener(centre), approver(centre)
    refused = order(centre, first, serial)
    recoveries.refuse(second, refused.id, "命令有误")
    assert code_of(recoveries.fetch_for_order, first, refused.id) == "key-recovery.state"
    assert code_of(recoveries.approve, second, refused.id, "x") == "key-recovery.state"
    old = order(centre, first, serial)
    approve_order(centre, second, old.id)
    centre.portal.authority.clock.advance(DELIVERY_PERIOD - timedelta(seconds=1))
    recoveries.fetch_for_order(first, old.id)
    assert recoveries.fetch_for_order(first, old.id).certificate.serial == serial
    centre.portal.authority.clock.advance(timedelta(seconds=1))
    assert code_of(recoveries.fetch_for_order, first, old.id) == "key-recovery.over"
    assert recoveries.state(old.id).deliveries == 2


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"evidence": b"a letter"}, "key-recovery.evidence"),
        ({"evidence": b"%PDF-" + b"x" * (4 << 20)}, "key-recovery.evidence"),
        ({"number": ""}, "key-recovery.text"),
        ({"number": "1\n2"}, "key-recovery.text"),
        ({"issued_by": "法院" * 100}, "key-recovery.text"),
        ({"reason": "\u202e"}, "key-recovery.text"),
        ({"transport_key": b"x"}, "public-key.malformed"),
    ],
)
def test_an_order_is_recorded_whole_or_not_at_all(
    centre: CentreWorld, changes: dict[str, object], code: str
) -> None:
    serial = escrowed(centre, centre.operator())
    by = opener(centre)
    with pytest.raises(Refusal) as refusal:
        order(centre, by, serial, **changes)
    assert refusal.value.code == code
    assert waiting(centre, by) == []


def test_two_officers_who_decide_at_once_do_not_both(any_centre: CentreWorld) -> None:
    serial = escrowed(any_centre, any_centre.operator())
    opened = order(any_centre, opener(any_centre), serial)
    database = any_centre.portal.authority.database
    approve_order(any_centre, approver(any_centre), opened.id)
    late = opened.refuse("officer:late", any_centre.portal.authority.clock.now(), "y")
    with database.transaction() as connection, pytest.raises(Conflict) as refusal:
        recovery_rows.save(connection, late)
    assert refusal.value.code == "key-recovery.changed"
