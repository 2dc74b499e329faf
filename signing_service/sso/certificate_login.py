"""Sign-in by TLS client certificate, behind a proxy that asks browsers for one.

The proxy listens on the same host at another port, so our cookies come along. The page of the main
origin posts its challenge there: a certificate that the browser keeps at hand signs nobody in
without that, which is why signing out works although the browser goes on sending it.
"""

from urllib.parse import urlencode

from flask import Response, request

from kernel.refusals import Forbidden, Unauthenticated
from signing_service.sso import client_certificate
from signing_service.sso.browser import Cookies, safe_next, set_current_session
from signing_service.sso.openid.redirects import see_other
from signing_service.sso.services import SsoServices
from signing_service.sso.sessions import TLS

ARRIVED_PATH = "/sso/arrived"


class CertificateRoutes:
    def __init__(self, services: SsoServices, cookies: Cookies) -> None:
        self._services = services
        self._cookies = cookies

    def sign_in(self) -> Response:
        """A form of our own page, over the port that asks for certificates.

        Raises Forbidden `signin.foreign-origin`; Unauthenticated `signin.no-certificate`; as
        `CardLogin.accept_tls`.
        """
        settings = self._services.settings
        if settings.certificate_origin is None:
            raise Unauthenticated("signin.no-certificate", "no client certificate is taken here")
        if request.headers.get("Origin") != settings.origin:
            raise Forbidden("signin.foreign-origin", "the request comes from another site's page")
        held = client_certificate.presented(settings)
        if held is None:
            raise Unauthenticated("signin.no-certificate", "the browser sent no certificate")
        proven = self._services.card_login.accept_tls(
            self._cookies.browser(), request.form.get("nonce"), held.certificate
        )
        opened = self._services.sessions.open(proven, replacing=self._cookies.session(), way=TLS)
        set_current_session(opened.signed_in)
        next_path = safe_next(request.form.get("next"), settings.home_path)
        response = see_other(f"{settings.origin}{ARRIVED_PATH}?{urlencode({'next': next_path})}")
        self._cookies.remember_session(response, opened.secret)
        return response
