"""A token's keys as one document: each wrapped in the token, restored on another token.

The document shows labels and certificates; keys are worth nothing without the backup key, which
custodians hold in shares. Its MAC is under a key derived from the backup key: a label that was
changed is told, too.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pkcs11 import Attribute, ObjectClass

from hsm.generation import Export
from hsm.secret_keys import SecretKey
from hsm.token import Token
from hsm.wrapping import KeyUse, WrappedKey, WrappedSecret, create_public
from kernel.algorithms import PublicKey
from kernel.refusals import Conflict, Malformed, Unavailable

_FORMAT = "portseal-key-backup-1"
_LARGEST = 16 << 20


@dataclass(frozen=True)
class Backup:
    """What was written, or restored."""

    token: str
    keys: tuple[str, ...]
    """Labels of key pairs and secret keys."""
    left_out: tuple[str, ...] = ()
    """Keys that were made never to leave, or (restoring) that were there already."""


def back_up(
    token: Token, backup_key: bytes, at: datetime, so_pin: str | None = None
) -> tuple[bytes, Backup]:
    """Every key of the token that may leave, and its certificates.

    `so_pin`: needed for keys that leave under a trusted key alone. Raises Unavailable
    `token.not-exportable`, `token.officer` and as the token does.
    """
    pairs: dict[str, Any] = {}
    hidden: dict[str, Any] = {}
    left_out: list[str] = []
    with token.lent(backup_key, so_pin) as wrapping:
        for label in token.key_labels():
            export = token.export_of(label)
            if export is Export.NEVER:
                left_out.append(label)
                continue
            wrapped = wrapping.wrap(label)
            wrapping.try_unwrap(wrapped)  # some wrap what they do not take back
            pairs[label] = {"export": export, **json.loads(wrapped.encode())}
        for label in token.secret_labels():
            if label == wrapping.uri.object:
                continue
            export = token.export_of(label, secret=True)
            if export is Export.NEVER:
                left_out.append(label)
                continue
            secret = wrapping.wrap_secret(label)
            hidden[label] = {
                "export": export,
                "use": secret.use,
                "mechanism": secret.mechanism,
                "value": base64.b64encode(secret.value).decode(),
            }
    content = {
        "format": _FORMAT,
        "token": token.label,
        "made_at": at.isoformat(),
        "keys": pairs,
        "secrets": hidden,
        "certificates": {
            each.label: base64.b64encode(each.der).decode() for each in token.certificates()
        },
    }
    document = {**content, "mac": _mac(content, backup_key)}
    made = Backup(token.label, (*pairs, *hidden), tuple(left_out))
    return json.dumps(document, indent=1, sort_keys=True).encode(), made


def restore(
    token: Token,
    document: bytes,
    backup_key: bytes,
    told: Callable[[str, bool], None] = lambda label, was_there: None,
) -> Backup:
    """Put what the token does not hold yet into it. Can be called again after a death.

    `told`: of each key when the token holds it, by its label, and whether it did so before.
    Raises Malformed `backup.malformed`, `backup.not-authentic` (another backup key, or changed),
    Conflict `backup.other-key` when the token holds another key under a label; Unavailable.
    """
    content = _read(document, backup_key)
    there, secrets_there = token.key_labels(), token.secret_labels()
    done: list[str] = []
    present: list[str] = []
    with token.lent(backup_key) as wrapping:
        for label, fields in content["keys"].items():
            export = Export(fields.pop("export"))
            wrapped = WrappedKey.decode(json.dumps(fields).encode())
            if label in there:
                _require_same(token, label, wrapped)
                present.append(label)
            else:
                wrapping.unwrap(wrapped, label, export=export)
                done.append(label)
            told(label, label in there)
        for label, fields in content["secrets"].items():
            value = base64.b64decode(fields["value"])
            secret = WrappedSecret(fields["use"], fields["mechanism"], value)
            if label in secrets_there:
                _require_same_secret(wrapping, label, secret)
                present.append(label)
            else:
                wrapping.unwrap_secret(secret, label, Export(fields["export"]))
                done.append(label)
            told(label, label in secrets_there)
    for label, encoded in content["certificates"].items():
        der = base64.b64decode(encoded)
        if token.certificate(label) != der:
            token.write_certificate(label, der)
    return Backup(content["token"], tuple(done), tuple(present))


def _require_same(token: Token, label: str, wrapped: WrappedKey) -> None:
    """That the token's key is this one; raises Conflict `backup.other-key`.

    An attempt that died between the two halves of a pair left the private one alone: the public
    one is put beside it if it signs for that.
    """
    try:
        same = token.key(label).public_key.spki == wrapped.spki
    except Unavailable as refusal:
        if refusal.code != "token.no-key":
            raise
        same = _complete(token, label, wrapped)
    if not same:
        raise Conflict("backup.other-key", "the token has another key", key=label)


def _require_same_secret(wrapping: SecretKey, label: str, secret: WrappedSecret) -> None:
    """The same value is wrapped to the same octets (RFC 3394, 5649). One that the token does not
    wrap under this key is left as it is. Raises Conflict `backup.other-key`."""
    try:
        held = wrapping.wrap_secret(label)
    except Unavailable as refusal:
        if refusal.code != "token.not-exportable":
            raise
        return
    if held != secret:
        raise Conflict("backup.other-key", "the token has another key", key=label)


def _complete(token: Token, label: str, wrapped: WrappedKey) -> bool:
    if wrapped.use is not KeyUse.SIGN:  # `back_up` writes no other, and none could be tried here
        raise Malformed("backup.malformed", "a backup holds keys that sign")
    with token.pool.write() as session:
        private = session.get_key(ObjectClass.PRIVATE_KEY, label=label)
        public = PublicKey.from_spki(wrapped.spki)
        made = create_public(session, public, private[Attribute.ID], label)
        try:
            token.key(label).self_test()
        except Unavailable as refusal:
            made.destroy()
            if refusal.code != "token.wrong-key":
                raise
            return False
    return True


def _read(document: bytes, backup_key: bytes) -> dict[str, Any]:
    try:
        if len(document) > _LARGEST:
            raise ValueError
        content = json.loads(document)
        mac = content.pop("mac")
        if content["format"] != _FORMAT or not isinstance(mac, str):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Malformed("backup.malformed", "not a backup of keys") from None
    if not hmac.compare_digest(mac, _mac(content, backup_key)):
        raise Malformed("backup.not-authentic", "made under another backup key, or changed")
    result: dict[str, Any] = content
    return result


def _mac(content: dict[str, Any], backup_key: bytes) -> str:
    derived = hmac.digest(backup_key, b"PortSeal backup document", hashlib.sha256)
    encoded = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    return hmac.digest(derived, encoded, hashlib.sha256).hex()
