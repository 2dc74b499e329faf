"""Partitioned and delta lists that openssl follows, and numbers that two nodes draw."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import CRLEntryExtensionOID

from ca.ceremonies.conduct import CeremonyOutcome
from ca.crl.archive import CrlArchive, StoredCrl
from ca.crl.entries import Joined
from ca.crl.issuing import CrlIssuer, ListPlan
from ca.crl.template import ListFrame, tbs_cert_list
from ca.inventory import RevocationReason
from ca.issuing.addresses import StatusAddresses
from ca.issuing.issuance import IssuedCertificate
from ca.linting.lists import ListLinter, pkilint_list_findings
from hsm.token import Token
from kernel.identifiers import parse_serial
from policies.lints.crl.catalogue import lint_revocation_list
from records.database import Database, metadata
from tests.ca.crl.test_crl import revocation
from tests.ca.openssl import openssl, run
from tests.ca.world import BASE_URL, World, new_clock, open_world, operator_request
from tests.database import load_all_tables
from tests.token import TokenBench

HOLD = RevocationReason.CERTIFICATE_HOLD


def lists(world: World, **plan: Any) -> CrlIssuer:
    pair = world.authorities.issuing_key
    return CrlIssuer(
        "issuing",
        pair.certificate,
        pair.key,
        world.database,
        world.journal,
        world.outbox,
        world.clock,
        plan=ListPlan(StatusAddresses(BASE_URL), **{"shards": 8, **plan}),
    )


def part_of(issued: IssuedCertificate) -> int:
    return int(issued.certificate.crl_urls[0].rpartition("/")[2].removesuffix(".crl"))


def entries(crl: StoredCrl) -> dict[int, str]:
    """Reason by serial, as a stranger's parser reads it."""
    found = {}
    for entry in x509.load_der_x509_crl(crl.der):
        try:
            code: Any = entry.extensions.get_extension_for_oid(CRLEntryExtensionOID.CRL_REASON)
            found[entry.serial_number] = code.value.reason.value
        except x509.ExtensionNotFound:
            found[entry.serial_number] = "unspecified"
    return found


def verify(
    issued: IssuedCertificate, crls: list[StoredCrl], chain: Path, directory: Path, *flags: str
) -> str:
    (directory / "leaf.pem").write_text(issued.certificate.pem)
    command: list[str | Path] = ["verify", "-x509_strict", "-crl_check", *flags, "-CAfile", chain]
    for number, crl in enumerate(crls):
        der, pem = directory / f"{number}.crl", directory / f"{number}.crl.pem"
        der.write_bytes(crl.der)
        openssl("crl", "-inform", "DER", "-in", der, "-out", pem)
        command += ["-CRLfile", pem]
    return run(*command, directory / "leaf.pem").stdout.decode()


def test_openssl_accepts_the_part_that_a_certificate_names_and_no_other(
    world: World, chain_file: Path, tmp_path: Path
) -> None:
    good, bad = world.issue(), world.issue()
    revocation(world).revoke(bad.serial, RevocationReason.KEY_COMPROMISE, "admin")
    issuer = lists(world)
    own = {each.serial: issuer.issue(shard=part_of(each)) for each in (good, bad)}
    assert "OK" in verify(good, [own[good.serial]], chain_file, tmp_path)
    assert "certificate revoked" in verify(bad, [own[bad.serial]], chain_file, tmp_path)
    other = issuer.issue(shard=part_of(good) % 8 + 1)
    assert "CRL scope" in verify(good, [other], chain_file, tmp_path)
    text = openssl("crl", "-inform", "DER", "-in", tmp_path / "0.crl", "-noout", "-text")
    assert "X509v3 Issuing Distribution Point: critical" in text
    complete = issuer.issue()
    assert "OK" in verify(good, [complete], chain_file, tmp_path)
    assert "certificate revoked" in verify(bad, [complete], chain_file, tmp_path)


def test_the_parts_together_hold_what_the_complete_list_holds(world: World) -> None:
    wanted = [("operator", operator_request()) for _ in range(40)]
    issued = world.issuing.issue_many(world.issuing.prepare_many(wanted))
    for each in issued[:30]:
        revocation(world).revoke(each.serial, RevocationReason.SUPERSEDED, "admin")
    made = lists(world).renew()
    complete = [crl for crl in made if not crl.is_delta and crl.shard == 0]
    parts = [crl for crl in made if not crl.is_delta and crl.shard]
    assert [crl.shard for crl in parts] == list(range(1, 9))
    assert {part_of(each) for each in issued} > {1}
    together: dict[int, str] = {}
    for crl in parts:
        own = {int(each.serial) for each in issued[:30] if part_of(each) == crl.shard}
        assert set(entries(crl)) == own
        together |= entries(crl)
    assert together == entries(complete[0])
    assert len(together) == 30


def test_openssl_takes_a_revocation_from_the_delta_list(
    world: World, chain_file: Path, tmp_path: Path
) -> None:
    issuer, issued, other = lists(world), world.issue(), world.issue()
    shard = part_of(issued)
    base = issuer.issue(shard=shard)
    revocation(world).revoke(issued.serial, RevocationReason.KEY_COMPROMISE, "admin")
    delta = issuer.issue_delta(shard=shard)
    assert (delta.base_number, list(entries(delta))) == (base.number, [issued.serial])
    told = ("-extended_crl", "-use_deltas")
    assert "OK" in verify(issued, [base], chain_file, tmp_path)
    assert "certificate revoked" in verify(issued, [base, delta], chain_file, tmp_path, *told)
    if part_of(other) == shard:
        assert "OK" in verify(other, [base, delta], chain_file, tmp_path, *told)


def test_the_end_of_a_hold_is_told_by_removal(
    world: World, chain_file: Path, tmp_path: Path
) -> None:
    issuer, issued = lists(world), world.issue()
    shard = part_of(issued)
    revocation(world).revoke(issued.serial, HOLD, "admin")
    base = issuer.issue(shard=shard)
    assert entries(base) == {issued.serial: "certificateHold"}
    revocation(world).release(issued.serial, "admin")
    delta = issuer.issue_delta(shard=shard)
    assert entries(delta) == {issued.serial: "removeFromCRL"}
    told = ("-extended_crl", "-use_deltas")
    assert "certificate revoked" in verify(issued, [base], chain_file, tmp_path)
    assert "OK" in verify(issued, [base, delta], chain_file, tmp_path, *told)
    complete = issuer.issue(shard=shard)
    assert entries(complete) == {}
    revocation(world).revoke(issued.serial, RevocationReason.KEY_COMPROMISE, "admin")
    assert entries(issuer.issue_delta(shard=shard)) == {issued.serial: "keyCompromise"}


def test_a_change_is_told_by_delta_lists_until_the_complete_list_is_old(world: World) -> None:
    issuer = lists(world, shards=0, complete_pause=timedelta(hours=1))
    first = issuer.renew()
    assert [(crl.is_delta, crl.number) for crl in first] == [(False, 1), (True, 1)]
    assert issuer.renew() == []
    bad = world.issue()
    revocation(world).revoke(bad.serial, RevocationReason.SUPERSEDED, "admin")
    (delta,) = issuer.renew()
    assert (delta.is_delta, delta.base_number, delta.entries) == (True, 1, 1)
    assert issuer.renew() == []
    world.clock.advance(timedelta(hours=2))
    complete, beside = issuer.renew()
    assert (complete.is_delta, complete.entries, complete.number) == (False, 1, 3)
    assert (beside.is_delta, beside.number, beside.base_number) == (True, 3, 1)
    assert list(entries(beside)) == [bad.serial]


def test_parts_that_a_profile_no_longer_has_are_kept_up(world: World) -> None:
    lists(world, shards=3).renew()
    world.clock.advance(timedelta(days=4))
    made = lists(world, shards=1).renew()
    assert {crl.shard for crl in made} == {0, 1, 2, 3}


def test_an_entry_stays_until_the_certificate_ends_and_as_long_after_as_its_profile_says(
    world: World,
) -> None:
    bad = world.issue()
    revocation(world).revoke(bad.serial, RevocationReason.SUPERSEDED, "admin")
    end = bad.certificate.not_after - world.clock.now()
    world.clock.advance(end + timedelta(days=1))
    assert lists(world).issue().entries == 1  # on one list beyond the end (RFC 5280, 3.3)
    world.clock.advance(timedelta(days=10))
    assert lists(world).issue().entries == 0


def test_profiles_may_keep_entries_beyond_the_end(world: World) -> None:
    profile = world.catalogue["operator"].model_copy(update={"crl_keep_days": 365})
    world.catalogue._profiles = {**world.catalogue._profiles, "operator": profile}  # type: ignore[assignment]
    bad = world.issue()
    revocation(world).revoke(bad.serial, RevocationReason.SUPERSEDED, "admin")
    world.clock.advance(bad.certificate.not_after - world.clock.now() + timedelta(days=300))
    assert list(entries(lists(world).issue())) == [bad.serial]
    world.clock.advance(timedelta(days=100))
    assert entries(lists(world).issue()) == {}


def test_pkilint_finds_nothing_in_any_kind_of_list(world: World) -> None:
    for reason in (RevocationReason.UNSPECIFIED, RevocationReason.KEY_COMPROMISE, HOLD):
        revocation(world).revoke(world.issue().serial, reason, "admin")
    for crl in lists(world, shards=1).renew():
        assert pkilint_list_findings(crl.der) == ()


@pytest.mark.parametrize(
    ("change", "lint"),
    [
        ({"number": -1}, "crl-numbers"),
        ({"number": 5, "base_number": 6}, "crl-numbers"),
        ({"base_number": 4, "freshest": f"{BASE_URL}/x.crl"}, "crl-scope"),
        ({"distribution_point": "https://secret.example/1.crl"}, "crl-scope"),
        ({"next_update": timedelta(days=400)}, "crl-times"),
        ({"next_update": timedelta(days=-1)}, "crl-times"),
    ],
)
def test_a_wrong_list_is_not_signed(world: World, change: dict[str, Any], lint: str) -> None:
    pair, now = world.authorities.issuing_key, world.clock.now().replace(microsecond=0)
    values: dict[str, Any] = {"number": 7, "this_update": now, "next_update": timedelta(days=7)}
    values |= change
    values["next_update"] = now + values["next_update"]
    tbs = tbs_cert_list(pair.certificate, pair.key.suite, ListFrame(**values), Joined(0, b""))
    assert lint in [found.lint for found in lint_revocation_list(tbs, pair.certificate)]


def test_a_list_of_another_issuer_is_found(world: World) -> None:
    pair, now = world.authorities.issuing_key, world.clock.now().replace(microsecond=0)
    frame, none = ListFrame(1, now, now + timedelta(days=1)), Joined(0, b"")
    tbs = tbs_cert_list(pair.certificate, pair.key.suite, frame, none)
    root = world.authorities.root_key.certificate
    found = ListLinter().findings(tbs, root, pair.key.suite, frame, none)
    assert {"crl-fields", "crl-numbers"} <= {each.lint for each in found}


@pytest.fixture
def shared_world(ca_token: Token, ceremony: CeremonyOutcome, fresh_postgresql_url: str) -> World:
    """On a PostgreSQL that several processes share."""
    database = Database(fresh_postgresql_url)
    load_all_tables()
    metadata.create_all(database.engine)
    return open_world(ca_token, database, new_clock())


@pytest.fixture
def two_nodes(
    shared_world: World, fresh_postgresql_url: str, token_bench: TokenBench
) -> Iterator[list["subprocess.Popen[str]"]]:
    command = [
        sys.executable,
        "-m",
        "tests.ca.crl.crl_worker",
        fresh_postgresql_url,
        "ca-tests",
        "12",
    ]
    nodes = [
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=token_bench.environment,
        )
        for _ in range(2)
    ]
    yield nodes
    for node in nodes:
        node.kill()
        node.wait()
    shared_world.database.dispose()


def test_numbers_of_two_nodes_never_go_back_and_a_higher_one_never_tells_less(
    shared_world: World, two_nodes: list["subprocess.Popen[str]"]
) -> None:
    """Each node revokes a certificate and issues a list, in turns of its own, at the same time."""
    told = [node.communicate(timeout=60) for node in two_nodes]
    assert [node.returncode for node in two_nodes] == [0, 0], [errors for _, errors in told]
    outputs = [output.split() for output, _ in told]
    numbers = [[int(word) for word in output[1::2]] for output in outputs]
    for own in numbers:
        assert own == sorted(own)
    assert len({*numbers[0], *numbers[1]}) == 24
    archive = CrlArchive(shared_world.database)
    assert archive.latest_number("issuing") == max(*numbers[0], *numbers[1])
    latest = archive.latest("issuing")
    assert latest is not None
    revoked = {parse_serial(word) for output in outputs for word in output[0::2]}
    assert set(entries(latest)) == revoked
