"""How long rows stay that are of no use any more: one line for each table that would grow for ever.

The times are settings (`[retention]`). What proves anything stays for good, or for as long as the
law asks: `STAYS` names it, and the tables whose own room clears them. A test asks for a line for
every table of the product.
"""

from collections.abc import Mapping
from datetime import timedelta

from ca.tables import crls
from portseal.settings.retention import RetentionSettings
from ra_portal.answers import answers
from ra_portal.cards.tables import renewals
from ra_portal.imports.tables import imports
from ra_portal.notices.tables import notices, refused_addresses
from ra_portal.shared_codes.tables import one_time_codes
from records.retention import Retention, Rule
from records.tables import outbox
from signing_service.remote.tables import activations
from signing_service.sso.tables import access_tokens, cas_tickets, codes, refresh_tokens, sessions
from signing_service.tables import prepared_signatures

RULES = (
    Rule("prepared_signatures", prepared_signatures, "expires_at",
        "A document and what its card was to sign. Nobody can complete it after ten minutes.",
        batch=50),
    Rule("answers", answers, "expires_at",
        "Pages that forms led to, sealed for the browser that sent them: for ten minutes."),
    Rule("messages", outbox, "delivered_at",
        "What another system was told; a logout names a ticket. Kept to look into a delivery. "
        "What was set aside stays until a person has decided."),
    Rule("notices", notices, "ended_at",
        "That a notice about a card went out, and when; its text and recipient are gone already."),
    Rule("refused_addresses", refused_addresses, "last_at",
        "That a mail address, kept as an HMAC, refuses mail. Told on pages until a mail is taken "
        "or the contact changes; that of a former contact goes by this."),
    Rule("one_time_codes", one_time_codes, "expires_at",
        "Sealed codes, worth nothing after minutes. Counted for an hour against floods."),
    Rule("renewals", renewals, "settled_at",
        "Requests by which a card was renewed. The proof stands among the card's moves."),
    Rule("imports", imports, "created_at",
        "Rows of a file with names and telephone numbers: until they are taken over, or are not."),
    Rule("seal_activations", activations, "expires_at",
        "What a platform was allowed to have sealed, for minutes. Kept to tell a second use."),
    Rule("sessions", sessions, "ended_at",
        "Who was signed in, with the certificate. The journal keeps beginning and end of each.",
        unless=(codes.c.sid, access_tokens.c.sid, refresh_tokens.c.sid, cas_tickets.c.sid,
                activations.c.sid)),
    Rule("revocation_lists", crls, "next_update",
        "Whoever needs a list of an earlier day has it in the signature that rests on it. The "
        "newest of each kind stays, however old.",
        newest_of=("authority", "shard", "delta"), newest_by="number", batch=20),
)  # fmt: skip
"""In this order: what names a row goes before the row."""

_EVIDENCE = "evidence: for good, or for as long as the law asks"
_REGISTER = "the register itself"
_FEW = "few rows, or one for each node, key, channel, job, day or authority"
_OWN = "its own room removes what is over"
STAYS: Mapping[str, str] = {
    "journal": _EVIDENCE,
    "journal_head": _EVIDENCE,
    "journal_checkpoint": _EVIDENCE,
    "journal_tree": _EVIDENCE,
    "accepted_signatures": _EVIDENCE,
    "archived_objects": _EVIDENCE,
    "evidence_trees": _EVIDENCE,
    "evidence_members": _EVIDENCE,
    "card_moves": _EVIDENCE,
    "ca_certificates": _EVIDENCE,
    "kc_keys": _EVIDENCE,
    "kc_recoveries": _EVIDENCE,
    "recoveries": _EVIDENCE,
    "data_changes": _EVIDENCE,
    "officer_changes": _EVIDENCE,
    "mass_actions": _EVIDENCE,
    "console_acts": _EVIDENCE,
    "console_signatures": _EVIDENCE,
    "sso_platform_proposal": _EVIDENCE,
    "applications": _EVIDENCE,
    "application_notes": _EVIDENCE,
    "documents": _EVIDENCE,
    "document_pages": _EVIDENCE,
    # The same list is the same job: nothing is signed twice. Those of which nothing was signed go.
    "signing_batches": _EVIDENCE,
    "batch_items": _EVIDENCE,
    "ca_mass_jobs": _EVIDENCE,
    "ca_mass_items": _EVIDENCE,
    "ca_reissues": _EVIDENCE,
    "ca_reissue_items": _EVIDENCE,
    "branches": _REGISTER,
    "enterprises": _REGISTER,
    "officers": _REGISTER,
    "operators": _REGISTER,
    "grants": _REGISTER,
    "cards": _REGISTER,
    "seals": _REGISTER,
    "seal_keys": _EVIDENCE,
    "contacts": _REGISTER,
    "name_parts": _REGISTER,
    "person_name_parts": _REGISTER,
    "sso_platform": _REGISTER,
    "sso_cas_service": _REGISTER,
    "ca_crl_entries": _REGISTER,
    "ca_ocsp_answers": _REGISTER,  # one for each certificate, made anew in its place
    "ca_status_versions": _FEW,
    "ca_crl_numbers": _FEW,
    "ca_ocsp_responders": _FEW,
    "worker_rounds": _FEW,
    "job_runs": _FEW,
    "outbox_lease": _FEW,
    "figures": _FEW,
    "sso_signing_key": _FEW,
    "trusted_list_copies": _FEW,
    "kc_escrow_keys": _FEW,
    "kc_rewraps": _FEW,
    "kc_pool": _OWN,
    "drafts": _OWN,
    "sso_challenge": _OWN,
    "sso_code": _OWN,
    "sso_access_token": _OWN,
    "sso_refresh_token": _OWN,
    "sso_pushed_request": _OWN,
    "sso_client_assertion": _OWN,
    "sso_cas_ticket": _OWN,
    "uploaded_documents": _OWN,
}


def keep(rule: Rule, settings: RetentionSettings) -> timedelta:
    """How long its rows stay."""
    if rule.table in (prepared_signatures, answers):
        return timedelta(0)
    return timedelta(days=getattr(settings, f"{rule.name}_days"))


def apply(retention: Retention, settings: RetentionSettings) -> int:
    """For the worker; how many rows went. Raises Unavailable."""
    return sum(retention.apply(rule, keep(rule, settings)) for rule in RULES)
