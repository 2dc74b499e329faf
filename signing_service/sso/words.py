"""What people read for the words of protocols."""

from collections.abc import Mapping

from flask_babel import gettext

from signing_service.sso.claims import PREFIX
from signing_service.sso.platform import NONE, PRIVATE_KEY, SECRET, SELF_SIGNED_TLS, TLS
from signing_service.sso.proposals import Action


def claim_words() -> dict[str, str]:
    return {
        "name": gettext("Holder's name"),
        PREFIX + "employee_number": gettext("Operator's employee number"),
        PREFIX + "holder_kind": gettext("Kind of holder"),
        PREFIX + "enterprise_name": gettext("Enterprise's name"),
        PREFIX + "enterprise_uscc": gettext("Unified social credit code"),
        PREFIX + "customs_code": gettext("Customs registration code"),
        PREFIX + "rights": gettext("Rights in business"),
        PREFIX + "rights_detail": gettext("Periods of the rights"),
        PREFIX + "roles": gettext("Officer's roles"),
        PREFIX + "card": gettext("Card number"),
    }


def action_words() -> dict[str, str]:
    return {
        Action.REGISTER: gettext("Register the platform"),
        Action.CHANGE: gettext("Change its entry"),
        Action.ROTATE: gettext("Make a new client secret"),
    }


def actor_words(actor: str, names: Mapping[str, str]) -> str:
    """Who the journal's `kind:id` is; `names` are officers' by id."""
    kind, _, identifier = actor.partition(":")
    if kind == "officer":
        return names.get(identifier) or str(gettext("an officer"))
    if kind == "console":
        return str(gettext("at the console: %(who)s", who=identifier))
    return actor


def auth_method_words() -> dict[str, str]:
    return {
        SECRET: gettext("Shared secret"),
        PRIVATE_KEY: gettext("Signed assertion with its own key"),
        TLS: gettext("TLS client certificate, by its subject"),
        SELF_SIGNED_TLS: gettext("TLS client certificate, by its fingerprint"),
        NONE: gettext("None (public client, PKCE alone)"),
    }
