"""How the history of an enterprise tells what its cards did, in the reader's language."""

from flask_babel import get_locale, gettext, lazy_gettext

from policies.rights import RightsCatalogue
from ra_portal.history import Deed

DEEDS = {
    "signature.accepted": (lazy_gettext("Signed"), "good"),
    "signature.refused": (lazy_gettext("Signature refused"), "bad"),
    "signin.succeeded": (lazy_gettext("Signed in"), "info"),
    "signin.refused": (lazy_gettext("Sign-in refused"), "bad"),
    "platform.token-issued": (lazy_gettext("Signed in to a platform"), "info"),
    "platform.ticket-validated": (lazy_gettext("Signed in to a platform"), "info"),
    "session.ended": (lazy_gettext("Signed out"), ""),
}
"""Event -> its name and the badge's tone."""

_WAYS = {
    "card": lazy_gettext("with the USB key and its PIN"),
    "tls": lazy_gettext("with a TLS client certificate"),
}
_NOT_FOR_THIS = lazy_gettext("the card's certificate is not for signing in")
_STATE_UNKNOWN = lazy_gettext("the card's state could not be told")
_WHYS = {
    # why a sign-in was refused, or a session ended with the same
    "signin.revoked": lazy_gettext("the card is revoked"),
    "signin.frozen": lazy_gettext("the card is frozen"),
    "signin.lost": lazy_gettext("the card was reported lost"),
    "signin.card-state": lazy_gettext("the card is not in use"),
    "signin.not-valid-now": lazy_gettext("the card's validity has ended, or not begun"),
    "signin.unknown-holder": lazy_gettext("nobody is registered with this card"),
    "signin.purpose": lazy_gettext("the USB key itself and its PIN were needed"),
    "signin.act-unshown": lazy_gettext("the act to confirm was not signed"),
    "signin.key-usage": _NOT_FOR_THIS,
    "signin.extended-key-usage": _NOT_FOR_THIS,
    "signin.policy": _NOT_FOR_THIS,
    "signin.critical-extension": _NOT_FOR_THIS,
    "signin.algorithm": _NOT_FOR_THIS,
    "signin.issuer": _NOT_FOR_THIS,
    "signin.status-unknown": _STATE_UNKNOWN,
    "signin.status-unavailable": _STATE_UNKNOWN,
    "signin.status-stale": _STATE_UNKNOWN,
    # why a session ended
    "signed-out": lazy_gettext("by the holder"),
    "cas-logout": lazy_gettext("by the holder, from a platform"),
    "platform-logout": lazy_gettext("by the holder, from a platform"),
    "replaced": lazy_gettext("another sign-in took its place"),
    "card-removed": lazy_gettext("the USB key was pulled out"),
    "card-absent": lazy_gettext("the USB key was away"),
    "idle-timeout": lazy_gettext("not used for too long"),
    "absolute-timeout": lazy_gettext("the longest time of a session was over"),
    "holder-changed": lazy_gettext("the card's holder has changed"),
    "card-frozen": lazy_gettext("the card is frozen"),
    "card-lost": lazy_gettext("the card was reported lost"),
    "card-revoked": lazy_gettext("the card is revoked"),
    "card-replaced": lazy_gettext("another card took its place"),
    "card-expired": lazy_gettext("the card's validity has ended, or not begun"),
}
"""A code of the journal -> what it means."""

_FORMATS = {"cades": "CAdES", "xades": "XAdES", "pades": "PAdES", "jades": "JAdES", "asic": "ASiC"}
_DIGESTS = {
    "document_sha256": "SHA-256", "digest_sha256": "SHA-256", "digest_sha384": "SHA-384",
    "digest_sha512": "SHA-512",
}  # fmt: skip


def told(deed: Deed, catalogue: RightsCatalogue, *, whole: bool) -> str:
    """The facts of a deed that say something to the enterprise, in one line; digests in full
    only when `whole`."""
    facts = {name: str(value) for name, value in deed.facts.items() if value}
    found = [_kind(facts["kind"], catalogue)] if "kind" in facts else []
    if "platform" in facts:
        found.append(facts["platform"])
    if "format" in facts:
        found.append(_FORMATS.get(facts["format"], facts["format"]))
    if "way" in facts:
        found.append(str(_WAYS.get(facts["way"], facts["way"])))
    found += [str(_WHYS.get(facts[name], facts[name])) for name in ("code", "reason")
              if name in facts]  # fmt: skip
    found += [
        f"{label} {facts[name] if whole else _short(facts[name])}"
        for name, label in _DIGESTS.items()
        if name in facts
    ]
    return " · ".join(found)


def _kind(code: str, catalogue: RightsCatalogue) -> str:
    kind = catalogue.kind(code)
    if kind is None:
        return gettext("Document") if code == "document" else code
    return kind.name_en if str(get_locale()).startswith("en") else kind.name_zh


def _short(digest: str) -> str:
    return f"{digest[:8]}…{digest[-4:]}" if len(digest) > 20 else digest
