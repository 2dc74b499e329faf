"""Platforms: what may be registered, and what of it the database holds."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from kernel.refusals import Conflict, NotFound, Unprocessable
from records.database import Database
from records.events import Event
from records.journal import records
from signing_service.sso.platforms import Platforms
from signing_service.sso.services import SsoServices
from signing_service.sso.tables import platforms as table

CALLBACK = "https://platform.example/callback"


@pytest.fixture
def platforms(any_database: Database, make_services: Callable[..., SsoServices]) -> Platforms:
    return make_services(any_database).platforms


def test_a_registered_platform_is_found_and_journalled(
    platforms: Platforms, any_database: Database
) -> None:
    made = platforms.register_platform("报关平台", [CALLBACK], actor="administrator")
    assert platforms.find(made.platform.client_id) == made.platform
    with any_database.reading() as connection:
        found = records(connection, made.platform.client_id)
    assert [(r.event, r.actor) for r in found] == [(Event.PLATFORM_REGISTERED, "administrator")]
    assert made.secret is not None
    assert made.secret not in found[0].facts


def test_the_secret_is_stored_as_a_hash_and_checked(
    platforms: Platforms, any_database: Database
) -> None:
    made = platforms.register_platform("A", [CALLBACK], actor="administrator")
    assert made.secret is not None
    assert len(made.secret) == 43
    with any_database.reading() as connection:
        query = select(table).where(table.c.client_id == made.platform.client_id)
        row = connection.execute(query).one()
    assert row.secret_hash == hashlib.sha256(made.secret.encode()).digest()
    assert made.platform.check_client_secret(made.secret)
    assert not made.platform.check_client_secret(made.secret[:-1])
    assert not made.platform.check_client_secret("")


def test_a_public_client_has_no_secret_that_could_match(platforms: Platforms) -> None:
    made = platforms.register_platform("A", [CALLBACK], actor="administrator", confidential=False)
    assert made.secret is None
    assert not made.platform.check_client_secret("")
    assert made.platform.auth_method == "none"
    found = platforms.find(made.platform.client_id)
    assert found is not None
    assert found.auth_method == "none"


@pytest.mark.parametrize(
    "uri",
    [
        "https://platform.example/callback",
        "https://platform.example:8443/cb?tenant=1",
        "http://127.0.0.1:8000/cb",
        "http://[::1]:8000/cb",
        "http://localhost/cb",
    ],
)
def test_a_safe_redirect_uri_is_accepted(platforms: Platforms, uri: str) -> None:
    made = platforms.register_platform("A", [uri], actor="administrator")
    assert made.platform.redirect_uris == (uri,)


@pytest.fixture
def unreached(tmp_path: Path, make_services: Callable[..., SsoServices]) -> Platforms:
    """Platforms whose database cannot be reached: a refusal comes before anything is written."""
    return make_services(Database(f"sqlite:///{tmp_path}/no-such/file.db")).platforms


@pytest.mark.parametrize(
    "uri",
    [
        "http://platform.example/callback",
        "http://localhost.evil.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "https://platform.example/cb#fragment",
        "https://user@platform.example/cb",
        "https:///cb",
        "https://platform.example:port/cb",
        "javascript:alert(1)",
        "data:text/html,x",
        "//platform.example/cb",
        "/callback",
        "https://platform.example/\ncb",
        'https://platform.example/"cb',
        "https://platform.example/c b",
        "https://平台.example/cb",
        "https://platform.example/" + "a" * 2000,
        "https://platform.example;sandbox/cb",
        "https://platform.example,evil.example/cb",
        "https://*.example/cb",
        "https://platform_1.example/cb",
        "https://'self'/cb",
        "",
    ],
)
def test_an_unsafe_redirect_uri_is_refused(unreached: Platforms, uri: str) -> None:
    with pytest.raises(Unprocessable, match=r"platform\.redirect-uri"):
        unreached.register_platform("A", [uri], actor="administrator")
    with pytest.raises(Unprocessable, match=r"platform\.redirect-uri"):
        unreached.register_platform(
            "A", [CALLBACK], actor="administrator", post_logout_redirect_uris=[uri]
        )


def test_a_platform_needs_a_redirect_uri(unreached: Platforms) -> None:
    with pytest.raises(Unprocessable, match=r"platform\.redirect-uri"):
        unreached.register_platform("A", [], actor="administrator")


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"scopes": ["everything"]}, r"platform\.scope"),
        ({"name": " "}, r"platform\.name"),
        ({"name": "a\nb"}, r"platform\.name"),
        ({"client_id": "a b"}, r"platform\.client-id"),
        ({"client_id": "x" * 65}, r"platform\.client-id"),
    ],
)
def test_other_nonsense_is_refused(
    unreached: Platforms, wrong: dict[str, object], code: str
) -> None:
    arguments: dict[str, object] = {"name": "A", "redirect_uris": [CALLBACK], **wrong}
    with pytest.raises(Unprocessable, match=code):
        unreached.register_platform(actor="administrator", **arguments)  # type: ignore[arg-type]


def test_a_client_id_is_given_once(platforms: Platforms) -> None:
    made = platforms.register_platform("A", [CALLBACK], actor="administrator")
    with pytest.raises(Conflict, match=r"platform\.exists"):
        platforms.register_platform(
            "B", [CALLBACK], actor="administrator", client_id=made.platform.client_id
        )


def test_a_disabled_platform_is_unknown(platforms: Platforms) -> None:
    client_id = platforms.register_platform("A", [CALLBACK], actor="a").platform.client_id
    platforms.disable(client_id, actor="a")
    assert platforms.find(client_id) is None
    with pytest.raises(NotFound, match=r"platform\.unknown"):
        platforms.disable(client_id, actor="a")


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ("openid profile", "openid profile"),
        ("openid rights card", "openid"),
        ("openid openid", "openid"),
        ("profile", None),
        ("", None),
        (None, None),
    ],
)
def test_a_platform_gets_what_it_asks_and_may_have(
    platforms: Platforms, asked: str | None, granted: str | None
) -> None:
    made = platforms.register_platform("A", [CALLBACK], actor="a", scopes=["openid", "profile"])
    assert made.platform.granted_scope(asked) == granted
