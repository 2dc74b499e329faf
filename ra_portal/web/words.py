"""Words for states, roles, reasons and events, in the reader's language."""

import json
from collections.abc import Mapping
from datetime import datetime

from flask_babel import format_datetime, gettext, lazy_gettext

from kernel.refusals import Refusal
from policies.scripts import unusual_letters
from ra_portal.data_changes.change import DataChange
from ra_portal.people.branches import Branch
from ra_portal.people.identity import HolderKind

STATES = {
    # applications
    "applied": (lazy_gettext("Waiting for examination"), "warn"),
    "registered": (lazy_gettext("Waiting for approval"), "warn"),
    "returned": (lazy_gettext("Returned for correction"), "bad"),
    "approved": (lazy_gettext("Approved"), "good"),
    "refused": (lazy_gettext("Refused"), "bad"),
    # cards
    "requested": (lazy_gettext("To be made"), "warn"),
    "active": (lazy_gettext("In use"), "good"),
    "frozen": (lazy_gettext("Frozen"), "warn"),
    "lost": (lazy_gettext("Reported lost"), "bad"),
    "revoked": (lazy_gettext("Revoked"), "bad"),
    "replaced": (lazy_gettext("Replaced"), ""),
    "expired": (lazy_gettext("Expired"), ""),
}
"""State -> its name and the badge's tone."""

ENTERPRISE_STATES = {
    "active": (lazy_gettext("Active"), "good"),
    "closed": (lazy_gettext("Closed"), ""),
}
"""As `STATES`: a card that is active is in use, an enterprise is not."""

APPLICATION_LABELS = {
    "name": lazy_gettext("Name as on the business licence"),
    "uscc": lazy_gettext("Unified social credit code"),
    "customs_code": lazy_gettext("Customs registration code"),
    "legal_representative": lazy_gettext("Legal representative"),
    "identity_number": lazy_gettext("Identity number"),
    "region": lazy_gettext("Region"),
    "branch": lazy_gettext("Branch"),
    "branch_id": lazy_gettext("Branch"),
    "phone": lazy_gettext("Telephone"),
    "email": lazy_gettext("E-mail"),
    "licence": lazy_gettext("Business licence"),
    "attorney": lazy_gettext("Power of attorney"),
}
"""What the fields of an application are called."""

CHANGE_STATES = {
    "proposed": (lazy_gettext("Waiting for approval"), "warn"),
    "approved": (lazy_gettext("Approved"), "good"),
    "refused": (lazy_gettext("Refused"), "bad"),
}
"""Of changes of data; as `STATES`."""

ROLES = {
    "registrar": lazy_gettext("Registrar: examines applications"),
    "approver": lazy_gettext("Approver: approves what another officer examined"),
    "administrator": lazy_gettext("Business administrator: officers of the counter, revocation"),
    "system-administrator": lazy_gettext("System administrator: runs the machines"),
    "audit-administrator": lazy_gettext("Audit administrator: auditors, journal"),
    "auditor": lazy_gettext("Auditor: reads the journal"),
    "recovery-officer": lazy_gettext("Recovery officer: records orders to recover keys"),
    "recovery-approver": lazy_gettext("Recovery approver: decides on the recovery of keys"),
}

MOVES = {
    "freeze": lazy_gettext("Frozen"),
    "unfreeze": lazy_gettext("Unfrozen"),
    "report-loss": lazy_gettext("Reported lost"),
    "renew": lazy_gettext("Renewed"),
    "replace": lazy_gettext("Replaced"),
    "revoke": lazy_gettext("Revoked"),
    "expire": lazy_gettext("Expired"),
    "renewal-due": lazy_gettext("To be renewed"),
    "recover": lazy_gettext("Recovered"),
}
"""Move of a card -> how its history tells it."""

PAST = {
    "enterprise.applied": lazy_gettext("Handed in"),
    "enterprise.resubmitted": lazy_gettext("Corrected and handed in again"),
    "enterprise.registered": lazy_gettext("Registered"),
    "enterprise.approved": lazy_gettext("Approved"),
    "enterprise.returned": lazy_gettext("Returned for correction"),
    "enterprise.refused": lazy_gettext("Refused"),
    "application.assigned": lazy_gettext("Assigned"),
    "application.reminded": lazy_gettext("Reminded of"),
    "application.reference-sent": lazy_gettext("The reference was asked for and sent"),
    "application.access-codes-sent": lazy_gettext("A new access code was asked for"),
    "application.access-renewed": lazy_gettext("The access code was replaced"),
    "application.escalated": lazy_gettext("Told to the administrators"),
    "enterprises.imported": lazy_gettext("Imported"),
}
"""What happened to an application, by the journal's event."""

MASS_ACTS = {
    "revoke": lazy_gettext("Revoke, for good"),
    "freeze": lazy_gettext("Freeze"),
    "unfreeze": lazy_gettext("Unfreeze"),
}

MASS_STATES = {
    "proposed": lazy_gettext("Waits for another officer"),
    "running": lazy_gettext("Being done"),
    "done": lazy_gettext("Done"),
    "withdrawn": lazy_gettext("Withdrawn"),
}

WAITING = {
    "applied": lazy_gettext("Applications to examine"),
    "registered": lazy_gettext("Applications to approve"),
    "changes": lazy_gettext("Changes of data"),
    "recoveries": lazy_gettext("Recovery of legal-person cards"),
    "mass": lazy_gettext("Many cards at once"),
}
"""What waits for officers, by its name in `ra_portal.figures`."""

QUEUES = {
    "directory": lazy_gettext("Publication in the directory"),
    "notice-mail": lazy_gettext("Mail"),
    "notice-sms": lazy_gettext("Text messages"),
    "card-codes": lazy_gettext("One-time codes to send"),
    "recoveries-asked": lazy_gettext("Recoveries asked for"),
    "references-asked": lazy_gettext("References asked for again"),
    "access-asked": lazy_gettext("Access codes asked for again"),
    "logout": lazy_gettext("Platforms to be told of a sign-out"),
}
"""What waits for machines, by the outbox's channel, or what the channel begins with."""

WHYS = {
    "phone-code": lazy_gettext("by one-time code"),
    "legal-person-card": lazy_gettext("with the legal-person card"),
    "operator-card": lazy_gettext("with the operator card"),
    "officer-card": lazy_gettext("with the officer card"),
    "counter": lazy_gettext("at the counter"),
    "expired": lazy_gettext("validity ended"),
}
"""Reasons that are not typed by people."""

KINDS = {
    "legal-person": lazy_gettext("Legal-person card"),
    "operator": lazy_gettext("Operator card"),
    "officer": lazy_gettext("Officer card"),
}

REASONS = {
    "unspecified": lazy_gettext("No particular reason"),
    "keyCompromise": lazy_gettext("The USB key is lost, or its PIN is known to others"),
    "affiliationChanged": lazy_gettext("The holder has left or changed position"),
    "superseded": lazy_gettext("Another card takes its place"),
    "cessationOfOperation": lazy_gettext("The enterprise has closed or needs it no more"),
    "privilegeWithdrawn": lazy_gettext("The permission was withdrawn"),
}


CERTIFICATE_USES = {
    "signing": lazy_gettext("Signing and sign-in"),
    "encryption": lazy_gettext("Encryption"),
}

CERTIFICATE_STATES = {
    "good": (lazy_gettext("Good"), "good"),
    "on-hold": (lazy_gettext("On hold"), "warn"),
    "revoked": (lazy_gettext("Revoked"), "bad"),
    "expired": (lazy_gettext("Expired"), ""),
}


def explain(refusal: Refusal) -> str:
    """What a refusal says, in the reader's language where the catalogue knows it."""
    return refusal.said(gettext, format_datetime)


def waiting_name(what: str) -> str:
    """Of something that waits, for officers or for machines."""
    if what in WAITING:
        return str(WAITING[what])
    channel = what.removeprefix("queue:")
    found = (name for start, name in QUEUES.items() if channel.startswith(start))
    other = " ".join((gettext("Queue"), channel))
    return str(next(found, other))


def branch_options(branches: list[Branch]) -> list[tuple[str, str]]:
    """For a choice: code, and how it is told apart."""
    return [(each.code, f"{each.name} ({each.region})") for each in branches]


def facts_of(text: str) -> list[tuple[str, str]]:
    """A record's facts, a JSON object, as names and values to read."""
    held = json.loads(text)
    return [
        (name, each if isinstance(each, str) else json.dumps(each, ensure_ascii=False))
        for name, each in held.items()
    ]


def change_labels(change: DataChange) -> Mapping[str, object]:
    """What the fields of a change of data are called: an operator's name is on no licence."""
    own = {"name": lazy_gettext("Operator's name")}
    return {**APPLICATION_LABELS, **(own if change.holder.kind is HolderKind.OPERATOR else {})}


def for_templates() -> dict[str, object]:
    """What every template of the portal may use."""
    return {
        "application_labels": APPLICATION_LABELS,
        "change_labels": change_labels,
        "change_states": CHANGE_STATES,
        "branch_options": branch_options,
        "card_kinds": KINDS,
        "certificate_uses": CERTIFICATE_USES,
        "certificate_states": CERTIFICATE_STATES,
        "card_reasons": REASONS,
        "card_moves": MOVES,
        "card_whys": {**REASONS, **WHYS},
        "past_events": PAST,
        "mass_acts": MASS_ACTS,
        "mass_states": MASS_STATES,
        "waiting_name": waiting_name,
        "enterprise_states": ENTERPRISE_STATES,
        "explain": explain,
        "facts_of": facts_of,
        "instant": datetime.fromisoformat,
        "officer_roles": ROLES,
        "states": STATES,
        "unusual_letters": unusual_letters,
    }
