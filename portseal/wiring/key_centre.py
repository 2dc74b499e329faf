"""The key-management centre, and what it needs of the authority and of registration."""

from abc import ABC
from functools import cached_property

from ca.ceremonies.labels import ESCROW
from hsm.token import Token
from key_centre.services import KeyCentre, open_key_centre
from portseal.key_centre_ports import IssuingCertifier, PortalCards, PortalPeople
from portseal.wiring.foundation import open_token
from portseal.wiring.registration import RegistrationFloor


class KeyCentreFloor(RegistrationFloor, ABC):
    """What `key_centre/` offers, wired."""

    @cached_property
    def key_centre_token(self) -> Token:
        """A token of the centre's own, or the authority's."""
        own = self.settings.key_centre.token
        return self.token if own is None else open_token(own)

    @cached_property
    def key_centre(self) -> KeyCentre:
        return open_key_centre(
            self.database,
            self.journal,
            self.clock,
            self.key_centre_token,
            ESCROW,
            PortalCards(self.portal.directory, self.inventory, self.clock),
            IssuingCertifier(self.issuing, self.inventory, self.clock),
            PortalPeople(self.portal.directory),
            self.settings.web.origin,
            {str(name): size for name, size in self.settings.key_centre.pool.items()},
        )
