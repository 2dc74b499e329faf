"""The house put together: one file a floor, each standing on the one before."""

from portseal.wiring.ceremony import conduct_ceremony
from portseal.wiring.foundation import open_token
from portseal.wiring.house import House

__all__ = ["House", "conduct_ceremony", "open_token"]
