"""An application's life: fields, four eyes, transitions, and the journal that tells of them."""

from dataclasses import replace
from typing import Any

import pytest

from kernel.refusals import Conflict, Forbidden, Malformed, NotFound, Unauthenticated
from ra_portal.applications import application_rows
from ra_portal.applications.application import ApplicationState
from ra_portal.applications.queue import Asked
from ra_portal.cards.card import CardState
from ra_portal.fields import InvalidFields
from ra_portal.papers.documents import DocumentKind, Upload
from ra_portal.people.identity import HolderKind, Identity, Role, console
from tests.ra_portal import samples
from tests.ra_portal.world import PortalWorld, pkcs10


def test_an_application_is_registered_by_one_officer_and_approved_by_another(
    any_portal: PortalWorld,
) -> None:
    registration = any_portal.services.registration
    registrar, approver = any_portal.officer(Role.REGISTRAR), any_portal.officer(Role.APPROVER)
    submitted = registration.apply(samples.details(), samples.scan())
    identifier = submitted.application.id

    registered = registration.register(registrar, identifier)
    assert registered.state is ApplicationState.REGISTERED
    approved, card = registration.approve(approver, identifier)

    assert approved.state is ApplicationState.APPROVED
    assert card.state is CardState.REQUESTED
    assert card.holder.kind is HolderKind.LEGAL_PERSON
    assert card.holder.id == approved.enterprise_id
    assert any_portal.events(submitted.application.reference) == [
        "enterprise.applied",
        "enterprise.registered",
        "enterprise.approved",
    ]
    assert any_portal.services.journal.verify(console("tests")).intact


def test_the_officer_who_registered_may_not_approve_even_with_both_roles(
    portal: PortalWorld,
) -> None:
    registration = portal.services.registration
    both = portal.officer(Role.REGISTRAR, Role.APPROVER)
    identifier = registration.apply(samples.details(), samples.scan()).application.id
    registration.register(both, identifier)

    with pytest.raises(Forbidden) as refused:
        registration.approve(both, identifier)

    assert refused.value.code == "registration.same-officer"
    assert registration.standing(identifier).state is ApplicationState.REGISTERED


def test_four_eyes_hold_after_a_correction_too(portal: PortalWorld) -> None:
    registration = portal.services.registration
    both = portal.officer(Role.REGISTRAR, Role.APPROVER)
    identifier = registration.apply(samples.details(), samples.scan()).application.id
    registration.register(both, identifier)
    registration.send_back(both, identifier, "名称不符")
    registration.resubmit(identifier, samples.details(), None)

    with pytest.raises(Conflict) as refused:
        registration.approve(both, identifier)
    assert refused.value.code == "application.state"
    registration.register(both, identifier)
    with pytest.raises(Forbidden, match=r"registration\.same-officer"):
        registration.approve(both, identifier)


@pytest.mark.parametrize(
    ("roles", "step"),
    [
        ([Role.APPROVER], "register"),
        ([Role.REGISTRAR], "approve"),
        ([Role.ADMINISTRATOR], "register"),
        ([Role.ADMINISTRATOR], "refuse"),
    ],
)
def test_a_step_needs_its_role(portal: PortalWorld, roles: list[Role], step: str) -> None:
    registration = portal.services.registration
    identifier = registration.apply(samples.details(), samples.scan()).application.id
    arguments = ("because",) if step == "refuse" else ()
    with pytest.raises(Forbidden) as refused:
        getattr(registration, step)(portal.officer(*roles), identifier, *arguments)
    assert refused.value.code == "role.missing"


def test_an_enterprise_cannot_see_the_queue(portal: PortalWorld) -> None:
    with pytest.raises(Forbidden, match=r"role\.missing"):
        portal.services.queue.page(portal.legal_person(), Asked())


def test_the_console_adds_officers_but_decides_no_application(portal: PortalWorld) -> None:
    identifier = portal.services.registration.apply(samples.details(), samples.scan())
    with pytest.raises(Forbidden, match=r"role\.missing"):
        portal.services.registration.register(console("root"), identifier.application.id)


def test_a_returned_application_is_corrected_and_taken_through(portal: PortalWorld) -> None:
    registration = portal.services.registration
    submitted = registration.apply(samples.details(), samples.scan())
    identifier = submitted.application.id
    registration.send_back(portal.officer(Role.REGISTRAR), identifier, "执照不清晰\n请重新上传")

    seen = registration.open(submitted.application.reference, submitted.access_code)
    assert (seen.state, seen.reasons) == (ApplicationState.RETURNED, "执照不清晰\n请重新上传")

    licence = Upload(samples.png(seed=2), "new.png")
    corrected = registration.resubmit(identifier, samples.details(name="宁波改名有限公司"), licence)
    assert corrected.state is ApplicationState.APPLIED
    assert corrected.reasons is None
    assert corrected.papers.licence_id != seen.papers.licence_id
    assert set(corrected.previous) == {"name", "licence"}
    officer = portal.officer(Role.REGISTRAR)
    review = portal.services.queue.review(officer, identifier)
    assert review.papers[DocumentKind.LICENCE].id == corrected.papers.licence_id
    picture = portal.services.queue.paper(officer, identifier, DocumentKind.LICENCE, 1)
    assert picture.startswith(b"\xff\xd8\xff")


def test_a_refused_application_makes_room_for_another(portal: PortalWorld) -> None:
    registration = portal.services.registration
    identifier = registration.apply(samples.details(), samples.scan()).application.id
    registration.refuse(portal.officer(Role.APPROVER), identifier, "执照系伪造")
    with pytest.raises(Conflict, match=r"application\.state"):
        registration.resubmit(identifier, samples.details(), None)
    assert registration.apply(samples.details(), samples.scan()).application.id != identifier


@pytest.mark.parametrize("state", ["applied", "approved"])
def test_a_second_live_application_for_the_same_enterprise_is_a_conflict(
    any_portal: PortalWorld, state: str
) -> None:
    if state == "approved":
        any_portal.approved(1)
    else:
        any_portal.services.registration.apply(samples.details(), samples.scan())
    with pytest.raises(Conflict) as refused:
        any_portal.services.registration.apply(samples.details(name="另一家"), samples.scan())
    assert refused.value.code == "application.exists"


def test_a_correction_cannot_take_another_applications_code(any_portal: PortalWorld) -> None:
    registration = any_portal.services.registration
    first = registration.apply(samples.details(1), samples.scan()).application
    registration.apply(samples.details(2), samples.scan())
    registration.send_back(any_portal.officer(Role.REGISTRAR), first.id, "代码不符")
    with pytest.raises(Conflict, match=r"application\.exists"):
        registration.resubmit(first.id, samples.details(2), None)


def test_of_two_officers_who_decide_at_once_the_second_is_told(portal: PortalWorld) -> None:
    registration = portal.services.registration
    before = registration.apply(samples.details(), samples.scan()).application
    registration.register(portal.officer(Role.REGISTRAR), before.id)
    with portal.authority.database.transaction() as connection:
        late = before.register("another", portal.authority.clock.now())
        with pytest.raises(Conflict, match=r"application\.changed"):
            application_rows.save(connection, late)


def test_an_access_code_opens_its_own_application_only(portal: PortalWorld) -> None:
    registration = portal.services.registration
    one = registration.apply(samples.details(1), samples.scan())
    two = registration.apply(samples.details(2), samples.scan())
    assert len(one.access_code.replace("-", "")) * 5 >= 128
    lower = one.access_code.lower().replace("-", " ")
    assert registration.open(one.application.reference, lower) == one.application
    for reference, code in (
        (one.application.reference, two.access_code),
        ("AP-2026-22222222", one.access_code),
        (one.application.reference, ""),
    ):
        with pytest.raises(Unauthenticated, match=r"application\.access"):
            registration.open(reference, code)


def test_codes_are_stored_as_hashes_only(portal: PortalWorld) -> None:
    submitted = portal.services.registration.apply(samples.details(), samples.scan())
    with portal.authority.database.reading() as connection:
        dump = "\n".join(connection.connection.driver_connection.iterdump())  # type: ignore[union-attr]
    assert submitted.application.reference in dump
    assert submitted.access_code not in dump
    assert submitted.access_code.replace("-", "") not in dump


def test_every_wrong_field_is_named_at_once(portal: PortalWorld) -> None:
    values: dict[str, Any] = samples.details(
        uscc=samples.uscc()[:-1] + ("0" if samples.uscc()[-1] != "0" else "1"),
        name="",
        customs_code="12",
        legal_representative="王\u202e样本",
        email="nobody",
        phone="call me",
    )
    with pytest.raises(InvalidFields) as refused:
        portal.services.registration.apply(values, None)
    assert refused.value.facts == {
        "uscc": "uscc.check-character",
        "name": "field.missing",
        "customs_code": "customs-code.malformed",
        "legal_representative": "field.characters",
        "email": "field.email",
        "phone": "field.phone",
        "licence": "field.missing",
    }


def test_an_identity_number_is_not_taken(portal: PortalWorld) -> None:
    with pytest.raises(InvalidFields) as refused:
        portal.services.registration.apply(
            samples.details(legal_representative="王样本 11010519491231002X"), samples.scan()
        )
    assert refused.value.facts == {"legal_representative": "field.identity-number"}


def test_returning_needs_reasons(portal: PortalWorld) -> None:
    registration = portal.services.registration
    identifier = registration.apply(samples.details(), samples.scan()).application.id
    with pytest.raises(Malformed, match=r"field\.missing"):
        registration.send_back(portal.officer(Role.REGISTRAR), identifier, " \n ")


def test_an_unknown_application_is_not_found(portal: PortalWorld) -> None:
    with pytest.raises(NotFound, match=r"application\.unknown"):
        portal.services.registration.register(portal.officer(Role.REGISTRAR), "0" * 32)


def test_an_officers_role_is_read_from_the_identity(portal: PortalWorld) -> None:
    officer = portal.officer(Role.REGISTRAR)
    demoted: Identity = replace(officer, roles=frozenset())
    identifier = portal.services.registration.apply(samples.details(), samples.scan())
    with pytest.raises(Forbidden):
        portal.services.registration.register(demoted, identifier.application.id)


def test_the_access_code_ends_with_the_card_that_was_approved(portal: PortalWorld) -> None:
    registration, cards = portal.services.registration, portal.services.cards
    submitted = registration.apply(samples.details(), samples.scan())
    identifier = submitted.application.id
    registration.register(portal.officer(Role.REGISTRAR), identifier)
    registration.approve(portal.officer(Role.APPROVER), identifier)
    reference = submitted.application.reference
    assert registration.open(reference, submitted.access_code).card_number is not None
    card, code = registration.new_activation_code(identifier)
    portal.services.enrolment.enrol(code, pkcs10())
    with pytest.raises(Unauthenticated, match=r"application\.access-ended"):
        registration.open(reference, submitted.access_code)

    replacement, _ = cards.replace(portal.officer(Role.ADMINISTRATOR), card.number)
    assert replacement.number != card.number
    with pytest.raises(Unauthenticated, match=r"application\.access-ended"):
        registration.open(reference, submitted.access_code)
    with pytest.raises(Conflict, match=r"card\.state"):
        registration.new_activation_code(identifier)
