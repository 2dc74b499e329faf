"""The description of the HTTP interface and the routes that are there say the same."""

import re
from pathlib import Path

from flask import Flask

import portseal.web

DESCRIPTION = Path(portseal.web.__file__).with_name("openapi.yaml")
DESCRIBED_PREFIXES = ("/api/", "/oidc/", "/csc/", "/cas/", "/.well-known/")
_PATH = re.compile(r"^  (/\S*):$")
_METHOD = re.compile(r"^    (get|put|post|delete|patch):$")


def described() -> set[tuple[str, str]]:
    """Method and path of every operation; the file's own indentation tells them apart."""
    found, path = set(), ""
    for line in DESCRIPTION.read_text(encoding="utf-8").splitlines():
        if line == "components:":
            break
        if match := _PATH.match(line):
            path = match[1]
        elif match := _METHOD.match(line):
            found.add((match[1].upper(), path))
    return found


def routed(app: Flask) -> set[tuple[str, str]]:
    found = set()
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            found.add((method, rule.rule))
    return found


def nameless(operations: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Only the program's paths, with whatever stands for a parameter written `{}`."""
    return {
        (method, re.sub(r"<[^>]*>|\{[^}]*\}", "{}", path))
        for method, path in operations
        if path.startswith(DESCRIBED_PREFIXES)
    }


def test_every_route_for_programs_is_described_and_nothing_else(flask: Flask) -> None:
    assert nameless(described()) == nameless(routed(flask))


def test_status_and_timestamps_are_described_too() -> None:
    paths = {path for _, path in described()}
    assert {"/ocsp", "/ocsp/{request}", "/crl/{authority}.crl", "/certs/{authority}.cer"} <= paths
    assert "/tsa" in paths


def test_every_reference_leads_somewhere() -> None:
    text = DESCRIPTION.read_text(encoding="utf-8")
    for kind, name in set(re.findall(r"#/components/(\w+)/(\w+)", text)):
        section = text.split(f"\n  {kind}:\n", 1)[1]
        assert re.search(rf"^    {name}:$", section, re.MULTILINE), f"{kind}/{name}"


def test_the_description_is_served(flask: Flask) -> None:
    answer = flask.test_client().get("/openapi.yaml")
    assert answer.status_code == 200
    assert answer.data == DESCRIPTION.read_bytes()
