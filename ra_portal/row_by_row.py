"""The worker's walks over rows that wait: one that fails holds no other up."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from kernel.refusals import Unavailable

_log = logging.getLogger("portseal.worker")
Row = TypeVar("Row")


def row_by_row(
    what: str,
    page: Callable[[str], Sequence[Row]],
    key: Callable[[Row], str],
    work: Callable[[Row], None],
) -> int:
    """Do `work` on every row; how many it was done on.

    `page` reads the next rows behind a key, in the order of keys, from "" on; an empty one ends
    the walk. A row that fails is logged by its key, counted, and stays for the next round. Raises
    Unavailable, which is about no row: the rest waits.
    """
    done, failed, behind = 0, 0, ""
    while rows := page(behind):
        for row in rows:
            try:
                work(row)
                done += 1
            except Unavailable:
                raise
            except Exception:  # noqa: BLE001 - whatever is wrong with it, others wait
                failed += 1
                _log.exception("%s: %s failed and is left for the next round", what, key(row))
        behind = key(rows[-1])
    if failed:
        _log.error("%s: %d done, %d failed", what, done, failed)
    return done
