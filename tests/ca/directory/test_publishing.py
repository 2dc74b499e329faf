"""Certificates and lists reach a real directory, sooner or later, and revoked ones leave it."""

import base64
import re
import subprocess
from datetime import timedelta
from typing import Any

import pytest
from ldap3 import Connection, Server

from ca.authority import DIRECTORY_CHANNEL
from ca.directory.publishing import Directory, DirectoryPublisher
from ca.inventory import RevocationReason
from ca.issuing.issuance import IssuedCertificate
from ca.revocation import Revocation
from kernel.identifiers import serial_text
from kernel.refusals import Malformed
from portseal.sandbox.slapd import Slapd
from records.journal import records
from records.outbox import Delivery
from tests.ca.crl.test_crl import crl_issuer
from tests.ca.world import World

pytestmark = pytest.mark.directory


def deliver(world: World, slapd: Slapd) -> Delivery:
    directory = Directory(slapd.uri, slapd.root_dn, slapd.password, slapd.suffix)
    publisher = DirectoryPublisher(directory, world.database, world.journal, world.clock)
    try:
        return world.outbox.deliver(world.database, DIRECTORY_CHANNEL, publisher, at_once=True)
    finally:
        directory.close()


def search(slapd: Slapd, filter_: str, attribute: str) -> list[bytes]:
    """What a stranger finds with ldapsearch, anonymously."""
    command = ["ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-H", slapd.uri]
    done = subprocess.run(
        [*command, "-b", slapd.suffix, filter_, attribute], capture_output=True, check=True
    )
    found = re.findall(rf"^{attribute}:: (\S+)$".encode(), done.stdout, re.MULTILINE)
    return [base64.b64decode(value) for value in found]


def held(slapd: Slapd, issued: IssuedCertificate) -> list[bytes]:
    filter_ = f"(&(objectClass=pkiUser)(serialNumber={serial_text(issued.serial)}))"
    return search(slapd, filter_, "userCertificate;binary")


def test_certificates_and_lists_are_found_by_ldapsearch(world: World, slapd: Slapd) -> None:
    first, second = world.issue(), world.issue(common_name='李四, "x"+y=z')
    crl = crl_issuer(world).issue()
    assert deliver(world, slapd) == Delivery(3, 0)
    assert held(slapd, first) == [first.certificate.der]
    assert held(slapd, second) == [second.certificate.der]
    lists = search(slapd, "(&(objectClass=pkiCA)(cn=issuing))", "certificateRevocationList;binary")
    assert lists == [crl.der]
    assert search(slapd, "(cn=张三)", "userCertificate;binary") == [first.certificate.der]
    with world.database.reading() as connection:
        told = [record.event for record in records(connection, serial_text(first.serial))]
    assert told[-1] == "directory.published"


def test_an_authority_s_certificate_stands_beside_its_list(world: World, slapd: Slapd) -> None:
    issuing = world.authorities.issuing_key.certificate
    directory = Directory(slapd.uri, slapd.root_dn, slapd.password, slapd.suffix)
    directory.put_authority("issuing", issuing.der)
    crl = crl_issuer(world).issue()
    directory.put_crl("issuing", crl.der)
    directory.put_authority("issuing", issuing.der)
    directory.close()
    assert search(slapd, "(cn=issuing)", "cACertificate;binary") == [issuing.der]
    assert search(slapd, "(cn=issuing)", "certificateRevocationList;binary") == [crl.der]


def test_a_revoked_certificate_leaves_the_directory(world: World, slapd: Slapd) -> None:
    issued, kept = world.issue(), world.issue()
    deliver(world, slapd)
    revocation = Revocation(world.database, world.journal, world.outbox, world.clock)
    revocation.revoke(issued.serial, RevocationReason.SUPERSEDED, "admin")
    assert deliver(world, slapd).waiting == 0
    assert held(slapd, issued) == []
    assert held(slapd, kept) == [kept.certificate.der]


def test_an_entry_that_the_directory_refers_elsewhere_is_not_taken_for_published(
    world: World, slapd: Slapd
) -> None:
    """Nor is the other directory told our password."""
    elsewhere = Server(slapd.uri)
    directory: Any = Connection(elsewhere, slapd.root_dn, slapd.password, auto_bind=True)
    manage = ("2.16.840.1.113730.3.4.2", True, None)  # RFC 3296
    assert directory.add(
        f"ou=certificates,{slapd.suffix}",
        ["referral", "extensibleObject"],
        {"ou": "certificates", "ref": f"ldap://127.0.0.1:1/{slapd.suffix}"},
        controls=[manage],
    )
    opened = directory.socket
    directory.unbind()
    opened.close()
    issued = world.issue()
    told = deliver(world, slapd)
    assert (told.delivered, told.waiting) == (0, 1)
    with world.database.reading() as connection:
        events = [record.event for record in records(connection, serial_text(issued.serial))]
    assert "directory.published" not in events


def test_messages_wait_while_the_directory_is_down(world: World, slapd: Slapd) -> None:
    before = world.issue()
    assert deliver(world, slapd).waiting == 0
    slapd.stop()
    during = [world.issue() for _ in range(3)]
    down = deliver(world, slapd)
    assert (down.delivered, down.waiting) == (0, 3)
    assert "directory.unavailable" in (down.failure or "")
    slapd.start()
    world.clock.advance(timedelta(minutes=1))
    assert deliver(world, slapd) == Delivery(3, 0)
    for issued in (before, *during):
        assert held(slapd, issued) == [issued.certificate.der]


def test_a_connection_that_died_is_made_anew(world: World, slapd: Slapd) -> None:
    directory = Directory(slapd.uri, slapd.root_dn, slapd.password, slapd.suffix)
    publisher = DirectoryPublisher(directory, world.database, world.journal, world.clock)
    first = world.issue()
    world.outbox.deliver(world.database, DIRECTORY_CHANNEL, publisher)
    slapd.restart()
    second = world.issue()
    for _ in range(2):  # the first finds the connection dead
        world.outbox.deliver(world.database, DIRECTORY_CHANNEL, publisher, at_once=True)
    directory.close()
    assert held(slapd, first) == [first.certificate.der]
    assert held(slapd, second) == [second.certificate.der]


def test_an_unknown_message_is_refused(world: World, slapd: Slapd) -> None:
    directory = Directory(slapd.uri, slapd.root_dn, slapd.password, slapd.suffix)
    publisher = DirectoryPublisher(directory, world.database, world.journal, world.clock)
    with pytest.raises(Malformed) as refusal:
        publisher({"kind": "rumour"})
    assert refusal.value.code == "directory.message"
