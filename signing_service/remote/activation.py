"""Signature activation data (SAD): a secret that lets one seal sign exactly these digests, once.

What is stored is the hash of the secret. A SAD names the platform, the session of the legal
person, the seal and the digests that it was given for; with anything else it is refused, and so
it is after its short life or its first use. CSC API 2.0.0.2, 8 (SCAL2: EN 419 241-1, 5.4).
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import Connection, Row, delete, insert, select, update

from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.refusals import Forbidden, Refusal, Unauthenticated
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal
from signing_service.remote.errors import InvalidActivation
from signing_service.remote.tables import activations
from signing_service.sso.challenges import secret_hash
from signing_service.sso.sessions import new_secret
from signing_service.sso.tables import codes

SAD_SECONDS = 120
MOST_SIGNATURES = 50
"""Digests that one authorisation covers; `multisign` of every seal."""

Presented = Callable[[str], Sequence[bytes]]
"""Gives the digests that shall be signed, under the algorithm of hashlib's name."""

_SAD = re.compile(r"([0-9a-f]{32})\.([A-Za-z0-9_-]{43})")
_NOTHING = secret_hash("")
_KEPT = timedelta(days=1)


@dataclass(frozen=True)
class Authorisation:
    """What a legal person agreed to."""

    client_id: str
    sid: str
    credential: str
    digest: str
    """hashlib's name."""
    hashes: tuple[bytes, ...]

    def to_json(self) -> str:
        """The seal and the digests, for an authorization code to carry."""
        return json.dumps(
            {"credential": self.credential, "digest": self.digest, "hashes": _written(self.hashes)}
        )

    @classmethod
    def from_json(cls, text: str, client_id: str, sid: str) -> "Authorisation":
        """What `to_json` wrote."""
        read = json.loads(text)
        hashes = tuple(base64.b64decode(each) for each in read["hashes"])
        return cls(client_id, sid, read["credential"], read["digest"], hashes)


class Owner(NamedTuple):
    """Platform and session that a SAD was given to, and the certificate that must come with it."""

    client_id: str
    sid: str
    certificate_hash: bytes | None


def new_sad(entropy: Entropy) -> str:
    """A name, which finds the row, and 256 random bits, which are compared in constant time."""
    return f"{new_id()}.{new_secret(entropy)}"


def is_sad(text: str) -> bool:
    """Whether a token has the form of a SAD."""
    return _SAD.fullmatch(text) is not None


class Activations:
    """Gives and takes activation data."""

    def __init__(
        self, database: Database, journal: Journal, clock: Clock, entropy: Entropy
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._entropy = entropy

    def grant(
        self, agreed: Authorisation, *, actor: str, certificate_hash: bytes | None = None
    ) -> str:
        """A fresh SAD for what was agreed. `actor` is the card of the legal person; of
        `certificate_hash` see `save`."""
        sad = new_sad(self._entropy)
        self.save(sad, agreed, actor=actor, certificate_hash=certificate_hash)
        return sad

    def save(
        self,
        sad: str,
        agreed: Authorisation,
        *,
        actor: str,
        code_hash: bytes | None = None,
        certificate_hash: bytes | None = None,
    ) -> bool:
        """Keep a SAD; False when the authorization code that it comes from was reused.
        `certificate_hash`: SHA-256 of the client certificate that must come with it."""
        now = self._clock.now()
        name, _, secret = sad.partition(".")
        row = {
            "id": name,
            "secret_hash": secret_hash(secret),
            "client_id": agreed.client_id,
            "sid": agreed.sid,
            "credential": agreed.credential,
            "digest": agreed.digest,
            "hashes": json.dumps(_written(agreed.hashes)),
            "expires_at": now + timedelta(seconds=SAD_SECONDS),
            "code_hash": code_hash,
            "certificate_hash": certificate_hash,
        }
        with self._database.transaction() as connection:
            if code_hash is not None and _is_reused(connection, code_hash):
                return False
            connection.execute(delete(activations).where(activations.c.expires_at < now - _KEPT))
            connection.execute(insert(activations), row)
            self._journal.append(
                connection,
                Event.SEAL_USE_AUTHORISED,
                subject=agreed.credential,
                actor=actor,
                activation=name,
                client=agreed.client_id,
                session=agreed.sid,
                signatures=len(agreed.hashes),
                hashes_sha256=_fingerprint(agreed.hashes),
            )
        return True

    def owner(self, sad: str) -> Owner:
        """Whom a SAD was given to, for its use as an access token.

        Raises Unauthenticated `remote.token`.
        """
        with self._database.reading() as connection:
            row = _find(connection, sad)
        if row is None or row.used_at is not None or row.expires_at <= self._clock.now():
            raise Unauthenticated("remote.token", "The access token is invalid or has expired")
        return Owner(row.client_id, row.sid, row.certificate_hash)

    def use(
        self,
        sad: str,
        *,
        client_id: str,
        sid: str,
        credential: str,
        presented: Presented,
    ) -> None:
        """Spend a SAD on exactly the digests that it was given for, in any order.

        Raises InvalidActivation `remote.sad`, `remote.sad-expired`, `remote.sad-used`,
        `remote.hash-not-authorised`; Forbidden `remote.sad-foreign`.
        """
        try:
            with self._database.transaction() as connection:
                row = self._good_row(connection, sad)
                if (row.client_id, row.sid, row.credential) != (client_id, sid, credential):
                    raise Forbidden(
                        "remote.sad-foreign", "The SAD was given to somebody else, or another seal"
                    )
                hashes = tuple(presented(row.digest))
                if sorted(_written(hashes)) != sorted(json.loads(row.hashes)):
                    raise InvalidActivation(
                        "remote.hash-not-authorised", "Hash is not authorized by the SAD"
                    )
                spent = activations.c.id == row.id
                connection.execute(
                    update(activations).where(spent).values(used_at=self._clock.now())
                )
                self._journal.append(
                    connection,
                    Event.SEAL_USED,
                    subject=credential,
                    actor=client_id,
                    activation=row.id,
                    session=sid,
                    signatures=len(hashes),
                    hashes_sha256=_fingerprint(hashes),
                )
        except Refusal as refusal:
            self._record_refusal(refusal, credential, client_id)
            raise

    def _good_row(self, connection: Connection, sad: str) -> Row[tuple[object, ...]]:
        row = _find(connection, sad, locked=True)
        if row is None or (row.code_hash is not None and _is_reused(connection, row.code_hash)):
            raise InvalidActivation("remote.sad", "Invalid parameter SAD")
        if row.used_at is not None:
            raise InvalidActivation("remote.sad-used", "The SAD was used before")
        if row.expires_at <= self._clock.now():
            raise InvalidActivation("remote.sad-expired", "SAD expired")
        return row

    def _record_refusal(self, refusal: Refusal, credential: str, client_id: str) -> None:
        with self._database.transaction() as connection:
            self._journal.append(
                connection,
                Event.SEAL_USE_REFUSED,
                subject=credential,
                actor=client_id,
                code=refusal.code,
            )


def _find(
    connection: Connection, sad: str, *, locked: bool = False
) -> Row[tuple[object, ...]] | None:
    shape = _SAD.fullmatch(sad)
    if shape is None:
        return None
    query = select(activations).where(activations.c.id == shape[1])
    row = connection.execute(query.with_for_update() if locked else query).one_or_none()
    stored = _NOTHING if row is None else bytes(row.secret_hash)
    return row if hmac.compare_digest(stored, secret_hash(shape[2])) else None


def _is_reused(connection: Connection, code_hash: bytes) -> bool:
    """Whether the authorization code came a second time (RFC 6749, 4.1.2); locks its row."""
    query = select(codes.c.reused_at).where(codes.c.code_hash == code_hash).with_for_update()
    row = connection.execute(query).one_or_none()
    return row is not None and row.reused_at is not None


def _written(hashes: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(each).decode("ascii") for each in hashes]


def _fingerprint(hashes: Sequence[bytes]) -> str:
    return hashlib.sha256(b"".join(sorted(hashes))).hexdigest()
