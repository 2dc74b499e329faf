"""The published description of the interface: valid, whole, and true of the running service."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.portseal.service import RunningService
from tests.portseal.test_hostile_requests import Route, routes

__all__ = ["routes"]

DESCRIBED = ("/api/", "/oidc/", "/csc/", "/cas/", "/.well-known/", "/health/")
OUTSIDE_FLASK = {
    ("/ocsp", "post"),
    ("/ocsp/{}", "get"),
    ("/crl/{}.crl", "get"),
    ("/certs/{}.cer", "get"),
    ("/tsa", "post"),
}
METHODS = {"get", "put", "post", "delete", "patch"}


@pytest.fixture(scope="module")
def description(service: RunningService) -> dict[str, Any]:
    """As anybody gets it from the service."""
    answer = requests.get(f"{service.origin}/openapi.yaml", timeout=30)
    assert answer.status_code == 200
    read: dict[str, Any] = yaml.safe_load(answer.content)
    return read


def operations(description: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in description["paths"].items():
        for method in METHODS & set(item):
            yield path, method, item[method]


def test_it_is_a_valid_description(description: dict[str, Any]) -> None:
    assert description["openapi"].startswith("3.1")
    faults = [error.message for error in OpenAPIV31SpecValidator(description).iter_errors()]
    assert faults == []


def test_it_describes_every_route_and_no_other(
    description: dict[str, Any], routes: list[Route]
) -> None:
    served = {
        (re.sub(r"<[^>]+>", "{}", route.path), method.lower())
        for route in routes
        for method in route.methods
        if method.lower() in METHODS and route.path.startswith(DESCRIBED)
    }
    described = {
        (re.sub(r"{[^}]+}", "{}", path), method) for path, method, _ in operations(description)
    }
    assert described == served | OUTSIDE_FLASK


def test_every_operation_names_its_refusals(description: dict[str, Any]) -> None:
    silent = [
        f"{method} {path}"
        for path, method, operation in operations(description)
        if path.startswith("/api/")
        and path != "/api/v1/rights"
        and not any(str(code).startswith(("4", "default")) for code in operation["responses"])
    ]
    assert silent == []


def resolved(description: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": description["components"]})


def schema_of(
    description: dict[str, Any], path: str, method: str, status: str, media_type: str
) -> dict[str, Any]:
    response = description["paths"][path][method]["responses"][status]
    while "$ref" in response:
        _, *parts = response["$ref"].split("/")
        response = description
        for part in parts:
            response = response[part]
    schema: dict[str, Any] = response["content"][media_type]["schema"]
    return schema


def answers(service: RunningService) -> Iterator[tuple[str, str, str, Any]]:
    """Path, method, status and body of what the service answers to one who may ask."""
    legal_person = service.signed_in("legal-person")
    number = service.stage.numbers["operator"]
    yield "/api/v1/rights", "get", "200", service.anonymous().call("GET", "/api/v1/rights")
    yield "/api/v1/operators", "get", "200", legal_person.call("GET", "/api/v1/operators")
    yield (
        "/api/v1/cards/{number}", "get", "200",
        service.signed_in("operator").call("GET", f"/api/v1/cards/{number}"),
    )  # fmt: skip
    yield (
        "/api/v1/sign-in/challenges", "post", "201",
        service.anonymous().call("POST", "/api/v1/sign-in/challenges", {}),
    )  # fmt: skip
    for path in ("/health/live", "/health/ready"):
        yield path, "get", "200", service.anonymous().call("GET", path)
    sample = (Path(__file__).parents[1] / "samples" / "dec-import.xml").read_bytes()
    yield "/api/v1/verifications", "post", "200", service.anonymous().verify(sample)


def test_answers_have_the_described_shape(
    service: RunningService, description: dict[str, Any]
) -> None:
    for path, method, status, body in answers(service):
        responses = description["paths"][path][method]["responses"]
        described = status if status in responses else "200"
        schema = schema_of(description, path, method, described, "application/json")
        faults = [error.message for error in resolved(description, schema).iter_errors(body)]
        assert faults == [], path


def test_refusals_have_the_described_shape(
    service: RunningService, description: dict[str, Any]
) -> None:
    problem = description["components"]["schemas"]["Problem"]
    for method, path in (("GET", "/api/v1/operators"), ("POST", "/api/v1/enrolments")):
        answer = requests.request(method, service.origin + path, timeout=30)
        assert 400 <= answer.status_code < 500
        faults = list(resolved(description, problem).iter_errors(json.loads(answer.content)))
        assert faults == []
