"""Drafts of applications: kept as they are typed, continued elsewhere with a code, erased in time.

Nothing in a draft is checked but its size and the scans, and everything typed is sealed with a key
in the token: half an application may hold the same personal data as a whole one.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection

from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.refusals import Unauthenticated
from ra_portal import fields
from ra_portal.applications import application_rows, draft_rows
from ra_portal.applications.application import ApplicationState, Papers
from ra_portal.applications.draft_rows import Draft
from ra_portal.codes import CodePurpose, code_hash, new_code
from ra_portal.papers import document_rows
from ra_portal.papers.document_rows import StoredDocument
from ra_portal.papers.documents import DocumentKind, Licence, Upload, read_scan
from ra_portal.people.personal_data import PersonalData
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal

FIELDS = (
    "name", "uscc", "customs_code", "legal_representative", "identity_number", "region",
    "phone", "email", "branch",
)  # fmt: skip
"""What is kept of a form."""
_LONGEST = 300
"""Characters of a field: more is no draft of anything."""
_PURPOSE = "draft"
Scans = Mapping[DocumentKind, Licence | None]


class Drafts:
    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        entropy: Entropy,
        personal: PersonalData,
        kept_for: timedelta,
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._entropy = entropy
        self._personal = personal
        self._kept_for = kept_for

    def save(
        self,
        draft_id: str | None,
        values: Mapping[str, str],
        uploads: Mapping[DocumentKind, Upload | None],
        version: int | None = None,
    ) -> Draft:
        """Keep what was typed; a first save makes the draft. A newer scan takes the older one's
        place. `version`: the one that it was typed into, 0 for none; None: whichever stands.

        Raises `fields.InvalidFields` for a scan and Conflict `draft.changed` where another version
        stands, and keeps nothing then.
        """
        reader = fields.FieldReader({})
        scans = {
            kind: read_scan(reader, kind, upload)
            for kind, upload in uploads.items()
            if upload is not None and upload.content
        }
        reader.finish()
        typed = _typed(values)
        known = self.find(draft_id)
        saved = None if known is None else self._save_again(known.id, typed, scans, version)
        return saved or self._begin(typed, scans)

    def save_correction(
        self, application_id: str, values: Mapping[str, str], version: int | None = None
    ) -> Draft:
        """Keep what was typed into a correction, for whoever shows the application's access code,
        on whichever computer. Scans are handed in with the form alone. Raises as `save`,
        and Conflict `application.state` once it was handed in."""
        identifier, now = draft_rows.of_correction(application_id), self._clock.now()
        content = self._personal.seal_text(_typed(values), _PURPOSE, identifier)
        with self._database.transaction() as connection:
            application = application_rows.lock(connection, application_id)
            application.require(ApplicationState.RETURNED)
            before = draft_rows.find(connection, identifier)
            if before is None:
                draft = Draft(identifier, content, Papers(None), now)
                draft_rows.add(connection, draft)
            else:
                draft_rows.require_version(before, version)
                draft = replace(before, content=content, changed_at=now, version=before.version + 1)
                draft_rows.save(connection, draft)
        return draft

    def correction(self, application_id: str) -> Draft | None:
        """What was typed into it last."""
        return self.find(draft_rows.of_correction(application_id))

    def _begin(self, typed: str, scans: Scans) -> Draft:
        identifier = new_id()
        content = self._personal.seal_text(typed, _PURPOSE, identifier)
        draft = Draft(identifier, content, Papers(None), self._clock.now())
        with self._database.transaction() as connection:
            draft = self._with_scans(connection, draft, scans)
            draft_rows.add(connection, draft)
        return draft

    def _save_again(
        self, identifier: str, typed: str, scans: Scans, version: int | None
    ) -> Draft | None:
        """None: it was handed in or erased meanwhile."""
        content = self._personal.seal_text(typed, _PURPOSE, identifier)
        with self._database.transaction() as connection:
            before = draft_rows.lock(connection, identifier)
            if before is None:
                return None
            draft_rows.require_version(before, version)
            now = self._clock.now()
            draft = replace(before, content=content, changed_at=now, version=before.version + 1)
            draft = self._with_scans(connection, draft, scans)
            draft_rows.save(connection, draft)
            kept = document_rows.ids(draft.papers)
            replaced = [
                paper
                for kind, paper in document_rows.ids(before.papers).items()
                if paper is not None and paper != kept[kind]
            ]
            document_rows.remove(connection, replaced)  # a draft is no evidence
        return draft

    def _with_scans(self, connection: Connection, draft: Draft, scans: Scans) -> Draft:
        for kind, scan in scans.items():
            assert scan is not None
            kept = document_rows.add(connection, draft.id, kind, scan, draft.changed_at)
            draft = draft_rows.with_paper(draft, str(kind), kept)
        return draft

    def find(self, draft_id: str | None) -> Draft | None:
        if draft_id is None:
            return None
        with self._database.reading() as connection:
            return draft_rows.find(connection, draft_id)

    def values(self, draft: Draft) -> dict[str, str]:
        """What was typed, by field."""
        typed: dict[str, str] = json.loads(
            self._personal.open_text(draft.content, _PURPOSE, draft.id)
        )
        return typed

    def papers(self, draft: Draft) -> dict[DocumentKind, StoredDocument]:
        """The scans that were uploaded already."""
        with self._database.reading() as connection:
            return document_rows.of_papers(connection, draft.papers)

    def page(self, draft: Draft, kind: DocumentKind, number: int) -> bytes:
        """A picture of a page, JPEG. Raises NotFound `licence.unknown`."""
        with self._database.reading() as connection:
            return document_rows.page(connection, document_rows.ids(draft.papers)[kind], number)

    def offer_code(self, draft: Draft) -> str:
        """A code to continue elsewhere; one that was shown before stops working."""
        code = new_code(self._entropy)
        hashed = code_hash(CodePurpose.DRAFT, code)
        with self._database.transaction() as connection:
            draft_rows.set_code(connection, draft.id, hashed)
        return code

    def open(self, code: str) -> Draft:
        """Raises Unauthenticated `draft.code`."""
        with self._database.reading() as connection:
            found = draft_rows.find_by_code(connection, code_hash(CodePurpose.DRAFT, code))
        if found is None:
            raise Unauthenticated("draft.code", "no draft has this code")
        return found

    def discard(self, draft: Draft) -> None:
        """Erase it with its scans."""
        with self._database.transaction() as connection:
            document_rows.remove(connection, document_rows.of_application(connection, draft.id))
            draft_rows.remove(connection, draft.id)

    def erase_untouched(self, limit: int = 200) -> int:
        """Erase drafts whose time is over; how many. For the worker."""
        with self._database.transaction() as connection:
            old = draft_rows.untouched(connection, self._clock.now() - self._kept_for, limit)
            for identifier in old:
                documents = document_rows.of_application(connection, identifier)
                document_rows.remove(connection, documents)
                draft_rows.remove(connection, identifier)
            if old:
                self._journal.append(
                    connection, Event.DRAFTS_ERASED, subject="drafts", actor="worker",
                    count=len(old),
                )  # fmt: skip
        return len(old)


def _typed(values: Mapping[str, str]) -> str:
    return json.dumps({name: values.get(name, "")[:_LONGEST] for name in FIELDS})
