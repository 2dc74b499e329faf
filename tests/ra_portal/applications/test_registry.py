"""The registry: a real directory, asked while an officer looks; differences are marked."""

import dataclasses
import gc
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from ldap3 import Connection, Server

from kernel.clock import FixedClock
from kernel.refusals import Conflict, Unavailable
from portseal.sandbox.slapd import Slapd
from ra_portal.applications.ldap_registry import LdapRegistry
from ra_portal.applications.queue import ApplicationQueue
from ra_portal.applications.resting_registry import REST, RestingRegistry
from ra_portal.people.identity import Role
from tests.ca.world import new_clock
from tests.ra_portal import samples
from tests.ra_portal.world import PortalWorld, personal_data_of


@contextmanager
def changing(slapd: Slapd) -> Iterator[Any]:
    """The directory, by who may change it."""
    directory: Any = Connection(Server(slapd.uri), slapd.root_dn, slapd.password, auto_bind=True)
    opened = directory.socket
    try:
        yield directory
    finally:
        directory.unbind()
        opened.close()


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
    with changing(slapd) as directory:
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


_MANAGE_DSA_IT = ("2.16.840.1.113730.3.4.2", True, None)
"""RFC 3296: a referral is meant itself."""


class Stranger:
    """Somebody who listens, never answers, and keeps what is said."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.uri = f"ldap://127.0.0.1:{self._socket.getsockname()[1]}"
        self._kept: list[socket.socket] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                caller, _ = self._socket.accept()
            except OSError:
                return
            self._kept.append(caller)
            self.heard.append(caller.recv(1000))

    def close(self) -> None:
        with socket.socket() as last:  # wakes `accept`
            last.connect_ex(self._socket.getsockname())
        self._socket.close()
        for caller in self._kept:
            caller.close()


@contextmanager
def listening() -> Iterator[Stranger]:
    stranger = Stranger()
    try:
        yield stranger
    finally:
        stranger.close()


def refer(slapd: Slapd, to: str) -> str:
    """An entry that says to ask another directory; its name."""
    name = f"ou=elsewhere,{slapd.suffix}"
    entry = {"ou": "elsewhere", "ref": f"{to}/{slapd.suffix}"}
    with changing(slapd) as directory:
        classes = ["referral", "extensibleObject"]
        assert directory.add(name, classes, entry, controls=[_MANAGE_DSA_IT]), directory.result
    return name


def test_a_referral_is_not_followed_and_no_password_told(slapd: Slapd) -> None:
    """Where the base lies elsewhere, and where a part of it does."""
    with listening() as stranger:
        elsewhere = refer(slapd, stranger.uri)
        for base, code in (
            (elsewhere, "registry.unavailable"),
            (slapd.suffix, "registry.elsewhere"),
        ):
            registry = LdapRegistry(slapd.uri, base, slapd.root_dn, slapd.password)
            with pytest.raises(Unavailable) as refused:
                registry.find(samples.uscc(1))
            assert refused.value.code == code
        record(slapd, 1)
        known = LdapRegistry(slapd.uri, slapd.suffix, slapd.root_dn, slapd.password)
        with pytest.raises(Unavailable, match=r"registry\.elsewhere"):
            known.find(samples.uscc(1))  # there may be a second one
        assert stranger.heard == [b""] * len(stranger.heard)


def test_several_entries_of_one_code_are_told_and_none_is_taken(slapd: Slapd) -> None:
    record(slapd, 1)
    registry = LdapRegistry(slapd.uri, slapd.suffix)
    assert registry.find(samples.uscc(1)) is not None
    with changing(slapd) as directory:
        for number in (1, 2):  # the second is above the limit of a question
            entry = {"cn": f"别家{number}", "serialNumber": samples.uscc(1)}
            classes = ["device", "extensibleObject"]
            assert directory.add(f"cn=other{number},{slapd.suffix}", classes, entry)
            with pytest.raises(Conflict, match=r"registry\.ambiguous"):
                registry.find(samples.uscc(1))


def test_what_the_directory_cuts_short_is_not_taken_for_an_answer(slapd: Slapd) -> None:
    """It has a limit of its own, below ours: that it has no more is not known then."""
    record(slapd, 1)
    record(slapd, 2)
    with changing(slapd) as directory:
        directory.search(slapd.suffix, "(objectClass=*)", attributes=["1.1"], size_limit=1)
        assert directory.result["description"] == "sizeLimitExceeded"  # ldap3 passes it over
    with Slapd(global_configuration="sizelimit 1\n") as narrow:
        record(narrow, 1)
        registry = LdapRegistry(narrow.uri, narrow.suffix)
        assert registry.find(samples.uscc(1)) is not None
        entry = {"cn": "别家", "serialNumber": samples.uscc(1)}
        with changing(narrow) as directory:
            assert directory.add(f"cn=other,{narrow.suffix}", ["device"], entry)
        with pytest.raises(Conflict, match=r"registry\.ambiguous"):
            registry.find(samples.uscc(1))


def test_a_silent_registry_holds_up_one_page_in_half_a_minute(slapd: Slapd) -> None:
    clock: FixedClock = new_clock()
    record(slapd, 1)
    with listening() as stranger:
        registry = RestingRegistry(LdapRegistry(stranger.uri, slapd.suffix), clock)
        started = time.monotonic()
        with pytest.raises(Unavailable, match=r"registry\.unavailable"):
            registry.find(samples.uscc(1))
        assert time.monotonic() - started < 4
        asked = len(stranger.heard)
        for _ in range(50):
            with pytest.raises(Unavailable, match=r"registry\.resting"):
                registry.find(samples.uscc(1))
        assert len(stranger.heard) == asked
    recovered = RestingRegistry(LdapRegistry(slapd.uri, slapd.suffix), clock)
    assert recovered.find(samples.uscc(1)) is not None
    slapd.stop()
    with pytest.raises(Unavailable, match=r"registry\.unavailable"):
        recovered.find(samples.uscc(1))
    slapd.start()
    with pytest.raises(Unavailable, match=r"registry\.resting"):
        recovered.find(samples.uscc(1))
    clock.advance(REST + timedelta(seconds=1))
    assert recovered.find(samples.uscc(1)) is not None
