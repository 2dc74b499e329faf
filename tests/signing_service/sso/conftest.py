"""Cards in real tokens, a sign-in key in the authority's token, and an application around them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask, Response, jsonify, make_response
from flask.testing import FlaskClient
from flask_babel import Babel
from flask_wtf import CSRFProtect
from jinja2 import ChoiceLoader, DictLoader, FileSystemLoader

from hsm.token import Token
from hsm.token_key import TokenKey
from kernel.algorithms import ECDSA_P256_SHA256
from kernel.clock import FixedClock
from kernel.entropy import SystemEntropy
from kernel.refusals import Refusal
from records.database import Database
from records.journal import Journal
from signing_service.sso.services import SsoServices
from signing_service.sso.web import sso_blueprint
from tests.signing_service.sso.cards import Card, CardAuthority, Registry, settings
from tests.signing_service.sso.flow import Platform, registered, sign_in
from tests.token import TokenBench

PIECES = Path(__file__).parents[3] / "portseal" / "web" / "templates"
"""`components.html`, which pages are made of."""
BASE = (
    "<!doctype html><html><head><title>{% block title %}{% endblock %}</title></head>"
    "<body>{% block content %}{% endblock %}</body></html>"
)


def shared_key(token: Token, label: str) -> TokenKey:
    if label in token.key_labels():
        return token.key(label)
    return token.generate(label, ECDSA_P256_SHA256)


@pytest.fixture(scope="session")
def card_token(token_bench: TokenBench) -> Token:
    return token_bench.shared_token("sso-card")  # another room's tests use these fixtures, too


@pytest.fixture(scope="session")
def card_key(card_token: Token) -> TokenKey:
    return shared_key(card_token, "sign-in")


@pytest.fixture(scope="session")
def other_card_key(card_token: Token) -> TokenKey:
    return shared_key(card_token, "sign-in-2")


@pytest.fixture(scope="session")
def signin_key(authority_token: Token) -> TokenKey:
    return shared_key(authority_token, "sso-id-tokens")


@pytest.fixture
def clock() -> FixedClock:
    """Starts now, for relying parties read the machine's clock."""
    return FixedClock(datetime.now(UTC))


@pytest.fixture
def card_authority(clock: FixedClock) -> CardAuthority:
    return CardAuthority(clock.now())


@pytest.fixture
def registry(clock: FixedClock) -> Registry:
    return Registry(clock)


@pytest.fixture
def card(card_key: TokenKey, card_authority: CardAuthority, registry: Registry) -> Card:
    certificate = card_authority.issue(card_key)
    return Card(card_key, certificate, registry.register(certificate))


@pytest.fixture
def other_card(other_card_key: TokenKey, card_authority: CardAuthority, registry: Registry) -> Card:
    certificate = card_authority.issue(other_card_key, "Operator Wang")
    return Card(other_card_key, certificate, registry.register(certificate, "card-2", "王五"))


ServicesMaker = Callable[..., SsoServices]


@pytest.fixture
def make_services(
    clock: FixedClock, registry: Registry, card_authority: CardAuthority, signin_key: TokenKey
) -> ServicesMaker:
    def make(database: Database, **changes: object) -> SsoServices:
        return SsoServices(
            database=database,
            journal=Journal(clock),
            clock=clock,
            entropy=SystemEntropy(),
            holders=registry,
            status_source=registry,
            pinned_issuers=(card_authority.certificate,),
            signin_key=signin_key,
            settings=settings(**changes),  # type: ignore[arg-type]
        )

    return make


@pytest.fixture
def services(database: Database, make_services: ServicesMaker) -> SsoServices:
    return make_services(database)


def application(
    services: SsoServices, limit_challenges: Callable[[], None] = lambda: None
) -> Flask:
    """A front hall in small: CSRF protection, translations, refusals as problems."""
    app = Flask("front_hall")
    app.secret_key = "a key for tests alone"
    app.testing = True
    base = DictLoader({"base.html": BASE})
    app.jinja_loader = ChoiceLoader([base, FileSystemLoader(PIECES)])
    app.context_processor(lambda: {"explain": lambda refusal: refusal.detail, "states": {}})
    Babel(app)
    CSRFProtect(app)
    app.register_blueprint(sso_blueprint(services, limit_challenges))

    def refuse(refusal: Exception) -> Response:
        assert isinstance(refusal, Refusal)
        return make_response(jsonify(code=refusal.code, detail=refusal.detail), refusal.status)

    app.register_error_handler(Refusal, refuse)
    return app


@pytest.fixture
def app(services: SsoServices) -> Flask:
    return application(services)


@pytest.fixture
def browser(app: Flask) -> Iterator[FlaskClient]:
    with app.test_client() as client:
        yield client


@pytest.fixture
def platform(services: SsoServices) -> Platform:
    """A registered platform with a shared secret."""
    return Platform(registered(services))


@pytest.fixture
def signed_in(browser: FlaskClient, card: Card) -> FlaskClient:
    """A browser whose holder has signed in."""
    assert sign_in(browser, card).status_code == 303
    return browser
