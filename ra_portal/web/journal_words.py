"""What happened, in words: every event of the journal, in the reader's language."""

from flask_babel import LazyString, lazy_gettext

from records.events import Event

GROUPS: tuple[tuple[LazyString, dict[Event, LazyString]], ...] = (
    (
        lazy_gettext("Ceremonies and keys"),
        {
            Event.CEREMONY_STARTED: lazy_gettext("Key ceremony begun"),
            Event.CEREMONY_KEY_GENERATED: lazy_gettext("Key made in a ceremony"),
            Event.CEREMONY_CERTIFICATE_ISSUED: lazy_gettext("Certificate issued in a ceremony"),
            Event.CEREMONY_FINISHED: lazy_gettext("Key ceremony finished"),
            Event.CUSTODY_SPLIT: lazy_gettext("Secret split among custodians"),
            Event.KEY_BACKED_UP: lazy_gettext("Keys backed up"),
            Event.KEY_RESTORED: lazy_gettext("Key restored from a backup"),
            Event.KEY_REPLICATED: lazy_gettext("Key copied to another token"),
            Event.KEY_DESTROYED: lazy_gettext("Key destroyed"),
            Event.KEY_USE_OPENED: lazy_gettext("Period of a key's use begun"),
            Event.KEY_USED: lazy_gettext("Uses of a key in a period counted"),
            Event.ROOT_SESSION_OPENED: lazy_gettext("Work with root keys begun"),
            Event.ROOT_SESSION_CLOSED: lazy_gettext("Work with root keys ended"),
            Event.TOKEN_FAILED: lazy_gettext("Token failed"),
            Event.TOKEN_RETURNED: lazy_gettext("Token back in service"),
        },
    ),
    (
        lazy_gettext("Certificates and their status"),
        {
            Event.CERTIFICATE_INTENDED: lazy_gettext("Certificate about to be issued"),
            Event.CERTIFICATE_ISSUED: lazy_gettext("Certificate issued"),
            Event.CERTIFICATE_ABANDONED: lazy_gettext("Issue of a certificate given up"),
            Event.CERTIFICATE_REFUSED: lazy_gettext("Issue of a certificate refused"),
            Event.CERTIFICATE_REVOKED: lazy_gettext("Certificate revoked"),
            Event.CERTIFICATE_RELEASED: lazy_gettext("Certificate released from hold"),
            Event.REVOCATION_PLANNED: lazy_gettext("Revocation of many certificates planned"),
            Event.REVOCATION_FINISHED: lazy_gettext("Revocation of many certificates finished"),
            Event.REISSUE_PLANNED: lazy_gettext("Re-issue of many certificates planned"),
            Event.REISSUE_FINISHED: lazy_gettext("Re-issue of many certificates finished"),
            Event.RESPONDER_ROTATED: lazy_gettext("OCSP responder's key changed"),
            Event.CRL_INTENDED: lazy_gettext("Revocation list about to be issued"),
            Event.CRL_ISSUED: lazy_gettext("Revocation list issued"),
            Event.CRL_REFUSED: lazy_gettext("Issue of a revocation list refused"),
            Event.OCSP_REFUSED: lazy_gettext("OCSP answer withheld by its check"),
        },
    ),
    (
        lazy_gettext("Housekeeping and messages"),
        {
            Event.ROWS_REMOVED: lazy_gettext("Outdated rows removed"),
            Event.LETTER_PUT_BACK: lazy_gettext("Refused message sent again"),
            Event.LETTER_DISCARDED: lazy_gettext("Refused message discarded"),
        },
    ),
    (
        lazy_gettext("Acts at the console"),
        {
            Event.ACT_SIGNED: lazy_gettext("Act at the console signed"),
            Event.ACT_ALLOWED: lazy_gettext("Act at the console allowed"),
            Event.ACT_REPEATED: lazy_gettext("Act at the console repeated"),
            Event.ACT_REFUSED: lazy_gettext("Act at the console refused"),
            Event.ACT_WITHOUT_CARD: lazy_gettext("Act at the console without a card"),
            Event.ACT_ACKNOWLEDGED: lazy_gettext("Act without a card acknowledged"),
        },
    ),
    (
        lazy_gettext("Nodes and backups"),
        {
            Event.BACKUP_MADE: lazy_gettext("Backup made"),
            Event.BACKUP_RESTORED: lazy_gettext("Backup restored"),
            Event.NODE_LOST: lazy_gettext("Node lost"),
        },
    ),
    (
        lazy_gettext("Key-management centre"),
        {
            Event.KEYS_POOLED: lazy_gettext("Encryption keys made in advance"),
            Event.KEYS_REWRAPPED: lazy_gettext("Escrowed keys put under another escrow key"),
            Event.REWRAP_FINISHED: lazy_gettext("Change of the escrow key finished"),
            Event.ESCROW_KEY_REPLACED: lazy_gettext("Escrow key replaced"),
            Event.ESCROW_KEY_DESTROYED: lazy_gettext("Escrow key destroyed"),
            Event.KEY_ESCROWED: lazy_gettext("Encryption key taken into escrow"),
            Event.KEY_DELIVERED: lazy_gettext("Encryption key delivered to its card"),
            Event.KEY_RECOVERY_REQUESTED: lazy_gettext("Recovery of a key asked for"),
            Event.KEY_RECOVERY_APPROVED: lazy_gettext("Recovery of a key approved"),
            Event.KEY_RECOVERY_REFUSED: lazy_gettext("Recovery of a key refused"),
            Event.KEY_RECOVERED: lazy_gettext("Key recovered"),
        },
    ),
    (
        lazy_gettext("Publication"),
        {
            Event.DIRECTORY_PUBLISHED: lazy_gettext("Published in the directory"),
            Event.DIRECTORY_REPAIRED: lazy_gettext("Directory put right"),
        },
    ),
    (
        lazy_gettext("Applications and enterprises"),
        {
            Event.BRANCH_ADDED: lazy_gettext("Branch added"),
            Event.DRAFTS_ERASED: lazy_gettext("Old drafts erased"),
            Event.APPLICATION_ASSIGNED: lazy_gettext("Application assigned"),
            Event.APPLICATION_REFERENCE_SENT: lazy_gettext("Application's reference sent again"),
            Event.APPLICATION_CODES_SENT: lazy_gettext("Codes for a new access code sent"),
            Event.APPLICATION_CODE_REFUSED: lazy_gettext("Code for a new access code refused"),
            Event.APPLICATION_ACCESS_RENEWED: lazy_gettext("Application's access code replaced"),
            Event.APPLICATION_REMINDED: lazy_gettext("Reminded of an application"),
            Event.APPLICATION_NOTED: lazy_gettext("Note on an application written"),
            Event.APPLICATION_ESCALATED: lazy_gettext(
                "Administrators told of an overdue application"
            ),
            Event.IMPORT_CONFIRMED: lazy_gettext("Import confirmed"),
            Event.APPLICATIONS_EXPORTED: lazy_gettext("List of applications exported"),
            Event.CARDS_EXPORTED: lazy_gettext("List of cards exported"),
            Event.HISTORY_EXPORTED: lazy_gettext("History exported"),
            Event.ENTERPRISE_APPLIED: lazy_gettext("Application of an enterprise handed in"),
            Event.ENTERPRISE_REGISTERED: lazy_gettext("Application of an enterprise examined"),
            Event.ENTERPRISE_RETURNED: lazy_gettext("Application of an enterprise returned"),
            Event.ENTERPRISE_RESUBMITTED: lazy_gettext(
                "Application of an enterprise handed in again"
            ),
            Event.ENTERPRISE_APPROVED: lazy_gettext("Application of an enterprise approved"),
            Event.ENTERPRISE_REFUSED: lazy_gettext("Application of an enterprise refused"),
            Event.ENTERPRISE_CLOSED: lazy_gettext("Enterprise closed"),
            Event.DATA_CHANGE_PROPOSED: lazy_gettext("Change of data proposed"),
            Event.DATA_CHANGE_APPROVED: lazy_gettext("Change of data approved"),
            Event.DATA_CHANGE_REFUSED: lazy_gettext("Change of data refused"),
            Event.CONTACT_CHANGED: lazy_gettext("Contact changed"),
        },
    ),
    (
        lazy_gettext("Operators and officers"),
        {
            Event.OPERATOR_ADDED: lazy_gettext("Operator added"),
            Event.OPERATOR_RIGHTS_GRANTED: lazy_gettext("Operator's rights granted"),
            Event.OPERATOR_RIGHTS_WITHDRAWN: lazy_gettext("Operator's rights withdrawn"),
            Event.OPERATOR_RIGHT_END_TOLD: lazy_gettext("Told that an operator's right ends soon"),
            Event.OFFICER_ADDED: lazy_gettext("Officer appointed"),
            Event.OFFICER_CHANGE_PROPOSED: lazy_gettext("Change of an officer proposed"),
            Event.OFFICER_CHANGE_REFUSED: lazy_gettext("Change of an officer refused"),
            Event.OFFICER_CHANGED: lazy_gettext("Officer's roles or branch changed"),
            Event.OFFICER_RETIRED: lazy_gettext("Officer has left"),
            Event.OFFICER_CARD_END_CONFIRMED: lazy_gettext("End of an officer's card confirmed"),
        },
    ),
    (
        lazy_gettext("Cards"),
        {
            Event.CARD_REQUESTED: lazy_gettext("Card requested"),
            Event.CARD_CODE_PROPOSED: lazy_gettext("Activation code proposed"),
            Event.CARD_CODE_OFFERED: lazy_gettext("Activation code handed out"),
            Event.ENROLMENT_STARTED: lazy_gettext("Making of a card begun"),
            Event.ENROLMENT_REFUSED: lazy_gettext("Making of a card refused"),
            Event.CARD_MADE: lazy_gettext("Card made"),
            Event.CARD_WITNESSED: lazy_gettext("Making of a card witnessed"),
            Event.CARD_FROZEN: lazy_gettext("Card frozen"),
            Event.CARD_UNFROZEN: lazy_gettext("Card unfrozen"),
            Event.CARD_LOSS_REPORTED: lazy_gettext("Card reported lost"),
            Event.CARD_LOSS_TIMESTAMPED: lazy_gettext("Report of a loss timestamped"),
            Event.CARD_RENEWED: lazy_gettext("Card renewed"),
            Event.CARD_RENEWAL_REFUSED: lazy_gettext("Renewal of a card refused"),
            Event.CARD_RENEWAL_DUE: lazy_gettext("Card must be renewed"),
            Event.CARD_RECOVERED: lazy_gettext("Card recovered"),
            Event.CARD_REVOKED: lazy_gettext("Card revoked"),
            Event.CARD_REPLACED: lazy_gettext("Card replaced"),
            Event.CARD_EXPIRED: lazy_gettext("Card expired"),
            Event.CARD_NOTICE_QUEUED: lazy_gettext("Holder told that the card ends soon"),
            Event.CARD_CODE_SENT: lazy_gettext("One-time code sent"),
            Event.CARD_CODE_REFUSED: lazy_gettext("One-time code refused"),
            Event.RECOVERY_ASKED: lazy_gettext("Recovery of a card asked for"),
            Event.RECOVERY_APPROVED: lazy_gettext("Recovery of a card approved"),
            Event.RECOVERY_REFUSED: lazy_gettext("Recovery of a card refused"),
            Event.RECOVERY_SENT: lazy_gettext("Secret for a recovery sent"),
            Event.MASS_ACTION_PROPOSED: lazy_gettext("Action on many cards proposed"),
            Event.MASS_ACTION_CONFIRMED: lazy_gettext("Action on many cards confirmed"),
            Event.MASS_ACTION_WITHDRAWN: lazy_gettext("Action on many cards withdrawn"),
            Event.MASS_ACTION_DONE: lazy_gettext("Action on many cards done"),
        },
    ),
    (
        lazy_gettext("Seals"),
        {
            Event.SEAL_REQUESTED: lazy_gettext("Seal asked for"),
            Event.SEAL_APPROVED: lazy_gettext("Seal approved"),
            Event.SEAL_KEY_MADE: lazy_gettext("Key of a seal made"),
            Event.SEAL_MADE: lazy_gettext("Seal made"),
            Event.SEAL_REFUSED: lazy_gettext("Seal refused"),
            Event.SEAL_REVOKED: lazy_gettext("Seal revoked"),
            Event.SEAL_USE_AUTHORISED: lazy_gettext("Use of a seal agreed to"),
            Event.SEAL_USED: lazy_gettext("Seal used"),
            Event.SEAL_USE_REFUSED: lazy_gettext("Use of a seal refused"),
        },
    ),
    (
        lazy_gettext("Signing and verifying"),
        {
            Event.BATCH_OPENED: lazy_gettext("Signing of a batch begun"),
            Event.SIGNATURE_PREPARED: lazy_gettext("Signature prepared"),
            Event.SIGNATURE_ACCEPTED: lazy_gettext("Signature accepted"),
            Event.SIGNATURE_REFUSED: lazy_gettext("Signature not accepted"),
            Event.SIGNATURE_DELETED: lazy_gettext("Signature deleted after its time"),
            Event.SIGNATURE_EXTENDED: lazy_gettext("Signature extended for the long term"),
            Event.EVIDENCE_STAMPED: lazy_gettext("Evidence timestamped"),
        },
    ),
    (
        lazy_gettext("Sign-in and platforms"),
        {
            Event.SIGNIN_SUCCEEDED: lazy_gettext("Sign-in succeeded"),
            Event.SIGNIN_REFUSED: lazy_gettext("Sign-in not accepted"),
            Event.SESSION_ENDED: lazy_gettext("Session ended"),
            Event.PLATFORM_REGISTERED: lazy_gettext("Platform registered"),
            Event.PLATFORM_PROPOSED: lazy_gettext("Platform's change proposed"),
            Event.PLATFORM_PROPOSAL_REFUSED: lazy_gettext("Platform's change refused"),
            Event.PLATFORM_CHANGED: lazy_gettext("Platform changed"),
            Event.PLATFORM_SECRET_ROTATED: lazy_gettext("Platform's secret changed"),
            Event.PLATFORM_DISABLED: lazy_gettext("Platform disabled"),
            Event.PLATFORM_CODE_REUSED: lazy_gettext("Platform presented a used code again"),
            Event.PLATFORM_TOKEN_ISSUED: lazy_gettext("Token issued to a platform"),
            Event.PLATFORM_TOKEN_REFRESHED: lazy_gettext("Platform's token refreshed"),
            Event.PLATFORM_TOKEN_REUSED: lazy_gettext("Platform presented a used token again"),
            Event.PLATFORM_TOKEN_REVOKED: lazy_gettext("Platform's token revoked"),
            Event.PLATFORM_TICKET_VALIDATED: lazy_gettext("Platform's sign-in ticket validated"),
            Event.SIGNIN_KEY_MADE: lazy_gettext("Key for sign-in made"),
        },
    ),
)
"""By what they are about, in the order of a filter's choices."""

PHRASES = {event: phrase for _, events in GROUPS for event, phrase in events.items()}
"""Event -> what happened."""


def phrase(event: str) -> str:
    """Of a record; the code itself for a word that a later version has written."""
    return str(PHRASES[Event(event)]) if event in PHRASES else event
