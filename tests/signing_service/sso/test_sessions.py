"""Sessions: fresh secrets, timeouts, and an end when the card is no longer good."""

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from kernel.clock import FixedClock
from kernel.refusals import Unavailable
from records.database import Database
from records.events import Event
from records.journal import records
from signing_service.sso.card_login import ProvenCard
from signing_service.sso.claims import ACR_CERTIFICATE, context_of
from signing_service.sso.services import SsoServices
from signing_service.sso.sessions import TLS, OpenedSession, Sessions
from signing_service.sso.tables import sessions as table
from tests.signing_service.sso.cards import FILE_POLICY, Card, CardAuthority, Registry


@pytest.fixture
def services(any_database: Database, make_services: Callable[..., SsoServices]) -> SsoServices:
    return make_services(any_database)


@pytest.fixture
def sessions(services: SsoServices) -> Sessions:
    return services.sessions


def opened(sessions: Sessions, card: Card, replacing: str | None = None) -> OpenedSession:
    return sessions.open(ProvenCard(card.certificate, card.holder), replacing)


def end_reasons(services: SsoServices, sid: str) -> list[str]:
    with services.database.reading() as connection:
        facts = [
            json.loads(record.facts)
            for record in records(connection)
            if record.event == Event.SESSION_ENDED
        ]
    return [fact["reason"] for fact in facts if fact["session"] == sid]


def test_a_session_tells_who_is_signed_in_and_since_when(
    sessions: Sessions, card: Card, clock: FixedClock
) -> None:
    since = clock.now()
    made = opened(sessions, card)
    clock.advance(timedelta(minutes=1))
    found = sessions.use(made.secret)
    assert found == made.signed_in
    assert found is not None
    assert (found.holder, found.auth_time) == (card.holder, since)
    assert found.by_hardware


def test_a_certificate_whose_key_may_be_in_a_file_is_no_hardware(
    sessions: Sessions, card: Card, registry: Registry, card_authority: CardAuthority
) -> None:
    certificate = card_authority.issue(card.key, policies=(FILE_POLICY,))
    made = sessions.open(ProvenCard(certificate, registry.register(certificate)))
    assert not made.signed_in.by_hardware


def test_a_key_that_nobody_saw_made_on_a_token_is_no_hardware(
    sessions: Sessions, card: Card, registry: Registry
) -> None:
    unseen = replace(card.holder, key_witness=None)
    registry.holders[card.certificate.fingerprint] = unseen
    made = sessions.open(ProvenCard(card.certificate, unseen))
    assert context_of(made.signed_in) == (ACR_CERTIFICATE, ("pop",))


def test_the_database_holds_no_session_secret(
    sessions: Sessions, card: Card, any_database: Database
) -> None:
    made = opened(sessions, card)
    with any_database.reading() as connection:
        query = select(table).where(table.c.sid == made.signed_in.session)
        row = connection.execute(query).one()
    assert row.secret_hash == hashlib.sha256(made.secret.encode()).digest()
    assert made.secret not in str(tuple(row))
    assert made.secret != row.sid


@pytest.mark.parametrize("secret", [None, "", "x" * 43])
def test_a_foreign_secret_is_nobody(sessions: Sessions, card: Card, secret: str | None) -> None:
    opened(sessions, card)
    assert sessions.use(secret) is None


def test_a_sign_in_with_another_card_ends_the_old_session(
    sessions: Sessions, services: SsoServices, card: Card, other_card: Card
) -> None:
    first = opened(sessions, card)
    second = opened(sessions, other_card, replacing=first.secret)
    assert first.secret != second.secret
    assert sessions.use(first.secret) is None
    assert sessions.use(second.secret) is not None
    assert end_reasons(services, first.signed_in.session) == ["replaced"]


def test_a_new_proof_of_the_same_card_goes_on_with_the_session_under_a_new_secret(
    sessions: Sessions, services: SsoServices, card: Card, clock: FixedClock
) -> None:
    first = opened(sessions, card)
    clock.advance(timedelta(minutes=10))
    second = opened(sessions, card, replacing=first.secret)
    assert second.signed_in.session == first.signed_in.session
    assert sessions.use(first.secret) is None
    found = sessions.use(second.secret)
    assert found is not None
    assert found.auth_time == clock.now()
    assert end_reasons(services, first.signed_in.session) == []


def test_a_session_that_a_tls_certificate_opened_outlives_its_key_for_minutes_only(
    any_database: Database,
    make_services: Callable[..., SsoServices],
    card: Card,
    clock: FixedClock,
) -> None:
    """Nobody watches over the USB key; whoever goes on proves it with another handshake."""
    services = make_services(any_database)
    sessions, proven = services.sessions, ProvenCard(card.certificate, card.holder)
    opened = sessions.open(proven, way=TLS)
    kept = sessions.open(proven)
    after = sessions.open(proven, replacing=kept.secret, way=TLS)
    for _ in range(14):
        clock.advance(timedelta(minutes=1))
        assert sessions.use(opened.secret) is not None
    again = sessions.open(proven, replacing=opened.secret, way=TLS)
    clock.advance(timedelta(minutes=1))
    assert sessions.use(again.secret) is None, "its limit stays: the page asks for a new session"
    assert sessions.use(after.secret) is None, "what a card began, a handshake does not keep"


def test_new_proofs_do_not_prolong_a_session_beyond_its_limit(
    sessions: Sessions, card: Card, clock: FixedClock
) -> None:
    secret = opened(sessions, card).secret
    for _ in range(16):
        clock.advance(timedelta(minutes=29))
        secret = opened(sessions, card, replacing=secret).secret
    clock.advance(timedelta(minutes=16))
    assert sessions.use(secret) is None


def test_an_idle_session_ends(
    sessions: Sessions, services: SsoServices, card: Card, clock: FixedClock
) -> None:
    made = opened(sessions, card)
    for _ in range(3):
        clock.advance(timedelta(minutes=29))
        assert sessions.use(made.secret) is not None
    clock.advance(timedelta(minutes=30))
    assert sessions.use(made.secret) is None
    assert end_reasons(services, made.signed_in.session) == ["idle-timeout"]


def test_a_platform_does_not_keep_a_session_awake(
    sessions: Sessions, card: Card, clock: FixedClock
) -> None:
    made = opened(sessions, card)
    clock.advance(timedelta(minutes=20))
    assert sessions.by_name(made.signed_in.session) == made.signed_in
    clock.advance(timedelta(minutes=10))
    assert sessions.by_name(made.signed_in.session) is None


def test_a_session_ends_after_eight_hours_however_busy(
    sessions: Sessions, services: SsoServices, card: Card, clock: FixedClock
) -> None:
    made = opened(sessions, card)
    for _ in range(23):
        clock.advance(timedelta(minutes=20))
        assert sessions.use(made.secret) is not None
    clock.advance(timedelta(minutes=20))
    assert sessions.use(made.secret) is None
    assert end_reasons(services, made.signed_in.session) == ["absolute-timeout"]


def test_a_revoked_certificate_ends_the_session_at_its_next_use(
    sessions: Sessions, services: SsoServices, card: Card, registry: Registry
) -> None:
    made = opened(sessions, card)
    registry.revoke(card.certificate)
    assert sessions.use(made.secret) is None
    assert end_reasons(services, made.signed_in.session) == ["signin.revoked"]


@pytest.mark.parametrize("state", ["revoked", "suspended"])
def test_a_card_that_is_no_longer_active_ends_the_session(
    sessions: Sessions, services: SsoServices, card: Card, registry: Registry, state: str
) -> None:
    made = opened(sessions, card)
    registry.set_state(card.certificate, state)
    assert sessions.use(made.secret) is None
    registry.set_state(card.certificate, "active")
    assert sessions.use(made.secret) is None
    assert end_reasons(services, made.signed_in.session) == ["signin.card-state"]


def test_a_certificate_that_now_names_another_holder_ends_the_session(
    sessions: Sessions, card: Card, registry: Registry
) -> None:
    made = opened(sessions, card)
    registry.register(card.certificate, "card-9")
    assert sessions.use(made.secret) is None


def test_while_the_status_is_unknown_a_session_neither_serves_nor_ends(
    sessions: Sessions, card: Card, registry: Registry
) -> None:
    made = opened(sessions, card)
    registry.silent = True
    with pytest.raises(Unavailable, match=r"signin\.status-unavailable"):
        sessions.use(made.secret)
    registry.silent = False
    assert sessions.use(made.secret) is not None


def test_all_sessions_of_a_card_end_at_once_and_no_other(
    sessions: Sessions, services: SsoServices, card: Card, other_card: Card
) -> None:
    sessions.end_sessions_of_card(card.holder.card)
    mine = [opened(sessions, card), opened(sessions, card)]
    other = opened(sessions, other_card)
    assert sessions.end_sessions_of_card(card.holder.card, actor="officer-7") == 2
    assert [sessions.use(one.secret) for one in mine] == [None, None]
    assert sessions.use(other.secret) is not None
    assert end_reasons(services, mine[0].signed_in.session) == ["card-revoked"]
    assert sessions.end_sessions_of_card(card.holder.card) == 0


def test_ends_at_the_same_moment_do_not_get_in_each_others_way(
    sessions: Sessions, services: SsoServices, card: Card
) -> None:
    sids = [opened(sessions, card).signed_in.session for _ in range(12)]

    def end_one(sid: str) -> int:
        return int(sessions.end(sid, reason="signed-out", actor="holder"))

    with ThreadPoolExecutor(6) as pool:
        tries = [pool.submit(end_one, sid) for sid in sids]
        tries += [pool.submit(sessions.end_sessions_of_card, card.holder.card) for _ in range(3)]
        assert sum(attempt.result(timeout=30) for attempt in tries) >= 12
    assert [len(end_reasons(services, sid)) for sid in sids] == [1] * 12


def test_what_timed_out_unused_is_swept_up(
    sessions: Sessions, services: SsoServices, card: Card, clock: FixedClock
) -> None:
    idle = opened(sessions, card)
    clock.advance(timedelta(minutes=29))
    awake = opened(sessions, card)
    clock.advance(timedelta(minutes=1))
    assert sessions.end_expired() >= 1
    assert end_reasons(services, idle.signed_in.session) == ["idle-timeout"]
    assert sessions.use(awake.secret) is not None


def test_ending_twice_is_told_apart_and_journalled_once(
    sessions: Sessions, services: SsoServices, card: Card
) -> None:
    sid = opened(sessions, card).signed_in.session
    assert sessions.end(sid, reason="signed-out", actor="holder")
    assert not sessions.end(sid, reason="signed-out", actor="holder")
    assert end_reasons(services, sid) == ["signed-out"]
    with services.database.reading() as connection:
        assert services.journal.verify(connection).intact
