"""Nothing is removed for good while a backup is made, and no dead process holds anybody up."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kernel.refusals import Conflict
from records import removals
from records.database import Database

_HOLDER = """
import sys
from records import removals
from records.database import Database
with removals.held_off(Database(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process_holding(database: Database) -> Iterator["subprocess.Popen[str]"]:
    url = database.engine.url.render_as_string(hide_password=False)
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, url],
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def is_permitted(database: Database) -> bool:
    with removals.permitted(database) as may:
        return may


def test_removing_is_refused_until_the_backups_process_ends_however_it_does(
    any_database: Database,
) -> None:
    assert is_permitted(any_database)
    with another_process_holding(any_database) as process:
        assert not is_permitted(any_database)
        with pytest.raises(Conflict, match=r"backup\.running"):
            with removals.required(any_database):
                raise AssertionError
        process.kill()
        process.wait()
        with removals.held_off(any_database):  # waits until the server has noticed the death
            pass
    with removals.required(any_database):
        assert is_permitted(any_database), "two may remove at once"


def test_a_backup_waits_for_what_is_just_being_removed(any_database: Database) -> None:
    order = []

    def back_up() -> None:
        with removals.held_off(any_database):
            order.append("backup")

    with removals.required(any_database):
        thread = threading.Thread(target=back_up)
        thread.start()
        thread.join(0.2)
        order.append("removed")
    thread.join(60)
    assert order == ["removed", "backup"]
