"""How long rows stay that are of no use any more (`portseal/retention.py` says which and why)."""

from typing import Annotated

from pydantic import Field

from portseal.settings.table import SettingsTable

_Days = Annotated[int, Field(ge=1, le=3650)]


class RetentionSettings(SettingsTable):
    """Days after which they are removed. Evidence and the journal are never among them."""

    messages_days: _Days = 1
    """After delivery."""
    notices_days: _Days = 90
    """After they were sent, refused or overtaken."""
    refused_addresses_days: _Days = 730
    """After the last mail that was refused: longer than between two notices of a card."""
    one_time_codes_days: _Days = 1
    """After they ended."""
    renewals_days: _Days = 30
    """After the old card's end."""
    imports_days: _Days = 1
    """After the file was read, whether its rows were taken over or not."""
    seal_activations_days: _Days = 7
    """After they ended."""
    sessions_days: _Days = 30
    """After they ended."""
    revocation_lists_days: _Days = 30
    """After the next list was due; the newest of each kind stays."""
