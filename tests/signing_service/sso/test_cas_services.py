"""Whose a CAS service address is: found by an index, and one platform's alone."""

import os
from collections.abc import Callable, Iterator

import pytest
from alembic import command
from sqlalchemy import insert, select, text

from kernel.refusals import Conflict
from records.database import Database
from records.schema import migrations
from signing_service.sso.cas.addresses import LostAddress
from signing_service.sso.platform import ClaimsPermission, PlatformDraft, PlatformTerms
from signing_service.sso.services import SsoServices
from signing_service.sso.tables import cas_services, platforms
from tests.plans import plan_of
from tests.portseal.cli.terminal import run
from tests.signing_service.sso.cards import Card, Registry
from tests.signing_service.sso.conftest import application
from tests.signing_service.sso.flow import sign_in
from tests.signing_service.sso.test_platform_pages import make_officer

SERVICE = "https://old.example/cas"
OTHER = "https://older.example/cas"


@pytest.fixture
def services(any_database: Database, make_services: Callable[..., SsoServices]) -> SsoServices:
    return make_services(any_database)


def draft(client_id: str, *addresses: str) -> PlatformDraft:
    permission = ClaimsPermission((), "海关总署", "2026-1")
    terms = PlatformTerms(cas_services=addresses, permission=permission)
    return PlatformDraft(client_id, "老平台", (), terms=terms).checked()


def add(services: SsoServices, client_id: str, *addresses: str) -> None:
    with services.database.transaction() as connection:
        services.platforms.add(connection, draft(client_id, *addresses), actor="administrator")


def owner(services: SsoServices, address: str) -> str | None:
    found = services.platforms.by_cas_service(address)
    return None if found is None else found.client_id


def test_an_address_is_found_exactly_as_registered(services: SsoServices) -> None:
    add(services, "one", SERVICE, OTHER)
    assert (owner(services, SERVICE), owner(services, OTHER)) == ("one", "one")
    for other in (SERVICE + "/", SERVICE.upper(), SERVICE[:-1], SERVICE + "%", "%", "_" * 23, ""):
        assert owner(services, other) is None, other


def test_one_address_is_one_platforms(services: SsoServices) -> None:
    add(services, "one", SERVICE)
    with pytest.raises(Conflict, match=r"platform\.cas-service"):
        add(services, "two", OTHER, SERVICE)
    assert owner(services, OTHER) is None, "nothing of it is registered"
    with pytest.raises(Conflict, match=r"platform\.cas-service"):
        services.proposals.register(draft("two", SERVICE), by="officer:1")


def test_an_address_that_was_taken_before_the_second_officer_came_is_refused_then(
    services: SsoServices,
) -> None:
    waiting = services.proposals.register(draft("two", SERVICE), by="officer:1")
    add(services, "one", SERVICE)
    with pytest.raises(Conflict, match=r"platform\.cas-service"):
        services.proposals.confirm(waiting.id, by="officer:2")
    assert owner(services, SERVICE) == "one"


def test_a_change_gives_addresses_up_and_takes_others(services: SsoServices) -> None:
    add(services, "one", SERVICE)
    waiting = services.proposals.change(draft("one", OTHER), by="officer:1")
    services.proposals.confirm(waiting.id, by="officer:2")
    assert (owner(services, SERVICE), owner(services, OTHER)) == (None, "one")
    add(services, "two", SERVICE)
    assert owner(services, SERVICE) == "two"


def test_a_disabled_platform_leaves_its_addresses_to_others(services: SsoServices) -> None:
    add(services, "one", SERVICE)
    services.platforms.disable("one", actor="officer:1")
    assert owner(services, SERVICE) is None
    add(services, "two", SERVICE)
    assert owner(services, SERVICE) == "two"


def test_the_look_up_reads_one_row_of_an_index(services: SsoServices) -> None:
    add(services, "one", SERVICE)
    with services.database.transaction() as connection:
        (row,) = connection.execute(select(platforms)).mappings()
        many = [{**row, "client_id": f"p{number}"} for number in range(5000)]
        connection.execute(insert(platforms), many)
        for each in many:
            each["address"] = f"https://{each['client_id']}.example/cas"
        connection.execute(
            insert(cas_services), [{k: each[k] for k in ("address", "client_id")} for each in many]
        )
    found = select(platforms).join(cas_services, cas_services.c.client_id == platforms.c.client_id)
    if not services.database.is_sqlite:
        with services.database.transaction() as connection:
            connection.execute(text("ANALYZE"))
    plan = plan_of(
        services.database, found.where(cas_services.c.address == "https://p7.example/cas")
    )
    assert "SCAN" not in plan
    assert "Seq Scan" not in plan
    assert owner(services, "https://p7.example/cas") == "p7"


@pytest.fixture(params=["sqlite", "postgresql"])
def older(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """A database of the version before there was the table."""
    url = f"sqlite:///{tmp_path_factory.mktemp('older') / 'portseal.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("fresh_postgresql_url")
    made = Database(url)
    config = migrations()
    with made.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0032")
        connection.commit()
    yield made
    made.dispose()


FIRST, LATER = "2026-01-01 00:00:00.000000", "2026-02-01 00:00:00.000000"


def put(older: Database, *platforms: tuple[str, str, str, str | None]) -> None:
    """Platforms as the version before wrote them: name, terms, when registered, when disabled."""
    insert = text(
        "INSERT INTO sso_platform (client_id, name, redirect_uris, post_logout_redirect_uris,"
        " scopes, terms, registered_at, disabled_at)"
        " VALUES (:id, 'x', '[]', '[]', 'openid', :terms, :at, :gone)"
    )
    with older.transaction() as connection:
        for client, terms, at, gone in platforms:
            connection.execute(insert, {"id": client, "terms": terms, "at": at, "gone": gone})


def with_one_address_twice(older: Database) -> None:
    put(
        older,
        ("second", f'{{"cas_services": ["{SERVICE}", "{OTHER}"]}}', LATER, None),
        ("first", f'{{"cas_services": ["{SERVICE}"]}}', FIRST, None),
    )


def test_an_upgrade_takes_over_what_was_registered(
    older: Database, make_services: Callable[..., SsoServices]
) -> None:
    with_one_address_twice(older)
    put(
        older,
        ("gone", f'{{"cas_services": ["{SERVICE}"]}}', FIRST, FIRST),
        ("new-style", "{}", FIRST, None),
        ("signer", '{"auth_method": "private_key_jwt", "refresh": true}', FIRST, None),
    )
    older.upgrade()
    services = make_services(older)
    assert (owner(services, SERVICE), owner(services, OTHER)) == ("first", "second")
    signer, other = services.platforms.find("signer"), services.platforms.find("new-style")
    assert signer is not None
    assert (signer.terms.endpoint_audience, signer.terms.refresh) == (True, True), "goes on"
    assert other is not None
    assert not other.terms.endpoint_audience


# -- a platform that lost its address then is not left in silence ----------------------------------


def test_who_lost_an_address_is_told_until_one_of_the_two_names_it(
    older: Database, make_services: Callable[..., SsoServices]
) -> None:
    with_one_address_twice(older)
    older.upgrade()
    services = make_services(older)
    assert services.platforms.lost_addresses() == [LostAddress("second", "x", SERVICE, "first")]
    with pytest.raises(Conflict, match=r"platform\.cas-service"):
        services.proposals.change(draft("second", SERVICE, OTHER), by="officer:1")
    waiting = services.proposals.change(draft("second", OTHER), by="officer:1")
    services.proposals.confirm(waiting.id, by="officer:2")
    assert services.platforms.lost_addresses() == []
    assert (owner(services, SERVICE), owner(services, OTHER)) == ("first", "second")


def test_an_address_whose_owner_went_is_taken_by_a_change_not_by_itself(
    older: Database, make_services: Callable[..., SsoServices]
) -> None:
    with_one_address_twice(older)
    older.upgrade()
    services = make_services(older)
    services.platforms.disable("first", actor="officer:1")
    assert services.platforms.lost_addresses() == [LostAddress("second", "x", SERVICE, None)]
    assert owner(services, SERVICE) is None
    waiting = services.proposals.change(draft("second", SERVICE, OTHER), by="officer:1")
    services.proposals.confirm(waiting.id, by="officer:2")
    assert services.platforms.lost_addresses() == []
    assert owner(services, SERVICE) == "second"


def test_whoever_upgrades_is_told(older: Database) -> None:
    with_one_address_twice(older)
    url = older.engine.url.render_as_string(hide_password=False)
    settings = {
        "PORTSEAL_WEB__SECRET_KEY": "0123456789abcdef0123456789abcdef",
        "PORTSEAL_TOKEN__MODULE": "/nonexistent.so",
        "PORTSEAL_DATABASE__URL": url,
    }
    done = run(("db", "upgrade"), {**os.environ, **settings})
    assert (done.code, done.out) == (0, "the database is up to date\n")
    assert f"the CAS service address {SERVICE} of second (x) belongs to first" in done.err
    assert OTHER not in done.err


def test_administrators_see_it_on_the_pages_and_by_program(
    older: Database,
    make_services: Callable[..., SsoServices],
    registry: Registry,
    card: Card,
) -> None:
    with_one_address_twice(older)
    older.upgrade()
    browser = application(make_services(older)).test_client()
    sign_in(browser, make_officer(registry, card, "administrator"))
    for page in ("/admin/platforms", "/admin/platforms/second"):
        assert "it belongs to first" in browser.get(page).text
    assert "it belongs to" not in browser.get("/admin/platforms/first").text
    lost = {"client_id": "second", "name": "x", "address": SERVICE, "owner": "first"}
    assert browser.get("/api/v1/platforms").get_json()["lost_cas_services"] == [lost]
