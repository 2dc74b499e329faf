"""The messages of the CAS protocol: what a service is answered, and told when a session ends."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import uuid4
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

NAMESPACE = "http://www.yale.edu/tp/cas"
_SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
_SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
register_namespace("cas", NAMESPACE)
register_namespace("samlp", _SAMLP)
register_namespace("saml", _SAML)

Attributes = Mapping[str, str | Sequence[str]]


def success_xml(user: str, attributes: Attributes | None) -> bytes:
    """2.5.2; `attributes` only of the p3 addresses (2.5.7)."""
    response = Element(_cas("serviceResponse"))
    success = SubElement(response, _cas("authenticationSuccess"))
    SubElement(success, _cas("user")).text = user
    if attributes is not None:
        listed = SubElement(success, _cas("attributes"))
        for name, value in attributes.items():
            for each in [value] if isinstance(value, str) else value:
                SubElement(listed, _cas(name)).text = each
    return bytes(tostring(response, encoding="utf-8"))


def failure_xml(code: str, detail: str) -> bytes:
    """2.5.3."""
    response = Element(_cas("serviceResponse"))
    SubElement(response, _cas("authenticationFailure"), code=code).text = detail
    return bytes(tostring(response, encoding="utf-8"))


def proxy_failure_xml(code: str, detail: str) -> bytes:
    """2.7.3."""
    response = Element(_cas("serviceResponse"))
    SubElement(response, _cas("proxyFailure"), code=code).text = detail
    return bytes(tostring(response, encoding="utf-8"))


def success_json(user: str, attributes: Attributes | None) -> dict[str, object]:
    """The same with `format=JSON`."""
    success: dict[str, object] = {"user": user}
    if attributes is not None:
        success["attributes"] = {
            name: value if isinstance(value, str) else list(value)
            for name, value in attributes.items()
        }
    return {"serviceResponse": {"authenticationSuccess": success}}


def failure_json(code: str, detail: str) -> dict[str, object]:
    return {"serviceResponse": {"authenticationFailure": {"code": code, "description": detail}}}


def logout_request(ticket: str, user: str, at: datetime) -> str:
    """2.3.3 and appendix C: the service's session that this ticket opened is over."""
    request = Element(
        f"{{{_SAMLP}}}LogoutRequest",
        ID=f"_{uuid4().hex}",
        Version="2.0",
        IssueInstant=at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    SubElement(request, f"{{{_SAML}}}NameID").text = user
    SubElement(request, f"{{{_SAMLP}}}SessionIndex").text = ticket
    return tostring(request, encoding="unicode")


def _cas(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"
