"""The closed vocabulary of the journal. A record of another kind cannot be written."""

from enum import StrEnum


class Event(StrEnum):
    """`room.noun-verb`, in the past tense of what happened."""

    # Ceremony and keys
    CEREMONY_STARTED = "ceremony.started"
    CEREMONY_KEY_GENERATED = "ceremony.key-generated"
    CEREMONY_CERTIFICATE_ISSUED = "ceremony.certificate-issued"
    CEREMONY_FINISHED = "ceremony.finished"

    # Issuing and status
    CERTIFICATE_INTENDED = "certificate.intended"
    CERTIFICATE_ISSUED = "certificate.issued"
    CERTIFICATE_ABANDONED = "certificate.abandoned"
    CERTIFICATE_REFUSED = "certificate.refused"
    CERTIFICATE_REVOKED = "certificate.revoked"
    CERTIFICATE_RELEASED = "certificate.released"
    REVOCATION_PLANNED = "revocation.planned"
    REVOCATION_FINISHED = "revocation.finished"
    RESPONDER_ROTATED = "responder.rotated"
    CRL_INTENDED = "crl.intended"
    CRL_ISSUED = "crl.issued"
    CRL_REFUSED = "crl.refused"
    OCSP_REFUSED = "ocsp.refused"

    # Messages that were set aside
    LETTER_PUT_BACK = "letter.put-back"
    LETTER_DISCARDED = "letter.discarded"

    # Nodes
    NODE_LOST = "node.lost"

    # Publication
    DIRECTORY_PUBLISHED = "directory.published"

    # Registration
    ENTERPRISE_APPLIED = "enterprise.applied"
    ENTERPRISE_REGISTERED = "enterprise.registered"
    ENTERPRISE_RETURNED = "enterprise.returned"
    ENTERPRISE_RESUBMITTED = "enterprise.resubmitted"
    ENTERPRISE_APPROVED = "enterprise.approved"
    ENTERPRISE_CLOSED = "enterprise.closed"
    ENTERPRISE_REFUSED = "enterprise.refused"
    OPERATOR_ADDED = "operator.added"
    OPERATOR_RIGHTS_GRANTED = "operator.rights-granted"
    OPERATOR_RIGHTS_WITHDRAWN = "operator.rights-withdrawn"
    OFFICER_ADDED = "officer.added"
    CARD_REQUESTED = "card.requested"
    CARD_CODE_PROPOSED = "card.code-proposed"
    CARD_CODE_OFFERED = "card.code-offered"
    ENROLMENT_STARTED = "enrolment.started"
    ENROLMENT_REFUSED = "enrolment.refused"
    CARD_MADE = "card.made"
    CARD_WITNESSED = "card.witnessed"
    CARD_FROZEN = "card.frozen"
    CARD_UNFROZEN = "card.unfrozen"
    CARD_LOSS_REPORTED = "card.loss-reported"
    CARD_LOSS_TIMESTAMPED = "card.loss-timestamped"
    CARD_RENEWED = "card.renewed"
    CARD_RENEWAL_REFUSED = "card.renewal-refused"
    CARD_RENEWAL_DUE = "card.renewal-due"
    CARD_RECOVERED = "card.recovered"
    DATA_CHANGE_PROPOSED = "data-change.proposed"
    DATA_CHANGE_APPROVED = "data-change.approved"
    DATA_CHANGE_REFUSED = "data-change.refused"
    CONTACT_CHANGED = "contact.changed"
    CARD_NOTICE_QUEUED = "card.notice-queued"
    CARD_CODE_SENT = "card.one-time-code-sent"
    CARD_CODE_REFUSED = "card.one-time-code-refused"
    CARD_REVOKED = "card.revoked"
    CARD_REPLACED = "card.replaced"
    CARD_EXPIRED = "card.expired"
    SEAL_REQUESTED = "seal.requested"
    SEAL_APPROVED = "seal.approved"
    SEAL_MADE = "seal.made"
    SEAL_REFUSED = "seal.refused"
    SEAL_REVOKED = "seal.revoked"

    # Signing and verifying
    BATCH_OPENED = "batch.opened"
    SIGNATURE_PREPARED = "signature.prepared"
    SIGNATURE_ACCEPTED = "signature.accepted"
    SIGNATURE_REFUSED = "signature.refused"
    SIGNATURE_DELETED = "signature.deleted"
    SIGNATURE_EXTENDED = "signature.extended"
    EVIDENCE_STAMPED = "evidence.stamped"

    # Remote signing
    SEAL_USE_AUTHORISED = "seal.use-authorised"
    SEAL_USED = "seal.used"
    SEAL_USE_REFUSED = "seal.use-refused"

    # Sign-in
    SIGNIN_SUCCEEDED = "signin.succeeded"
    SIGNIN_REFUSED = "signin.refused"
    SESSION_ENDED = "session.ended"
    PLATFORM_REGISTERED = "platform.registered"
    PLATFORM_PROPOSED = "platform.proposed"
    PLATFORM_PROPOSAL_REFUSED = "platform.proposal-refused"
    PLATFORM_CHANGED = "platform.changed"
    PLATFORM_SECRET_ROTATED = "platform.secret-rotated"
    PLATFORM_DISABLED = "platform.disabled"
    PLATFORM_CODE_REUSED = "platform.code-reused"
    PLATFORM_TOKEN_ISSUED = "platform.token-issued"
    PLATFORM_TOKEN_REUSED = "platform.token-reused"
    PLATFORM_TOKEN_REVOKED = "platform.token-revoked"
    PLATFORM_TICKET_VALIDATED = "platform.ticket-validated"
    SIGNIN_KEY_MADE = "signin-key.made"
