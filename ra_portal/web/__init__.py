"""The registration portal over HTTP: pages and JSON interface."""

from ra_portal.web.portal import portal_blueprint

__all__ = ["portal_blueprint"]
