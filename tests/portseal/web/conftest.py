"""Fixtures: the whole application, without a server."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from pydantic import SecretStr

from hsm.token import Token
from portseal.settings import DatabaseSettings, Settings, TokenSettings, WebSettings
from portseal.settings.authority import StatusSettings
from portseal.web.app import create_flask
from portseal.wiring import House
from tests.ra_portal.world import token_after_ceremony
from tests.token import TokenBench


@pytest.fixture(scope="session")
def web_token(token_bench: TokenBench, tmp_path_factory: pytest.TempPathFactory) -> Token:
    return token_after_ceremony(token_bench, "web-tests", tmp_path_factory.mktemp("web"))


@pytest.fixture
def make_flask(
    web_token: Token, token_bench: TokenBench, tmp_path: Path
) -> Iterator[Callable[..., Flask]]:
    """Makes the whole application, on a token that has been through the ceremony."""
    houses: list[House] = []

    def make(origin: str = "http://127.0.0.1:8080") -> Flask:
        settings = Settings(
            data_directory=tmp_path,
            web=WebSettings(secret_key=SecretStr("k" * 40), origin=origin),
            status=StatusSettings(base_url="http://status.example"),
            database=DatabaseSettings(url=SecretStr(f"sqlite:///{tmp_path / 'portseal.db'}")),
            token=TokenSettings(
                module=token_bench.module,
                label=web_token.label,
                pin_variable=token_bench.pin_variable(web_token.label),
            ),
        )
        houses.append(House(settings))
        return create_flask(houses[-1])

    yield make
    for house in houses:
        house.close()


@pytest.fixture
def flask(make_flask: Callable[..., Flask]) -> Flask:
    return make_flask()
