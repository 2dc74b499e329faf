"""The list of rights is data, read strictly."""

from pathlib import Path

import pytest

from policies.data_file import InvalidPolicyFile
from policies.rights import RIGHTS_FILE, load_rights

GOOD = RIGHTS_FILE.read_text("utf-8")


def test_the_list_names_the_rights_of_the_e_port() -> None:
    catalogue = load_rights()
    codes = [right.code for right in catalogue.rights]
    assert codes == [
        "declare-import", "enter-import", "declare-export", "enter-export", "file-manifest",
        "file-ecommerce-inventory", "file-ecommerce-order",
    ]  # fmt: skip
    assert all(right.name_zh and right.name_en for right in catalogue.rights)


def test_every_kind_can_be_filed_with_some_right() -> None:
    catalogue = load_rights()
    for kind in catalogue.kinds:
        assert catalogue.rights_to_file(kind, "declare")
    importing = catalogue.kind("import-declaration")
    assert importing is not None
    assert [r.code for r in catalogue.rights_to_file(importing, "declare")] == ["declare-import"]
    entering = [r.code for r in catalogue.rights_to_file(importing, "enter")]
    assert entering == ["declare-import", "enter-import"]
    assert catalogue.right("declare-import") is not None
    assert catalogue.right("fly") is None


@pytest.mark.parametrize(
    ("change", "key", "fault"),
    [
        (('code = "declare-import"', 'code = "Declare Import"'), "rights.0.code", "pattern"),
        (('files = ["import-declaration"]', "files = []"), "rights.0.files", "at least 1"),
        (('files = ["import-declaration"]', 'files = ["flight"]'), "", "unknown kinds"),
        (('code = "declare-export"', 'code = "declare-import"'), "", "stands twice"),
        (('enter = "G"', 'enter = "C"'), "kinds.0.acts", "the same value"),
        (('acts = ["enter"]', 'acts = ["guess"]'), "rights.1.acts.0", "'enter' or 'declare'"),
        (
            ('files = ["original-manifest"]', 'files = ["original-manifest"]\nacts = ["enter"]'),
            "",
            "no right lets",
        ),
        (('equals = "E"', 'equals = "I"'), "", "cannot be told apart"),
        (('name_zh = "进口报关"', 'nom_zh = "进口报关"'), "rights.0.name_zh", "required"),
        (('identifies = "uscc"', 'identifies = "iban"'), "kinds.0.declarant.identifies", "uscc"),
        (("[[rights]]", "[[rights"), "", "not TOML"),
        (('files = ["import-declaration"]', "files = [1]"), "rights.0.files.0", "string"),
    ],
)
def test_a_mistake_is_named_with_file_and_key(
    tmp_path: Path, change: tuple[str, str], key: str, fault: str
) -> None:
    file = tmp_path / "rights.toml"
    file.write_text(GOOD.replace(*change, 1), "utf-8")
    with pytest.raises(InvalidPolicyFile) as caught:
        load_rights(file)
    assert "rights.toml" in str(caught.value)
    assert key in str(caught.value)
    assert fault in str(caught.value)


def test_an_unknown_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rights.toml"
    file.write_text("unknown = 1\n" + GOOD, "utf-8")
    with pytest.raises(InvalidPolicyFile, match="unknown"):
        load_rights(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidPolicyFile, match="nowhere"):
        load_rights(tmp_path / "nowhere.toml")
