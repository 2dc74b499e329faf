"""Everything that sign-in works with, given by the front hall, and the parts built from it."""

from collections.abc import Callable, Collection, Mapping
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
from signing_service.fetching import FetchLimits, HttpFetcher
from signing_service.ports import Holders, StatusSource
from signing_service.sso.back_channel import LONGEST_SECONDS, BackChannelLogout
from signing_service.sso.card_login import CardCheck, CardLogin
from signing_service.sso.cas.tickets import CasTickets
from signing_service.sso.challenges import Challenges
from signing_service.sso.dpop.proofs import Proofs
from signing_service.sso.end_notices import EndNotices
from signing_service.sso.grants import Grants
from signing_service.sso.openid.addresses import endpoints_for_platforms
from signing_service.sso.openid.client_assertions import ClientAssertions
from signing_service.sso.openid.client_authentication import ClientAuthentication
from signing_service.sso.openid.pushed_requests import PushedRequests
from signing_service.sso.platforms import Platforms
from signing_service.sso.presence import Presence
from signing_service.sso.proposals import Proposals
from signing_service.sso.sessions import Sessions
from signing_service.sso.settings import SsoSettings
from signing_service.sso.signing_keys import KeySource, SigningKeys
from signing_service.sso.tables import client_assertions, forget_expired, pushed_requests
from signing_service.sso.tokens import IdTokenKeys
from signing_service.sso.used_once import UsedOnce


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

    key_source: KeySource | None = None
    """Where further sign-in keys are made; None: there is the one."""

    officer_names: Callable[[Collection[str]], Mapping[str, str]] = lambda identifiers: {}
    """Names of officers by id, for those who decide on what they proposed."""

    on_refused: Callable[[str], None] = lambda code: None
    """Told the code of every sign-in that was refused, to count them."""

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
            self.database,
            self.journal,
            self.clock,
            self.challenges,
            self.check,
            self.settings,
            self.on_refused,
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
            self.notices,
        )

    @cached_property
    def notices(self) -> EndNotices:
        return EndNotices(self.outbox)

    @cached_property
    def presence(self) -> Presence:
        return Presence(self.database, self.clock, self.entropy, self.settings, self.sessions)

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
            self.signing_keys.ring,
            self.settings.origin,
            HttpFetcher(
                FetchLimits(LONGEST_SECONDS, 0, self.settings.networks_of_platforms),
            ),
        )

    @cached_property
    def platforms(self) -> Platforms:
        return Platforms(self.database, self.journal, self.clock, self.entropy)

    @cached_property
    def grants(self) -> Grants:
        return Grants(self.database, self.journal, self.clock, self.settings)

    @cached_property
    def proposals(self) -> Proposals:
        return Proposals(self.database, self.journal, self.clock, self.platforms)

    @cached_property
    def pushed_requests(self) -> PushedRequests:
        return PushedRequests(self.database, self.clock, self.entropy, self.settings)

    @cached_property
    def client_authentication(self) -> ClientAuthentication:
        origin = self.settings.origin
        endpoints = endpoints_for_platforms(origin)
        assertions = ClientAssertions(self.used_once, self.clock, origin, endpoints)
        return ClientAuthentication(self.platforms, assertions, self.clock)

    @cached_property
    def used_once(self) -> UsedOnce:
        return UsedOnce(self.database)

    @cached_property
    def dpop(self) -> Proofs:
        return Proofs(self.used_once, self.clock, self.settings)

    @cached_property
    def cas_tickets(self) -> CasTickets:
        return CasTickets(self.database, self.journal, self.clock, self.entropy, self.settings)

    @cached_property
    def signing_keys(self) -> SigningKeys:
        return SigningKeys(
            self.signin_key,
            self.key_source,
            self.database,
            self.journal,
            self.clock,
            self.settings,
            self.retired_keys,
        )

    @property
    def id_token_keys(self) -> IdTokenKeys:
        """Those of this moment. Raises Unavailable."""
        return self.signing_keys.ring()

    def tidy(self) -> None:
        """Forget what is long over (for the worker)."""
        self.challenges.tidy()
        self.grants.tidy()
        self.cas_tickets.tidy()
        forget_expired(self.database, self.clock.now(), pushed_requests, client_assertions)
