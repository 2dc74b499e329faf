"""Several authorities behind one OCSP address: the request's issuerKeyHash chooses."""

from collections.abc import Sequence
from typing import Protocol

from ca.ocsp.cache import CacheKey, OcspAnswer
from ca.ocsp.messages import read_request
from ca.ocsp.responder import MALFORMED, UNAUTHORIZED, OcspResponder
from kernel.refusals import Malformed


class Answering(Protocol):
    """What the web application asks: one responder, or many behind one address."""

    def cached(self, key: CacheKey) -> OcspAnswer | None: ...

    def answer(self, request: bytes, key: CacheKey | None = None) -> OcspAnswer: ...


class OcspService:
    """Hands each request to the responder of the authority that it asks about.

    A response has one signer: of a request that names certificates of several authorities, the
    responder of the first known one answers, and tells `unknown` of the others.
    """

    def __init__(self, responders: Sequence[OcspResponder]) -> None:
        self._by_key_hash = {
            hashed: responder
            for responder in responders
            for hashed in responder.key_hashes.values()
        }
        self._responders = tuple(responders)

    def cached(self, key: CacheKey) -> OcspAnswer | None:
        for responder in self._responders:
            answer = responder.cached(key)
            if answer is not None:
                return answer
        return None

    def answer(self, request: bytes, key: CacheKey | None = None) -> OcspAnswer:
        """Never raises; an issuer that is none of ours is told `unauthorized`."""
        try:
            parsed = read_request(request)
        except Malformed:
            return MALFORMED
        for certificate in parsed.certificates:
            responder = self._by_key_hash.get(certificate.key_hash)
            if responder is not None:
                break
        else:
            return UNAUTHORIZED
        return responder.reply(parsed, key)
