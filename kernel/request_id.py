"""Which request is being answered, for logs and journal; nothing outside of one."""

from contextvars import ContextVar

current_request: ContextVar[str | None] = ContextVar("portseal_request", default=None)
"""8 to 64 letters, digits and hyphens."""
