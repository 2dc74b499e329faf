"""Many cards at once: seen, proposed, confirmed by another, done, gone on with after a death."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text, update

from ca.inventory import CertificateState, Inventory, RevocationReason
from ca.mass.job import MassRevocation
from ca.tables import mass_items, mass_jobs
from kernel.identifiers import parse_serial
from kernel.refusals import Conflict, Forbidden, Malformed, Unprocessable
from ra_portal.cards.card import Card, CardState, Holder
from ra_portal.cards.card_moves import Move
from ra_portal.cards.tables import cards
from ra_portal.days import day_of
from ra_portal.mass_actions import card_list, mass_actions
from ra_portal.mass_actions.mass_actions import ActionState, MassActions
from ra_portal.mass_actions.mass_filter import Act, CardFilter, joined, meant_by
from ra_portal.people.identity import HolderKind, Identity, Role
from tests.plans import plan_of
from tests.ra_portal import samples
from tests.ra_portal.world import PortalWorld, pkcs10


def operators(portal: PortalWorld, owner: Identity, count: int) -> list[Card]:
    codes = [
        portal.operator(owner, employee_number=f"E-{number}").activation_code
        for number in range(count)
    ]
    return [portal.services.enrolment.enrol(code, pkcs10()).card for code in codes]


def states(portal: PortalWorld, cards: list[Card]) -> set[tuple[CardState, CertificateState]]:
    inventory, owner = Inventory(portal.authority.database), portal.officer(Role.ADMINISTRATOR)
    found = set()
    for card in cards:
        record = inventory.by_serial(parse_serial(card.serial or ""))
        assert record is not None
        found.add((portal.services.cards.show(owner, card.number).state, record.state))
    return found


def mass_of(portal: PortalWorld) -> MassRevocation:
    world = portal.authority
    return MassRevocation(world.database, world.journal, world.outbox, world.clock)


def of(number: int) -> CardFilter:
    return CardFilter.read({"uscc": samples.uscc(number)})


def confirmed(portal: PortalWorld, act: Act, wanted: CardFilter, reason: str) -> str:
    actions = portal.services.mass_actions
    proposed = actions.propose(portal.officer(Role.ADMINISTRATOR), act, wanted, reason)
    actions.confirm(portal.officer(Role.APPROVER), proposed.id)
    return proposed.id


def test_a_dry_run_tells_and_changes_nothing(any_portal: PortalWorld) -> None:
    portal = any_portal
    mine = operators(portal, portal.legal_person(1), 3)
    operators(portal, portal.legal_person(2), 1)
    administrator = portal.officer(Role.ADMINISTRATOR)
    seen = portal.services.mass_actions.preview(administrator, Act.REVOKE, of(1))
    assert (seen.total, seen.by_kind) == (3, {"operator": 3})
    assert {card.number for card in seen.sample} == {card.number for card in mine}
    assert sum(count for _, count in seen.by_region) == 3
    assert states(portal, mine) == {(CardState.ACTIVE, CertificateState.ISSUED)}


def test_dates_are_days_as_the_cards_pages_show_them(any_portal: PortalWorld) -> None:
    """Made at 17:05 UTC, which is the next day in Beijing; older proposals meant days of UTC."""
    portal, clock = any_portal, any_portal.authority.clock
    evening = clock.now().replace(hour=17, minute=5) + timedelta(days=1)
    owner, administrator = portal.legal_person(1), portal.officer(Role.ADMINISTRATOR)
    added = portal.operator(owner)
    clock.advance(evening - clock.now())
    card = portal.services.enrolment.enrol(added.activation_code, pkcs10()).card
    shown = (evening + timedelta(days=1)).date().isoformat()

    def meant(**dates: str) -> int:
        wanted = CardFilter.read({"uscc": samples.uscc(1), **dates})
        return portal.services.mass_actions.preview(administrator, Act.REVOKE, wanted).total

    assert (meant(made_after=shown), meant(made_before=shown)) == (1, 0)
    assert card.not_after is not None
    ends = day_of(card.not_after)
    assert meant(ends_before=ends.isoformat()) == 0
    assert meant(ends_before=(ends + timedelta(days=1)).isoformat()) == 1
    older = CardFilter(uscc=samples.uscc(1), made_before=shown)
    assert portal.services.mass_actions.preview(administrator, Act.REVOKE, older).total == 1


def test_two_officers_revoke_many_cards(any_portal: PortalWorld) -> None:
    portal = any_portal
    mine = operators(portal, portal.legal_person(1), 3)
    others = operators(portal, portal.legal_person(2), 1)
    portal.services.life.freeze(portal.legal_person_of(mine[0]), mine[0].number, "leave")
    identifier = confirmed(portal, Act.REVOKE, of(1), "privilegeWithdrawn")
    assert portal.services.mass_actions.run() == 3
    assert states(portal, mine) == {(CardState.REVOKED, CertificateState.REVOKED)}
    assert states(portal, others) == {(CardState.ACTIVE, CertificateState.ISSUED)}
    (action,) = portal.services.mass_actions.all(portal.officer(Role.ADMINISTRATOR))
    assert (action.state, action.moved) == (ActionState.DONE, 3)
    assert {card.number for card in portal.ended} >= {card.number for card in mine}
    history = portal.services.life.history(portal.legal_person_of(mine[1]), mine[1].number)
    assert [(move.move, move.why) for move in history] == [(Move.REVOKE, "privilegeWithdrawn")]
    assert portal.events(mine[1].number)[-1] == "card.revoked"
    assert portal.events(identifier) == [
        "mass-action.proposed",
        "mass-action.confirmed",
        "mass-action.done",
    ]
    assert portal.services.mass_actions.run() == 0


def test_many_frozen_cards_are_unfrozen_one_by_one(portal: PortalWorld) -> None:
    mine = operators(portal, portal.legal_person(1), 2)
    confirmed(portal, Act.FREEZE, of(1), "suspected leak of a batch of keys")
    portal.services.mass_actions.run()
    record = Inventory(portal.authority.database).by_serial(parse_serial(mine[0].serial or ""))
    assert record is not None
    assert record.reason is RevocationReason.CERTIFICATE_HOLD
    portal.services.life.unfreeze(portal.officer(Role.ADMINISTRATOR), mine[0].number, "cleared")
    assert states(portal, mine[:1]) == {(CardState.ACTIVE, CertificateState.ISSUED)}
    assert states(portal, mine[1:]) == {(CardState.FROZEN, CertificateState.REVOKED)}


def test_two_officers_unfreeze_what_a_mass_action_froze_and_nothing_else(
    any_portal: PortalWorld,
) -> None:
    portal = any_portal
    owner = portal.legal_person(1)
    mine = operators(portal, owner, 3)
    portal.services.life.freeze(owner, mine[0].number, "leave")
    freeze = confirmed(portal, Act.FREEZE, of(1), "suspected leak")
    portal.services.mass_actions.run()
    assert states(portal, mine) == {(CardState.FROZEN, CertificateState.REVOKED)}
    administrator = portal.officer(Role.ADMINISTRATOR)
    undo = CardFilter.read({"frozen_in": freeze})
    seen = portal.services.mass_actions.preview(administrator, Act.UNFREEZE, undo)
    assert (seen.total, seen) == (
        2, portal.services.mass_actions.preview(administrator, Act.UNFREEZE, of(1)),
    )  # fmt: skip
    ended = len(portal.ended)
    identifier = confirmed(portal, Act.UNFREEZE, undo, "no leak was found")
    assert portal.services.mass_actions.run() == 2
    assert states(portal, mine[1:]) == {(CardState.ACTIVE, CertificateState.ISSUED)}
    assert states(portal, mine[:1]) == {(CardState.FROZEN, CertificateState.REVOKED)}
    assert len(portal.ended) == ended  # nobody's session ends for it
    history = portal.services.life.history(owner, mine[1].number)
    assert [(move.move, move.why) for move in history] == [
        (Move.FREEZE, "suspected leak"), (Move.UNFREEZE, "no leak was found"),
    ]  # fmt: skip
    assert portal.events(mine[1].number)[-1] == "card.unfrozen"
    assert portal.events(identifier)[-1] == "mass-action.done"
    shown = portal.services.cards.show(owner, mine[1].number)
    assert (shown.held_at, shown.held_by, shown.hold_reason, shown.held_in) == (None,) * 4
    with pytest.raises(Unprocessable, match=r"mass\.nothing"):
        portal.services.mass_actions.propose(administrator, Act.UNFREEZE, undo, "again")


def test_who_dies_while_unfreezing_goes_on_with_it(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = operators(portal, portal.legal_person(1), 2)
    freeze = confirmed(portal, Act.FREEZE, of(1), "suspected leak")
    portal.services.mass_actions.run()
    confirmed(portal, Act.UNFREEZE, CardFilter.read({"frozen_in": freeze}), "no leak")

    def die(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(MassActions, "_follow", die)
        with pytest.raises(KeyboardInterrupt):
            portal.services.mass_actions.run()
    assert states(portal, mine) == {(CardState.FROZEN, CertificateState.ISSUED)}
    assert portal.services.mass_actions.run() == 2
    assert states(portal, mine) == {(CardState.ACTIVE, CertificateState.ISSUED)}
    for card in mine:
        assert portal.events(card.number).count("card.unfrozen") == 1


@pytest.mark.parametrize(
    ("where", "name"),
    [
        (MassRevocation, "go_on"),
        (MassActions, "_follow"),
        (MassActions, "_note"),
        (MassActions, "_end"),
        (MassActions, "_record"),
    ],
)
def test_dying_midway_is_gone_on_with(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch, where: type, name: str
) -> None:
    mine = operators(portal, portal.legal_person(1), 2)
    confirmed(portal, Act.REVOKE, of(1), "superseded")

    def die(*arguments: object, **more: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(where, name, die)
        with pytest.raises(KeyboardInterrupt):
            portal.services.mass_actions.run()
    portal.services.mass_actions.run()
    assert states(portal, mine) == {(CardState.REVOKED, CertificateState.REVOKED)}
    for card in mine:
        assert portal.events(card.number).count("card.revoked") == 1
        assert card.number in {each.number for each in portal.ended}
    assert not portal.services.mass_actions.has_work()


@pytest.mark.parametrize("where", [(MassRevocation, "start"), (MassActions, "_record")])
def test_dying_in_the_confirmation_leaves_the_proposal_and_no_job(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch, where: tuple[type, str]
) -> None:
    mine = operators(portal, portal.legal_person(1), 2)
    actions, database = portal.services.mass_actions, portal.authority.database
    proposed = actions.propose(portal.officer(Role.ADMINISTRATOR), Act.REVOKE, of(1), "superseded")
    approver = portal.officer(Role.APPROVER)
    whole = getattr(*where)

    def die(*arguments: object, **more: object) -> None:
        whole(*arguments, **more)
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(*where, die)
        with pytest.raises(KeyboardInterrupt):
            actions.confirm(approver, proposed.id)
    assert not actions.has_work()
    assert mass_of(portal).unfinished() == []
    actions.confirm(approver, proposed.id)
    assert actions.run() == 2
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(mass_jobs)).scalar_one() == 1
    assert states(portal, mine) == {(CardState.REVOKED, CertificateState.REVOKED)}


def test_an_action_is_not_done_while_another_node_has_some_of_it_in_hand(
    postgresql_portal: PortalWorld,
) -> None:
    portal = postgresql_portal
    mine = operators(portal, portal.legal_person(1), 3)
    confirmed(portal, Act.REVOKE, of(1), "superseded")
    actions, database = portal.services.mass_actions, portal.authority.database
    with database.transaction() as other:
        first = select(mass_items).where(mass_items.c.position == 1)
        other.execute(first.with_for_update())
        assert actions.run() == 0
        assert actions.has_work()
        assert len(mass_of(portal).moved(portal.column("mass_actions", "job")[0], 0, 10)) == 2
    assert actions.run() == 3
    assert states(portal, mine) == {(CardState.REVOKED, CertificateState.REVOKED)}
    (action,) = actions.all(portal.officer(Role.ADMINISTRATOR))
    assert (action.state, action.moved) == (ActionState.DONE, 3)


def test_a_card_that_ends_otherwise_at_the_same_moment_stays_as_it_ended(
    postgresql_portal: PortalWorld,
) -> None:
    portal = postgresql_portal
    (card,) = operators(portal, portal.legal_person(1), 1)
    confirmed(portal, Act.FREEZE, of(1), "suspected leak")
    actions, database = portal.services.mass_actions, portal.authority.database
    worker = threading.Thread(target=actions.run)
    with database.transaction() as other:
        mine = update(cards).where(cards.c.number == card.number)
        other.execute(mine.values(state=str(CardState.LOST), ended_at=portal.authority.clock.now()))
        worker.start()
        waits = text(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        with database.engine.connect() as onlooker:
            while worker.is_alive() and not onlooker.execute(waits).scalar_one():
                onlooker.rollback()  # look again: what is seen stays the same in one transaction
    worker.join(30)
    shown = portal.services.cards.show(portal.officer(Role.ADMINISTRATOR), card.number)
    assert shown.state is CardState.LOST
    assert portal.events(card.number)[-1] != "card.frozen"
    (action,) = actions.all(portal.officer(Role.ADMINISTRATOR))
    assert (action.state, action.moved) == (ActionState.DONE, 0)


def test_a_turn_is_short_and_the_next_one_goes_on(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = operators(portal, portal.legal_person(1), 5)
    monkeypatch.setattr(mass_actions, "_CERTIFICATES_IN_A_TURN", 3)
    monkeypatch.setattr(mass_actions, "_BATCH", 1)
    confirmed(portal, Act.REVOKE, of(1), "superseded")
    actions = portal.services.mass_actions
    followed = []
    while actions.has_work():
        followed.append(actions.run())
    assert followed == [0, 3, 2]
    assert states(portal, mine) == {(CardState.REVOKED, CertificateState.REVOKED)}
    by_serial = sorted(mine, key=lambda each: each.serial or "")
    assert [each.number for each in portal.ended] == [each.number for each in by_serial]


def test_what_was_seen_is_what_is_done(portal: PortalWorld) -> None:
    owner = portal.legal_person(1)
    operators(portal, owner, 1)
    actions, administrator = portal.services.mass_actions, portal.officer(Role.ADMINISTRATOR)
    proposed = actions.propose(administrator, Act.FREEZE, of(1), "leak")
    with pytest.raises(Forbidden, match=r"approval\.same-officer"):
        actions.confirm(administrator, proposed.id)
    code = portal.operator(owner, employee_number="E-late").activation_code
    portal.services.enrolment.enrol(code, pkcs10())
    with pytest.raises(Conflict, match=r"mass\.changed"):
        actions.confirm(portal.officer(Role.APPROVER), proposed.id)
    actions.withdraw(administrator, proposed.id)
    with pytest.raises(Conflict, match=r"mass\.(state|changed)"):
        actions.confirm(portal.officer(Role.APPROVER), proposed.id)
    assert not actions.has_work()
    assert portal.column("ca_mass_items", "serial") == []


def test_as_many_cards_but_others_are_not_what_was_seen(portal: PortalWorld) -> None:
    owner = portal.legal_person(1)
    (card,) = operators(portal, owner, 1)
    actions, administrator = portal.services.mass_actions, portal.officer(Role.ADMINISTRATOR)
    proposed = actions.propose(administrator, Act.REVOKE, of(1), "superseded")
    portal.services.cards.revoke(administrator, card.number, "superseded")
    code = portal.operator(owner, employee_number="E-late").activation_code
    portal.services.enrolment.enrol(code, pkcs10())
    with pytest.raises(Conflict, match=r"mass\.changed"):
        actions.confirm(portal.officer(Role.APPROVER), proposed.id)


def test_a_card_that_is_made_after_the_confirmation_is_left_alone(portal: PortalWorld) -> None:
    owner = portal.legal_person(1)
    mine = operators(portal, owner, 2)
    confirmed(portal, Act.REVOKE, of(1), "superseded")
    code = portal.operator(owner, employee_number="E-late").activation_code
    late = portal.services.enrolment.enrol(code, pkcs10()).card
    assert portal.services.mass_actions.run() == 2
    assert states(portal, mine) == {(CardState.REVOKED, CertificateState.REVOKED)}
    assert states(portal, [late]) == {(CardState.ACTIVE, CertificateState.ISSUED)}


def test_nonsense_and_everything_are_refused(portal: PortalWorld) -> None:
    actions, administrator = portal.services.mass_actions, portal.officer(Role.ADMINISTRATOR)
    for values in ({}, {"kind": "operator"}):
        with pytest.raises(Unprocessable, match=r"mass\.everything"):
            CardFilter.read(values)
    for values in ({"kind": "officer"}, {"made_before": "01/02/2026"}):
        with pytest.raises(Malformed, match=r"mass\.filter"):
            CardFilter.read(values)
    with pytest.raises(Unprocessable, match=r"mass\.nothing"):
        actions.propose(administrator, Act.FREEZE, of(5), "why")
    operators(portal, portal.legal_person(1), 1)
    with pytest.raises(Unprocessable, match=r"card\.reason"):
        actions.propose(administrator, Act.REVOKE, of(1), "because")
    for by in (portal.legal_person(2), portal.officer(Role.REGISTRAR)):
        with pytest.raises(Forbidden):
            actions.preview(by, Act.REVOKE, of(1))


def test_the_second_officer_reads_the_very_cards_that_were_written_down(
    any_portal: PortalWorld,
) -> None:
    portal = any_portal
    mine = operators(portal, portal.legal_person(1), 2)
    actions, first = portal.services.mass_actions, portal.officer(Role.ADMINISTRATOR, name="王甲")
    second = portal.officer(Role.APPROVER, name="李乙")
    proposed = actions.propose(first, Act.FREEZE, of(1), "leak", seen=2)
    file = actions.file(second, proposed.id)
    assert file.cards is not None
    assert {card.number for card in file.cards.sample} == {card.number for card in mine}
    assert (file.cards.by_kind, file.action.filter) == ({"operator": 2}, of(1))
    assert (file.names, file.progress) == ({first.actor: "王甲"}, None)
    actions.confirm(second, proposed.id)
    portal.services.life.report_loss(
        portal.legal_person_of(mine[0]), mine[0].number, "legal-person-card"
    )
    actions.run()
    done = actions.file(first, proposed.id)
    assert (done.cards, done.action.moved, done.action.total) == (None, 1, 2)
    assert done.progress is not None
    assert (done.progress.revoked, done.progress.already, done.progress.left) == (1, 1, 0)
    assert done.names[second.actor] == "李乙"
    for by in (portal.legal_person(2), portal.officer(Role.REGISTRAR)):
        with pytest.raises(Forbidden):
            actions.file(by, proposed.id)


def test_a_proposal_is_of_as_many_cards_as_were_seen(portal: PortalWorld) -> None:
    operators(portal, portal.legal_person(1), 2)
    actions, administrator = portal.services.mass_actions, portal.officer(Role.ADMINISTRATOR)
    with pytest.raises(Conflict, match=r"mass\.not-as-seen"):
        actions.propose(administrator, Act.FREEZE, of(1), "leak", seen=1)
    assert actions.all(administrator) == []
    assert portal.column("ca_mass_items", "serial") == []


def test_a_list_means_its_cards_and_tells_what_it_leaves_out(any_portal: PortalWorld) -> None:
    portal = any_portal
    owner = portal.legal_person(1)
    mine = operators(portal, owner, 4)
    administrator = portal.officer(Role.ADMINISTRATOR)
    (official,) = portal.cards_of(Holder(HolderKind.OFFICER, administrator.subject))
    portal.services.life.freeze(owner, mine[2].number, "leave")
    unknown = "OP-2026-ZZZZZZZZ"
    lines = (
        f"{mine[0].number.lower()}\r\n {mine[1].serial}，{mine[0].number}\n"
        f"{mine[2].number}\n{unknown}\n{official.number}\n"
    )
    wanted = CardFilter.read({"numbers": lines})
    actions = portal.services.mass_actions
    seen = actions.preview(administrator, Act.FREEZE, wanted)
    assert {card.number for card in seen.sample} == {card.number for card in mine[:2]}
    assert {each.entry: each.state for each in seen.left_out} == {
        mine[2].number: "frozen", unknown: None, official.number: "requested",
    }  # fmt: skip
    proposed = actions.propose(administrator, Act.FREEZE, wanted, "leak", seen.total)
    actions.confirm(portal.officer(Role.APPROVER), proposed.id)
    assert actions.run() == 2
    assert states(portal, mine[:3]) == {(CardState.FROZEN, CertificateState.REVOKED)}
    assert states(portal, mine[3:]) == {(CardState.ACTIVE, CertificateState.ISSUED)}


def test_a_list_of_something_else_or_without_end_is_refused(portal: PortalWorld) -> None:
    for lines in ("OP-2026-AAAAAAAA\nrobert'); DROP", "=1+1", "0", "F" * 41):
        with pytest.raises(Malformed, match=r"mass\.list"):
            CardFilter.read({"numbers": lines})
    whole = "\n".join(f"OP-2026-{number:08}" for number in range(card_list.LONGEST))
    assert CardFilter.read({"numbers": whole}).numbers == whole
    with pytest.raises(Unprocessable, match=r"mass\.list-too-long"):
        CardFilter.read({"numbers": whole + "\nOP-2026-ABCDEFGH"})
    seen = portal.services.mass_actions.preview(
        portal.officer(Role.ADMINISTRATOR), Act.REVOKE, CardFilter.read({"numbers": whole})
    )
    assert (seen.total, len(seen.left_out)) == (0, card_list.LONGEST)


def test_many_cards_are_joined_with_their_enterprises_at_once(
    postgresql_portal: PortalWorld,
) -> None:
    """One pass over the cards, whatever is asked: never a look at enterprises for each card."""
    database = postgresql_portal.authority.database
    with database.transaction() as connection:
        for statement in (
            "INSERT INTO enterprises (id, uscc, name, customs_code, legal_representative, region,"
            " created_at) SELECT md5('e' || i), '91' || lpad(i::text, 16, '0'), 'x', '3302900001',"
            " 'x', '浙江', now() FROM generate_series(1, 20000) AS i",
            "INSERT INTO cards (id, number, holder_kind, holder_id, state, requested_at,"
            " failed_attempts, serial, version) SELECT md5('c' || i), 'LP-2026-' || i,"
            " 'legal-person', md5('e' || i), 'active', now(), 0, md5('s' || i), 0"
            " FROM generate_series(1, 20000) AS i",
        ):
            connection.execute(text(statement))
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))
    meant = meant_by(Act.FREEZE, CardFilter.read({"region": "浙江"}))
    plan = plan_of(database, joined(select(cards.c.number)).where(meant))
    assert "Hash Cond: ((COALESCE(" in plan
    assert "Nested Loop" not in plan.partition("Hash Cond: ((COALESCE(")[0]
