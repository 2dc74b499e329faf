"""Pages of imports: the file, what is wrong with it, the confirmation."""

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext
from werkzeug.wrappers import Response

from kernel.refusals import NotFound, Refusal
from ra_portal.imports.columns import ImportKind, columns_of
from ra_portal.papers.documents import Upload
from ra_portal.people.identity import Identity
from ra_portal.services import PortalServices
from ra_portal.spreadsheets.reading import LARGEST_FILE
from ra_portal.spreadsheets.writing import SheetFormat, write
from ra_portal.web.person import Person

Page = str | Response | tuple[str, int]

_BACK = {ImportKind.ENTERPRISES: "portal.queue", ImportKind.OPERATORS: "portal.enterprise"}


def add_routes(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    @blueprint.route("/imports/<kind>", methods=["GET", "POST"])
    def import_file(kind: str) -> Page:
        by, wanted = _may(person.signed_in(), kind)
        if request.method == "GET":
            return _form(services, wanted)
        file = request.files.get("file")
        content = file.stream.read(LARGEST_FILE + 1) if file else b""
        upload = Upload(content, file.filename or "" if file else "")
        try:
            made = services.imports.preview(by, wanted, upload)
        except Refusal as refusal:
            if refusal.status in (401, 403, 404):
                raise
            return _form(services, wanted, refusal), refusal.status
        return redirect(url_for("portal.import_preview", identifier=made.id))

    @blueprint.get("/imports/<kind>/template.<file_format>")
    def import_template(kind: str, file_format: str) -> Page:
        """An empty file with the headings."""
        _, wanted = _may(person.signed_in(), kind)
        if file_format not in set(SheetFormat):
            raise NotFound("sheet.format", "choose CSV or XLSX")
        how = SheetFormat(file_format)
        headings = [
            column.headings[0] + ("*" if column.required else "")
            for column in columns_of(wanted, services.catalogue)
        ]
        response = make_response(write([headings], how))
        response.content_type = how.media_type
        response.headers["Content-Disposition"] = f'attachment; filename="{wanted}.{how}"'
        return response

    @blueprint.get("/imports/preview/<identifier>")
    def import_preview(identifier: str) -> Page:
        found = services.imports.show(person.signed_in(), identifier)
        return render_template(
            "ra_portal/import_preview.html",
            preview=found,
            back=url_for("portal.import_file", kind=found.kind),
        )

    @blueprint.post("/imports/preview/<identifier>/confirmation")
    def confirm_import(identifier: str) -> Page:
        by = person.signed_in()
        kind = services.imports.show(by, identifier).kind
        count = services.imports.confirm(by, identifier)
        said = ngettext("%(num)s row is taken over.", "%(num)s rows are taken over.", count)
        if kind is ImportKind.ENTERPRISES:
            approval = gettext("Another officer approves each application.")
            said = f"{said} {approval}"
        flash(said, "good")
        return redirect(url_for(_BACK[kind]))


def _may(by: Identity, kind: str) -> tuple[Identity, ImportKind]:
    if kind not in set(ImportKind):
        raise NotFound("import.unknown", "there is no such import of yours")
    wanted = ImportKind(kind)
    if wanted is ImportKind.OPERATORS:
        by.require_legal_person()
    else:
        by.require("application.import")
    return by, wanted


def _form(services: PortalServices, kind: ImportKind, refusal: Refusal | None = None) -> str:
    return render_template(
        "ra_portal/import.html",
        kind=kind,
        columns=columns_of(kind, services.catalogue),
        rights=services.catalogue.rights,
        refusal=refusal,
        back=url_for(_BACK[kind]),
    )
