"""Sign-in with the card, and remote signing, which leans on it."""

from collections.abc import Sequence
from functools import cached_property

from ca.ceremonies.labels import SIGN_IN
from portseal.adapters import PortalSeals, TokenKeys
from portseal.metrics.files import is_counting
from portseal.web.agent_files import agent_source
from portseal.wiring.registration import CARD_PROFILES
from portseal.wiring.signing import SigningFloor
from ra_portal.cards.card import Card
from signing_service.remote.services import RemoteServices
from signing_service.sso.services import SsoServices
from signing_service.sso.settings import SsoSettings


class SignInFloor(SigningFloor):
    """What `signing_service/sso/` and `remote/` offer."""

    def _end_sessions(self, cards: Sequence[Card]) -> None:
        for state in sorted({card.state for card in cards}):
            numbers = [card.number for card in cards if card.state is state]
            self.sso.sessions.end_sessions_of_cards(numbers, actor="portal", reason=f"card-{state}")

    def _end_sessions_of_officer(self, card: Card) -> None:
        self.sso.sessions.end_sessions_of_card(
            card.number, actor="portal", reason="officer-changed"
        )

    @cached_property
    def sso(self) -> SsoServices:
        session, sso = self.settings.session, self.settings.sso
        policies = frozenset(
            policy for name in CARD_PROFILES for policy in self.profiles[name].policy_oids
        )
        return SsoServices(
            database=self.database,
            journal=self.journal,
            clock=self.clock,
            entropy=self.entropy,
            holders=self.holders,
            status_source=self.own_status,
            pinned_issuers=self._card_issuers,
            signin_key=self.token.key(SIGN_IN),
            settings=SsoSettings(
                origin=self.settings.web.origin,
                accepted_policies=policies,
                hardware_policies=self._token_policies,
                session_idle_seconds=session.idle_minutes * 60,
                session_absolute_seconds=session.absolute_hours * 3600,
                presence_seconds=sso.presence_seconds,
                tls_session_seconds=sso.certificate_session_minutes * 60,
                certificate_origin=sso.certificate_origin,
                certificate_proxies=frozenset(str(each) for each in sso.certificate_proxies),
                proxy_secret=sso.proxy_secret.get_secret_value() if sso.proxy_secret else "",
                platform_networks=sso.platform_networks,
                dpop_nonces=sso.dpop_nonces,
                agent_source=agent_source(self.settings.web.agent_port),
            ),
            key_source=TokenKeys(self.token),
            officer_names=self.portal.directory.officer_names,
            on_refused=_count_refused,
        )

    @cached_property
    def remote(self) -> RemoteServices:
        """Remote signing with enterprises' seals (CSC API)."""
        return RemoteServices(
            sso=self.sso,
            seals=PortalSeals(
                self.portal.seals,
                self.clock,
                self.token.key,
                self.portal.directory.newest_of,
                self.authorities.path_of,
            ),
            timestamper=self.timestamper,
            authorisation=self.signing.authorisation,
            acceptance=self.signing.acceptance,
            embedding=self.signing.embedding,
            raising=self.signing.raising,
        )


def _count_refused(code: str) -> None:
    if is_counting():
        # Loaded only where it is counted.
        from portseal.metrics.counts import count_refused_sign_in

        count_refused_sign_in(code)
