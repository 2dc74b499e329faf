"""Several tokens with the same keys, used as one.

Keys get from one to the other wrapped under the secret key `replication`, which all of them hold
(a restored backup brings it along). What is made while a token is away is copied when it returns.
A token that holds another key under a label that they share is not used (`hsm.same_keys`).
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from pkcs11 import ObjectClass

from hsm.failover import OTHER_KEYS, FailoverSessions, Member
from hsm.generation import Export
from hsm.same_keys import (
    require_same_keys,
    require_same_secrets,
    require_signing,
    shown_keys,
)
from hsm.secret_keys import SecretKey, SecretUse
from hsm.token import Token, TokenInfo, labels_of
from hsm.token_key import TokenKey
from kernel.algorithms import AlgorithmSuite
from kernel.refusals import Conflict, Unavailable

_log = logging.getLogger("portseal.hsm")
REPLICATION = "replication"
"""Label of the wrapping key that the tokens share."""


class TokenPool(Token):
    """The first token gives the name; any of them serves a request."""

    def __init__(
        self,
        tokens: Sequence[Token],
        changed: Callable[[str, str | None], None] = lambda token, failure: None,
        replicated: Callable[[str, str, str], None] = lambda label, source, target: None,
    ) -> None:
        """`changed`: told when a token is left out, with the refusal's code, and when it is used
        again (None). `replicated`: told of each private key that was copied, by its label, from
        which token and to which. Both are called from the request's or a background thread."""
        first = tokens[0]
        self.label = first.label
        self.pin_source = first.pin_source
        self._tokens = {token.label: token for token in tokens}
        if len(self._tokens) != len(tokens):
            raise ValueError("the tokens of a pool have different labels")
        self._module = first._module
        self._failover = FailoverSessions(
            [Member(token.label, token._pool) for token in tokens],
            lambda member, failure: changed(member.name, failure),
            lambda member: self._level(self._tokens[member.name]),
        )
        self._pool = self._failover
        self._replicated = replicated
        self._comparing = threading.Lock()
        self._is_compared = False

    @property
    def left_out(self) -> dict[str, str]:
        """Tokens that are not used now, with the code of the refusal."""
        members = self._failover.members
        return {each.name: each.failure for each in members if each.failure is not None}

    def login(self) -> None:
        """Log in everywhere, and the first time leave out who holds other keys than those before
        it (`token.other-key`) or signs with others than it shows (`token.wrong-key`). Who cannot
        be asked is compared when it returns.

        Raises the first token's Unavailable when none lets us in."""
        self._pool.run(lambda session: None)
        for member in self._failover.members:
            with suppress(Unavailable):
                member.run(lambda session: None)
        with self._comparing:
            if not self._is_compared:
                self._compare()
                self._is_compared = True

    def _compare(self) -> None:
        kept: dict[str, dict[str, bytes]] = {}
        for member in self._failover.members:
            token = self._tokens[member.name]
            if member.failure is not None:
                continue
            try:
                shown = shown_keys(token)
                require_same_keys(member.name, shown, kept)
                require_same_secrets(token, (self._tokens[name] for name in kept))
                require_signing(token, shown)
            except Unavailable as refusal:
                self._failover.leave_out(member, refusal.code)
            else:
                kept[member.name] = shown

    def _labels(self, kind: ObjectClass) -> list[str]:
        """Of what any of them holds: a key that was made never to leave is on one alone."""
        told = self._failover.run_on_each(lambda session: labels_of(session, kind))
        return sorted(set().union(*told))

    def info(self) -> TokenInfo:
        for token in self._serving():
            with suppress(Unavailable):
                return token.info()
        return self._tokens[self.label].info()

    def generate(
        self, label: str, suite: AlgorithmSuite, *, export: Export = Export.NEVER
    ) -> TokenKey:
        """As `Token.generate`, with just this `export`: what is never to leave stays in one token,
        and so does, for the replication key is not the security officer's, what only leaves under
        a trusted key. What may leave wrapped is in all tokens that share a replication key.
        """
        self.require_free(label)
        first, *others = self._serving()
        first.generate(label, suite, export=export)
        if export is Export.WRAPPED and REPLICATION in first.secret_labels():
            for other in others:
                self._replicate(label, first, other)
        return self.key(label, suite)

    def generate_shared(self, label: str, suite: AlgorithmSuite) -> TokenKey:
        """A service's own key in all tokens that share a replication key, made `Export.WRAPPED`:
        it can leave them under any wrapping key, in clear never. Without a replication key it is
        `Export.NEVER`, in one token, and signs while that one is there.
        """
        shares = REPLICATION in self._serving()[0].secret_labels()
        return self.generate(label, suite, export=Export.WRAPPED if shares else Export.NEVER)

    def generate_secret(
        self, label: str, use: SecretUse = SecretUse.ENCRYPT, *, export: Export = Export.NEVER
    ) -> SecretKey:
        """As `generate`: what may leave wrapped is in all tokens that share a replication key."""
        if label in self.secret_labels():
            raise Conflict("key.exists", "the token already holds a key of this name", key=label)
        first, *others = self._serving()
        first.generate_secret(label, use, export=export)
        if export is Export.WRAPPED and REPLICATION in first.secret_labels():
            for other in others:
                self._replicate_secret(label, first, other)
        return self.secret_key(label)

    def write_certificate(self, label: str, der: bytes) -> None:
        """On every token that is there. Raises Unavailable when none is."""
        written, failure = 0, None
        for token in self._serving():
            try:
                token.write_certificate(label, der)
                written += 1
            except Unavailable as refusal:
                failure = refusal
        if not written and failure is not None:
            raise failure

    def destroy(self, label: str) -> str:
        """On every token: refused, before anything is destroyed, while one is away.

        Raises Conflict `pool.token-away`, Unavailable `token.no-key`.
        """
        self._require_all("a copy of the key would be left")
        fingerprints = [
            token.destroy(label) for token in self._tokens.values() if label in token.key_labels()
        ]
        if not fingerprints:
            raise Unavailable("token.no-key", "no token holds this key", key=label)
        return fingerprints[0]

    def destroy_secret(self, label: str) -> None:
        """As `destroy`."""
        self._require_all("a copy of the key would be left")
        holding = [each for each in self._tokens.values() if label in each.secret_labels()]
        if not holding:
            raise Unavailable("token.no-key", "no token holds this key", key=label)
        for token in holding:
            token.destroy_secret(label)

    def _require_all(self, otherwise: str) -> None:
        """Raises Conflict `pool.token-away`."""
        if self.left_out:
            raise Conflict("pool.token-away", otherwise, token=", ".join(self.left_out))

    def _serving(self) -> list[Token]:
        """The first token first, while it serves."""
        away = self.left_out
        ready = [token for token in self._tokens.values() if token.label not in away]
        return ready or self._of_the_same_keys()

    def _of_the_same_keys(self) -> list[Token]:
        """But for those known to hold other keys."""
        others = {each.name for each in self._failover.members if each.has_other_keys}
        same = [token for token in self._tokens.values() if token.label not in others]
        return same or list(self._tokens.values())

    def _level(self, token: Token) -> None:
        """Give a token that returns what was made meanwhile.

        Raises Unavailable `token.other-key`, `token.wrong-key`, and as the tokens do."""
        shown = shown_keys(token)
        require_signing(token, shown)
        source = self._source_for(token, shown)
        if source is None:
            return
        if REPLICATION in source.secret_labels():
            for label in set(source.key_labels()) - set(token.key_labels()):
                with suppress(Unavailable):  # made never to leave: it stays on one token
                    self._replicate(label, source, token)
            for label in set(source.secret_labels()) - set(token.secret_labels()):
                with suppress(Unavailable):
                    self._replicate_secret(label, source, token)
        for held in source.certificates():
            if token.certificate(held.label) != held.der:
                token.write_certificate(held.label, held.der)

    def _source_for(self, token: Token, shown: Mapping[str, bytes]) -> Token | None:
        """Who holds the same keys. Raises Unavailable `token.other-key` when one that serves
        holds others; while nobody serves, the earlier of two is right."""
        order, same = list(self._tokens), []
        for other in self._serving():
            if other is token:
                continue
            try:
                require_same_keys(token.label, shown, {other.label: shown_keys(other)})
                require_same_secrets(token, [other])
            except Unavailable as refusal:
                is_later = order.index(other.label) > order.index(token.label)
                if refusal.code in OTHER_KEYS and other.label in self.left_out and is_later:
                    continue
                raise
            same.append(other)
        return next(iter(same), None)

    def _replicate_secret(self, label: str, source: Token, target: Token) -> None:
        try:
            export = source.export_of(label, secret=True)
            wrapped = source.secret_key(REPLICATION).wrap_secret(label)
            target.secret_key(REPLICATION).unwrap_secret(wrapped, label, export)
        except Unavailable as refusal:
            _log.warning("key %s is not on token %s: %s", label, target.label, refusal)
            raise
        self._replicated(label, source.label, target.label)

    def _replicate(self, label: str, source: Token, target: Token) -> None:
        try:
            wrapped = source.secret_key(REPLICATION).wrap(label)
            export = source.export_of(label)
            target.secret_key(REPLICATION).unwrap(wrapped, label, export=export)
        except Unavailable as refusal:
            _log.warning("key %s is not on token %s: %s", label, target.label, refusal)
            raise
        self._replicated(label, source.label, target.label)
