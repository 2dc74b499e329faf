"""A new escrow key: every key is wrapped anew, killed and resumed, and opens as before."""

import json

import pytest

from kernel.refusals import Refusal
from key_centre.rewrapping import Rewrapping
from portseal.holder.opening import open_message
from records import removals
from tests.key_centre.sealing import opened_in_software, sealed_to
from tests.key_centre.test_pool import filled
from tests.key_centre.world import TRANSPORT, CentreWorld, Holder


def code_of(act: object, *arguments: object) -> str:
    with pytest.raises(Refusal) as refusal:
        act(*arguments)  # type: ignore[operator]
    return refusal.value.code


def holders(centre: CentreWorld, count: int) -> list[Holder]:
    owner = centre.enterprise()
    made = [centre.operator(owner, number=f"E-{number}") for number in range(count)]
    for each in made:
        opens(centre, each)
    return made


def opens(centre: CentreWorld, holder: Holder) -> None:
    """The key comes anew, and is the certificate's."""
    delivery = centre.centre.deliveries.deliver(holder.asks_for(TRANSPORT.public_key))
    _, private = opened_in_software(delivery, TRANSPORT)
    assert private.public_key() == delivery.certificate.public_key.pyca


def opens_on_the_card(centre: CentreWorld, holder: Holder) -> None:
    delivery = centre.centre.deliveries.deliver(holder.asks())
    holder.installs(delivery)
    sealed = sealed_to(delivery.certificate, b"document")
    assert open_message(sealed, holder.slot.keys()) == b"document"


def test_every_key_opens_under_the_new_escrow_key_and_the_old_one_can_go(
    own_centre: CentreWorld,
) -> None:
    centre = own_centre
    rewrapping, token = centre.centre.rewrapping, centre.portal.authority.token
    made = holders(centre, 3)
    filled(centre, p256=2)
    before = rewrapping.progress()
    assert (before.escrow_key, before.total, before.left) == ("escrow", 5, 0)
    assert code_of(rewrapping.destroy, "escrow", "console", "x") == "escrow-key.in-use"

    assert rewrapping.begin("console:tests") == "escrow-2"
    assert rewrapping.progress().left == 5
    assert code_of(rewrapping.begin, "console:tests") == "rewrap.unfinished"
    assert code_of(rewrapping.destroy, "escrow", "console", "x") == "escrow-key.in-use"
    opens(centre, made[0])
    assert rewrapping.run(batch=2, batches=1) == 2, "and here the process dies"
    for each in made:
        opens(centre, each)
    assert rewrapping.progress().left == 3
    assert rewrapping.has_work()
    assert rewrapping.run(batch=2) == 3
    assert not rewrapping.has_work()
    assert rewrapping.run() == 0

    with removals.held_off(centre.portal.authority.database):  # a backup may need it
        assert code_of(rewrapping.destroy, "escrow", "console", "x") == "backup.running"
    assert "escrow" in token.secret_labels()
    rewrapping.destroy("escrow", "console:tests", "replaced")
    assert "escrow" not in token.secret_labels()
    for each in made[1:]:
        opens(centre, each)
    opens_on_the_card(centre, made[0])
    opens(centre, centre.operator(centre.portal.legal_person_of(made[0].card), number="E-9"))
    told = centre.told("escrow-2")
    assert [each.event for each in told] == [
        "escrow-key.replaced", "keys.rewrapped", "keys.rewrapped", "keys.rewrapped",
        "rewrap.finished",
    ]  # fmt: skip
    assert [json.loads(each.facts).get("keys") for each in told] == [5, 2, 2, 1, None]
    assert [each.event for each in centre.told("escrow")] == ["escrow-key.destroyed"]
    assert rewrapping.begin("console:tests") == "escrow-3"
    rewrapping.run()
    opens(centre, made[1])


def test_a_death_before_the_job_is_recorded_makes_no_second_escrow_key(
    own_centre: CentreWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    centre = own_centre
    rewrapping, token = centre.centre.rewrapping, centre.portal.authority.token

    def killed(*_: object, **__: object) -> int:
        raise RuntimeError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(centre.portal.authority.journal, "append", killed)
        with pytest.raises(RuntimeError, match="killed"):
            rewrapping.begin("console:tests")
    assert rewrapping.progress().escrow_key == "escrow"
    assert rewrapping.begin("console:tests") == "escrow-2"
    escrows = [label for label in token.secret_labels() if label.startswith("escrow")]
    assert sorted(escrows) == ["escrow", "escrow-2"]
    assert token.export_of("escrow-2", secret=True) == token.export_of("escrow", secret=True)


def test_two_nodes_wrap_each_key_once(own_centre: CentreWorld) -> None:
    centre = own_centre
    made = holders(centre, 2)
    first = centre.centre.rewrapping
    world = centre.portal.authority
    second = Rewrapping(world.database, world.journal, world.clock, world.token, "escrow")
    first.begin("console:tests")
    rows = second.waiting(10)
    assert first.run() == 2
    assert second.rewrapped(rows) == 0, "the other was quicker"
    for each in made:
        opens(centre, each)
    told = [each.event for each in centre.told("escrow-2")]
    assert told == ["escrow-key.replaced", "keys.rewrapped", "rewrap.finished"]
