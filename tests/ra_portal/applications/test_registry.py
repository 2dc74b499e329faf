"""The registry: a real directory, asked while an officer looks; differences are marked."""

import dataclasses
import gc
import warnings

import pytest
from ldap3 import Connection, Server

from kernel.refusals import Unavailable
from portseal.sandbox.slapd import Slapd
from ra_portal.applications.ldap_registry import LdapRegistry
from ra_portal.applications.queue import ApplicationQueue
from ra_portal.people.identity import Role
from tests.ra_portal import samples
from tests.ra_portal.world import PortalWorld, personal_data_of


def record(slapd: Slapd, number: int, **changes: str) -> None:
    """Put an enterprise on record."""
    details = samples.details(number)
    entry = {
        "cn": details["legal_representative"],
        "o": details["name"],
        "businessCategory": details["customs_code"],
        "l": details["region"],
        "serialNumber": details["uscc"],
        "description": "存续",
        **changes,
    }
    with Connection(Server(slapd.uri), slapd.root_dn, slapd.password, auto_bind=True) as directory:
        assert directory.add(
            f"serialNumber={details['uscc']},{slapd.suffix}",
            ["device", "extensibleObject"],
            entry,
        ), directory.result


@pytest.fixture
def asking(portal: PortalWorld, slapd: Slapd) -> PortalWorld:
    """A portal that asks this directory."""
    authority = portal.authority
    queue = ApplicationQueue(
        authority.database,
        authority.journal,
        authority.clock,
        personal_data_of(authority.token),
        portal.services.policy,
        LdapRegistry(slapd.uri, slapd.suffix),
    )
    return dataclasses.replace(portal, services=dataclasses.replace(portal.services, queue=queue))


def test_differences_between_application_and_registry_are_told(
    asking: PortalWorld, slapd: Slapd
) -> None:
    record(slapd, 1, o="宁波东海另名有限公司", cn="李真实")
    made = asking.services.registration.apply(samples.details(1), samples.scan()).application
    review = asking.services.queue.review(asking.officer(Role.REGISTRAR), made.id)
    assert review.registry is not None
    assert review.registry.entry is not None
    assert review.registry.differing == {"name", "legal_representative"}
    assert review.registry.entry.fields["name"] == "宁波东海另名有限公司"
    assert review.registry.entry.status == "存续"


def test_brackets_spaces_and_case_make_no_difference(asking: PortalWorld, slapd: Slapd) -> None:
    record(slapd, 1, o="宁波（东海） abc 有限公司")
    details = samples.details(1, name="宁波(东海)ABC有限公司")
    made = asking.services.registration.apply(details, samples.scan()).application
    review = asking.services.queue.review(asking.officer(Role.REGISTRAR), made.id)
    assert review.registry is not None
    assert review.registry.differing == set()


def test_an_enterprise_that_is_not_on_record_is_told(asking: PortalWorld) -> None:
    made = asking.services.registration.apply(samples.details(1), samples.scan()).application
    review = asking.services.queue.review(asking.officer(Role.REGISTRAR), made.id)
    assert review.registry is not None
    assert review.registry.entry is None


def test_a_registry_that_is_down_hinders_nobody(asking: PortalWorld, slapd: Slapd) -> None:
    made = asking.services.registration.apply(samples.details(1), samples.scan()).application
    slapd.stop()
    officer = asking.officer(Role.REGISTRAR)
    review = asking.services.queue.review(officer, made.id)
    assert review.registry is None
    assert review.registry_refusal is not None
    assert review.registry_refusal.code == "registry.unavailable"
    asking.services.registration.register(officer, made.id)


def test_what_is_looked_for_is_no_filter(slapd: Slapd) -> None:
    record(slapd, 1)
    registry = LdapRegistry(slapd.uri, slapd.suffix)
    assert registry.find("*") is None
    assert registry.find("x)(objectClass=*") is None
    with pytest.raises(Unavailable, match=r"registry\.unavailable"):
        LdapRegistry("ldap://127.0.0.1:1", slapd.suffix).find(samples.uscc())


@pytest.mark.parametrize("password", [None, "wrong"])
def test_a_question_that_fails_leaves_no_socket_open(slapd: Slapd, password: str | None) -> None:
    """Nobody listens; or the directory does not know us."""
    uri = "ldap://127.0.0.1:1" if password is None else slapd.uri
    gc.collect()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ResourceWarning)
        with pytest.raises(Unavailable, match=r"registry\.unavailable"):
            LdapRegistry(uri, slapd.suffix, password and slapd.root_dn, password).find(
                samples.uscc()
            )
        gc.collect()
    assert not [each for each in told if "socket" in str(each.message)]
