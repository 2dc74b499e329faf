"""Before a right's period ends the operator and the enterprise are told, once for each period."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from sqlalchemy import Connection

from kernel.clock import Clock
from policies.card_life import CardLifePolicy
from policies.rights import RightsCatalogue
from ra_portal.cards.card import Holder
from ra_portal.notices.notices import Notices
from ra_portal.notices.times import day
from ra_portal.people import people_rows
from ra_portal.people.contacts import Contacts
from ra_portal.people.identity import HolderKind
from ra_portal.people.people import Grant, Operator
from ra_portal.people.telling import LATER, Letter, tell, written
from records.database import Database
from records.events import Event
from records.journal import Entry, Journal

MOST_NAMED = 20
"""Rights that one message names; it says how many there are in all."""
_OWN = "rights-end"
_OPERATORS = "operators-rights-end"
Told = Mapping[str, str | None]
_Letters = Mapping[tuple[Holder, str], Letter]
"""By whom they go to and the template."""


class EndingRights:
    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        contacts: Contacts,
        notices: Notices,
        catalogue: RightsCatalogue,
        policy: CardLifePolicy,
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._contacts = contacts
        self._notices = notices
        self._catalogue = catalogue
        self._ahead = timedelta(days=policy.notices.right_days)

    def give_notice(self, limit: int = 200) -> int:
        """Tell of rights that end soon; how many. For the worker.

        One message to an operator and one to an enterprise name all of a round, soonest first. Who
        may have no more messages today is told in a later round, and holds up nobody else. Of a
        closed enterprise's rights nobody is told.
        """
        done = 0
        asked: set[str] = set()
        while done < limit:
            with self._database.reading() as connection:
                named = self._ending(connection, limit - done, asked)
                of = people_rows.operators_among(connection, {each.operator_id for each in named})
            if not named:
                break
            letters = self._letters(named, of)
            ids = {each.id for each in named}
            with self._database.transaction() as connection:
                still = self._ending(connection, limit - done, asked)
                ending = [each for each in still if each.id in ids]  # not withdrawn meanwhile
                for enterprise_id in sorted({each.enterprise_id for each in of.values()}):
                    theirs = _of_enterprise(ending, of, enterprise_id)
                    told = self._tell(connection, enterprise_id, theirs, letters)
                    people_rows.mark_end_told(connection, told, self._clock.now())
                    done += len(told)
                    asked.add(enterprise_id)
        return done

    def _ending(self, connection: Connection, limit: int, without: Collection[str]) -> list[Grant]:
        now = self._clock.now()
        query = people_rows.ending_grants(now, now + self._ahead, limit, without)
        return people_rows.grants_by(connection, query)

    def _letters(self, ending: Sequence[Grant], of: Mapping[str, Operator]) -> _Letters:
        numbers = {each.id: each.employee_number for each in of.values()}
        letters: dict[tuple[Holder, str], Letter] = {}
        for enterprise_id in sorted({each.enterprise_id for each in of.values()}):
            theirs = _of_enterprise(ending, of, enterprise_id)
            holder = Holder(HolderKind.LEGAL_PERSON, enterprise_id)
            letters[holder, _OPERATORS] = self._letter(holder, _OPERATORS, theirs, numbers)
        for operator in of.values():
            own = [grant for grant in ending if grant.operator_id == operator.id]
            letters[operator.holder, _OWN] = self._letter(operator.holder, _OWN, own, {})
        return letters

    def _tell(
        self,
        connection: Connection,
        enterprise_id: str,
        ending: Sequence[Grant],
        letters: _Letters,
    ) -> list[str]:
        """Ids of those that need not be told of again."""
        if not ending or people_rows.enterprise(connection, enterprise_id).closed_at is not None:
            return [each.id for each in ending]
        holder = Holder(HolderKind.LEGAL_PERSON, enterprise_id)
        told = tell(connection, self._notices, letters[holder, _OPERATORS])
        if told == LATER:
            return []
        done: list[str] = []
        for operator_id in sorted({grant.operator_id for grant in ending}):
            own = [grant for grant in ending if grant.operator_id == operator_id]
            letter = letters[Holder(HolderKind.OPERATOR, operator_id), _OWN]
            channel = tell(connection, self._notices, letter)
            if channel != LATER:
                self._note(connection, own, {"operator": channel, "enterprise": told})
                done += [each.id for each in own]
        return done

    def _letter(
        self,
        holder: Holder,
        template: str,
        ending: Sequence[Grant],
        numbers: Mapping[str, str],
    ) -> Letter:
        """With the operators' employee `numbers` for an enterprise."""
        first = ending[0]
        values = {
            "count": str(len(ending)),
            "date": _last_day(first),
            "first_zh": self._name(first, "zh"),
            "first_en": self._name(first, "en"),
        }
        for language, brackets in (("zh", "（{}）"), ("en", " ({})")):
            named = [
                f"{numbers.get(grant.operator_id, '')} {self._name(grant, language)}".strip()
                + brackets.format(_last_day(grant))
                for grant in ending[:MOST_NAMED]
            ]
            separator = "；" if language == "zh" else "; "
            more = "…" if len(ending) > MOST_NAMED else ""
            values[f"rights_{language}"] = separator.join(named) + more
        return written(self._database, self._contacts, self._notices, holder, template, values)

    def _name(self, grant: Grant, language: str) -> str:
        right = self._catalogue.right(grant.right)
        if right is None:  # granted before it was taken out of the catalogue
            return grant.right
        return right.name_zh if language == "zh" else right.name_en

    def _note(self, connection: Connection, ending: Sequence[Grant], told: Told) -> None:
        self._journal.append_many(
            connection,
            [
                Entry(
                    Event.OPERATOR_RIGHT_END_TOLD,
                    f"operator:{grant.operator_id}",
                    "worker",
                    {"right": grant.right, "last_day": _last_day(grant), **told},
                )
                for grant in ending
            ],
        )


def _of_enterprise(
    grants: Sequence[Grant], of: Mapping[str, Operator], enterprise_id: str
) -> list[Grant]:
    return [each for each in grants if of[each.operator_id].enterprise_id == enterprise_id]


def _last_day(grant: Grant) -> str:
    """The day on which it still holds."""
    assert grant.valid_until is not None
    return day(grant.valid_until - timedelta(microseconds=1))
