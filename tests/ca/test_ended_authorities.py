"""An authority that nears its end, and one that has ended: what it makes still."""

from datetime import UTC, datetime, timedelta

import pytest

from ca.inventory import RevocationReason
from kernel.clock import FixedClock
from kernel.refusals import Unprocessable
from records.database import Database
from records.journal import records
from tests.ca.crl.test_crl import crl_issuer, revocation
from tests.ca.ocsp.test_ocsp_ahead import ahead, responder_keys
from tests.ca.world import World, hold_ceremony, open_world
from tests.token import TokenBench


@pytest.fixture
def old_world(token_bench: TokenBench, database: Database, request: pytest.FixtureRequest) -> World:
    """Of a ceremony in 2019: its algorithm is acceptable for longer than its certificate."""
    token = token_bench.new_token(f"ended-{id(request)}"[:32])
    clock = FixedClock(datetime(2019, 1, 1, tzinfo=UTC))
    hold_ceremony(token, database, clock)
    return open_world(token, database, clock)


def test_an_authority_makes_its_last_list_before_it_ends_and_none_after(old_world: World) -> None:
    world = old_world
    issuer, end = crl_issuer(world), world.authorities.issuing_key.certificate.not_after
    world.clock.advance(end - world.clock.now() - timedelta(days=3))
    (last,) = issuer.renew()
    assert last.next_update == end
    issued = world.issue()
    world.clock.advance(timedelta(days=2))
    assert issuer.renew() == [], "another would not last longer"
    revocation(world).revoke(issued.serial, RevocationReason.SUPERSEDED, "admin")
    assert [each.entries for each in issuer.renew()] == [1]
    world.clock.advance(timedelta(days=1))
    with world.database.reading() as connection:
        before = len(records(connection, "issuing"))
    assert issuer.renew() == []
    with pytest.raises(Unprocessable, match=r"validity\.issuer-expired"):
        issuer.issue()
    with world.database.reading() as connection:
        assert len(records(connection, "issuing")) == before


def test_an_authority_s_last_responder_serves_to_its_end_and_nothing_is_made_after(
    old_world: World,
) -> None:
    """Two rotations in a row would end on the same day; those of others go on in any case."""
    world, keys = old_world, responder_keys(old_world)
    end = world.authorities.issuing_key.certificate.not_after
    world.clock.advance(end - world.clock.now() - timedelta(days=100))
    assert keys.rotate_if_due()
    assert keys.certificate.not_after == end
    world.clock.advance(timedelta(days=99))
    assert not keys.rotate_if_due()
    world.clock.advance(timedelta(days=2))
    assert not keys.rotate_if_due()
    assert [label for label in world.token.key_labels() if label.startswith("ocsp-")] == ["ocsp-1"]
    assert ahead(world).run() == 0
