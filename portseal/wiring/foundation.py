"""What every floor stands on: settings, clock, entropy, records, the token, policies."""

import logging
from datetime import timedelta
from functools import cached_property

from hsm.admin import is_plugged_in
from hsm.pins import EnvironmentPin, FilePin, PinSource, PromptPin
from hsm.pool import TokenPool
from hsm.token import Token
from kernel import libcrypto
from kernel.clock import Clock, SystemClock
from kernel.entropy import Entropy, SystemEntropy
from kernel.refusals import Refusal
from policies.catalogue import ProfileCatalogue, load_catalogue
from policies.rights import RightsCatalogue, load_rights
from policies.validation import ValidationPolicy, load_validation_policy
from portseal.custodians import CustodiansPin
from portseal.settings import Settings, TokenSettings
from records.database import Database
from records.events import Event
from records.journal import Journal
from records.journal_gate import JournalGate
from records.key_uses import KeyUses
from records.outbox import Outbox

_log = logging.getLogger("portseal.wiring")
_POOL_LIMIT_SECONDS = 5.0


class Foundation:
    """Records, keys and policies, made when first asked for."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        *,
        with_root: bool = False,
        pooled: bool = True,
    ) -> None:
        """`with_root`: for ceremonies and root sessions. The services leave the root's token
        alone even while it is plugged in. `pooled`: False, for ceremonies, uses the first of
        several tokens alone."""
        self._with_root = with_root
        self._pooled = pooled
        self.settings = settings
        libcrypto.use(settings.verification.libcrypto)
        self.clock = clock or SystemClock()
        self.entropy = entropy or SystemEntropy()

    def close(self) -> None:
        if "key_uses" in self.__dict__:
            self.key_uses.close()
        if "token" in self.__dict__:
            self.token.close()
        root = self.__dict__.get("root_token")
        if root is not None:
            root.close()
        if "database" in self.__dict__:
            self.database.dispose()

    @cached_property
    def database(self) -> Database:
        return Database(self.settings.database.url.get_secret_value())

    @cached_property
    def journal(self) -> Journal:
        limit = timedelta(milliseconds=self.settings.nodes.max_clock_difference_milliseconds)
        return Journal(self.clock, limit)

    @cached_property
    def journal_gate(self) -> JournalGate:
        """Whether the journal takes records, for those who watch."""
        return JournalGate(self.database, self.journal)

    @cached_property
    def key_uses(self) -> KeyUses:
        """For keys that are used too often for a record each time."""
        period = self.settings.journal.key_use_seconds
        return KeyUses(self.database, self.journal, self.clock, period)

    @cached_property
    def outbox(self) -> Outbox:
        return Outbox(self.clock)

    @cached_property
    def token(self) -> Token:
        first, replicas = self.settings.token, self.settings.token_replicas
        if not replicas or not self._pooled:
            return open_token(first)
        tokens = [
            open_token(each, limit_seconds=_POOL_LIMIT_SECONDS) for each in (first, *replicas)
        ]
        return TokenPool(tokens, self._tell_of_token, self._tell_of_copy)

    def _tell_of_token(self, token: str, failure: str | None) -> None:
        """Into the journal, as soon as the database takes it; the pool goes on in any case."""
        event = Event.TOKEN_RETURNED if failure is None else Event.TOKEN_FAILED
        self._tell(event, token, {} if failure is None else {"code": failure})

    def _tell_of_copy(self, label: str, source: str, target: str) -> None:
        """As `_tell_of_token`: a private key is on one token more."""
        self._tell(Event.KEY_REPLICATED, label, {"source": source, "target": target})

    def _tell(self, event: Event, subject: str, facts: dict[str, str]) -> None:
        try:
            with self.database.transaction() as connection:
                self.journal.append(connection, event, subject=subject, actor="system", **facts)
        except Refusal as refusal:
            _log.warning("%s: %s is not in the journal: %s", subject, event, refusal)

    @cached_property
    def root_token(self) -> Token | None:
        """Where the roots' keys are, apart from the others; None: away, as in normal running, or
        not apart."""
        configured = self.settings.root_token if self._with_root else None
        if configured is None or not is_plugged_in(configured.module, configured.label):
            return None
        return open_token(configured, "the root's token")

    @cached_property
    def profiles(self) -> ProfileCatalogue:
        return load_catalogue(arc=self.settings.policy.arc)

    @cached_property
    def rights(self) -> RightsCatalogue:
        return load_rights()

    @cached_property
    def validation_policy(self) -> ValidationPolicy:
        return load_validation_policy(self.settings.policy.signature_policy)


def open_token(
    settings: TokenSettings,
    what: str = "the authority's token",
    *,
    limit_seconds: float | None = None,
) -> Token:
    """A token, not yet logged in. `limit_seconds` counts where the settings name none."""
    pin: PinSource
    if settings.custodians:
        pin = CustodiansPin()
    elif settings.pin_file is not None:
        pin = FilePin(settings.pin_file)
    elif settings.pin_variable is not None:
        pin = EnvironmentPin(settings.pin_variable)
    else:
        pin = PromptPin(f"PIN of {what} {{token}}: ")
    return Token(
        settings.module,
        settings.label,
        pin,
        settings.sessions,
        settings.server_address,
        settings.module_parameters,
        settings.limit_seconds or limit_seconds,
        settings.write_limit_seconds,
    )
