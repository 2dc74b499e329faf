"""Refusals: the ways in which the product says no.

A refusal carries a stable code (dotted, lower case: `enrolment.same-officer`), a sentence for
a person, and facts for a program. It never carries a key, a PIN or a whole foreign message.
`portseal.problems` maps each class to one application/problem+json answer (RFC 9457).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

_FACT = re.compile(r"\{(\w+)\}")
_MOMENTS = frozenset({"since"})
"""Facts that are times, as RFC 3339 writes them."""
_TEXTS = frozenset({"finding"})
"""Facts that are texts for people, in English: what a lint found."""
_NOTHING = "–"


@dataclass(frozen=True)
class Reason:
    """Why something is not as it should be, to be told or refused with.

    The sentence is a literal, so that it can be translated; it names facts in braces.
    """

    sentence: str
    facts: Mapping[str, str | int | bool | None] = field(default_factory=dict)

    def said(
        self,
        translate: Callable[[str], str] = str,
        moment: Callable[[datetime], str] = datetime.isoformat,
    ) -> str:
        """The sentence, translated, with the facts that it names. `moment` shows a time."""

        def fact(named: re.Match[str]) -> str:
            name = named[1]
            if name not in self.facts:
                return named[0]  # braces of another meaning
            value = self.facts[name]
            if name in _MOMENTS:
                return moment(datetime.fromisoformat(str(value)))
            if name in _TEXTS:
                return translate(str(value))
            return _NOTHING if value is None else str(value)

        return _FACT.sub(fact, str(translate(self.sentence)))


class Refusal(Exception):
    """Base of all refusals. `status` is the HTTP status that says it.

    The sentence is a literal wherever it can be, so that it can be translated; where it tells a
    fact, it names the fact in braces (`frozen since {since}`).
    """

    status: ClassVar[int] = 400

    def __init__(self, code: str, sentence: str, /, **facts: str | int | bool | None) -> None:
        self.code = code
        self.sentence = sentence
        self.facts = facts
        self.detail = self.said()
        super().__init__(f"{code}: {self.detail}")

    def said(
        self,
        translate: Callable[[str], str] = str,
        moment: Callable[[datetime], str] = datetime.isoformat,
    ) -> str:
        """As `Reason.said`."""
        return Reason(self.sentence, self.facts).said(translate, moment)


class Malformed(Refusal):
    """The bytes are not what they should be."""

    status = 400


class Unauthenticated(Refusal):
    """Nobody is signed in, or the proof of identity does not hold."""

    status = 401


class Forbidden(Refusal):
    """Somebody is signed in who may not do this."""

    status = 403


class NotFound(Refusal):
    status = 404


class Conflict(Refusal):
    """The state of things does not allow this move."""

    status = 409


class TooLarge(Refusal):
    status = 413


class Unprocessable(Refusal):
    """Well formed, but the content breaks a rule."""

    status = 422


class TooMany(Refusal):
    status = 429


class Unavailable(Refusal):
    """A token, database or directory is not there now; trying again later may work."""

    status = 503
