"""ASiCManifest and ASiCArchiveManifest (EN 319 162-1, A.4): files listed by their digests."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from lxml import etree

from kernel.algorithms import DIGESTS_BY_XML, XML_DIGESTS
from kernel.refusals import Malformed, Refusal, Unprocessable
from signing_service.formats import xml_security
from signing_service.formats.asic.container import name_of, uri_of
from signing_service.formats.cms.signed_data import digest_of
from signing_service.formats.document import Document
from signing_service.formats.xml_names import DS, ds
from signing_service.validation.evidence import DigestReference

ASIC = "http://uri.etsi.org/02918/v1.2.1#"
MAX_REFERENCES = 1000
CADES_TYPE = "application/pkcs7-signature"
TIMESTAMP_TYPE = "application/vnd.etsi.timestamp-token"


@dataclass(frozen=True, slots=True)
class ListedFile:
    name: str
    digest: str
    """hashlib's name."""
    value: bytes
    root_file: bool = False
    """Of an archive manifest: the manifest before it."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says: the file that signs or stamps it, and the files that it lists."""

    signed_by: str
    files: tuple[ListedFile, ...]

    @classmethod
    def read(cls, data: bytes) -> "Manifest":
        """Raises Malformed `asic.manifest`, `xml.*`."""
        root = xml_security.parse(data)
        signature = root.findall(_asic("SigReference"))
        listed = root.findall(_asic("DataObjectReference"))
        if root.tag != _asic("ASiCManifest") or len(signature) != 1:
            raise Malformed("asic.manifest", "not an ASiCManifest")
        if not 1 <= len(listed) <= MAX_REFERENCES:
            raise Malformed("asic.manifest", "1 to {most} files are listed", most=MAX_REFERENCES)
        files = tuple(map(_listed, listed))
        if len({each.name for each in files}) != len(files):
            raise Malformed("asic.manifest", "a file is listed twice")
        return cls(_name(signature[0]), files)

    def references(self, files: Mapping[str, Document]) -> tuple[DigestReference, ...]:
        """Every listed file's digest against the file as it is."""
        return tuple(
            DigestReference(
                f"document {each.name[:80]}",
                each.digest,
                each.value,
                None if each.name not in files else digest_of(each.digest, files[each.name]),
            )
            for each in self.files
        )


def write_manifest(
    signed_by: str,
    files: Mapping[str, Document],
    *,
    digest: str,
    signature_type: str,
    mime_types: Mapping[str, str] | None = None,
    root_file: str | None = None,
) -> bytes:
    """The manifest's octets. Raises Unprocessable `algorithm.unfit`."""
    if digest not in XML_DIGESTS:
        raise Unprocessable("algorithm.unfit", "no XML name", name=digest)
    types = mime_types or {}
    listed = []
    for name, content in files.items():
        value = digest_of(digest, content)
        assert value is not None  # every digest with an XML name is known
        attributes = f" URI={quoteattr(uri_of(name))}"
        if name in types:
            attributes += f" MimeType={quoteattr(types[name])}"
        if name == root_file:
            attributes += ' Rootfile="true"'
        listed.append(
            f"<asic:DataObjectReference{attributes}>"
            f'<ds:DigestMethod Algorithm="{XML_DIGESTS[digest]}"/>'
            f"<ds:DigestValue>{base64.b64encode(value).decode()}</ds:DigestValue>"
            "</asic:DataObjectReference>"
        )
    reference = f"URI={quoteattr(uri_of(signed_by))} MimeType={quoteattr(signature_type)}"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<asic:ASiCManifest xmlns:asic="{ASIC}" xmlns:ds="{DS}"><asic:SigReference {reference}/>'
        f"{''.join(listed)}</asic:ASiCManifest>"
    ).encode()


def _listed(element: etree._Element) -> ListedFile:
    method, value = element.find(ds("DigestMethod")), element.find(ds("DigestValue"))
    if method is None or value is None:
        raise Malformed("asic.manifest", "a file without its digest")
    digest = DIGESTS_BY_XML.get(method.get("Algorithm", ""))
    if digest is None:
        raise Malformed("asic.manifest", "this digest algorithm is not known")
    root_file = element.get("Rootfile") in {"true", "1"}
    return ListedFile(_name(element), digest, xml_security.base64_of(value), root_file)


def _name(element: etree._Element) -> str:
    uri = element.get("URI")
    if not uri or uri.startswith("#"):
        raise Malformed("asic.manifest", "a reference that names no file")
    try:
        return name_of(uri)
    except (Refusal, ValueError):
        raise Malformed("asic.manifest", "a reference that names no file") from None


def _asic(name: str) -> str:
    return f"{{{ASIC}}}{name}"
