"""Registration: enterprises, people, cards, seals."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property

from ca.ceremonies.labels import PERSONAL_DATA, PERSONAL_INDEX
from hsm.secret_keys import SecretKey
from portseal.adapters import PortalHolders, SealToken, TokenSealing
from portseal.wiring.timestamping import TimestampFloor
from ra_portal.applications.registry import Registry
from ra_portal.applications.resting_registry import RestingRegistry
from ra_portal.cards.card import Card
from ra_portal.console.console_acts import ConsoleActs
from ra_portal.directory import HolderDirectory
from ra_portal.notices.channels import Channel, Gateway
from ra_portal.notices.mail import MailServer, SmtpGateway
from ra_portal.notices.sms import HttpSmsGateway, SpoolGateway
from ra_portal.people.personal_data import PersonalData
from ra_portal.services import PortalServices, Posting, open_portal

CARD_PROFILES = ("legal-person", "operator", "officer")


class RegistrationFloor(TimestampFloor, ABC):
    """What `ra_portal/` offers, wired."""

    @cached_property
    def portal(self) -> PortalServices:
        return open_portal(
            self.database,
            self.journal,
            self.clock,
            self.entropy,
            self.issuing,
            self.inventory,
            self.revocation,
            self.rights,
            SealToken(self.token),
            lambda digest: self.timestamper.stamp(digest, "sha256"),
            self._posting,
            PersonalData(
                lambda: self.token.secret_key(PERSONAL_DATA),
                lambda: self.token.secret_key(PERSONAL_INDEX),
            ),
            self._registry,
            on_cards_ended=self._end_sessions,
            on_officer_changed=self._end_sessions_of_officer,
        )

    @cached_property
    def console_acts(self) -> ConsoleActs:
        """Apart from `portal`: before the first ceremony there is no authority for one."""
        return ConsoleActs(
            self.database,
            self.journal,
            self.clock,
            self.entropy,
            HolderDirectory(self.database, self.clock),
            self.inventory,
            self.settings.web.origin,
        )

    @cached_property
    def _registry(self) -> Registry | None:
        settings = self.settings.registry
        if settings is None:
            return None
        # ldap3 is slow to load.
        from ra_portal.applications.ldap_registry import LdapAttributes, LdapRegistry

        directory = LdapRegistry(
            settings.url,
            settings.base,
            settings.bind_dn,
            settings.password.get_secret_value() if settings.password else None,
            LdapAttributes(**settings.attributes.model_dump()),
            settings.ca_file,
            settings.starttls,
        )
        return RestingRegistry(directory, self.clock)

    @cached_property
    def holders(self) -> PortalHolders:
        return PortalHolders(self.portal.directory)

    @abstractmethod
    def _end_sessions(self, cards: Sequence[Card]) -> None:
        """Sign whoever holds these cards out, everywhere; sign-in is a floor above."""

    @abstractmethod
    def _end_sessions_of_officer(self, card: Card) -> None:
        """The same for an officer who has other roles now."""

    @cached_property
    def _personal_data_key(self) -> SecretKey:
        return self.token.secret_key(PERSONAL_DATA)

    @property
    def _posting(self) -> Posting:
        """Mail and text messages, as far as they are configured."""
        mail, sms = self.settings.mail, self.settings.sms
        gateways: dict[Channel, Gateway] = {}
        if mail is not None:
            gateways[Channel.MAIL] = SmtpGateway(MailServer(**mail.model_dump()), self.clock)
        if sms is not None and sms.spool is not None:
            gateways[Channel.SMS] = SpoolGateway(sms.spool)
        elif sms is not None and sms.url is not None and sms.token_file is not None:
            gateways[Channel.SMS] = HttpSmsGateway(
                sms.url, sms.token_file, sms.ca_file, sms.timeout_seconds
            )
        sealing = TokenSealing(lambda: self._personal_data_key)
        language = "zh" if sms is None else sms.language
        return Posting(self.outbox, sealing, gateways, self.settings.web.origin, language)

    @property
    def _token_policies(self) -> frozenset[str]:
        """Certificate policies that promise a key made in the holder's token."""
        return frozenset(
            policy
            for name in CARD_PROFILES
            if self.profiles[name].key_location == "pkcs11-token"
            for policy in self.profiles[name].policy_oids
        )
