"""Directories that want TLS or know us by certificate, that refuse, forget, and are restarted."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from ldap3 import Connection, Server

from ca.authority import DIRECTORY_CHANNEL
from ca.directory.publishing import Directory, DirectoryPublisher, DirectoryTls
from ca.directory.reconciliation import Differences, DirectoryReconciler
from ca.inventory import RevocationReason
from kernel.identifiers import serial_text
from kernel.refusals import Unavailable
from portseal.sandbox.slapd import ROOT_DN, Slapd
from records.outbox import Delivery
from tests.ca.crl.test_crl import crl_issuer, revocation
from tests.ca.directory.test_publishing import held, search
from tests.ca.world import World

pytestmark = pytest.mark.directory

_TLS = f"""
TLSCACertificateFile {{directory}}/ca.pem
TLSCertificateFile {{directory}}/server.pem
TLSCertificateKeyFile {{directory}}/server.key
TLSVerifyClient try
security ssf=1
localSSF 128
authz-regexp "cn=portseal-publisher" "{ROOT_DN}"
authz-regexp "gidNumber=0[+]uidNumber=0,cn=peercred,cn=external,cn=auth" "{ROOT_DN}"
"""


class Keys:
    """A small authority for the directory's own TLS, in files."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Directory CA")])
        self.ca = self._write("ca", self._certificate(self._name, self._key, None))

    def make(self, name: str, address: str | None = None) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._write(name, self._certificate(subject, key, address))
        file = self._directory / f"{name}.key"
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, file

    def _certificate(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, address: str | None
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(
            self._name,
            subject,
            key.public_key(),
            x509.random_serial_number(),
            now,
            now + timedelta(days=1),
        ).add_extension(x509.BasicConstraints(subject == self._name, None), critical=True)
        if address is not None:
            names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def _write(self, name: str, certificate: x509.Certificate) -> Path:
        file = self._directory / f"{name}.pem"
        file.write_bytes(certificate.public_bytes(Encoding.PEM))
        return file


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[Slapd, Keys]]:
    """A directory that talks over TLS or its socket only, and knows certificates and peers."""
    server = Slapd(global_configuration=_TLS, socket=True)
    keys = Keys(tmp_path)
    for file in (keys.ca, *keys.make("server", "127.0.0.1")):
        (server.directory / file.name).write_bytes(file.read_bytes())
    with server:
        yield server, keys


def publish(world: World, directory: Directory) -> Delivery:
    publisher = DirectoryPublisher(directory, world.database, world.journal, world.clock)
    try:
        return world.outbox.deliver(world.database, DIRECTORY_CHANNEL, publisher, at_once=True)
    finally:
        directory.close()


def test_starttls_protects_the_password(world: World, guarded: tuple[Slapd, Keys]) -> None:
    server, keys = guarded
    world.issue()
    in_clear = Directory(server.uri, server.root_dn, server.password, server.suffix)
    assert publish(world, in_clear).waiting == 1
    tls = DirectoryTls(keys.ca, starttls=True)
    over_tls = Directory(server.uri, server.root_dn, server.password, server.suffix, tls)
    assert publish(world, over_tls) == Delivery(1, 0)


def test_a_directory_that_others_vouch_for_gets_nothing(
    world: World, guarded: tuple[Slapd, Keys], tmp_path: Path
) -> None:
    server, _ = guarded
    world.issue()
    (tmp_path / "other").mkdir()
    tls = DirectoryTls(Keys(tmp_path / "other").ca, starttls=True)
    directory = Directory(server.uri, server.root_dn, server.password, server.suffix, tls)
    refused = publish(world, directory)
    assert (refused.delivered, refused.waiting) == (0, 1)
    assert "directory.unavailable" in (refused.failure or "")


def test_the_client_certificate_is_who_we_are(world: World, guarded: tuple[Slapd, Keys]) -> None:
    server, keys = guarded
    world.issue()
    stranger = DirectoryTls(keys.ca, *keys.make("somebody"), starttls=True)
    assert publish(world, Directory(server.uri, None, None, server.suffix, stranger)).waiting == 1
    ours = DirectoryTls(keys.ca, *keys.make("portseal-publisher"), starttls=True)
    assert publish(world, Directory(server.uri, None, None, server.suffix, ours)) == Delivery(1, 0)


def test_the_socket_knows_its_peer(world: World, guarded: tuple[Slapd, Keys]) -> None:
    server, _ = guarded
    world.issue()
    directory = Directory(server.ldapi_uri, None, None, server.suffix)
    assert publish(world, directory) == Delivery(1, 0)


def open_directory(slapd: Slapd) -> Directory:
    return Directory(slapd.uri, slapd.root_dn, slapd.password, slapd.suffix)


def reconciler(world: World, directory: Directory) -> DirectoryReconciler:
    keys = world.authorities
    return DirectoryReconciler(
        directory,
        DirectoryPublisher(directory, world.database, world.journal, world.clock),
        world.database,
        world.clock,
        ["operator", "legal-person"],
        {"root": keys.root_key.certificate, "issuing": keys.issuing_key.certificate},
    )


def test_a_directory_that_forgot_is_repaired(world: World, slapd: Slapd) -> None:
    kept, lost, changed, revoked = (world.issue() for _ in range(4))
    crl_issuer(world).issue()
    directory = open_directory(slapd)
    compare = reconciler(world, directory)
    publish(world, open_directory(slapd))
    assert compare.run() == Differences(4, 0, 0, 0, 2)  # the authorities' certificates
    assert compare.run(repair=False).none
    unit = f"ou=operator,ou=certificates,{slapd.suffix}"
    with Connection(Server(slapd.uri), slapd.root_dn, slapd.password, auto_bind=True) as behind:
        assert behind.delete(f"serialNumber={serial_text(lost.serial)},{unit}")
        entry = f"serialNumber={serial_text(changed.serial)},{unit}"
        values = {"userCertificate;binary": [("MODIFY_REPLACE", [kept.certificate.der])]}
        assert behind.modify(entry, values)
        stray = {"cn": "stray", "userCertificate;binary": kept.certificate.der}
        assert behind.add(f"serialNumber=4711,{unit}", ["device", "pkiUser"], stray)
        lists = f"cn=issuing,ou=authorities,{slapd.suffix}"
        gone: dict[str, list[tuple[str, list[bytes]]]] = {}
        gone = {"certificateRevocationList;binary": [("MODIFY_REPLACE", [])]}
        assert behind.modify(lists, gone)
    revocation(world).revoke(revoked.serial, RevocationReason.SUPERSEDED, "admin")
    seen = Differences(3, missing=1, other=1, surplus=2, authorities=1)
    assert compare.run(repair=False) == seen
    assert compare.run() == seen
    assert compare.run().none
    directory.close()
    for issued in (kept, lost, changed):
        assert held(slapd, issued) == [issued.certificate.der]
    assert held(slapd, revoked) == []
    assert search(slapd, "(serialNumber=4711)", "userCertificate;binary") == []


def test_what_the_directory_refuses_for_good_is_set_aside_and_the_rest_goes_on(
    world: World, slapd: Slapd
) -> None:
    first, second = world.issue(), world.issue()
    directory = open_directory(slapd)
    publisher = DirectoryPublisher(directory, world.database, world.journal, world.clock)

    class Fussy(Directory):
        """Writes an attribute that no schema knows into the first entry: slapd refuses it."""

        def _put(self, dn: str, classes: list[str], attributes: dict[str, object]) -> None:
            if serial_text(first.serial) in dn:
                attributes = {**attributes, "favouriteColour": "blue"}
            super()._put(dn, classes, attributes)

    publisher._directory = Fussy(slapd.uri, slapd.root_dn, slapd.password, slapd.suffix)
    deliveries = [
        world.outbox.deliver(world.database, DIRECTORY_CHANNEL, publisher, at_once=True)
        for _ in range(5)
    ]
    assert [each.waiting for each in deliveries] == [2, 2, 2, 2, 0]
    assert "directory.refused" in (deliveries[0].failure or "")
    assert (deliveries[-1].delivered, deliveries[-1].refused) == (1, 1)
    assert held(slapd, second) == [second.certificate.der]
    assert held(slapd, first) == []
    publisher._directory.close()
    publisher._directory = directory
    with world.database.transaction() as connection:
        assert world.outbox.try_again(connection, DIRECTORY_CHANNEL) == 1
    again = world.outbox.deliver(world.database, DIRECTORY_CHANNEL, publisher)
    assert (again.delivered, again.refused) == (1, 0)
    directory.close()
    assert held(slapd, first) == [first.certificate.der]


def test_nothing_is_lost_when_the_directory_stops_and_starts_under_load(
    any_world: World, slapd: Slapd
) -> None:
    world, issued, ended = any_world, [], threading.Event()
    directory = open_directory(slapd)
    publisher = DirectoryPublisher(directory, world.database, world.journal, world.clock)

    def deliver() -> None:
        while not ended.is_set():
            done = world.outbox.deliver(world.database, DIRECTORY_CHANNEL, publisher, at_once=True)
            if done.failure:
                time.sleep(0.05)

    worker = threading.Thread(target=deliver)
    worker.start()
    try:
        for number in range(60):
            issued.append(world.issue())
            if number % 20 == 10:
                slapd.stop()
            if number % 20 == 19:
                slapd.start()
    finally:
        ended.set()
        worker.join()
    left = world.outbox.deliver(world.database, DIRECTORY_CHANNEL, publisher, at_once=True)
    if left.failure:  # the connection that died is made anew
        left = world.outbox.deliver(world.database, DIRECTORY_CHANNEL, publisher, at_once=True)
    assert left == Delivery(left.delivered, 0)
    assert reconciler(world, directory).run(repair=False).compared == 60
    found = reconciler(world, directory).run(repair=False)
    assert (found.missing, found.other, found.surplus) == (0, 0, 0)
    directory.close()


def test_a_directory_that_is_away_refuses_the_comparison(world: World, slapd: Slapd) -> None:
    world.issue()
    slapd.stop()
    with pytest.raises(Unavailable) as refusal:
        reconciler(world, open_directory(slapd)).run()
    assert refusal.value.code == "directory.unavailable"
