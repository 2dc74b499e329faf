"""Everything that remote signing works with, given by the front hall, and what is built from it."""

from dataclasses import dataclass
from functools import cached_property

from signing_service.acceptance import Acceptance
from signing_service.authorisation import Authorisation
from signing_service.embedding import Embedding
from signing_service.raising import Raising
from signing_service.remote.activation import Activations
from signing_service.remote.callers import Callers
from signing_service.remote.credentials import Credentials
from signing_service.remote.ports import SealSource
from signing_service.remote.sealing import Sealing
from signing_service.sso.services import SsoServices
from signing_service.timestamping.client import Timestamper


@dataclass(frozen=True)
class RemoteServices:
    """Collaborators. Platforms, sessions and codes are those of sign-in."""

    sso: SsoServices
    seals: SealSource
    timestamper: Timestamper
    authorisation: Authorisation
    acceptance: Acceptance
    embedding: Embedding
    raising: Raising
    name: str = "PortSeal"

    @cached_property
    def activations(self) -> Activations:
        sso = self.sso
        return Activations(sso.database, sso.journal, sso.clock, sso.entropy)

    @cached_property
    def callers(self) -> Callers:
        return Callers(self.sso, self.activations)

    @cached_property
    def credentials(self) -> Credentials:
        return Credentials(self.seals, self.sso.status_source, self.sso.clock)

    @cached_property
    def sealing(self) -> Sealing:
        return Sealing(
            self.seals, self.credentials, self.activations, self.timestamper, self.authorisation,
            self.acceptance, self.embedding, self.raising, self.sso.clock,
        )  # fmt: skip
