"""The validation report as ETSI TS 119 102-2 V1.4.1 XML, itself signed.

Objects are named by their SHA-256: who keeps a report keeps the signature that it is about.
"""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import cast

from lxml import etree

from kernel.asn1.certificate import Certificate
from kernel.keys import KeyHandle
from signing_service.formats.xades import whole as xades
from signing_service.formats.xml_names import XADES
from signing_service.timestamping.client import Timestamper
from signing_service.validation.report import (
    CertificateSummary,
    Finding,
    PolicySummary,
    RevocationSummary,
    SignatureReport,
    TimestampSummary,
    ValidationReport,
)

XmlReport = Callable[[ValidationReport], bytes]
NAMESPACE = "http://uri.etsi.org/19102/v1.4.1#"
_DS = "http://www.w3.org/2000/09/xmldsig#"
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
_URN = "urn:etsi:019102"
_OWN = "urn:portseal:validation-report"


class _Names:
    """Elements of one namespace, by their names."""

    def __init__(self, namespace: str, nsmap: Mapping[str | None, str]) -> None:
        self._namespace = namespace
        # The default namespace has no prefix, which the stubs leave out.
        self._nsmap = cast(dict[str, str], dict(nsmap))

    def __getattr__(self, name: str) -> Callable[..., etree._Element]:
        return partial(self, name)

    def __call__(
        self, name: str, *children: etree._Element | str, **attributes: str
    ) -> etree._Element:
        made = etree.Element(f"{{{self._namespace}}}{name}", attributes, self._nsmap)
        for child in children:
            if isinstance(child, str):
                made.text = child
            else:
                made.append(child)
        return made


_E = _Names(NAMESPACE, {None: NAMESPACE, "ds": _DS})
_X = _Names(XADES, {"xades": XADES})
_D = _Names(_DS, {"ds": _DS})


def signed_xml_report(
    report: ValidationReport,
    key: KeyHandle,
    certificate: Certificate,
    *,
    chain: Sequence[Certificate] = (),
    timestamper: Timestamper | None = None,
) -> bytes:
    """The report under an enveloped XAdES signature of this service (B-B, or B-T with a
    timestamper), made at the time of validation.

    Raises as `formats.xades.sign`.
    """
    return xades.sign(
        xml_report(report), key, certificate, report.validated_at,
        chain=chain, timestamper=timestamper,
    )  # fmt: skip


def xml_report(report: ValidationReport) -> bytes:
    """The report, not signed."""
    objects = _Objects()
    root = _E.ValidationReport(
        *(_signature(one, report, objects) for one in _with_counters(report.signatures or ()))
    )
    if not report.signatures:
        root.append(_E.SignatureValidationReport(_status(report.finding)))
    if len(objects.list):
        root.append(objects.list)
    written: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return written


class _Objects:
    """SignatureValidationObjects: each certificate and timestamp once."""

    def __init__(self) -> None:
        self.list = _E.SignatureValidationObjects()
        self._ids: dict[str, str] = {}

    def certificate(self, summary: CertificateSummary) -> str:
        """The identifier of a certificate's object."""
        return self._add("certificate", summary.sha256)

    def timestamp(self, summary: TimestampSummary) -> str:
        known = summary.sha256 or f"{summary.authority}#{summary.serial}"
        if known in self._ids:
            return self._ids[known]
        report = _E.ValidationReport(
            _status(summary.finding, _chain(summary.path, self), summary.revocation)
        )
        proof = _proof(summary.generated_at, f"{_URN}:poetype:provided")
        return self._add("timestamp", summary.sha256, proof, report, known=known)

    def _add(
        self, kind: str, sha256: str | None, *more: etree._Element, known: str | None = None
    ) -> str:
        key = known or f"{kind}:{sha256}"
        if key not in self._ids:
            self._ids[key] = f"o{len(self._ids) + 1}"
            shown = _digest(sha256) if sha256 else _E.URI(f"urn:portseal:{kind}")
            self.list.append(
                _E.ValidationObject(
                    _E.ObjectType(f"{_URN}:validationObject:{kind}"),
                    _E.ValidationObjectRepresentation(shown),
                    *more,
                    id=self._ids[key],
                )
            )
        return self._ids[key]


def _signature(
    signature: SignatureReport, report: ValidationReport, objects: _Objects
) -> etree._Element:
    made = _E.SignatureValidationReport()
    identifier = signature.signature_value_sha256
    if identifier is not None:
        made.append(
            _E.SignatureIdentifier(
                _digest(identifier), _E.HashOnly("false"), _E.DocHashOnly("false")
            )
        )
    made.append(
        _E.ValidationConstraintsEvaluationReport(
            _E.SignatureValidationPolicy(
                _E.SignaturePolicyIdentifier(_policy(report.policy)),
                _E.PolicyName(report.policy.name.en),
            )
        )
    )
    proven = signature.time.proven
    kind = "provided" if proven is not None else "validation"
    made.append(
        _E.ValidationTimeInfo(
            _E.ValidationTime(_moment(report.validated_at)),
            _in("BestSignatureTime", _proof(proven or report.validated_at,
                                            f"{_URN}:poetype:{kind}")),
        )
    )  # fmt: skip
    if report.document_sha256 is not None:
        made.append(_E.SignersDocument(_digest(report.document_sha256)))
    made.append(_attributes(signature, objects))
    if signature.signer is not None:
        made.append(
            _E.SignerInformation(
                _reference("SignerCertificate", objects.certificate(signature.signer.certificate)),
                _E.Signer(_printable(signature.signer.name)),
            )
        )
    made.append(
        _E.SignatureValidationProcess(
            _E.SignatureValidationProcessID(f"{_URN}:validationprocess:LTA")
        )
    )
    chain = _chain(signature.path, objects)
    made.append(_status(signature.finding, chain, signature.revocation, _article_13(signature)))
    return made


def _with_counters(signatures: Sequence[SignatureReport]) -> Iterator[SignatureReport]:
    """Each signature, followed by those upon it."""
    for each in signatures:
        yield each
        yield from _with_counters(each.counter_signatures)


def _attributes(signature: SignatureReport, objects: _Objects) -> etree._Element:
    attributes = _E.SignatureAttributes()
    if signature.time.claimed is not None:
        attributes.append(_E.SigningTime(_E.Time(_moment(signature.time.claimed)), Signed="true"))
    names = {
        "content-timestamp": "AllDataObjectsTimeStamp",
        "signature-timestamp": "SignatureTimeStamp",
        "archive-timestamp": "ArchiveTimeStamp",
    }
    for kind, name in names.items():
        for timestamp in signature.timestamps:
            if timestamp.kind == kind:
                attributes.append(
                    _E(
                        name,
                        _reference("AttributeObject", objects.timestamp(timestamp)),
                        _E.TimeStampValue(_moment(timestamp.generated_at)),
                    )
                )
    for counter in signature.counter_signatures:
        if counter.signature_value_sha256 is not None:
            value = base64.b64encode(bytes.fromhex(counter.signature_value_sha256)).decode()
            named = _E.DigestMethod(_SHA256), _E.DigestValue(value)
            attributes.append(_E.CounterSignature(_E.CounterSignature(*named)))
    return attributes


def _status(
    finding: Finding,
    chain: etree._Element | None = None,
    revocation: Sequence[RevocationSummary] = (),
    more: etree._Element | None = None,
) -> etree._Element:
    status = _E.SignatureValidationStatus(
        _E.MainIndication(f"{_URN}:mainindication:{_main(finding)}")
    )
    if finding.sub_indication is not None:
        status.append(_E.SubIndication(f"{_URN}:subindication:{finding.sub_indication.value}"))
    data = _E.AssociatedValidationReportData()
    if chain is not None:
        data.append(chain)
    facts = [("step", finding.step), ("reason", finding.reason)]
    facts += [("why", finding.why.en), ("why:zh", finding.why.zh)]
    facts += [("help", finding.help.en), ("help:zh", finding.help.zh)] if finding.help.en else []
    for one in revocation:
        words = [
            one.status,
            one.source or "-",
            *([_moment(one.this_update)] if one.this_update else []),
        ]
        words += [_moment(one.revoked_at), one.reason or "-"] if one.revoked_at else []
        facts.append((f"revocation:{one.serial}", "; ".join(words)))
    data.append(
        _E.AdditionalValidationReportData(
            *(_typed(kind, value) for kind, value in facts), *(more if more is not None else ())
        )
    )
    status.append(data)
    return status


def _article_13(signature: SignatureReport) -> etree._Element:
    """The four conditions of the Electronic Signature Law, each with its evidence."""
    found = _E.AdditionalValidationReportData()
    for condition in signature.article_13:
        name = f"article-13:{condition.number}"
        found.append(_typed(name, condition.answer.value))
        found.extend(_typed(f"{name}:evidence", text.en) for text in condition.evidence)
        found.extend(_typed(f"{name}:evidence:zh", text.zh) for text in condition.evidence)
        found.extend(_typed(f"{name}:limit", text.en) for text in condition.limits)
        found.extend(_typed(f"{name}:limit:zh", text.zh) for text in condition.limits)
    return found


def _policy(policy: PolicySummary) -> etree._Element:
    """The validation policy by its name and the digest of its file."""
    if policy.sha256 is None:
        return _X.SignaturePolicyImplied()
    value = base64.b64encode(bytes.fromhex(policy.sha256)).decode()
    return _X.SignaturePolicyId(
        _X.SigPolicyId(_X.Identifier(policy.identifier)),
        _X.SigPolicyHash(_D.DigestMethod(Algorithm=_SHA256), _D.DigestValue(value)),
    )


def _chain(path: Sequence[CertificateSummary], objects: _Objects) -> etree._Element | None:
    if not path:
        return None
    names = ["SigningCertificate", *(["IntermediateCertificate"] * (len(path) - 2))]
    names += ["TrustAnchor"] if len(path) > 1 else []
    return _E.CertificateChain(
        *(_reference(name, objects.certificate(one)) for name, one in zip(names, path, strict=True))
    )


def _main(finding: Finding) -> str:
    return finding.indication.value.lower()


def _typed(kind: str, value: str) -> etree._Element:
    return _E.ReportData(_E.Type(f"{_OWN}:{kind}"), _E.Value(_printable(value)))


def _reference(name: str, identifier: str) -> etree._Element:
    return _E(name, VOReference=identifier)


def _proof(at: datetime, kind: str) -> etree._Element:
    return _E.POE(_E.POETime(_moment(at)), _E.TypeOfProof(kind))


def _in(name: str, element: etree._Element) -> etree._Element:
    element.tag = f"{{{NAMESPACE}}}{name}"
    return element


def _digest(sha256: str) -> etree._Element:
    value = base64.b64encode(bytes.fromhex(sha256)).decode()
    return _E.DigestAlgAndValue(_D.DigestMethod(Algorithm=_SHA256), _D.DigestValue(value))


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _printable(text: str) -> str:
    """XML has no way to write control characters; names in certificates may hold them."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)
