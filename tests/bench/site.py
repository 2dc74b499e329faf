"""A real authority to measure: its keys in SoftHSM2, its records in SQLite, after a ceremony."""

import json
import os
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

import pkcs11
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ca.ceremonies.conduct import Conduct, Watchers
from ca.ceremonies.labels import ISSUING
from ca.issuing.issuance import CertificateRequest, IssuedCertificate
from ca.issuing.subject import SubjectFields, organization_identifier
from hsm.token_key import TokenKey
from kernel.algorithms import ECDSA_P256_SHA256, PublicKey
from kernel.asn1.certificate import Certificate
from policies.ceremony_plan import load_ceremony_plan
from portseal.sandbox.ports import free_port
from portseal.settings import read_settings
from portseal.wiring import House, conduct_ceremony
from tests.bench.loopback import serving
from tests.bench.timing import Work
from tests.ca.world import sample_uscc
from tests.software_keys import SoftwareKey
from tests.token import TokenBench

_CARD = "bench-card"


def request_for(key: PublicKey) -> CertificateRequest:
    """Ask for the certificate of an operator who is nobody."""
    number = secrets.token_hex(6).upper()
    return CertificateRequest(
        key,
        SubjectFields(
            organization="宁波远航进出口有限公司",
            organization_identifier=organization_identifier(sample_uscc()),
            common_name="张三",
            serial_number=f"OP{number}",
        ),
        requester="bench",
        reference=f"card-{number}",
    )


@dataclass
class Site:
    """The authority, and one operator's card whose key is in the token too."""

    directory: Path
    house: House
    token_module: str
    token_label: str
    origin: str
    timestamp_origin: str
    settings_file: Path

    # -- certificates --------------------------------------------------------------------------

    def request(self, key: PublicKey) -> CertificateRequest:
        """Ask for an operator's certificate."""
        return request_for(key)

    @staticmethod
    def responder_request(key: PublicKey) -> CertificateRequest:
        """Ask for an OCSP responder's certificate."""
        fields = SubjectFields(organization="Bench", common_name="OCSP of another")
        return CertificateRequest(key, fields, requester="bench", reference="responder")

    def requests(self, count: int) -> list[CertificateRequest]:
        """For fresh keys, made here and now."""
        return [self.request(SoftwareKey.generate().public_key) for _ in range(count)]

    def issue(self, count: int) -> list[IssuedCertificate]:
        authority = self.house.authorities.issuing
        return authority.issue_many(
            authority.prepare_many([("operator", request) for request in self.requests(count)])
        )

    @cached_property
    def chain(self) -> tuple[Certificate, ...]:
        """Issuing certificate and root."""
        pair = self.house.authorities
        return pair.issuing_key.certificate, pair.root_key.certificate

    @cached_property
    def card_key(self) -> TokenKey:
        return self.house.token.generate(_CARD, ECDSA_P256_SHA256)

    @cached_property
    def card(self) -> Certificate:
        authority = self.house.authorities.issuing
        intent = authority.prepare("operator", self.request(self.card_key.public_key))
        return authority.issue(intent).certificate

    def revocation_lists(self) -> list[bytes]:
        """The lists that the certificates of card and issuing authority point to, with the delta
        lists that those point to, DER."""
        root, issuing = self.house.crl_issuers
        (address,) = self.card.crl_urls
        shard = int(found[1]) if (found := re.search(r"/(\d+)\.crl$", address)) else 0
        complete = (root.current(), issuing.current(shard))
        return [
            each.der for each in (*complete, root.issue_delta(), issuing.issue_delta(shard=shard))
        ]

    # -- raw limits ----------------------------------------------------------------------------

    def raw_token_signature(self) -> Work:
        """One P-256 signature by python-pkcs11 alone: session and key found before."""
        return self._signature_with(self._raw_key())

    def raw_copy_signature(self) -> Work:
        """The same with a copy of the key in the session, as ours are made (decision 43)."""
        attributes = {pkcs11.Attribute.TOKEN: False, pkcs11.Attribute.LABEL: "copy for the limit"}
        return self._signature_with(self._raw_key().copy(attributes))

    def _raw_key(self) -> Any:
        self.house.token.login()  # the process is logged in from now on
        session = pkcs11.lib(self.token_module).get_token(token_label=self.token_label).open()
        return session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=ISSUING)

    @staticmethod
    def _signature_with(key: Any) -> Work:
        digest = secrets.token_bytes(32)
        return lambda: key.sign(digest, mechanism=pkcs11.Mechanism.ECDSA)

    @staticmethod
    def raw_verification() -> Work:
        """One P-256 verification by OpenSSL through pyca."""
        key = SoftwareKey.generate()
        message = secrets.token_bytes(200)
        signature, public = key.sign(message), key.public_key.pyca
        assert isinstance(public, ec.EllipticCurvePublicKey)
        algorithm = ec.ECDSA(hashes.SHA256())
        return lambda: public.verify(signature, message, algorithm)

    # -- over HTTP -----------------------------------------------------------------------------

    def served(self) -> AbstractContextManager[str]:
        """`portseal serve` with one worker; its origin."""
        return self._served(self.origin)

    def timestamps_served(self) -> AbstractContextManager[str]:
        """`portseal serve --timestamps` with one worker; its origin."""
        return self._served(self.timestamp_origin, "--timestamps")

    @contextmanager
    def _served(self, origin: str, *options: str) -> Iterator[str]:
        environment = {**os.environ, "PORTSEAL_CONFIG": str(self.settings_file)}
        command = [sys.executable, "-m", "portseal.cli", "serve", *options]
        with serving(command, f"{origin}/health/ready", environment):
            yield origin


@contextmanager
def open_site(
    directory: Path, tokens: TokenBench, database_url: str | None = None
) -> Iterator[Site]:
    """Hold a ceremony in a new token; everything else lives below `directory`.

    `database_url`: default SQLite.
    """
    label = f"bench-{secrets.token_hex(4)}"
    tokens.new_token(label).close()
    origin = f"http://127.0.0.1:{(port := free_port())}"
    timestamp_origin = f"http://127.0.0.1:{(timestamp_port := free_port())}"
    file = directory / "portseal.toml"
    file.write_text(
        f"""data_directory = {json.dumps(str(directory))}
[web]
origin = "{origin}"
port = {port}
timestamp_port = {timestamp_port}
workers = 1
secret_key = "{secrets.token_hex(32)}"
[database]
url = {json.dumps(database_url or f"sqlite:///{directory}/portseal.db")}
[token]
module = {json.dumps(tokens.module)}
label = "{label}"
pin_variable = "{tokens.pin_variable(label)}"
[sso]
challenges_per_minute = 10000000
[status]
ocsp_lifetime_minutes = 60
[timestamp]
# A bench may run where no NTP keeps the kernel's clock.
require_synchronised_clock = false
"""
    )
    with mock.patch.dict(os.environ, {"PORTSEAL_CONFIG": str(file)}):
        settings = read_settings()
    conduct_ceremony(settings, load_ceremony_plan("house"), Conduct("Bench", "bench"), Watchers())
    house = House(settings)
    try:
        yield Site(directory, house, tokens.module, label, origin, timestamp_origin, file)
    finally:
        house.close()
