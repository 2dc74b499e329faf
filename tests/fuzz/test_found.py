"""What fuzzing has found, kept: inputs that once raised something other than a refusal."""

import io
from dataclasses import replace

import pikepdf
import pytest

from kernel.refusals import Malformed
from ra_portal.papers import pdf_reader
from signing_service.formats.asic import whole as asic
from signing_service.formats.jades import whole as jades
from signing_service.formats.prepared import PreparedSignature
from signing_service.validation.crl import Crl
from tests.fuzz.targets import MADE, TARGETS
from tests.signing_service.validation.scenery import START

_SHA1 = bytes.fromhex("06052b0e03021a")
_REASON = bytes.fromhex("0603551d15")
_VERSION_2 = bytes.fromhex("020101")


def _changed(seed: bytes, old: bytes, new: bytes) -> bytes:
    assert old in seed
    assert len(old) == len(new)
    return seed.replace(old, new, 1)


def test_an_ocsp_response_with_a_digest_that_nobody_knows() -> None:
    (response,) = MADE.ocsp_responses()
    assert TARGETS["ocsp-response"].read(_changed(response, _SHA1, _SHA1[:-1] + b"\x1b")) is None


def test_an_ocsp_response_of_the_year_0() -> None:
    (response,) = MADE.ocsp_responses()
    year_0 = response.replace(b"20261120080000Z", b"00001120080000Z")
    assert year_0 != response
    assert TARGETS["ocsp-response"].read(year_0) is None


def test_a_crl_of_a_version_that_there_is_not() -> None:
    assert Crl.parse(_changed(MADE.crls()[1], _VERSION_2, b"\x02\x01\x41")) is None


def test_a_crl_entry_whose_reason_is_no_reason() -> None:
    broken = _changed(MADE.crls()[1], _REASON + b"\x04\x03\x0a", _REASON + b"\x04\x03\x02")
    assert TARGETS["crl"].read(broken) == (None, None)


def test_a_prepared_jws_that_is_not_ascii() -> None:
    prepared = jades.prepare(b"{}", MADE.signer.certificate, START)
    broken = replace(prepared, to_be_signed=b"\xb1" + prepared.to_be_signed)
    read = PreparedSignature.from_bytes(broken.to_bytes())
    with pytest.raises(Malformed, match="not a prepared JWS"):
        jades.assemble(read, MADE.signer.key.sign(read.to_be_signed))


def test_a_prepared_container_whose_file_name_is_not_utf_8() -> None:
    prepared = asic.prepare({"a": b"1"}, MADE.signer.certificate, START)
    name = b"META-INF/signature001.p7s"
    broken = replace(prepared, body=prepared.body.replace(name, name[:-1] + b"\x9e"))
    assert broken.body != prepared.body
    with pytest.raises(Malformed, match="not a prepared container"):
        asic.assemble(broken, MADE.signer.key.sign(broken.to_be_signed))


def test_a_paper_with_a_key_that_is_not_utf_8() -> None:
    """pikepdf names such a key and does not find it again."""
    paper, pdf = io.BytesIO(), pikepdf.new()
    pdf.add_blank_page()
    pdf.save(paper)
    broken = _changed(paper.getvalue(), b"/Resources", b"/Resour\xffes")
    with pytest.raises(pdf_reader.Said, match="damaged"):
        pdf_reader.read(broken)
