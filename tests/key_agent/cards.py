"""A card made through the agent, with a small authority's certificate on it."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kernel.algorithms import AlgorithmSuite
from kernel.asn1.certificate import Certificate
from signing_service.formats import making
from signing_service.formats.draft import draft_of
from signing_service.formats.manner import Act, Manner, Subject
from signing_service.formats.prepared import PreparedSignature
from signing_service.validation.evidence import SignatureFormat
from tests.key_agent.running import RunningAgent
from tests.software_keys import SoftwareAuthority


def text(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")


@dataclass(frozen=True)
class MadeCard:
    token: dict[str, Any]
    certificate: Certificate
    suite: AlgorithmSuite

    @property
    def identifier(self) -> str:
        return self.certificate.digest("sha256").hex()


def make_card(
    agent: RunningAgent, authority: SoftwareAuthority, label: str, name: str = "操作员 张三"
) -> MadeCard:
    """Initialise the blank token, make the key, write the certificate back."""
    blank = next(t for t in agent.call("tokens")["tokens"] if t["state"] == "blank")
    typed = agent.human.answer
    agent.human.answer = lambda window: {"pin": agent.human.pins[label]}
    token = agent.call("initialise", token=blank["id"], label=label)["token"]
    agent.human.answer = typed
    pkcs10 = base64.b64decode(agent.call("make_key", token=token["id"])["pkcs10"])
    certificate = authority.certificate_for(pkcs10, name)
    agent.call("write_certificates", token=token["id"], certificates=[text(certificate.der)])
    return MadeCard(token, certificate, certificate.public_key.default_suite())


def prepare(
    format_: SignatureFormat, document: bytes, certificate: Certificate
) -> tuple[PreparedSignature, dict[str, str]]:
    """As a service does, and what it tells the agent."""
    now = datetime.now(UTC).replace(microsecond=0)
    prepared = making.prepare(Manner(format_), Subject.of(document), certificate, now)
    return prepared, {
        "document": text(document),
        "format": str(format_),
        "to_be_signed": text(prepared.to_be_signed),
        "draft": text(draft_of(Act.FIRST, prepared, None)),
    }


def blank_token(agent: RunningAgent) -> str:
    found: str = next(t["id"] for t in agent.call("tokens")["tokens"] if t["state"] == "blank")
    return found
