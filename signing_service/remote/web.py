"""Routes of the CSC API, version 2.0.0.2: parse, call, render."""

import base64
from collections.abc import Callable
from typing import TypeVar

from flask import Blueprint, Response, jsonify, make_response, request
from flask.blueprints import BlueprintSetupState

from kernel.json_bodies import json_octets
from kernel.refusals import Malformed, Refusal, Unauthenticated, Unprocessable
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES
from signing_service.formats.validation_material import ValidationMaterial, whole_response
from signing_service.remote import messages
from signing_service.remote.activation import SAD_SECONDS, Authorisation
from signing_service.remote.algorithms import digest_named, require_length
from signing_service.remote.authorising import require_signed, statement
from signing_service.remote.callers import Caller
from signing_service.remote.description import information
from signing_service.remote.documents import wishes
from signing_service.remote.errors import error_body
from signing_service.remote.oauth_web import OAuthRoutes
from signing_service.remote.services import RemoteServices
from signing_service.sso import client_certificate
from signing_service.sso.browser import REMOTE_AUTHORIZE_PATH
from signing_service.sso.web import guarded

COMMON_NAME = "2.5.4.3"
_MAX_OCTETS = 65_536
_MAX_DOCUMENT_OCTETS = MAX_DOCUMENT_BYTES * 4 // 3 + _MAX_OCTETS
BodyT = TypeVar("BodyT", bound=messages.Body)


def remote_blueprints(services: RemoteServices) -> tuple[Blueprint, Blueprint]:
    """The interface for programs, and the pages on which a legal person agrees.

    Set `CSRFProtect` up before registering them: programs are exempted from it, the page is not.
    Registering raises RuntimeError without it.
    """
    programs = Blueprint("remote", __name__)
    pages = Blueprint("remote_pages", __name__, template_folder="templates")
    oauth, api = OAuthRoutes(services), ApiRoutes(services)
    routes: dict[str, Callable[[], Response]] = {
        "oauth2/token": oauth.token,
        "info": api.info,
        "credentials/list": api.list_credentials,
        "credentials/info": api.credential,
        "credentials/getChallenge": api.challenge,
        "credentials/authorize": api.authorize_credential,
        "signatures/signHash": api.sign_hash,
        "signatures/signDoc": api.sign_document,
        "signatures/timestamp": api.timestamp,
    }
    for path, view in routes.items():
        programs.add_url_rule(f"/csc/v2/{path}", view.__name__, view, methods=["POST"])
    pages.add_url_rule(REMOTE_AUTHORIZE_PATH, "authorize", oauth.authorize, methods=["GET"])
    pages.add_url_rule(REMOTE_AUTHORIZE_PATH, "decide", oauth.decide, methods=["POST"])

    def install(state: BlueprintSetupState) -> None:
        protection = state.app.extensions.get("csrf")
        if protection is None:
            raise RuntimeError("set up CSRFProtect before the routes of remote signing")
        for view in routes.values():
            protection.exempt(view)

    programs.record_once(install)
    programs.register_error_handler(Refusal, _refused)
    for blueprint in (programs, pages):
        blueprint.after_request(guarded)
    return programs, pages


class ApiRoutes:
    def __init__(self, services: RemoteServices) -> None:
        self._services = services

    def info(self) -> Response:
        """11.1; for anybody."""
        _read(messages.InfoRequest)
        return jsonify(information(self._services))

    def list_credentials(self) -> Response:
        """11.4. Pages are cut by `maxResults`; a page's token is its predecessor's last seal."""
        caller = self._caller()
        asked = _read(messages.ListRequest)
        seals = self._services.credentials.of(caller.owner, only_valid=asked.onlyValid)
        numbers = [seal.number for seal in seals]
        if asked.pageToken is not None:
            if asked.pageToken not in numbers:
                raise Malformed("remote.request", "Invalid parameter pageToken")
            seals = seals[numbers.index(asked.pageToken) + 1 :]
        page = seals[: asked.maxResults]
        answer: dict[str, object] = {
            "credentialIDs": [seal.number for seal in page],
            "onlyValid": asked.onlyValid,
        }
        if asked.credentialInfo:
            answer["credentialInfos"] = [
                {
                    "credentialID": seal.number,
                    **self._services.credentials.shown(
                        seal,
                        certificates=asked.certificates,
                        with_certificate=asked.certInfo,
                        with_authorisation=asked.authInfo,
                    ),
                }
                for seal in page
            ]
        if len(page) < len(seals):
            answer["nextPageToken"] = page[-1].number
        return jsonify(answer)

    def credential(self) -> Response:
        """11.5."""
        caller = self._caller()
        asked = _read(messages.CredentialRequest)
        seal = self._services.credentials.owned(caller.owner, asked.credentialID)
        return jsonify(
            self._services.credentials.shown(
                seal,
                certificates=asked.certificates,
                with_certificate=asked.certInfo,
                with_authorisation=True,
            )
        )

    def challenge(self) -> Response:
        """11.7: what `credentials/authorize` is to be signed with."""
        caller = self._service_caller()
        asked = _read(messages.ChallengeRequest)
        self._services.credentials.usable(caller.owner, asked.credentialID)
        issued = self._services.sso.challenges.issue(caller.browser)
        return jsonify(challenge=issued.nonce)

    def authorize_credential(self) -> Response:
        """11.6, with the legal-person card's own signature over what shall be sealed."""
        caller = self._service_caller()
        asked = _read(messages.AuthorizeRequest)
        hashes = asked.all_hashes()
        if asked.numSignatures != len(hashes):
            raise Malformed("remote.request", "numSignatures is not the number of hashes")
        digest = digest_named(asked.digest_oid or "")
        require_length(digest, hashes)
        challenge, signature = asked.proof()
        seal = self._services.credentials.usable(caller.owner, asked.credentialID)
        agreed = Authorisation(
            caller.client_id, caller.signed_in.session, seal.number, digest, hashes
        )
        sso = self._services.sso
        try:
            taken = sso.challenges.take(caller.browser, challenge)
        except Unauthenticated as refusal:
            raise Malformed("remote.challenge", refusal.detail) from None
        message = statement(sso.settings.origin, taken.nonce, agreed)
        require_signed(caller.signed_in.certificate, message, signature)
        sad = self._services.activations.grant(
            agreed,
            actor=caller.signed_in.holder.card,
            certificate_hash=caller.certificate_hash,
        )
        return jsonify(SAD=sad, expiresIn=SAD_SECONDS)

    def sign_hash(self) -> Response:
        """11.10."""
        caller = self._caller()
        asked = _read(messages.SignHashRequest)
        parameters = asked.signAlgoParams
        values = self._services.sealing.sign_hashes(
            caller,
            asked.credentialID,
            asked.SAD,
            asked.all_hashes(),
            signature_oid=asked.signAlgo,
            digest_oid=asked.digest_oid,
            parameters=None if parameters is None else _octets(parameters),
        )
        return jsonify(signatures=[_text(value) for value in values])

    def sign_document(self) -> Response:
        """11.11."""
        caller = self._caller()
        asked = _read(messages.SignDocRequest, _MAX_DOCUMENT_OCTETS)
        sealed = self._services.sealing.sign_documents(
            caller,
            asked.credentialID,
            asked.SAD,
            lambda seal, now: wishes(
                asked,
                seal.certificate.public_key,
                seal.certificate.attribute(COMMON_NAME) or "",
                now,
            ),
            with_validation=asked.returnValidationInfo,
        )
        answer: dict[str, object] = {}
        for name, beside in (("DocumentWithSignature", False), ("SignatureObject", True)):
            found = [_text(one.signature) for one in sealed.documents if one.detached is beside]
            if found:
                answer[name] = found
        if sealed.validation is not None:
            answer["validationInfo"] = _validation_info(sealed.validation)
        return jsonify(answer)

    def timestamp(self) -> Response:
        """11.13."""
        self._caller()
        asked = _read(messages.TimestampRequest)
        imprint = messages.octets(asked.hash, "remote.hash", "Invalid Base64 hash string parameter")
        return jsonify(timestamp=_text(self._services.sealing.timestamp(imprint, asked.digest_oid)))

    def _caller(self) -> Caller:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            raise Unauthenticated("remote.token", "An access token is needed")
        return self._services.callers.by_token(
            token.strip(), client_certificate.thumbprint(self._services.sso.settings)
        )

    def _service_caller(self) -> Caller:
        """A SAD is for signing alone."""
        caller = self._caller()
        if caller.sad is not None:
            raise Unauthenticated("remote.token", "An access token of the scope service is needed")
        return caller


def _validation_info(material: ValidationMaterial) -> dict[str, list[str]]:
    """Members with something in them alone."""
    told = {
        "ocsp": [_text(whole_response(each)) for each in material.ocsp],
        "crl": list(map(_text, material.crls)),
        "certificates": list(map(_text, material.certificates)),
    }
    return {name: values for name, values in told.items() if values}


def _read(model: type[BodyT], limit: int = _MAX_OCTETS) -> BodyT:
    return messages.read(model, json_octets(request, limit))


def _refused(refusal: Refusal) -> Response:
    # The specification knows one status for a request that cannot be fulfilled as it is.
    status = 400 if isinstance(refusal, Unprocessable) else refusal.status
    response = make_response(jsonify(error_body(refusal)), status)
    if isinstance(refusal, Unauthenticated):
        response.headers["WWW-Authenticate"] = 'Bearer realm="PortSeal", error="invalid_token"'
    return response


def _octets(text: str) -> bytes:
    return messages.octets(text, "remote.request", "Invalid Base64 parameter")


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
