"""The agent's windows: one at a time, for a page that is there, and not again and again."""

import http.client
import json
import threading
import time

from tests.key_agent.cards import MadeCard
from tests.key_agent.documents import NONCE
from tests.key_agent.human import Answer, Window
from tests.key_agent.running import RunningAgent


def test_a_closed_window_signs_nothing(agent: RunningAgent, card: MadeCard) -> None:
    agent.human.answer = lambda window: {"cancel": True}
    assert agent.refused("sign_in", nonce=NONCE)["code"] == "agent.cancelled"


def test_a_page_that_goes_away_takes_its_window_with_it(
    agent: RunningAgent, card: MadeCard
) -> None:
    closed = threading.Event()
    connection = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=30)

    def answer(window: Window) -> Answer:
        connection.close()
        closed.wait(30)
        return agent.human.agree(window)

    agent.human.answer = answer
    headers = {"Origin": agent.origin, "Content-Type": "application/json"}
    connection.request("POST", "/v1/sign_in", json.dumps({"nonce": NONCE}), headers)
    deadline = time.monotonic() + 30
    while agent.call("status")["busy"] or not agent.human.windows:
        assert time.monotonic() < deadline, "the window is still open"
        time.sleep(0.02)
    closed.set()
    assert agent.uses()[-1]["outcome"] == "agent.cancelled"
    agent.human.answer = agent.human.agree
    agent.call("sign_in", nonce=NONCE)


def test_one_window_at_a_time(agent: RunningAgent, card: MadeCard) -> None:
    refusals: list[str] = []

    def answer(window: Window) -> Answer:
        if not refusals:
            refusals.append(agent.refused("sign_in", nonce=NONCE)["code"])
            assert agent.call("status")["busy"]
        return agent.human.agree(window)

    agent.human.answer = answer
    agent.call("sign_in", nonce=NONCE)
    assert refusals == ["agent.busy"]
    assert len(agent.human.windows) == 1


def test_a_page_whose_windows_are_closed_again_and_again_must_wait(
    agent: RunningAgent, card: MadeCard
) -> None:
    agent.human.answer = lambda window: {"cancel": True}
    codes = [agent.refused("sign_in", nonce=NONCE)["code"] for _ in range(20)]
    assert codes == ["agent.cancelled"] * 3 + ["agent.paused"] * 17
    assert len(agent.human.windows) == 3
    agent.allow("https://not-punished.example")
    assert agent.call("connect") == {"origin": "allowed"}
    assert len(agent.human.windows) > 0


def test_strangers_together_get_few_questions(own_agent: RunningAgent) -> None:
    own_agent.human.answer = lambda window: {"cancel": True}
    codes = []
    for number in range(12):
        own_agent.origin = f"https://flood-{number}.example"
        codes.append(own_agent.refused("connect")["code"])
    assert codes == ["agent.cancelled"] * 5 + ["agent.paused"] * 7
