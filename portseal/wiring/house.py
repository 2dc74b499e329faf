"""The house put together: every room gets what it needs, and nothing else.

Parts are made when first asked for, so that `portseal status` opens no session that it does not
use. A House belongs to one process.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from ca.authority import DIRECTORY_CHANNEL
from ca.ceremonies.labels import SIGN_IN
from portseal.settings import read_settings
from portseal.wiring.sign_in import SignInFloor


class House(SignInFloor):
    """Every part, wired from the settings."""

    @classmethod
    @contextmanager
    def opened(cls, *, with_root: bool = False) -> Iterator["House"]:
        """From the settings of this process; closed again at the end."""
        house = cls(read_settings(), with_root=with_root)
        try:
            yield house
        finally:
            house.close()

    def check(self) -> None:
        """Raises Unavailable when the database or the token does not answer, or when the journal
        takes no record, so that nothing is signed."""
        with self.database.reading() as connection:
            self.outbox.waiting(connection, DIRECTORY_CHANNEL)
        self.journal_gate.check()
        self.token.login()

    def require_schema(self) -> None:
        """For processes that serve. Raises Unavailable `schema.behind`, `schema.unknown`."""
        # Imported here: it loads Alembic, which nothing else of a start needs.
        from records.schema import require_fitting

        with self.database.reading() as connection:
            require_fitting(connection)

    def self_test(self) -> None:
        """Sign and verify with every key. Raises Unavailable; serve nothing then."""
        self.token.login()  # several tokens are compared
        opened = self.authorities
        pairs = [opened.tsa, *([] if opened.report is None else [opened.report])]
        for each in opened.by_name.values():
            pairs += [each.own, each.responder]
        for pair in pairs:
            pair.key.self_test()
        self.token.key(SIGN_IN).self_test()
        for label in self.token.secret_labels():
            self.token.secret_key(label).self_test()
