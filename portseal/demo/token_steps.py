"""One of the services' two tokens is pulled and plugged in again while everything goes on."""

import threading
import time
from collections.abc import Callable

from kernel.refusals import Refusal
from portseal.demo import strangers
from portseal.demo.people import RELIEF
from portseal.demo.people_steps import RIGHT, make_card
from portseal.demo.stage import Stage, expect
from portseal.demo.tokens import FIRST, SECOND
from records.database import Database
from records.events import Event
from records.journal import records

_MOST_SECONDS = 60.0
_ANSWERS = 5
"""Signed after each change, before the next."""
_PAUSE_SECONDS = 0.01
"""Between two questions."""


class OcspQuestions:
    """Asks for the operator's status, with a nonce, until it is stopped: each answer is signed on
    demand."""

    def __init__(self, stage: Stage) -> None:
        certificates = (stage.file("operator.pem"), stage.file("issuing.pem"))
        self._request = strangers.openssl_ocsp_request(*certificates, nonce=True)
        self._service = stage.anonymous()
        self._over = threading.Event()
        # A demonstration that fails in between ends all the same.
        self._thread = threading.Thread(target=self._ask, name="OCSP", daemon=True)
        self.answers: list[bytes] = []
        self.failures: list[str] = []
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        headers = {"Content-Type": "application/ocsp-request"}
        while not self._over.wait(_PAUSE_SECONDS):
            try:
                answer = self._service.fetch("POST", "/ocsp", data=self._request, headers=headers)
                self.answers.append(answer.content)
            except Refusal as refusal:
                self.failures.append(str(refusal))

    def go_on(self) -> None:
        """Until some more were answered. Raises Unprocessable when one was refused."""
        wanted = len(self.answers) + _ANSWERS
        _await(lambda: len(self.answers) >= wanted or bool(self.failures), "OCSP does not answer")
        expect(not self.failures, f"OCSP failed: {self.failures[:1]}")


def pull_a_token(stage: Stage) -> str:
    """Certificates are issued and OCSP answers with both tokens, with one, and when the other is
    plugged in again. The questions go on during the steps that follow."""
    tokens = stage.site.tokens
    codes = [_new_operator(stage, person) for person in RELIEF]
    journal = TokenJournal(stage)
    questions = stage.facts["questions"] = OcspQuestions(stage)
    questions.go_on()
    tokens.pull(FIRST)
    make_card(stage, "relief-1", codes[0])
    _await(lambda: journal.failed > 0, "nobody noticed that the token is away")
    make_card(stage, "relief-2", codes[1])
    questions.go_on()
    tokens.plug_in(FIRST)
    make_card(stage, "relief-3", codes[2])
    questions.go_on()
    journal.close()
    return (
        f"without the token {FIRST}, {SECOND} served alone: cards were made and OCSP answers "
        f"signed\non demand before, meanwhile and after, {len(codes)} and "
        f"{len(questions.answers)} by now; none was refused. OCSP is asked on."
    )


def see_token_return(stage: Stage) -> str:
    """The services took the token back by themselves, and no question was left without answer."""
    questions: OcspQuestions = stage.facts["questions"]
    journal = TokenJournal(stage)
    _await(lambda: journal.returned >= journal.failed, "the token is not used again")
    questions.go_on()
    questions.stop()
    expect(not questions.failures, f"OCSP failed: {questions.failures[:1]}")
    last = stage.keep("ocsp-two-tokens.der", questions.answers[-1])
    operator, root = stage.file("operator.pem"), stage.file("root.pem")
    said = strangers.openssl_reads_ocsp(last, operator, stage.file("issuing.pem"), root)
    expect(said == "good", f"OCSP says {said}")
    away = journal.failed
    journal.close()
    return (
        f"the journal has {FIRST} left out and used again ({away} of the services' processes); "
        f"{len(questions.answers)} OCSP\nanswers were signed on demand from before it was pulled "
        "until now, and none was refused."
    )


class TokenJournal:
    """What the services' processes recorded of the first token."""

    def __init__(self, stage: Stage) -> None:
        self._database = Database(stage.site.database_url)

    def close(self) -> None:
        self._database.dispose()

    @property
    def failed(self) -> int:
        """How many processes left it out, one after the other or at once."""
        return self._count(Event.TOKEN_FAILED)

    @property
    def returned(self) -> int:
        return self._count(Event.TOKEN_RETURNED)

    def _count(self, event: Event) -> int:
        with self._database.reading() as connection:
            return sum(each.event == event for each in records(connection, FIRST))


def _new_operator(stage: Stage, person: dict[str, str]) -> str:
    """The activation code of a further operator."""
    legal_person = stage.signed_in("legal-person")
    added = legal_person.call("POST", "/api/v1/operators", {**person, "rights": [RIGHT]})
    code: str = added["activation_code"]
    return code


def _await(condition: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + _MOST_SECONDS
    while not condition():
        expect(time.monotonic() < deadline, otherwise)
        time.sleep(0.02)
