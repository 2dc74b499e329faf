"""The house put together: one file a floor, each standing on the one before."""

from portseal.wiring.foundation import open_token
from portseal.wiring.house import House, conduct_ceremony

__all__ = ["House", "conduct_ceremony", "open_token"]
