"""Platforms under four eyes: one administrator proposes, another confirms.

What a platform may learn of holders is part of every proposal, with the department that permitted
it, so that the second person sees exactly what the register will say. Only disabling a platform
takes one person: it takes away, and must not wait.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from kernel.clock import Clock
from kernel.refusals import Conflict, Forbidden, NotFound, Unprocessable
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal
from signing_service.sso.cas import addresses as cas_addresses
from signing_service.sso.platform import Platform, PlatformDraft
from signing_service.sso.platforms import Platforms, Registration
from signing_service.sso.tables import proposals


class Action(StrEnum):
    REGISTER = "register"
    CHANGE = "change"
    ROTATE = "rotate-secret"


class Decision(StrEnum):
    CONFIRMED = "confirmed"
    REFUSED = "refused"


@dataclass(frozen=True)
class Proposal:
    id: str
    action: Action
    client_id: str
    draft: PlatformDraft | None
    """What the register will say; None: the platform's entry stays as it is."""
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    decision: Decision | None = None


class Proposals:
    """Takes proposals and decides them."""

    def __init__(
        self, database: Database, journal: Journal, clock: Clock, platforms: Platforms
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._platforms = platforms

    def register(self, draft: PlatformDraft, *, by: str) -> Proposal:
        """Raises as `PlatformDraft.checked`; Unprocessable `platform.permission`; Conflict
        `platform.exists`, `platform.proposed`, `platform.cas-service`."""
        checked = _permitted(draft.checked())
        if any(each.platform.client_id == checked.client_id for each in self._platforms.all()):
            raise Conflict("platform.exists", "this client_id is taken")
        self._require_free_services(checked)
        return self._put(Action.REGISTER, checked.client_id, checked, by)

    def change(self, draft: PlatformDraft, *, by: str) -> Proposal:
        """Raises as `register`; NotFound `platform.unknown`."""
        checked = _permitted(draft.checked())
        self._require(checked.client_id)
        self._require_free_services(checked)
        return self._put(Action.CHANGE, checked.client_id, checked, by)

    def rotate_secret(self, client_id: str, *, by: str) -> Proposal:
        """Raises NotFound `platform.unknown`, Unprocessable `platform.no-secret`."""
        if self._require(client_id).secret_digest is None:
            raise Unprocessable("platform.no-secret", "this platform has no client secret")
        return self._put(Action.ROTATE, client_id, None, by)

    def confirm(self, number: str, *, by: str) -> Registration:
        """Carry a proposal out; the client secret, where one was made, is in the answer alone.

        Raises NotFound `platform.proposal`, Conflict `platform.decided`, `platform.exists`,
        `platform.cas-service`; Forbidden `platform.same-administrator`.
        """
        try:
            with self._database.transaction() as connection:
                proposal = self._decide(connection, number, by, Decision.CONFIRMED)
                return self._carry_out(connection, proposal, by)
        except IntegrityError:
            raise Conflict(
                "platform.exists", "this client_id, or a service address, is taken"
            ) from None

    def refuse(self, number: str, *, by: str) -> None:
        """Who proposed may take it back. Raises as `confirm`."""
        with self._database.transaction() as connection:
            proposal = self._decide(connection, number, by, Decision.REFUSED)
            self._journal.append(
                connection,
                Event.PLATFORM_PROPOSAL_REFUSED,
                subject=proposal.client_id,
                actor=by,
                proposal=number,
                action=proposal.action,
            )

    def waiting(self) -> list[Proposal]:
        """Proposals that nobody decided, oldest first."""
        query = select(proposals).where(proposals.c.decision.is_(None))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(proposals.c.proposed_at)).all()
        return [_proposal(row) for row in rows]

    def of_platform(self, client_id: str) -> list[Proposal]:
        """Everything that was proposed of a platform, newest first."""
        query = select(proposals).where(proposals.c.client_id == client_id)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(proposals.c.proposed_at.desc())).all()
        return [_proposal(row) for row in rows]

    def find(self, number: str) -> Proposal:
        """Raises NotFound `platform.proposal`."""
        with self._database.reading() as connection:
            row = connection.execute(
                select(proposals).where(proposals.c.id == number)
            ).one_or_none()
        if row is None:
            raise _unknown()
        return _proposal(row)

    def _require(self, client_id: str) -> Platform:
        platform = self._platforms.find(client_id)
        if platform is None:
            raise NotFound("platform.unknown", "no such platform")
        return platform

    def _require_free_services(self, draft: PlatformDraft) -> None:
        with self._database.reading() as connection:
            cas_addresses.require_free(connection, draft)

    def _put(
        self, action: Action, client_id: str, draft: PlatformDraft | None, by: str
    ) -> Proposal:
        proposal = Proposal(new_id(), action, client_id, draft, by, self._clock.now())
        written = "null" if draft is None else json.dumps(draft.to_json(), ensure_ascii=False)
        row: dict[str, Any] = {**vars(proposal), "action": str(action), "draft": written}
        with self._database.transaction() as connection:
            try:
                connection.execute(insert(proposals), row)
            except IntegrityError:
                raise Conflict(
                    "platform.proposed", "a proposal for this platform is waiting"
                ) from None
            self._journal.append(
                connection,
                Event.PLATFORM_PROPOSED,
                subject=client_id,
                actor=by,
                proposal=proposal.id,
                action=str(action),
            )
        return proposal

    def _decide(self, connection: Connection, number: str, by: str, decision: Decision) -> Proposal:
        mine = select(proposals).where(proposals.c.id == number).with_for_update()
        row = connection.execute(mine).one_or_none()
        if row is None:
            raise _unknown()
        if row.decision is not None:
            raise Conflict("platform.decided", "the proposal is decided already")
        if decision is Decision.CONFIRMED and row.proposed_by == by:
            raise Forbidden("platform.same-administrator", "another administrator confirms this")
        decided = {"decided_by": by, "decided_at": self._clock.now(), "decision": str(decision)}
        connection.execute(update(proposals).where(proposals.c.id == number).values(decided))
        return _proposal(row)

    def _carry_out(self, connection: Connection, proposal: Proposal, by: str) -> Registration:
        platforms, client_id = self._platforms, proposal.client_id
        actor = f"{proposal.proposed_by} {by}"
        if proposal.action is Action.ROTATE:
            return platforms.rotate_secret(connection, client_id, actor=actor)
        assert proposal.draft is not None
        if proposal.action is Action.REGISTER:
            return platforms.add(connection, proposal.draft, actor=actor)
        return platforms.change(connection, proposal.draft, actor=actor)


def _permitted(draft: PlatformDraft) -> PlatformDraft:
    """Raises Unprocessable `platform.permission`."""
    permission = draft.terms.permission
    if permission.claims and not (permission.permitted_by.strip() and permission.evidence.strip()):
        raise Unprocessable(
            "platform.permission",
            "name the department that permitted the claims, and its decision",
        )
    return draft


def _proposal(row: Row[Any]) -> Proposal:
    draft = json.loads(row.draft)
    return Proposal(
        row.id,
        Action(row.action),
        row.client_id,
        None if draft is None else PlatformDraft.from_json(draft),
        row.proposed_by,
        row.proposed_at,
        row.decided_by,
        row.decided_at,
        None if row.decision is None else Decision(row.decision),
    )


def _unknown() -> NotFound:
    return NotFound("platform.proposal", "no such proposal")
