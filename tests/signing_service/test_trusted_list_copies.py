"""Trusted lists fetched over HTTP: refreshed, held against the copy, followed while running."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network

import pytest

from kernel.refusals import Forbidden, Refusal, Unavailable, Unprocessable
from records.database import Database
from signing_service.fetching import FetchLimits, HttpFetcher
from signing_service.formats.jades import whole as jades
from signing_service.trust import TrustAnchors
from signing_service.trusted_list_copies import ListCopies, ListSource, LiveAnchors
from signing_service.trusted_lists import TrustedList
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


def test_a_list_that_fails_is_not_fetched_at_every_turn(scene: Scene) -> None:
    """The job turns every five minutes, and a list has megabytes."""
    clock, day = scene.operator.world.clock, timedelta(days=1)
    scene.site.pages["/list.xml"] = b"<a/>"
    for _ in range(12):  # an hour
        with suppress(Refusal):
            scene.copies.refresh(day)
        clock.advance(timedelta(minutes=5))
    assert len(scene.site.asked) == 4  # at once, after 5, 15 and 35 minutes
    scene.publish("one", sequence=9)
    assert scene.copies.refresh(timedelta(0)) == 1  # a person asked for it
    assert scene.copies.refresh(day) == 0


def test_verifications_go_on_with_what_is_known_while_one_looks(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.refresh()
    own, copies = scene.operator.world.anchors(), scene.copies
    trust = LiveAnchors(own, copies, scene.operator.world.clock, 0)
    known = trust().authorities
    scene.operator.world.clock.advance(timedelta(seconds=1))
    scene.publish("one", "two", sequence=9)
    scene.refresh()
    reading, goes_on, lists = threading.Event(), threading.Event(), copies.lists

    def slow() -> tuple[TrustedList, ...]:
        reading.set()
        assert goes_on.wait(10)
        return lists()

    monkeypatch.setattr(copies, "lists", slow)
    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(trust)
        assert reading.wait(10)
        assert trust().authorities == known
        goes_on.set()
        assert len(looking.result(10).authorities) == len(known) + 1


def test_the_last_anchors_serve_while_the_database_is_away_and_their_term_lasts(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.refresh()
    own, clock = scene.operator.world.anchors(), scene.operator.world.clock
    trust = LiveAnchors(own, scene.copies, clock, 0)
    known = trust().authorities

    def away() -> dict[str, datetime]:
        raise Unavailable("database.unavailable", "gone")

    monkeypatch.setattr(scene.copies, "stamp", away)
    assert trust().authorities == known
    clock.advance(181 * DAY)
    with pytest.raises(Unavailable):
        trust()
    with pytest.raises(Unavailable):
        LiveAnchors(own, scene.copies, clock, 0)()


def test_a_private_address_is_not_fetched_from(site: Site, database: Database) -> None:
    operator = Operator()
    source = ListSource(f"http://127.0.0.1:{site.port}/l", (operator.signer.certificate,))
    world = operator.world
    copies = ListCopies(database, [source], HttpFetcher(), world.policy, world.clock)
    with pytest.raises(Unavailable, match=r"fetch\.refused"):
        copies.refresh(timedelta(0))
