"""`portseal card freeze`, `unfreeze`, `report-loss` and `history`."""

from tests.portseal.cli.conftest import CODE, Holder
from tests.portseal.service import RunningService

PIN = "40962-vTq"


def test_the_commands_move_a_card(service: RunningService, holder: Holder) -> None:
    code = service.activation_code_of_new_operator(61)
    made = holder.card("life-commands", PIN, code)
    number = made["number"]
    token = ("--token", "life-commands")
    frozen = holder.run_with_pin(PIN, "card", "freeze", *token, "--reason", "on leave")
    assert (frozen.code, "frozen" in frozen.out) == (0, True), frozen.said
    again = holder.run_with_pin(PIN, "card", "freeze", *token, "--reason", "again")
    assert (again.code, "[signin.revoked]" in again.err) == (1, True)
    owner = service.signed_in("legal-person")
    owner.move_card(number, "unfreeze", reason="back")
    told = holder.run_with_pin(PIN, "card", "history", *token)
    assert [line.split("  ")[1] for line in told.out.splitlines()] == ["freeze", "unfreeze"]
    lost = holder.run_with_pin(PIN, "card", "report-loss", *token, number, "--json")
    assert (lost.code, '"lost"' in lost.out) == (0, True), lost.said
    assert CODE not in lost.said
