"""Do several tokens hold the same keys by the same labels, and sign with those that they show?"""

from collections.abc import Iterable, Mapping
from contextlib import suppress

from pkcs11 import Attribute, ObjectClass
from pkcs11.exceptions import NoSuchKey

from hsm.sessions import PooledSession
from hsm.token import Token
from hsm.token_key import PUBLIC_ATTRIBUTES, shown_by
from kernel.refusals import Refusal, Unavailable

_MOST_TESTED = 50
"""Keys of one token; those with certificates, the authorities' and services', before others."""
_OF_THE_KEY = frozenset(
    {"token.no-key", "token.ambiguous", "token.mechanism", "token.busy", "token.failed"}
)
"""Say nothing of which key it is; a token that fails altogether is found out when it is used."""


def shown_keys(token: Token) -> dict[str, bytes]:
    """SubjectPublicKeyInfo (DER) of the token's key pairs by label; raises Unavailable.

    A private key without a usable public one is not among them: nobody signs with it here.
    """
    labels = frozenset(token.key_labels())

    def work(session: PooledSession) -> dict[str, bytes]:
        shown: dict[str, bytes] = {}
        for public in session.session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY}):
            label = str(public[Attribute.LABEL])
            if label in labels and public[Attribute.KEY_TYPE] in PUBLIC_ATTRIBUTES:
                with suppress(NoSuchKey, Refusal, ValueError):  # of a kind that we do not use
                    shown.setdefault(label, shown_by(public).spki)
        return shown

    return token.pool.run(work)


def require_same_keys(
    token: str, shown: Mapping[str, bytes], others: Mapping[str, Mapping[str, bytes]]
) -> None:
    """Raises Unavailable `token.other-key` when one of the others, by their labels, shows another
    key under a label of this token."""
    for name, held in others.items():
        for label in shown.keys() & held.keys():
            if shown[label] != held[label]:
                raise Unavailable(
                    "token.other-key", "two tokens hold different keys of one name",
                    key=label, token=token, other=name,
                )  # fmt: skip


def require_same_secrets(token: Token, others: Iterable[Token]) -> None:
    """Raises Unavailable `token.other-key` when another token holds another secret key under a
    label of this one. What a token, or the way to it, cannot do says nothing."""
    labels = frozenset(token.secret_labels())
    for other in others:
        for label in sorted(labels.intersection(other.secret_labels())):
            if not _are_same(token, other, label):
                raise Unavailable(
                    "token.other-key", "two tokens hold different keys of one name",
                    key=label, token=token.label, other=other.label,
                )  # fmt: skip


def _are_same(token: Token, other: Token, label: str) -> bool:
    try:
        return token.secret_key(label).is_same_as(other.secret_key(label))
    except Unavailable as refusal:
        if refusal.code not in _OF_THE_KEY:
            raise
        return True


def require_signing(token: Token, shown: Mapping[str, bytes]) -> None:
    """Raises Unavailable `token.wrong-key` when the token signs with another key than it shows,
    and what says that it serves nobody."""
    certified = frozenset(token.certificate_labels())
    order = sorted(shown, key=lambda label: (label not in certified, label))
    for label in order[:_MOST_TESTED]:
        try:
            token.key(label).self_test()
        except Refusal as refusal:
            if isinstance(refusal, Unavailable) and refusal.code not in _OF_THE_KEY:
                raise
