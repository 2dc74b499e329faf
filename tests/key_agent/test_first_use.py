"""Which site may use the agent: what the user is asked, once, and what it sees then."""

from tests.key_agent.cards import make_card
from tests.key_agent.documents import NONCE
from tests.key_agent.running import RunningAgent
from tests.software_keys import SoftwareAuthority


def test_the_first_use_asks_the_user_and_the_answer_is_remembered(agent: RunningAgent) -> None:
    agent.origin = "https://first-use.example"
    assert agent.call("status")["origin"] == "unknown"
    assert agent.refused("tokens")["code"] == "origin.unknown"
    assert agent.call("connect") == {"origin": "allowed"}
    (window,) = agent.human.windows
    assert window.command == "CONFIRM"
    assert window.lines[0].startswith("Site: https://first-use.example")
    assert agent.call("connect") == {"origin": "allowed"}
    assert len(agent.human.windows) == 1
    assert agent.call("status")["origin"] == "allowed"


def test_a_no_is_remembered_until_the_user_takes_it_back(agent: RunningAgent) -> None:
    agent.origin = "https://refused.example"
    agent.human.answer = lambda window: {"no": True}
    assert agent.refused("connect")["code"] == "origin.refused"
    assert agent.refused("connect")["code"] == "origin.refused"
    assert agent.refused("tokens")["code"] == "origin.refused"
    assert len(agent.human.windows) == 1
    assert "refused" in agent.command("origins", "list")
    agent.command("origins", "allow", agent.origin)
    assert agent.call("tokens")["tokens"]
    agent.command("origins", "forget", agent.origin)
    assert agent.call("status")["origin"] == "unknown"


def test_a_closed_first_use_window_is_no_answer(agent: RunningAgent) -> None:
    agent.origin = "https://closed.example"
    agent.human.answer = lambda window: {"cancel": True}
    assert agent.refused("connect")["code"] == "agent.cancelled"
    assert agent.call("status")["origin"] == "unknown"


def test_a_site_sees_what_it_wrote_and_what_the_user_agreed_to(
    own_agent: RunningAgent, authority: SoftwareAuthority
) -> None:
    agent = own_agent  # with no other test's cards: a window names eight
    agent.allow("https://first-site.example")
    card = make_card(agent, authority, "mine")
    agent.human.windows.clear()

    def seen() -> set[str]:
        return {c["id"] for t in agent.call("tokens")["tokens"] for c in t["certificates"]}

    assert seen() == {card.identifier}
    agent.allow("https://another-site.example")
    assert seen() == set()
    assert agent.refused("sign_in", nonce=NONCE)["code"] == "card.no-certificate"
    named = agent.refused("sign_in", nonce=NONCE, certificate=card.identifier)
    assert named["code"] == "card.no-certificate"
    agent.call("connect")
    told = [line for window in agent.human.windows for line in window.lines]
    assert f"  操作员 张三 ({card.token['label']})" in told
    assert card.identifier in seen()
    signed_in = agent.call("sign_in", nonce=NONCE, certificate=card.identifier)
    assert signed_in["certificate"]["id"] == card.identifier
