"""The escrow key of a running centre is replaced at the console; servers go on with the new one."""

import pytest

from tests.portseal.cli.conftest import Console
from tests.portseal.service import CENTRE, RunningService, recoveries_wait

CENTRE_CARDS = tuple(CENTRE)


@pytest.mark.long
def test_the_escrow_key_is_replaced_while_the_service_runs(
    console: Console, service: RunningService
) -> None:
    recoveries_wait(service.stage)  # the centre has its officers
    card = service.stage.cards["operator"]
    first = service.anonymous().fetch_encryption_key(card)
    assert console.json("key-centre", "fill")["made"] >= 0
    before = console.json("key-centre", "status")
    assert before["pool"]["ecdsa-p256-sha256"].endswith(" of 32")
    assert before["escrowed"] >= 1

    assert console.run("key-centre", "rewrap").code == 6
    done = console.signed_json(CENTRE_CARDS, "key-centre", "rewrap")

    assert done["escrow_key"] != before["escrow_key"]
    assert done["left"] == 0
    assert service.anonymous().fetch_encryption_key(card) == first
    destroy = ("key-centre", "destroy-escrow-key", "--reason", "replaced", "--confirm")
    in_use = console.signed(CENTRE_CARDS, *destroy, done["escrow_key"], done["escrow_key"])
    assert (in_use.code, "escrow-key.in-use" in in_use.err) == (1, True)
    other = console.run(*destroy, "other", before["escrow_key"])
    assert (other.code, "key.not-confirmed" in other.err) == (1, True)
    destroyed = console.signed_json(
        CENTRE_CARDS, *destroy, before["escrow_key"], before["escrow_key"]
    )
    assert destroyed == {"destroyed": before["escrow_key"]}
    assert service.anonymous().fetch_encryption_key(card) == first
    assert console.json("key-centre", "status")["escrow_key"] == done["escrow_key"]
