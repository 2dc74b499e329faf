"""Words for states, grounds and steps of recoveries, in the reader's language."""

from flask_babel import lazy_gettext

from key_centre.recovery import Ground, RecoveryState
from records.events import Event

STATES = {
    RecoveryState.REQUESTED: (lazy_gettext("Waiting for a decision"), "warn"),
    RecoveryState.APPROVED: (lazy_gettext("Approved"), "good"),
    RecoveryState.REFUSED: (lazy_gettext("Refused"), "bad"),
}
"""State -> its name and the badge's tone."""

GROUNDS = {
    Ground.HOLDER: lazy_gettext("The holder asks"),
    Ground.ORDER: lazy_gettext("Judicial order"),
}

STEPS = {
    Event.KEY_RECOVERY_REQUESTED: lazy_gettext("Asked for"),
    Event.KEY_RECOVERY_APPROVED: lazy_gettext("Approved"),
    Event.KEY_RECOVERY_REFUSED: lazy_gettext("Refused"),
    Event.KEY_RECOVERED: lazy_gettext("Key handed out, sealed"),
}

CARD_KINDS = {
    "legal-person": lazy_gettext("Legal-person card"),
    "operator": lazy_gettext("Operator card"),
}

KEY_KINDS = {"ecdsa-p256-sha256": "P-256", "ecdsa-p384-sha384": "P-384", "rsa-pkcs1-sha256": "RSA"}
"""Suite -> what its keys are called."""
