"""A set is of one moment, and what is restored from it neither overwrites nor repeats anything."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from ca.crl import archive as crl_archive
from ca.tables import crl_numbers
from kernel.refusals import Conflict
from portseal.backup import places, sets
from portseal.backup.sealed import derived
from portseal.settings import DatabaseSettings, Settings, TokenSettings, WebSettings
from portseal.wiring import House
from portseal.witness import FILE_NAME
from tests.token import TokenBench, softhsm_configuration

KEY = bytes(range(32))
_A_BUSY_DAY = 24 * 360 * 1000
"""Numbers that an authority draws whose lists are in a thousand parts, made every ten seconds."""


class Ground:
    """Houses in the places of one machine, which can be lost."""

    def __init__(self, directory: Path, tokens: TokenBench) -> None:
        self.directory = directory
        self.data = directory / "data"
        self._tokens = tokens
        self._pin = directory / "pin"
        self._pin.touch(mode=0o600)
        self._pin.write_text("right-73519")

    def house(self, url: str | None = None) -> House:
        return House(
            Settings(
                data_directory=self.data,
                web=WebSettings(secret_key="0123456789abcdef0123456789abcdef"),
                database=DatabaseSettings(url=url or f"sqlite:///{self.data}/portseal.db"),
                token=TokenSettings(
                    module=self._tokens.module, label="authority", pin_file=self._pin
                ),
            )
        )


@pytest.fixture
def ground(tmp_path: Path, token_bench: TokenBench, authority_token: object) -> Ground:
    return Ground(tmp_path, token_bench)


@pytest.fixture
def elsewhere(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for tokens, from now on this machine's."""
    place = ground.directory / "elsewhere"
    monkeypatch.setenv("SOFTHSM2_CONF", str(softhsm_configuration(place)))
    return place / "tokens"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_the_moment_names_is_not_swept_before_it_is_read(
    ground: Ground,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    request: pytest.FixtureRequest,
) -> None:
    """The signature is deleted, and the sweep comes, when the database's part is written."""
    url = request.getfixturevalue("fresh_postgresql_url") if kind == "postgresql" else None
    house = ground.house(url)
    ground.data.mkdir()
    house.database.upgrade()
    address = house.archive.store.put(b"what a deleted signature was over")
    os.utime(ground.data / "archive" / address[:2] / address, (0, 0))
    swept: list[int] = []
    save = places.save

    def save_and_sweep(files: Iterable[tuple[Path, str]], target: Any) -> int:
        swept.append(house.archive.sweep())
        return save(files, target)

    with monkeypatch.context() as patched:
        patched.setattr(places, "save", save_and_sweep)
        made = sets.make(house, ground.directory / "set", KEY, "console:tests")
    assert swept == [0, 0, 0], "with the token, the archive and the rest"
    salt = bytes.fromhex(sets.read_manifest(made.directory, KEY)["salt"])
    part_key = derived(KEY, salt, "archive")
    places.restore(made.directory / "archive.sealed", part_key, ground.directory / "restored")
    assert (ground.directory / "restored" / address[:2] / address).is_file()
    assert house.archive.sweep() == 1
    house.close()


def test_a_surviving_file_of_checkpoints_is_told_of_before_anything_is_written(
    ground: Ground, elsewhere: Path
) -> None:
    house = ground.house()
    ground.data.mkdir()
    house.database.upgrade()
    checkpoints = ground.data / FILE_NAME
    checkpoints.write_text("of the lost journal\n")
    made = sets.make(house, ground.directory / "set", KEY, "console:tests")
    house.close()
    for path in ground.data.glob("portseal.db*"):
        path.unlink()
    checkpoints.write_text("of the lost journal\nand later\n")

    house = ground.house()
    with pytest.raises(Conflict, match=r"backup\.not-empty") as refused:
        sets.restore(house, made.directory, KEY, "console:tests")
    assert refused.value.facts["path"] == str(checkpoints)
    assert [path.name for path in ground.data.iterdir() if path.is_file()] == [FILE_NAME]
    assert list(elsewhere.iterdir()) == []

    kept = checkpoints.rename(ground.directory / "kept")
    sets.restore(house, made.directory, KEY, "console:tests")
    assert checkpoints.read_text() == "of the lost journal\n"
    assert kept.read_text().endswith("and later\n")
    house.close()


def test_no_number_of_a_list_is_given_twice_however_busy_the_lost_day_was(
    ground: Ground, elsewhere: Path
) -> None:
    house = ground.house()
    ground.data.mkdir()
    house.database.upgrade()
    with house.database.transaction() as connection:
        crl_archive.next_number(connection, "issuing")
    made = sets.make(house, ground.directory / "set", KEY, "console:tests")
    with house.database.transaction() as connection:
        drawn = crl_numbers.c.number + _A_BUSY_DAY
        connection.execute(update(crl_numbers).values(number=drawn))
        last = crl_archive.next_number(connection, "issuing")
    house.close()
    for path in ground.data.glob("portseal.db*"):
        path.unlink()

    house = ground.house()
    sets.restore(house, made.directory, KEY, "console:tests")
    with house.database.transaction() as connection:
        first = crl_archive.next_number(connection, "issuing")
    assert first > last
    assert first.bit_length() < 63, "the counter goes on"
    house.close()
