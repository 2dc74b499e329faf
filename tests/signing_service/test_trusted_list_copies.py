"""Trusted lists fetched over HTTP: refreshed, held against the copy, followed while running."""

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network

import pytest

from kernel.refusals import Forbidden, Refusal, Unavailable, Unprocessable
from records.database import Database
from signing_service.formats.jades import whole as jades
from signing_service.trust import TrustAnchors
from signing_service.trusted_list_copies import ListCopies, ListSource, LiveAnchors
from signing_service.validation.fetching import FetchLimits, HttpFetcher
from signing_service.verification import Verification
from tests.signing_service.test_trusted_lists import Operator
from tests.signing_service.validation.scenery import DAY, START
from tests.signing_service.validation.test_fetching import Site, site

__all__ = ["site"]
HOUR = timedelta(hours=1)
LOOPBACK = (ip_network("127.0.0.0/8"),)


@dataclass
class Scene:
    """An operator who publishes a list on a site, and a service that keeps a copy."""

    site: Site
    operator: Operator
    copies: ListCopies

    def publish(self, *names: str, sequence: int = 7) -> None:
        self.operator.sequence = sequence
        services = [self.operator.service() for _ in names]
        self.site.pages["/list.xml"] = self.operator.signed(*services)

    def refresh(self, every: timedelta = timedelta(0)) -> int:
        return self.copies.refresh(every)


@pytest.fixture
def scene(site: Site, database: Database) -> Scene:
    operator = Operator()
    source = ListSource(f"http://127.0.0.1:{site.port}/list.xml", (operator.signer.certificate,))
    fetcher = HttpFetcher(FetchLimits(2.0, allowed_networks=LOOPBACK))
    copies = ListCopies(database, [source], fetcher, operator.world.policy, operator.world.clock)
    made = Scene(site, operator, copies)
    made.publish("one")
    return made


def test_a_list_is_fetched_once_while_its_copy_is_young(scene: Scene) -> None:
    assert scene.copies.lists() == ()
    assert scene.refresh(12 * HOUR) == 1
    assert scene.refresh(12 * HOUR) == 0
    assert scene.site.asked == ["/list.xml"]
    scene.operator.world.clock.advance(13 * HOUR)
    assert scene.refresh(12 * HOUR) == 1
    (found,) = scene.copies.lists()
    assert len(found.authorities) == 1


@pytest.mark.parametrize("page", [None, b"", b"<a/>", b"x" * (25 << 20)])
def test_the_last_good_copy_is_kept(scene: Scene, page: bytes | None) -> None:
    scene.refresh()
    scene.site.pages["/list.xml"] = page  # type: ignore[assignment]
    with pytest.raises(Refusal):
        scene.refresh()
    (found,) = scene.copies.lists()
    assert found.sequence_number == 7


def test_an_older_list_and_a_strangers_list_are_refused(scene: Scene) -> None:
    scene.publish("one", sequence=9)
    scene.refresh()
    scene.publish("one", sequence=8)
    with pytest.raises(Unprocessable, match=r"trusted-list\.older"):
        scene.refresh()
    scene.site.pages["/list.xml"] = Operator().signed()
    with pytest.raises(Forbidden, match=r"trusted-list\.signature"):
        scene.refresh()
    (found,) = scene.copies.lists()
    assert found.sequence_number == 9


def test_a_copy_whose_term_is_over_is_trusted_no_more(scene: Scene) -> None:
    scene.refresh()
    own = scene.operator.world.anchors()
    trust = LiveAnchors(own, scene.copies, scene.operator.world.clock, 0)
    assert len(trust().authorities) == len(own.authorities) + 1
    scene.operator.world.clock.advance(181 * DAY)
    assert trust().authorities == own.authorities


def test_a_running_verification_follows_the_list(scene: Scene) -> None:
    """A stranger's authority is trusted from the moment on that its list was fetched."""
    world = scene.operator.world
    card = scene.operator.ministry.card()
    world.book.issuers.add(scene.operator.ministry.certificate.fingerprint)
    signed = jades.sign(b"document", card.key, card.certificate, START)
    own: TrustAnchors = world.anchors()
    verification = Verification(
        own,
        (world.book,),
        world.registry,
        world.policy,
        world.clock,
        trust=LiveAnchors(own, scene.copies, world.clock, 0),
    )
    assert verification.verify(signed).sub_indication == "NO_CERTIFICATE_CHAIN_FOUND"
    scene.refresh()
    assert verification.verify(signed).passed


def test_a_private_address_is_not_fetched_from(site: Site, database: Database) -> None:
    operator = Operator()
    source = ListSource(f"http://127.0.0.1:{site.port}/l", (operator.signer.certificate,))
    world = operator.world
    copies = ListCopies(database, [source], HttpFetcher(), world.policy, world.clock)
    with pytest.raises(Unavailable, match=r"fetch\.refused"):
        copies.refresh(timedelta(0))
