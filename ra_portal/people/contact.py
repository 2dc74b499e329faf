"""Where somebody is reached, and its shape when it is sealed."""

import json
from dataclasses import dataclass

from ra_portal.notices.channels import Channel


@dataclass(frozen=True)
class Contact:
    phone: str | None = None
    email: str | None = None

    def at(self, channel: Channel) -> str | None:
        return self.phone if channel is Channel.SMS else self.email

    def masked(self) -> "Contact":
        """Enough for the holder to know it again, too little for a stranger to use."""
        phone = self.phone and f"{self.phone[:3]}****{self.phone[-2:]}"
        email = self.email
        if email:
            name, _, host = email.partition("@")
            email = f"{name[:1]}***@{host}"
        return Contact(phone, email)

    def written(self) -> str:
        """As it is sealed."""
        return json.dumps({"phone": self.phone, "email": self.email})

    @classmethod
    def read(cls, text: str) -> "Contact":
        """What `written` gave."""
        told = json.loads(text)
        return cls(told["phone"], told["email"])
