"""Everything that sign-in works with, given by the front hall, and the parts built from it."""

from dataclasses import dataclass
from functools import cached_property

from kernel.algorithms import PublicKey
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.keys import KeyHandle
from records.database import Database
from records.journal import Journal
from records.outbox import Outbox
from signing_service.ports import Holders, StatusSource
from signing_service.sso.back_channel import BackChannelLogout
from signing_service.sso.card_login import CardCheck, CardLogin
from signing_service.sso.challenges import Challenges
from signing_service.sso.end_notices import EndNotices
from signing_service.sso.grants import Grants
from signing_service.sso.platforms import Platforms
from signing_service.sso.sessions import Sessions
from signing_service.sso.settings import SsoSettings
from signing_service.sso.tokens import IdTokenKeys


@dataclass(frozen=True)
class SsoServices:
    """Collaborators. `status_source` answers within seconds or raises Unavailable."""

    database: Database
    journal: Journal
    clock: Clock
    entropy: Entropy
    holders: Holders
    status_source: StatusSource
    pinned_issuers: tuple[Certificate, ...]
    """The certificates of the CAs that issue cards; take one out and its cards are refused."""
    signin_key: KeyHandle
    """Signs ID tokens; an elliptic-curve key."""
    settings: SsoSettings
    retired_keys: tuple[PublicKey, ...] = ()
    """Earlier sign-in keys, published until the last token that they signed has expired."""

    @cached_property
    def challenges(self) -> Challenges:
        return Challenges(self.database, self.clock, self.entropy, self.settings)

    @cached_property
    def check(self) -> CardCheck:
        return CardCheck(
            self.clock, self.holders, self.status_source, self.pinned_issuers, self.settings
        )

    @cached_property
    def card_login(self) -> CardLogin:
        return CardLogin(
            self.database, self.journal, self.clock, self.challenges, self.check, self.settings
        )

    @cached_property
    def sessions(self) -> Sessions:
        return Sessions(
            self.database,
            self.journal,
            self.clock,
            self.entropy,
            self.check,
            self.settings,
            EndNotices(self.outbox),
        )

    @cached_property
    def outbox(self) -> Outbox:
        return Outbox(self.clock)

    @cached_property
    def back_channel(self) -> BackChannelLogout:
        return BackChannelLogout(
            self.database,
            self.outbox,
            self.clock,
            self.platforms,
            self.id_token_keys,
            self.settings.origin,
        )

    @cached_property
    def platforms(self) -> Platforms:
        return Platforms(self.database, self.journal, self.clock, self.entropy)

    @cached_property
    def grants(self) -> Grants:
        return Grants(self.database, self.journal, self.clock, self.settings)

    @cached_property
    def id_token_keys(self) -> IdTokenKeys:
        return IdTokenKeys(self.signin_key, self.retired_keys)
