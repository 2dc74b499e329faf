"""Settings: one frozen object, read once, from the environment and a TOML file.

`PORTSEAL_CONFIG` names the file (default `portseal.toml` in the working directory, if there).
A variable `PORTSEAL_DATABASE__URL` overrides `url` in the file's table `[database]`. Unknown
names are refused. No secret has a default. Each file holds the tables of one part, every setting
with its unit.
"""

from portseal.settings.authority import PolicySettings
from portseal.settings.hall import DatabaseSettings, LogSettings, MetricsSettings, WebSettings
from portseal.settings.reading import JOURNAL_POLICY, Settings, read_settings
from portseal.settings.tokens import TokenSettings

__all__ = [
    "JOURNAL_POLICY",
    "DatabaseSettings",
    "LogSettings",
    "MetricsSettings",
    "PolicySettings",
    "Settings",
    "TokenSettings",
    "WebSettings",
    "read_settings",
]
