"""Refusals: the ways in which the product says no.

A refusal carries a stable code (dotted, lower case: `enrolment.same-officer`), a sentence for
a person, and facts for a program. It never carries a key, a PIN or a whole foreign message.
`portseal.problems` maps each class to one application/problem+json answer (RFC 9457).
"""

from typing import ClassVar


class Refusal(Exception):
    """Base of all refusals. `status` is the HTTP status that says it."""

    status: ClassVar[int] = 400

    def __init__(self, code: str, detail: str, /, **facts: str | int | bool | None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.facts = facts


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
