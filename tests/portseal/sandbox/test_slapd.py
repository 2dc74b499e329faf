"""The private directory: a real slapd, asked with Debian's own LDAP tools."""

import base64
import datetime
import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from portseal.sandbox.processes import ServerUnavailableError
from portseal.sandbox.slapd import ROOT_DN, SUFFIX, Slapd, _is_confined

pytestmark = pytest.mark.directory


def _published() -> tuple[str, str]:
    """A certificate and a CRL in base64: slapd looks into both before it takes them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "directory test")])
    start, end = datetime.datetime(2025, 1, 1), datetime.datetime(2035, 1, 1)  # noqa: DTZ001
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, start, end)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )
    crl = (
        x509.CertificateRevocationListBuilder(name, start, end)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )
    return base64.b64encode(certificate).decode(), base64.b64encode(crl).decode()


CERTIFICATE, CRL = _published()
CARD_HOLDER = f"""\
dn: cn=operator,{SUFFIX}
objectClass: inetOrgPerson
objectClass: pkiUser
cn: operator
sn: operator
userCertificate;binary:: {CERTIFICATE}

dn: cn=issuing,{SUFFIX}
objectClass: applicationProcess
objectClass: pkiCA
cn: issuing
certificateRevocationList;binary:: {CRL}

dn: cn=crl,{SUFFIX}
objectClass: cRLDistributionPoint
cn: crl
certificateRevocationList;binary:: {CRL}
"""


def ldap(tool: str, server: Slapd, *arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        [tool, "-x", "-H", server.uri, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def add(server: Slapd, entries: str) -> None:
    as_root_dn = ("-D", ROOT_DN, "-y", str(server.password_file))
    ldap("ldapadd", server, *as_root_dn, stdin=entries)


def search(server: Slapd, condition: str) -> str:
    return ldap("ldapsearch", server, "-LLL", "-o", "ldif-wrap=no", "-b", SUFFIX, condition)


def test_a_new_directory_holds_its_base_entry_alone(slapd: Slapd) -> None:
    assert search(slapd, "(objectClass=*)").count("dn: ") == 1


def test_certificates_and_crls_can_be_stored_by_the_root_dn_and_read_by_anyone(
    slapd: Slapd,
) -> None:
    add(slapd, CARD_HOLDER)
    assert f"userCertificate;binary:: {CERTIFICATE}" in search(slapd, "(objectClass=pkiUser)")
    assert f"certificateRevocationList;binary:: {CRL}" in search(slapd, "(objectClass=pkiCA)")


@pytest.mark.parametrize("credentials", [[], ["-D", ROOT_DN, "-w", "guessed"]])
def test_nobody_writes_without_the_password(slapd: Slapd, credentials: list[str]) -> None:
    command = ["ldapadd", "-x", "-H", slapd.uri, *credentials]
    done = subprocess.run(
        command, input=CARD_HOLDER, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode != 0
    assert search(slapd, "(objectClass=*)").count("dn: ") == 1


def test_data_and_address_survive_a_restart(slapd: Slapd) -> None:
    add(slapd, CARD_HOLDER)
    address = slapd.uri
    slapd.stop()
    assert not slapd.is_running
    with socket.socket() as closed:
        assert closed.connect_ex(("127.0.0.1", slapd.port)) != 0
    slapd.start()
    assert slapd.uri == address
    assert "cn: operator" in search(slapd, "(cn=operator)")


def test_a_named_directory_is_kept_and_can_be_taken_up_again() -> None:
    with Slapd() as outer:
        kept = outer.directory / "kept"
        with Slapd(kept) as first:
            add(first, CARD_HOLDER)
        assert not first.is_running
        with Slapd(kept) as second:
            assert second.password == first.password
            assert "cn: operator" in search(second, "(cn=operator)")
    assert not kept.exists()


def test_the_server_runs_without_the_rights_of_root(slapd: Slapd) -> None:
    pid = int((slapd.directory / "slapd.pid").read_text())
    assert Path(f"/proc/{pid}").stat().st_uid != 0


def test_its_password_is_for_its_owner_alone(slapd: Slapd) -> None:
    assert stat.S_IMODE(slapd.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(slapd.password_file.stat().st_mode) == 0o600
    pid = int((slapd.directory / "slapd.pid").read_text())
    assert slapd.password not in Path(f"/proc/{pid}/cmdline").read_text()


def test_two_directories_run_side_by_side(slapd: Slapd) -> None:
    with Slapd() as other:
        add(other, CARD_HOLDER)
        assert search(slapd, "(cn=operator)") == ""


def test_a_taken_port_is_reported_with_the_reason() -> None:
    with Slapd() as holder:
        late = Slapd(port=holder.port)
        try:
            with pytest.raises(ServerUnavailableError, match="Address already in use"):
                late.start()
        finally:
            late.remove()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs a server as another account")
def test_a_directory_that_the_account_cannot_reach_is_refused(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(ServerUnavailableError, match="cannot reach"):
        Slapd(closed / "ldap").start()


@pytest.mark.parametrize(
    ("profiles", "confined"),
    [
        ("/usr/sbin/slapd (enforce)\n", True),
        ("/usr/bin/man (enforce)\nslapd (enforce)\n", True),
        ("/usr/sbin/slapd (complain)\n", False),
        ("", False),
    ],
)
def test_an_enforced_apparmor_profile_is_noticed(
    tmp_path: Path, profiles: str, confined: bool
) -> None:
    loaded = tmp_path / "profiles"
    loaded.write_text(profiles)
    assert _is_confined(Path("/usr/sbin/slapd"), loaded_profiles=loaded) is confined


def test_where_profiles_cannot_be_read_one_on_disk_counts(tmp_path: Path) -> None:
    enabled = tmp_path / "enabled"
    enabled.write_text("Y\n")
    (tmp_path / "usr.sbin.slapd").touch()
    unreadable = tmp_path / "missing"
    program = Path("/usr/sbin/slapd")
    assert _is_confined(program, unreadable, enabled, tmp_path)
    enabled.write_text("N\n")
    assert not _is_confined(program, unreadable, enabled, tmp_path)
