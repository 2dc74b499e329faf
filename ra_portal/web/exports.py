"""Files of the officers' lists to take away, in the words of the page."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import IO, TypeVar

from flask import send_file
from flask_babel import gettext
from werkzeug.wrappers import Response

from ra_portal.applications.queue import Asked
from ra_portal.cards.card import Card, CardState
from ra_portal.days import ZONE
from ra_portal.exports import Exports, ListedApplication
from ra_portal.people.identity import Identity
from ra_portal.spreadsheets.writing import SheetFormat, spool_csv
from ra_portal.web.words import KINDS, STATES

_Row = TypeVar("_Row")


def queue_file(
    exports: Exports, by: Identity, asked: Asked, branches: Mapping[str, str]
) -> Response:
    """`branches`: names by id. Raises as `Exports.applications`."""
    headings = [
        gettext("Enterprise"), gettext("Unified social credit code"), gettext("Reference"),
        gettext("Branch"), gettext("State"), gettext("Assigned to"),
        gettext("Handed in (UTC+8)"), gettext("Since (UTC+8)"),
    ]  # fmt: skip

    def cells(row: ListedApplication) -> list[str]:
        found = row.application
        return [
            found.details.name, found.details.uscc, found.reference,
            branches.get(found.details.branch_id or "", ""), str(STATES[found.state][0]),
            row.assigned_to, _moment(found.submitted_at), _moment(found.changed_at),
        ]  # fmt: skip

    return _file("applications", headings, cells, lambda to: exports.applications(by, asked, to))


def cards_file(exports: Exports, by: Identity, state: CardState | None, text: str) -> Response:
    """Raises as `Exports.cards`."""
    headings = [
        gettext("Card"), gettext("Holder"), gettext("Kind"), gettext("State"),
        gettext("Requested (UTC+8)"), gettext("Made (UTC+8)"), gettext("Valid until (UTC+8)"),
        gettext("Serial number"),
    ]  # fmt: skip

    def cells(row: tuple[Card, str]) -> list[str]:
        card, holder = row
        return [
            card.number, holder, str(KINDS[card.holder.kind]), str(STATES[card.state][0]),
            _moment(card.requested_at), _moment(card.activated_at), _moment(card.not_after),
            card.serial or "",
        ]  # fmt: skip

    return _file("cards", headings, cells, lambda to: exports.cards(by, state, text, to))


def _file(
    name: str,
    headings: list[str],
    cells: Callable[[_Row], list[str]],
    export: Callable[[Callable[[Iterable[_Row]], int]], int],
) -> Response:
    written: list[IO[bytes]] = []

    def lines(rows: Iterable[_Row]) -> Iterator[list[str]]:
        yield headings
        for row in rows:
            yield cells(row)

    def write(rows: Iterable[_Row]) -> int:
        file, count = spool_csv(lines(rows))
        written.append(file)
        return count

    try:
        export(write)
    except BaseException:
        for file in written:  # not journalled, so not given out
            file.close()
        raise
    return send_file(
        written[0],
        mimetype=SheetFormat.CSV.media_type,
        as_attachment=True,
        download_name=f"{name}.csv",
    )


def _moment(at: datetime | None) -> str:
    return f"{at.astimezone(ZONE):%Y-%m-%d %H:%M:%S}" if at else ""
