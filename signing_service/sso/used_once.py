"""Identifiers of signed messages (`jti`), each good once, whichever node it comes to."""

from datetime import datetime

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from records.database import Database
from signing_service.sso.challenges import secret_hash
from signing_service.sso.tables import client_assertions


class UsedOnce:
    """Keeps the identifiers by their hashes until the messages are too old to be taken anyway."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_first(self, client_id: str, name: str, until: datetime) -> bool:
        """Whether `name` comes from this platform for the first time; from now on it is used."""
        row = {"client_id": client_id, "jti_hash": secret_hash(name), "expires_at": until}
        try:
            with self._database.transaction() as connection:
                connection.execute(insert(client_assertions), row)
        except IntegrityError:
            return False
        return True
