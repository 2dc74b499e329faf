"""Where a signature stands in a JWS: among the others, or upon one of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from kernel.refusals import Malformed
from signing_service.formats.document import Document
from signing_service.formats.jades import jose_json as json
from signing_service.formats.jades.message import (
    JwsMessage,
    JwsSignature,
    component_members,
    counter_signature,
    signature_members,
)


@dataclass(frozen=True, slots=True)
class Place:
    """One signature, and how it is put back."""

    message: JwsMessage
    signer: int
    signature: JwsSignature
    component: int | None
    """Of a counter-signature: which unsigned component of signature `signer` it is."""

    @classmethod
    def find(cls, signed: bytes, signer: int, counter: bytes | None) -> "Place":
        """`counter`: the octets of the counter-signature's value; None: the signature itself.

        Raises Malformed `jades.*`, `json.*`.
        """
        message = JwsMessage.read(signed)
        subject = message.signature(signer)
        if counter is None:
            return cls(message, signer, subject, None)
        for index, component in enumerate(subject.components):
            name, members = component_members(component)
            if name == "cSig":
                found, _ = counter_signature(members)
                if json.decode(found.value) == counter:
                    return cls(message, signer, found, index)
        raise Malformed("jades.no-signature", "there is no such counter-signature")

    def covered(
        self, document: Document | Mapping[str, Document] | None
    ) -> tuple[str | None, Document | Mapping[str, Document] | None]:
        """The payload and the document beside it, as this signature has them."""
        if self.component is None:
            return self.message.payload, document
        return None, json.decode(self.message.signature(self.signer).value)

    def put(self, signature: JwsSignature) -> bytes:
        """The message with this signature in its place."""
        if self.component is not None:
            upon = self.message.signature(self.signer)
            was = upon.components[self.component]
            now = {"cSig": signature_members(signature)}
            component = now if isinstance(was, dict) else json.encode(json.serialise(now))
            before, after = upon.components[: self.component], upon.components[self.component + 1 :]
            signature = replace(upon, components=(*before, component, *after))
        return self.message.with_signature(self.signer, signature).encode()
