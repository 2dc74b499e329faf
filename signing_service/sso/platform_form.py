"""A platform's entry as people and programs write it, made into a draft."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from kernel.refusals import Unprocessable
from records.database import new_id
from signing_service.sso.claims import SCOPES, UNLISTED, claims_of
from signing_service.sso.platform import (
    PRIVATE_KEY,
    SECRET,
    ClaimsPermission,
    Platform,
    PlatformDraft,
    PlatformTerms,
)

_MAX_KEYS_CHARACTERS = 20_000
TEXTS = (
    "client_id", "name", "backchannel_logout_uri", "frontchannel_logout_uri", "auth_method",
    "tls_subject", "tls_thumbprint", "permitted_by", "evidence",
)  # fmt: skip
LISTS = ("redirect_uris", "post_logout_redirect_uris", "cas_services", "scopes", "claims")
FLAGS = ("refresh", "pushed_only", "dpop_bound", "endpoint_audience")


def draft_of(fields: Mapping[str, Any]) -> PlatformDraft:
    """`fields` by the names above; `jwks` is a JSON Web Key Set, as JSON or as an object.

    Raises Unprocessable `platform.fields`, `platform.keys`.
    """
    texts = {name: _text(fields, name) for name in TEXTS}
    lists = {name: _list(fields, name) for name in LISTS}
    flags = {name: fields.get(name) in (True, "on", "true") for name in FLAGS}
    claims = lists["claims"]
    scopes = lists["scopes"] or SCOPES
    if claims is None:
        permitted = claims_of(" ".join(scopes))
        claims = tuple(each for each in UNLISTED if each in permitted)
    method = texts["auth_method"] or SECRET
    terms = PlatformTerms(
        auth_method=method,
        jwks=_keys(fields.get("jwks")) if method == PRIVATE_KEY else (),
        tls_subject=texts["tls_subject"] or None,
        tls_thumbprint=(texts["tls_thumbprint"] or "").replace(":", "").lower() or None,
        frontchannel_logout_uri=texts["frontchannel_logout_uri"] or None,
        refresh=flags["refresh"],
        pushed_only=flags["pushed_only"],
        dpop_bound=flags["dpop_bound"],
        endpoint_audience=flags["endpoint_audience"],
        cas_services=lists["cas_services"] or (),
        permission=ClaimsPermission(claims, texts["permitted_by"] or "", texts["evidence"] or ""),
    )
    return PlatformDraft(
        client_id=texts["client_id"] or new_id(),
        name=texts["name"] or "",
        redirect_uris=lists["redirect_uris"] or (),
        post_logout_redirect_uris=lists["post_logout_redirect_uris"] or (),
        backchannel_logout_uri=texts["backchannel_logout_uri"] or None,
        scopes=scopes,
        terms=terms,
    )


def fields_of(platform: Platform | PlatformDraft) -> dict[str, Any]:
    """The entry under the names that `draft_of` reads."""
    terms = platform.terms
    return {
        "client_id": platform.client_id,
        "name": platform.name,
        "redirect_uris": list(platform.redirect_uris),
        "post_logout_redirect_uris": list(platform.post_logout_redirect_uris),
        "backchannel_logout_uri": platform.backchannel_logout_uri,
        "frontchannel_logout_uri": terms.frontchannel_logout_uri,
        "cas_services": list(terms.cas_services),
        "scopes": sorted(platform.scopes),
        "claims": list(terms.permission.claims),
        "permitted_by": terms.permission.permitted_by,
        "evidence": terms.permission.evidence,
        "auth_method": terms.auth_method,
        "jwks": {"keys": list(terms.jwks)} if terms.jwks else None,
        "tls_subject": terms.tls_subject,
        "tls_thumbprint": terms.tls_thumbprint,
        "refresh": terms.refresh,
        "pushed_only": terms.pushed_only,
        "dpop_bound": terms.dpop_bound,
        "endpoint_audience": terms.endpoint_audience,
    }


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise _refused(name)
    return None if value is None else value.strip()


def _list(fields: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    """A list of texts; in a form, one text with a line for each."""
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, str):
        value = value.split()
    if not isinstance(value, Sequence) or not all(isinstance(each, str) for each in value):
        raise _refused(name)
    return tuple(value)


def _keys(value: object) -> tuple[dict[str, Any], ...]:
    if isinstance(value, str):
        try:
            value = json.loads(value) if len(value) <= _MAX_KEYS_CHARACTERS else None
        except (ValueError, RecursionError):
            value = None
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(keys, list) or not all(isinstance(each, dict) for each in keys):
        raise Unprocessable("platform.keys", 'a JSON Web Key Set: {"keys": [...]}')
    return tuple(keys)


def _refused(name: str) -> Unprocessable:
    return Unprocessable("platform.fields", "a field is not of the right kind", field=name)
