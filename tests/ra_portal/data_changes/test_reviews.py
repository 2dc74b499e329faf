"""What an officer sees of a change before deciding, and what the enterprise is told of it."""

from collections.abc import Mapping

import pytest
from ldap3 import Connection, Server

from kernel.refusals import Malformed, NotFound, Unprocessable
from portseal.sandbox.slapd import Slapd
from ra_portal.applications.ldap_registry import LdapRegistry
from ra_portal.cards.card import Holder
from ra_portal.data_changes.change import ChangeState, DataChange
from ra_portal.data_changes.reviews import ChangeReviews
from ra_portal.fields import InvalidFields
from ra_portal.notices.channels import Channel
from ra_portal.papers.documents import Upload
from ra_portal.people.identity import HolderKind, Identity, Role
from tests.ra_portal import samples
from tests.ra_portal.cards.test_renewal import Held
from tests.ra_portal.token_calls import outside_transactions
from tests.ra_portal.world import PortalWorld

NEW = "宁波远航国际物流有限公司"
LICENCE = Upload(samples.png(seed=7), "新执照.png")


def proposed(
    portal: PortalWorld,
    owner: Identity,
    values: Mapping[str, object],
    licence: Upload | None = None,
) -> DataChange:
    holder = Holder(HolderKind.LEGAL_PERSON, owner.subject)
    return portal.services.data_changes.propose(owner, holder, values, "新营业执照", licence)


def on_record(slapd: Slapd, **changes: str) -> None:
    """The first sample enterprise, as the state knows it."""
    details = {name: str(value) for name, value in samples.details(1).items()}
    entry = {
        "cn": details["legal_representative"], "o": details["name"], "l": details["region"],
        "businessCategory": details["customs_code"], "serialNumber": details["uscc"], **changes,
    }  # fmt: skip
    directory = Connection(Server(slapd.uri), slapd.root_dn, slapd.password, auto_bind=True)
    opened = directory.socket
    name = f"serialNumber={details['uscc']},{slapd.suffix}"
    assert directory.add(name, ["device", "extensibleObject"], entry), directory.result
    directory.unbind()
    opened.close()


def test_an_officer_sees_whose_data_change_with_each_field_and_the_licence(
    any_portal: PortalWorld,
) -> None:
    portal = any_portal
    owner = portal.legal_person()
    change = proposed(portal, owner, {"name": NEW, "region": "浙江 宁波"}, LICENCE)
    approver = portal.officer(Role.APPROVER)
    review = portal.services.change_reviews.show(approver, change.id)
    assert (review.concerned.enterprise.uscc, review.concerned.operator) == (samples.uscc(1), None)
    assert review.concerned.proposer is None, "the enterprise itself"
    assert review.fields["name"] == (owner.name, NEW)
    assert review.fields["legal_representative"] == ("王样本", None)
    assert review.fields["region"] == ("浙江 宁波", None), "it stays"
    assert review.licence is not None
    assert review.licence.file_name == "新执照.png"
    picture = portal.services.change_reviews.paper(approver, change.id, 1)
    assert picture.startswith(b"\xff\xd8\xff")
    assert picture != LICENCE.content, "never what was uploaded itself"
    assert (review.may_approve, review.may_refuse) == (True, True)
    (waiting,) = portal.services.change_reviews.waiting(approver).shown
    assert (waiting.name, waiting.change.reference) == (owner.name, change.reference)


def test_an_operators_change_names_operator_employer_and_the_officer_who_proposed_it(
    portal: PortalWorld,
) -> None:
    owner = portal.legal_person()
    held = Held(portal, owner)
    both = portal.officer(Role.REGISTRAR, Role.APPROVER, name="陈录入")
    change = portal.services.data_changes.propose(both, held.card.holder, {"name": "章"}, "更名")
    review = portal.services.change_reviews.show(both, change.id)
    assert review.concerned.operator is not None
    assert review.concerned.operator.employee_number == "E-001"
    assert review.concerned.enterprise.id == owner.subject
    assert review.concerned.proposer == "陈录入"
    assert (review.may_approve, review.may_refuse) == (False, True)
    with pytest.raises(NotFound, match=r"licence\.unknown"):
        portal.services.change_reviews.paper(both, change.id, 1)
    portal.services.data_changes.refuse(both, change.id, "登记有误")
    assert portal.sent(Channel.MAIL) == [], "the enterprise did not propose it"


def test_the_registry_stands_beside_the_data_as_they_are_to_be(
    portal: PortalWorld, slapd: Slapd
) -> None:
    on_record(slapd, o=NEW, l="浙江 舟山")
    reviews = ChangeReviews(portal.authority.database, LdapRegistry(slapd.uri, slapd.suffix))
    change = proposed(portal, portal.legal_person(), {"name": NEW})
    approver = portal.officer(Role.APPROVER)
    registry = reviews.show(approver, change.id).registry
    assert registry is not None
    assert registry.differing == {"region"}, "the new name is what the registry has"
    portal.services.data_changes.approve(approver, change.id)
    assert reviews.show(approver, change.id).registry is None, "decided: it is not asked"
    later = proposed(portal, portal.legal_person(2), {"region": "浙江 舟山"})
    slapd.stop()
    silent = reviews.show(approver, later.id)
    assert silent.registry_refusal is not None
    assert silent.registry_refusal.code == "registry.unavailable"


def test_a_refusal_says_why_and_the_enterprise_reads_it(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, approver = portal.legal_person(), portal.officer(Role.APPROVER)
    change = proposed(portal, owner, {"name": NEW})
    refuse = portal.services.data_changes.refuse
    with pytest.raises(Malformed, match=r"field\.missing"):
        refuse(approver, change.id)
    for remarks in (
        {"name": "nonsense"}, {"name": "licence-missing"}, {"region": "differs-from-licence"},
        {"name": "identity-needed"},
    ):  # fmt: skip
        with pytest.raises(Unprocessable, match=r"reason\.unknown"):
            refuse(approver, change.id, "x", remarks)
    given = {"name": "differs-from-licence", "licence": "licence-missing"}
    with outside_transactions(portal.authority.database, monkeypatch):
        refuse(approver, change.id, remarks=given)
    (read,) = portal.services.data_changes.own(owner)
    assert (read.state, read.remarks, read.reasons) == (ChangeState.REFUSED, given, None)
    (letter,) = portal.sent(Channel.MAIL)
    assert letter.to == "customs@sample.example"
    assert change.reference is not None
    assert change.reference in letter.subject
    assert "/enterprise/data" in letter.text
    for secret in (owner.name, NEW, samples.uscc(1)):
        assert secret not in letter.subject + letter.text


def test_an_approval_is_told_and_every_contact_is_opened_before_the_transaction(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = portal.legal_person()
    held = Held(portal, owner)
    contact = {"phone": "", "email": "operator@sample.example"}
    portal.services.contacts.change(owner, held.card.number, contact)
    change = proposed(portal, owner, {"name": NEW})
    with outside_transactions(portal.authority.database, monkeypatch):
        portal.services.data_changes.approve(portal.officer(Role.APPROVER), change.id)
    letters = portal.sent(Channel.MAIL)
    told = {each.to: each.subject for each in letters}
    assert told.keys() == {"customs@sample.example", "operator@sample.example"}
    assert f"{change.reference} 已获批准" in told["customs@sample.example"]
    assert held.card.number in told["operator@sample.example"]


def test_a_scan_that_is_none_is_told_with_the_other_fields_and_nothing_is_kept(
    portal: PortalWorld,
) -> None:
    owner = portal.legal_person()
    before = portal.everything_written()
    with pytest.raises(InvalidFields) as caught:
        proposed(portal, owner, {"customs_code": "12"}, Upload(b"%PDF-no", "x.pdf"))
    assert caught.value.errors.keys() == {"customs_code", "licence"}
    with pytest.raises(Unprocessable, match=r"change\.nothing"):
        proposed(portal, owner, {"name": owner.name}, LICENCE)
    assert portal.everything_written() == before
