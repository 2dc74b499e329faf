"""Who calls: a platform, with an access token, in the session of a legal person."""

from dataclasses import dataclass

from kernel.refusals import Unauthenticated
from signing_service.ports import HolderKind
from signing_service.remote.activation import Activations, is_sad
from signing_service.sso.services import SsoServices
from signing_service.sso.sessions import SignedIn

SERVICE = "service"
CREDENTIAL = "credential"


@dataclass(frozen=True)
class Caller:
    client_id: str
    signed_in: SignedIn
    sad: str | None = None
    """Set when the access token has the scope `credential`: it is the SAD itself."""
    certificate_hash: bytes | None = None
    """What the access token is bound to, and what it gives: SHA-256 of a client certificate."""

    @property
    def owner(self) -> str:
        """The enterprise."""
        return self.signed_in.holder.subject

    @property
    def browser(self) -> str:
        """What challenges are bound to: this platform in this session."""
        return f"remote-signing:{self.client_id}:{self.signed_in.session}"


class Callers:
    def __init__(self, sso: SsoServices, activations: Activations) -> None:
        self._sso = sso
        self._activations = activations

    def by_token(self, token: str, thumbprint: bytes | None) -> Caller:
        """The token, its platform, its session and the card must all be good now; `thumbprint`
        is of the client certificate that came along (RFC 8705, 3).

        Raises Unauthenticated `remote.token`; Unavailable when the card's status cannot be told.
        """
        if is_sad(token):
            client_id, sid, bound = self._activations.owner(token)
        else:
            grant = self._sso.grants.access(token)
            if grant is None or grant.scope != SERVICE:
                raise _invalid()
            client_id, sid, bound = grant.client_id, grant.sid, grant.certificate_hash
        if bound is not None and bound != thumbprint:
            raise _invalid()
        platform = self._sso.platforms.find(client_id)
        needed = CREDENTIAL if is_sad(token) else SERVICE
        if platform is None or needed not in platform.scopes:
            raise _invalid()
        signed_in = self._sso.sessions.by_name(sid)
        if signed_in is None or not is_legal_person(signed_in):
            raise _invalid()
        return Caller(client_id, signed_in, token if is_sad(token) else None, bound)


def is_legal_person(signed_in: SignedIn) -> bool:
    """Whether the card speaks for an enterprise as a whole: it alone lets its seals be used."""
    return signed_in.holder.kind is HolderKind.LEGAL_PERSON


def _invalid() -> Unauthenticated:
    return Unauthenticated("remote.token", "The access token is invalid or has expired")
