"""Ceremony plans: what they may not say."""

import pytest

from policies.ceremony_plan import PlannedKey


@pytest.mark.parametrize("suite", ["md5", "rsa-pkcs1-sha1", "sm2-with-sm3"])
def test_no_key_is_planned_for_a_suite_that_nothing_signs_with(suite: str) -> None:
    with pytest.raises(ValueError, match="no such algorithm suite, or none to make keys for"):
        PlannedKey(label="root", suite=suite)
