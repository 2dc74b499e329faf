"""Write the next migration from the difference between the tables and the migrations so far.

Run in the repository: `.venv/bin/python scripts/make_migration.py "what changes"`; read the
result and correct it by hand before committing.
"""

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config

from records.database import Database
from tests.database import load_all_tables


def main(message: str) -> None:
    load_all_tables()
    with tempfile.TemporaryDirectory() as directory:
        database = Database(f"sqlite:///{directory}/scratch.db")
        root = Path(__file__).parent.parent
        config = Config()
        config.set_main_option("script_location", str(root / "records" / "migrations"))
        number = len(list((root / "records" / "migrations" / "versions").glob("[0-9]*.py"))) + 1
        with database.engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
            command.revision(config, message, autogenerate=True, rev_id=f"{number:04d}")
        database.dispose()


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or "change the schema")
