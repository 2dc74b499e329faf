"""Addresses that a browser is sent on to."""

from collections.abc import Sequence
from urllib.parse import urlencode

from flask import Response, make_response, redirect


def with_parameters(address: str, parameters: Sequence[tuple[str, str]]) -> str:
    """`address`, which has no fragment, with further query parameters."""
    mark = "&" if "?" in address else "?"
    return f"{address}{mark}{urlencode(parameters)}"


def see_other(target: str) -> Response:
    """303: the browser goes on with a GET."""
    return make_response(redirect(target, 303))


def found(target: str) -> Response:
    """302, the status that the standards' examples show."""
    return make_response(redirect(target, 302))


def answer_fields(
    told: Sequence[tuple[str, str]], issuer: str, state: str | None
) -> list[tuple[str, str]]:
    """What a platform is answered, with RFC 9207's `iss`, against mix-up."""
    return [*told, ("iss", issuer), *([("state", state)] if state else [])]


def error_fields(error: str, description: str | None) -> list[tuple[str, str]]:
    """RFC 6749, 4.1.2.1."""
    described = [("error_description", description)] if description else []
    return [("error", error), *described]
