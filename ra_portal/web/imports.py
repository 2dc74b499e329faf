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

_ROWS = 100
"""Of a preview, on one page."""
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
        how = _format(file_format)
        headings = [
            column.headings[0] + ("*" if column.required else "")
            for column in columns_of(wanted, services.catalogue)
        ]
        return _file([headings], how, str(wanted))

    @blueprint.get("/imports/preview/<identifier>")
    def import_preview(identifier: str) -> Page:
        wanted = request.args.get("rows", "")
        found = services.imports.page(
            person.signed_in(),
            identifier,
            request.args.get("page", 1, int),
            _ROWS,
            only_bad=wanted == "bad",
        )

        def turned(to: int) -> str:
            return url_for("portal.import_preview", identifier=identifier, rows=wanted, page=to)

        return render_template(
            "ra_portal/import_preview.html",
            preview=found.preview,
            good=found.total - found.bad,
            bad=found.bad,
            only_bad=wanted == "bad",
            previous=turned(found.number - 1) if found.number > 1 else "",
            following=turned(found.number + 1) if found.number < found.last else "",
            back=url_for("portal.import_file", kind=found.preview.kind),
        )

    @blueprint.get("/imports/preview/<identifier>/faults.<file_format>")
    def import_faults(identifier: str, file_format: str) -> Page:
        """What is wrong, cell by cell, to correct the file by; identity numbers masked."""
        found = services.imports.show(person.signed_in(), identifier)
        headings = [gettext("Row"), gettext("Column"), gettext("Cell"), gettext("What is wrong")]
        names = {column.name: column.headings[0] for column in found.columns}
        told = [
            [str(row.number), names[name], row.cells.get(name, ""), gettext(why)]
            for row in found.rows
            for name, why in row.errors.items()
        ]
        return _file([headings, *told], _format(file_format), "faults")

    @blueprint.post("/imports/preview/<identifier>/confirmation")
    def confirm_import(identifier: str) -> Page:
        by = person.signed_in()
        kind = services.imports.kind_of(by, identifier)
        count = services.imports.confirm(by, identifier)
        said = ngettext("%(num)s row is taken over.", "%(num)s rows are taken over.", count)
        if kind is ImportKind.ENTERPRISES:
            approval = gettext("Another officer approves each application.")
            said = f"{said} {approval}"
        flash(said, "good")
        return redirect(url_for(_BACK[kind]))


def _format(text: str) -> SheetFormat:
    """Raises NotFound `sheet.format`."""
    if text not in set(SheetFormat):
        raise NotFound("sheet.format", "choose CSV or XLSX")
    return SheetFormat(text)


def _file(rows: list[list[str]], how: SheetFormat, name: str) -> Response:
    response = make_response(write(rows, how))
    response.content_type = how.media_type
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{how}"'
    return response


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
