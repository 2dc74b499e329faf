"""Who may look at the register of platforms, change it and confirm changes."""

from kernel.refusals import Forbidden, Unauthenticated
from policies.permissions import permissions
from signing_service.sso.browser import current_session

READ, MANAGE, CONFIRM = "platform.read", "platform.manage", "platform.confirm"
"""Of `policies/permissions.toml`."""


def require_officer(permission: str) -> str:
    """The name under which the officer who is signed in acts.

    Raises Unauthenticated `signin.required`, Forbidden `role.missing`.
    """
    signed_in = current_session()
    if signed_in is None:
        raise Unauthenticated("signin.required", "sign in with your card first")
    if not permissions().allows(signed_in.holder.roles, permission):
        raise Forbidden("role.missing", "your card does not carry this role", permission=permission)
    return f"officer:{signed_in.holder.subject}"
