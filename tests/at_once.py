"""Several people who do something at the same moment."""

import threading
from collections.abc import Callable

from kernel.refusals import Refusal

_SECONDS = 60


def at_once(*acts: Callable[[], object]) -> list[Refusal]:
    """Each act in a thread of its own, all let go together; what was refused. Whatever else an act
    raises is raised here."""
    together = threading.Barrier(len(acts))
    refused: list[Refusal] = []
    broken: list[BaseException] = []

    def run(act: Callable[[], object]) -> None:
        together.wait(_SECONDS)
        try:
            act()
        except Refusal as refusal:
            refused.append(refusal)
        except BaseException as error:
            broken.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for each in threads:
        each.start()
    for each in threads:
        each.join(_SECONDS)
    assert not [each for each in threads if each.is_alive()], "does not come to an end"
    if broken:
        raise broken[0]
    return refused
