"""Several authorities: a root that is away, regions under it, and a roll-over to new keys.

OpenSSL and our own verdict engine judge the chains.
"""

import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest

from ca.crl.archive import StoredCrl
from ca.crl.issuing import CrlIssuer
from ca.inventory import RevocationReason
from ca.issuing.drafting import issues_as
from ca.issuing.subject import organization_identifier
from ca.ocsp.messages import single_request
from ca.ocsp.responder import OcspResponder
from ca.ocsp.rotation import ResponderKeys
from ca.ocsp.service import OcspService
from ca.opening import OpenAuthority
from ca.regional import RegionalIssuing
from ca.revocation import Revocation
from ca.status import OwnStatus
from hsm.token import Token
from kernel.asn1.certificate import Certificate
from kernel.identifiers import uscc_check_character
from kernel.refusals import Conflict, Unavailable, Unprocessable
from policies.validation import load_validation_policy
from portseal.adapters import AuthorityStatus
from records.database import Database
from signing_service.trust import TrustAnchors, TrustedAuthority
from signing_service.validation.certificates import CertificateValidator
from signing_service.validation.chain_constraints import Expectations
from signing_service.validation.paths import PathBuilder
from signing_service.validation.revocation import RevocationStatus
from tests.ca.openssl import openssl, run
from tests.ca.world import World, ceremony_of, new_clock, open_world, operator_request
from tests.token import TokenBench


@dataclasses.dataclass
class House:
    """An authority on two tokens."""

    online: Token
    root: Token
    database: Database

    def extend(self, plan: str) -> dict[str, Certificate]:
        held = ceremony_of(self.online, self.database, new_clock(), root_token=self.root, plan=plan)
        return held.run().certificates

    def open(self, *, root_is_here: bool = False) -> World:
        root = self.root if root_is_here else None
        return open_world(self.online, self.database, new_clock(), root_token=root)


@pytest.fixture
def house(token_bench: TokenBench, request: pytest.FixtureRequest, database: Database) -> House:
    name = request.node.name.removeprefix("test_")[:20]
    made = House(
        token_bench.new_token(f"{name} online"), token_bench.new_token(f"{name} root"), database
    )
    ceremony_of(made.online, database, new_clock(), root_token=made.root).run()
    return made


def crl_of(world: World, authority: OpenAuthority) -> StoredCrl:
    pair, w = authority.own, world
    issuer = CrlIssuer(
        authority.name, pair.certificate, pair.key, w.database, w.journal, w.outbox, w.clock,
        timedelta(days=190),
    )  # fmt: skip
    return issuer.issue()


def responder_of(world: World, authority: OpenAuthority) -> OcspResponder:
    held = authority.responder
    return OcspResponder(
        authority.name, authority.own.certificate, held.key, held.certificate, world.database,
        world.clock,
    )  # fmt: skip


def responder_keys(world: World, authority: OpenAuthority) -> ResponderKeys:
    return ResponderKeys(
        authority.authority, authority.responder_profile, authority.responder.certificate,
        authority.responder.key.suite, world.token, world.database, world.journal, world.clock,
    )  # fmt: skip


def write(directory: Path, name: str, *certificates: Certificate) -> Path:
    path = directory / f"{name}.pem"
    path.write_text("".join(each.pem for each in certificates))
    return path


def test_the_root_key_is_on_its_own_token_alone(house: House) -> None:
    assert house.root.key_labels() == ["root"]
    assert "root" not in house.online.key_labels()
    assert house.online.certificate("root") == house.root.certificate("root")


def test_with_the_root_away_everything_else_is_in_order(house: House, tmp_path: Path) -> None:
    world = house.open()
    root = world.authorities["root"]
    assert not root.own.is_present
    issued = world.issue()
    answer = responder_of(world, root).answer(
        single_request(world.authorities.issuing_key.certificate.serial, root.own.certificate)
    )
    (tmp_path / "answer").write_bytes(answer.der)
    ca = write(tmp_path, "root", root.own.certificate)
    issuing = write(tmp_path, "issuing", world.authorities.issuing_key.certificate)
    asked = ("-sha256", "-issuer", ca, "-cert", issuing)
    told = openssl("ocsp", "-respin", tmp_path / "answer", *asked, "-CAfile", ca, "-no_nonce")
    assert f"{issuing}: good" in told
    chain = ("verify", "-x509_strict", "-CAfile", ca, "-untrusted", issuing)
    openssl(*chain, write(tmp_path, "leaf", issued.certificate))


def test_with_the_root_away_its_key_is_not_asked_for(house: House) -> None:
    world = house.open()
    root = world.authorities["root"]
    with pytest.raises(Unavailable, match=r"token\.away"):
        crl_of(world, root)
    world.clock.advance(timedelta(days=300))  # its responder's certificate is due
    assert not responder_keys(world, root).rotate_if_due()
    assert responder_keys(world, root).newest() is None


def test_a_root_session_lists_and_certifies_anew(house: House, tmp_path: Path) -> None:
    world = house.open(root_is_here=True)
    root = world.authorities["root"]
    revocation = Revocation(world.database, world.journal, world.outbox, world.clock)
    revocation.revoke(
        world.authorities.issuing_key.certificate.serial, RevocationReason.CA_COMPROMISE, "admin"
    )
    crl = crl_of(world, root)
    assert crl.entries == 1
    assert crl.next_update - crl.this_update == timedelta(days=190)
    world.clock.advance(timedelta(days=300))
    assert responder_keys(world, root).rotate_if_due()
    away = house.open()
    signer = responder_keys(away, away.authorities["root"]).newest()
    assert signer is not None
    assert signer.certificate.is_signed_by(root.own.certificate)


def test_regions_issue_their_own_cards_with_their_own_status(house: House, tmp_path: Path) -> None:
    house.extend("regions")
    world = house.open()
    assert world.authorities.current == "issuing"
    regions = [world.authorities[name] for name in ("regional-ningbo", "regional-xiamen")]
    assert [issues_as(each.name) for each in regions] == ["issuing", "issuing"]
    ca = write(tmp_path, "root", world.authorities["root"].own.certificate)
    cards = []
    for region in regions:
        made = region.authority
        card = made.issue(made.prepare("operator", operator_request())).certificate
        issuer = write(tmp_path, region.name, region.own.certificate)
        leaf = write(tmp_path, f"{region.name}-card", card)
        openssl("verify", "-x509_strict", "-CAfile", ca, "-untrusted", issuer, leaf)
        assert f"/crl/{region.name}" in openssl("x509", "-in", leaf, "-noout", "-text")
        cards.append(card)
    Revocation(world.database, world.journal, world.outbox, world.clock).revoke(
        cards[0].serial, RevocationReason.KEY_COMPROMISE, "admin"
    )
    assert [crl_of(world, region).entries for region in regions] == [1, 0]
    service = OcspService([responder_of(world, each) for each in regions])
    words = []
    for number, region in enumerate(regions):
        request = single_request(cards[number].serial, region.own.certificate)
        (tmp_path / "answer").write_bytes(service.answer(request).der)
        issuer = tmp_path / f"{region.name}.pem"
        leaf = tmp_path / f"{region.name}-card.pem"
        asked = ("-sha256", "-issuer", issuer, "-cert", leaf, "-verify_other", issuer)
        told = openssl("ocsp", "-respin", tmp_path / "answer", *asked, "-CAfile", ca, "-no_nonce")
        words.append(told.partition(f"{leaf}: ")[2].split()[0])
    assert words == ["revoked", "good"]


def test_the_district_in_the_credit_code_chooses_the_region(house: House) -> None:
    house.extend("regions")
    opened = house.open().authorities
    ningbo, xiamen = (opened[f"regional-{name}"].authority for name in ("ningbo", "xiamen"))
    issuing = RegionalIssuing(opened.issuing, [(ningbo, ["3302"]), (xiamen, ["3502", "35"])])
    for first17, authority in (
        ("91330200MA2CLABC1", ningbo),
        ("91350200MA2CLABC1", xiamen),
        ("91350100MA2CLABC1", xiamen),
        ("91310115MA2CLABC1", opened.issuing),
    ):
        code = organization_identifier(first17 + uscc_check_character(first17))
        made = issuing.issue(
            issuing.prepare("operator", operator_request(organization_identifier=code))
        ).certificate
        assert authority.certificate is not None
        assert made.is_signed_by(authority.certificate)
        assert issuing.path_of(made)[0] == authority.certificate


def test_a_region_is_no_authority_over_others(house: House) -> None:
    house.extend("regions")
    region = house.open().authorities["regional-ningbo"].authority
    with pytest.raises(Unprocessable, match=r"profile\.other-issuer"):
        region.prepare("issuing", operator_request())


# -- roll-over -----------------------------------------------------------------------------------


def engine_accepts(world: World, certificate: Certificate, anchor: Certificate) -> bool:
    """Our own verdict engine, which trusts `anchor` alone and knows the rest as helpers."""
    opened = world.authorities
    own = AuthorityStatus(OwnStatus(opened.certificates, world.database, world.clock))
    helpers = (*opened.certificates.values(), *opened.links)
    paths = PathBuilder(TrustAnchors((TrustedAuthority("us", (anchor,)),), helpers))
    policy = load_validation_policy()
    validator = CertificateValidator(paths, RevocationStatus((own,), paths), policy)
    expectations = Expectations.of_signer(policy)
    outcome = validator.validate(certificate, (), (), expectations, world.clock.now())
    return outcome.conclusion.passed


def test_during_a_roll_over_both_chains_are_valid_both_ways(house: House, tmp_path: Path) -> None:
    before = house.open().issue().certificate
    made = house.extend("roll-over")
    world = house.open(root_is_here=True)
    assert world.authorities.current == "issuing-2"
    after = world.issue().certificate
    old, new = (world.authorities[name].own.certificate for name in ("root", "root-2"))
    assert old.subject_der == new.subject_der
    assert made["link-new-with-old"].is_self_issued
    assert made["link-old-with-new"].is_self_issued
    crls: list[str | Path] = []
    for each in world.authorities.by_name.values():
        crl = crl_of(world, each)
        (tmp_path / "crl").write_bytes(crl.der)
        openssl("crl", "-inform", "DER", "-in", tmp_path / "crl", "-out", tmp_path / each.name)
        crls += ["-CRLfile", tmp_path / each.name]
    below = {
        "before": [world.authorities["issuing"].own.certificate],
        "after": [world.authorities["issuing-2"].own.certificate],
    }
    for name, leaf in (("before", before), ("after", after)):
        for anchor in (old, new):
            links = world.authorities.links
            path = write(tmp_path, "leaf", leaf)
            helpers = write(tmp_path, "helpers", *below[name], *links)
            anchored = write(tmp_path, "anchor", anchor)
            verify = ("verify", "-x509_strict", "-CAfile", anchored, "-untrusted", helpers)
            openssl(*verify, "-crl_check", *crls, path)
            assert engine_accepts(world, leaf, anchor)
    anchored, helpers = write(tmp_path, "anchor", old), write(tmp_path, "helpers", *below["after"])
    path = write(tmp_path, "leaf", after)
    alone = run("verify", "-CAfile", anchored, "-untrusted", helpers, path)
    assert alone.returncode != 0  # only the links lead there


def test_a_roll_over_is_held_once_and_not_before_the_first_ceremony(
    house: House, token_bench: TokenBench, database: Database
) -> None:
    house.extend("roll-over")
    with pytest.raises(Conflict, match=r"ceremony\.done"):
        house.extend("roll-over")


def test_nothing_is_extended_before_it_stands(token_bench: TokenBench, database: Database) -> None:
    token = token_bench.new_token("nothing-to-extend")
    with pytest.raises(Conflict, match=r"ceremony\.too-early"):
        ceremony_of(token, database, new_clock(), plan="regions").run()
    assert token.key_labels() == []
