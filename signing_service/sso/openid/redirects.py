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


def error_address(
    redirect_uri: str, issuer: str, error: str, description: str | None, state: str | None
) -> str:
    """RFC 6749, 4.1.2.1 with RFC 9207's `iss`."""
    parameters = [("error", error), ("iss", issuer)]
    if description:
        parameters.append(("error_description", description))
    if state:
        parameters.append(("state", state))
    return with_parameters(redirect_uri, parameters)


def code_address(redirect_uri: str, issuer: str, code: str, state: str | None) -> str:
    """RFC 6749, 4.1.2 with RFC 9207's `iss`, against mix-up."""
    parameters = [("code", code), ("iss", issuer)]
    if state:
        parameters.append(("state", state))
    return with_parameters(redirect_uri, parameters)
