"""The validation report as a PDF for people, in Chinese or English.

The same report always gives the same octets. The font comes from the machine; nothing is fetched.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Lock
from typing import Literal

from fontTools.ttLib import TTCollection, TTLibError
from fpdf import FPDF, FontFace
from fpdf.enums import XPos, YPos

from kernel.refusals import Unavailable
from signing_service.reports.names import right_name, source_name, step_name
from signing_service.reports.pdf_words import PDF_WORDS
from signing_service.validation.article13 import Text
from signing_service.validation.report import (
    CertificateSummary,
    Finding,
    RevocationSummary,
    SignatureReport,
    ValidationReport,
)

Language = Literal["zh", "en"]
DEFAULT_FONT = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
"""Debian's fonts-noto-cjk (SIL Open Font License)."""
MAX_SIGNATURES = 64
_SIMPLIFIED_CHINESE = "Noto Sans CJK SC"
_FAMILY = "report"
_CHINA = timezone(timedelta(hours=8))
_MARGIN = 18.0
_COLOURS = {
    "TOTAL-PASSED": (20, 110, 60),
    "TOTAL-FAILED": (170, 25, 35),
    "INDETERMINATE": (150, 95, 0),
}
_one_at_a_time = Lock()  # a font takes much memory while it is open


def pdf_report(
    report: ValidationReport, language: Language = "zh", font: Path = DEFAULT_FONT
) -> bytes:
    """The report as PDF. Raises Unavailable `report.font` where the font is not there."""
    report.complete()
    with _one_at_a_time:
        return _Writer(report, language, font).write()


class _Writer:
    def __init__(self, report: ValidationReport, language: Language, font: Path) -> None:
        self._report = report
        self._language: Language = language
        self._pdf = FPDF()
        try:
            self._pdf.add_font(_FAMILY, fname=font, collection_font_number=_number_in(font))
        except (OSError, TTLibError, ValueError, KeyError):
            raise Unavailable(
                "report.font",
                "the font for reports is not there; install fonts-noto-cjk ({file})",
                file=font.name,
            ) from None
        self._pdf.set_creation_date(report.validated_at)
        self._pdf.set_title(self._word("title"))
        self._pdf.set_lang("zh-CN" if language == "zh" else "en")
        self._pdf.set_margins(_MARGIN, _MARGIN)
        self._pdf.set_auto_page_break(auto=True, margin=_MARGIN)

    def write(self) -> bytes:
        report, pdf = self._report, self._pdf
        pdf.add_page()
        self._heading(self._word("title"), 18)
        self._verdict(report.finding)
        facts = [(self._word("verified-on"), _moment(report.validated_at))]
        facts.append((self._word("policy"), f"{self._text(report.policy.name)}"))
        if report.declaration is not None:
            facts.append((self._word("declaration"), self._text(report.declaration.name)))
            facts.append((self._word("declarant"), report.declaration.declarant))
        for name, value in (
            ("document-sha256", report.document_sha256),
            ("signature-sha256", report.signature_sha256),
        ):
            if value is not None:
                facts.append((self._word(name), value))
        self._facts(facts)
        for number, signature in enumerate(report.signatures[:MAX_SIGNATURES], 1):
            self._heading(f"{self._word('signature')} {number} / {len(report.signatures)}", 14)
            self._signature(signature)
        return bytes(pdf.output())

    def _signature(self, signature: SignatureReport) -> None:
        self._verdict(signature.finding)
        facts = []
        if signature.signer is not None:
            facts.append((self._word("signer"), signature.signer.name))
            enterprise = signature.signer.enterprise
            if enterprise is not None:
                names = (enterprise.name, enterprise.uscc, enterprise.customs_code)
                facts.append((self._word("enterprise"), " / ".join(n for n in names if n)))
            if signature.signer.rights:
                rights = ", ".join(self._text(right_name(r)) for r in signature.signer.rights)
                facts.append((self._word("rights"), rights))
            if not signature.signer.known:
                facts.append((self._word("registry"), self._word("not-registered")))
        proven = signature.time.proven
        by = signature.time.proven_by or ""
        shown = self._word("no-proof") if proven is None else f"{_moment(proven)}  {by}"
        facts.append((self._word("proven-time"), shown))
        if signature.time.claimed is not None:
            facts.append((self._word("claimed-time"), _moment(signature.time.claimed)))
        kind = f"{signature.format} {signature.level}, {signature.packaging}"
        facts.append((self._word("format"), f"{kind}, {signature.algorithm}"))
        facts += [(self._word("observation"), text) for text in signature.observations]
        self._facts(facts)
        self._article_13(signature)
        self._chain(self._word("chain"), signature.authority, signature.path)
        self._revocation(signature.revocation)
        for timestamp in signature.timestamps:
            self._heading(f"{self._word(timestamp.kind)}  {_moment(timestamp.generated_at)}", 11)
            self._paragraph(f"{_word(timestamp.finding)}  {self._text(timestamp.finding.why)}")
            self._chain("", timestamp.authority, timestamp.path)
            self._revocation(timestamp.revocation)
        for counter in signature.counter_signatures:
            self._counter_signature(counter)
        self._heading(self._word("steps"), 11)
        for step in signature.steps:
            passed = step.indication.value == "PASSED"
            why = "" if passed else f"  {self._text(step.why)}"
            self._paragraph(f"{self._text(step_name(step.step))}: {_word(step)}{why}", size=8)

    def _counter_signature(self, counter: SignatureReport) -> None:
        name = counter.signer.name if counter.signer is not None else ""
        self._heading(f"{self._word('counter-signature')}  {name}", 11)
        self._paragraph(f"{_word(counter.finding)}  {self._text(counter.finding.why)}")
        at = counter.time.proven or counter.time.claimed
        if at is not None:
            word = "proven-time" if counter.time.proven else "claimed-time"
            self._paragraph(f"{self._word(word)}: {_moment(at)}")
        self._chain("", counter.authority, counter.path)
        self._revocation(counter.revocation)
        for upon_it in counter.counter_signatures:
            self._counter_signature(upon_it)

    def _article_13(self, signature: SignatureReport) -> None:
        self._heading(self._word("article-13"), 12)
        for condition in signature.article_13:
            answer = self._word(f"answer-{condition.answer.value}")
            question = self._text(condition.question)
            self._paragraph(f"({condition.number}) {question}: {answer}", size=10)
            for text in condition.evidence:
                self._paragraph(f"• {self._text(text)}", indent=6)
            if condition.limits:
                limits = " ".join(self._text(text) for text in condition.limits)
                self._paragraph(f"{self._word('limits')} {limits}", indent=6, size=8)

    def _chain(self, title: str, authority: str | None, path: Sequence[CertificateSummary]) -> None:
        if title:
            self._heading(title, 11)
        if authority is not None:
            self._paragraph(authority)
        self._table(
            (
                one.subject,
                one.serial,
                f"{one.not_before.astimezone(_CHINA):%Y-%m-%d} – "
                f"{one.not_after.astimezone(_CHINA):%Y-%m-%d}",
            )
            for one in path
        )

    def _revocation(self, findings: Sequence[RevocationSummary]) -> None:
        if findings:
            self._heading(self._word("revocation"), 11)
        rows = []
        for one in findings:
            status = self._word(f"status-{one.status}")
            if one.revoked_at is not None:
                status += f" {_moment(one.revoked_at)} {one.reason or ''}"
            source = self._text(source_name(one.source)) if one.source else "–"
            if one.this_update is not None:
                source += f", {_moment(one.this_update)}"
            rows.append((one.subject, status, source))
        self._table(rows)

    # -- what is drawn -------------------------------------------------------------------------

    def _verdict(self, finding: Finding) -> None:
        pdf, indication = self._pdf, finding.indication.value
        pdf.set_text_color(*_COLOURS.get(indication, (0, 0, 0)))
        self._paragraph(self._word(indication), size=14)
        pdf.set_text_color(0, 0, 0)
        self._paragraph(self._text(finding.why), size=10)
        if self._text(finding.help):
            self._paragraph(self._text(finding.help), size=10)
        self._paragraph(f"{_word(finding)} · {self._text(step_name(finding.step))}", size=8)

    def _heading(self, text: str, size: float) -> None:
        self._pdf.ln(3)
        self._paragraph(text, size=size)

    def _paragraph(self, text: str, *, size: float = 9, indent: float = 0) -> None:
        pdf = self._pdf
        pdf.set_font(_FAMILY, size=size)
        pdf.set_x(_MARGIN + indent)
        pdf.multi_cell(0, size * 0.55, _shown(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _facts(self, facts: Iterable[tuple[str, str]]) -> None:
        self._table(facts, widths=(30, 100))

    def _table(self, rows: Iterable[Sequence[str]], widths: tuple[int, ...] = (60, 45, 50)) -> None:
        kept = list(rows)
        if not kept:
            return
        self._pdf.set_font(_FAMILY, size=8)
        plain = FontFace(emphasis="")
        with self._pdf.table(
            col_widths=widths, line_height=4.5, text_align="LEFT",
            borders_layout="HORIZONTAL_LINES", first_row_as_headings=False, headings_style=plain,
        ) as table:  # fmt: skip
            for row in kept:
                cells = table.row()
                for value in row:
                    cells.cell(_shown(value))

    def _word(self, name: str) -> str:
        return self._text(PDF_WORDS[name])

    def _text(self, text: Text) -> str:
        return text.zh if self._language == "zh" else text.en


def _number_in(font: Path) -> int:
    """Which font of a collection has the simplified forms."""
    if font.suffix != ".ttc":
        return 0
    with TTCollection(str(font), lazy=True) as collection:
        names = [one["name"].getDebugName(1) for one in collection.fonts]
    return names.index(_SIMPLIFIED_CHINESE)


def _word(finding: Finding) -> str:
    sub = finding.sub_indication
    return finding.indication.value + (f"/{sub.value}" if sub is not None else "")


def _moment(at: datetime) -> str:
    utc = at.astimezone(UTC)
    return f"{utc.astimezone(_CHINA):%Y-%m-%d %H:%M:%S} UTC+8 ({utc:%Y-%m-%dT%H:%M:%SZ})"


def _shown(text: str) -> str:
    """Names come from strangers: no control characters, nothing that turns the text around."""
    return "".join(c if c.isprintable() or c == " " else "\ufffd" for c in text)[:4000]
