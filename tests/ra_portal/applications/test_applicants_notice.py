"""Applicants are told of decisions, and get their reference again, at the address they left."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from kernel.refusals import Refusal
from ra_portal.applications.applicants_notice import ApplicantsNotice
from ra_portal.applications.application import Application
from ra_portal.applications.reference_again import ONCE_IN, PATIENCE
from ra_portal.notices.channels import Channel
from ra_portal.people.identity import Role
from tests.ra_portal import samples
from tests.ra_portal.token_calls import outside_transactions
from tests.ra_portal.world import ORIGIN, PortalWorld, personal_data_of

SECRETS = ("东海", "王样本", "0574", "customs@", samples.uscc(1))
"""Of what the samples say of themselves."""


def applied(portal: PortalWorld, **changes: str) -> Application:
    details = samples.details(1, identity_number=samples.identity_number(), **changes)
    return portal.services.registration.apply(details, samples.scan()).application


def returned(portal: PortalWorld, made: Application) -> None:
    officer = portal.officer(Role.REGISTRAR)
    portal.services.registration.send_back(officer, made.id, "王样本的执照不清晰")


def refused(portal: PortalWorld, made: Application) -> None:
    portal.services.registration.refuse(portal.officer(Role.REGISTRAR), made.id, "王样本重复申请")


def approved(portal: PortalWorld, made: Application) -> None:
    portal.services.registration.approve(portal.officer(Role.APPROVER), made.id)


@pytest.mark.parametrize(
    ("decide", "told"), [(returned, "退回"), (refused, "未获批准"), (approved, "可以制卡")]
)
def test_a_decision_is_told_with_the_reference_and_nothing_else(
    any_portal: PortalWorld,
    monkeypatch: pytest.MonkeyPatch,
    decide: Callable[[PortalWorld, Application], None],
    told: str,
) -> None:
    portal = any_portal
    made = applied(portal)
    if decide is approved:
        portal.services.registration.register(portal.officer(Role.REGISTRAR), made.id)
    assert portal.sent(Channel.MAIL) == [], "examined: there is nothing to do for the applicant"
    with outside_transactions(portal.authority.database, monkeypatch):
        decide(portal, made)
    (letter,) = portal.sent(Channel.MAIL)
    assert letter.to == "customs@sample.example"
    assert made.reference in letter.subject
    assert told in letter.subject
    assert f"{ORIGIN}/status" in letter.text
    assert not [each for each in SECRETS if each in letter.subject + letter.text]
    assert portal.sent(Channel.SMS) == [], "one way is enough"


def test_who_left_a_telephone_alone_is_told_there_and_who_left_nothing_is_told_nowhere(
    portal: PortalWorld,
) -> None:
    registration = portal.services.registration
    by_phone = registration.apply(samples.details(1, email=""), samples.scan())
    silent = registration.apply(samples.details(2, email="", phone=""), samples.scan())
    assert (by_phone.will_be_told, silent.will_be_told) == (True, False)
    for each in (by_phone, silent):
        returned(portal, each.application)
    (letter,) = portal.sent(Channel.SMS)
    assert letter.to == "0574-5550 1234"
    assert by_phone.application.reference in letter.text
    assert portal.sent(Channel.MAIL) == []


def test_a_second_correction_is_told_anew_and_the_new_address_is_used(portal: PortalWorld) -> None:
    made = applied(portal)
    returned(portal, made)
    details = samples.details(1, email="new@sample.example")
    portal.services.registration.resubmit(made.id, details, None)
    returned(portal, made)
    assert [each.to for each in portal.sent(Channel.MAIL)] == [
        "customs@sample.example",
        "new@sample.example",
    ]


def test_the_reference_comes_again_once_an_hour_whoever_asks(any_portal: PortalWorld) -> None:
    portal = any_portal
    made, again = applied(portal), portal.services.reference_again
    for _ in range(30):
        again.ask(samples.uscc(1).lower())
    (letter,) = portal.sent(Channel.MAIL)
    assert (letter.to, made.reference in letter.text) == ("customs@sample.example", True)
    assert not [each for each in SECRETS if each in letter.subject + letter.text]
    assert portal.events(made.reference).count("application.reference-sent") == 1
    returned(portal, made)
    assert len(portal.sent(Channel.MAIL)) == 2, "strangers use up nothing of what must be told"
    portal.authority.clock.advance(ONCE_IN)
    again.ask(samples.uscc(1))
    assert len(portal.sent(Channel.MAIL)) == 3


def test_asking_asks_no_token_and_tells_nothing_and_what_is_old_is_not_sent(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied(portal)
    again = portal.services.reference_again

    def never(*_: object) -> None:
        raise AssertionError("the token is asked by the worker alone")

    with monkeypatch.context() as patch:
        patch.setattr("hsm.secret_keys.SecretKey.encrypt", never)
        patch.setattr("hsm.secret_keys.SecretKey.decrypt", never)
        for number in (1, 2):  # there is no second application
            again.ask(samples.uscc(number))
    for wrong in ("", "91330201", "x" * 18):
        with pytest.raises(Refusal):
            again.ask(wrong)
    portal.authority.clock.advance(PATIENCE + timedelta(seconds=1))
    assert portal.sent(Channel.MAIL) == []


def test_an_applicant_whose_application_was_imported_has_no_code_and_is_told_by_the_branch(
    portal: PortalWorld,
) -> None:
    made = applied(portal)
    imported = replace(made, import_id="0" * 32)
    personal = personal_data_of(portal.authority.token)
    letters = ApplicantsNotice(portal.services.notices, personal)
    assert letters.reference(made) is not None
    assert letters.reference(imported) is None
