"""A seal signs with the newest certificate of its key, under that certificate's own authority."""

from datetime import timedelta
from pathlib import Path

import pytest

from ca.mass.reissue import Reissue
from ca.revocation import Revocation
from ca.status import OwnStatus
from hsm.token import Token
from kernel.asn1.certificate import Certificate
from kernel.refusals import Forbidden
from portseal.adapters import AuthorityStatus, PortalSeals
from ra_portal.people.identity import Role
from records.database import Database, metadata
from signing_service.remote.credentials import Credentials
from tests.ca.world import ceremony_of, new_clock, open_world
from tests.database import load_all_tables
from tests.ra_portal.world import PortalWorld, open_portal_world
from tests.token import TokenBench


@pytest.fixture
def portal(token_bench: TokenBench, database: Database, tmp_path: Path) -> PortalWorld:
    """With a region's authority beside the house's; seals' keys stay in its token."""
    load_all_tables()
    token: Token = token_bench.new_token("seals-regions")
    first = Database(f"sqlite:///{tmp_path / 'ceremony.db'}")
    metadata.create_all(first.engine)
    for plan in ("house", "regions"):
        ceremony_of(token, first, new_clock(), plan=plan).run()
    first.dispose()
    return open_portal_world(open_world(token, database, new_clock()))


def test_the_newest_certificate_seals_under_its_own_authority(portal: PortalWorld) -> None:
    world, seals = portal.authority, portal.services.seals
    house, region = (world.authorities[name] for name in ("issuing", "regional-ningbo"))
    root = world.authorities["root"].own.certificate
    owner = portal.legal_person()
    number = seals.approve(
        portal.officer(Role.APPROVER), seals.request(owner, "报关专用章").number
    ).number
    source = PortalSeals(
        seals, world.clock, world.token.key, portal.services.directory.newest_of,
        world.authorities.path_of,
    )  # fmt: skip
    certificates = world.authorities.certificates
    status = AuthorityStatus(OwnStatus(certificates, world.database, world.clock))
    credentials = Credentials(source, status, world.clock)

    def used() -> tuple[Certificate, str]:
        """The certificate that signs, and what a platform is told of its issuer."""
        assert owner.enterprise_id is not None
        seal = credentials.usable(owner.enterprise_id, number)
        assert seal.certificate.is_signed_by(seal.chain[0])
        assert seal.chain[-1] == root
        shown = credentials.shown(
            seal, certificates="chain", with_certificate=True, with_authorisation=False
        )["cert"]
        assert isinstance(shown, dict)
        assert len(shown["certificates"]) == 1 + len(seal.chain)
        return seal.certificate, shown["issuerDN"]

    first, issuer = used()
    assert issuer == house.own.certificate.subject_text()
    world.clock.advance(timedelta(minutes=1))
    revocation = Revocation(world.database, world.journal, world.outbox, world.clock)
    jobs = Reissue(world.database, world.journal, world.clock, revocation)
    done = jobs.run(jobs.plan("issuing", region.name, "admin"), region.authority)
    assert (done.reissued, done.left) == (1, 0)

    newest, issuer = used()

    assert newest != first
    assert newest.spki == first.spki
    assert issuer == region.own.certificate.subject_text()
    seals.revoke(owner, number, "superseded")
    with pytest.raises(Forbidden, match=r"remote\.credential-state"):
        used()
