"""The job that signs OCSP answers before anybody asks (RFC 5019, 2.2.3; RFC 6960, 2.5)."""

from datetime import timedelta
from typing import Literal

from ca.ocsp import store as ocsp_store
from ca.ocsp.responder import OcspResponder
from kernel.clock import Clock
from records.database import Database

Scope = Literal["recent", "all"]
_RECENT = timedelta(days=1)
_BATCH = 500


class OcspAhead:
    """Keeps ready answers fresh: for what was asked for in the last day, or for all live ones."""

    def __init__(
        self,
        responder: OcspResponder,
        database: Database,
        clock: Clock,
        scope: Scope = "recent",
        lifetime: timedelta = timedelta(hours=12),
    ) -> None:
        """`lifetime`: thisUpdate to nextUpdate of what is made ahead. A revocation shows at once
        all the same: an answer older than its certificate's status is not served."""
        self._responder = responder
        self._database = database
        self._clock = clock
        self._scope = scope
        self._lifetime = lifetime
        self._place = ""

    def run(self, limit: int = 20_000) -> int:
        """Sign what is missing or half over, at most about `limit` answers; how many.

        Goes on where the last call stopped. Two nodes at once do no harm but the work. None for
        an authority that has ended. Raises Unavailable from token or database.
        """
        if self._responder.has_ended:
            return 0
        made = self._run_asked(limit)
        if self._scope == "all":
            made += self._run_all(limit - made)
        return made

    def _run_asked(self, limit: int) -> int:
        made = 0
        while made < limit:
            now = self._clock.now()
            with self._database.reading() as connection:
                serials = ocsp_store.asked_for(
                    connection,
                    self._responder.authority,
                    now - _RECENT,
                    now + self._lifetime / 2,
                    min(_BATCH, limit - made),
                )
            answers = self._responder.make_ahead(serials, self._lifetime)
            if not answers:
                break
            self._store(answers)
            made += len(answers)
        return made

    def _run_all(self, limit: int) -> int:
        made = 0
        while made < limit:
            now = self._clock.now()
            with self._database.reading() as connection:
                serials, self._place = ocsp_store.live_after(
                    connection,
                    self._responder.authority,
                    self._place,
                    now,
                    now + self._lifetime / 2,
                    _BATCH,
                )
            answers = self._responder.make_ahead(serials, self._lifetime) if serials else []
            self._store(answers)
            made += len(answers)
            if not self._place:
                break
        return made

    def _store(self, answers: list[ocsp_store.Ready]) -> None:
        with self._database.transaction() as connection:
            ocsp_store.store(connection, self._responder.authority, answers)
