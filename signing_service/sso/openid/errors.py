"""How OAuth says no (RFC 6749, 5.2): a registered word, and a sentence for the programmer."""

from flask import Response, jsonify, make_response


class OAuthError(Exception):
    """`status` is the HTTP status where the error is answered directly."""

    def __init__(
        self, error: str, description: str | None = None, *, status: int = 400, basic: bool = False
    ) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status
        self.basic = basic
        """Whether the client tried HTTP Basic, and is to be told so (RFC 6749, 5.2)."""

    def body(self) -> dict[str, str]:
        told = {"error": self.error}
        if self.description is not None:
            told["error_description"] = self.description
        return told


def invalid_request(description: str) -> OAuthError:
    return OAuthError("invalid_request", description)


def invalid_grant(description: str) -> OAuthError:
    return OAuthError("invalid_grant", description)


def oauth_error(error: OAuthError) -> Response:
    response = make_response(jsonify(error.body()), error.status)
    if error.basic:
        response.headers["WWW-Authenticate"] = f'Basic realm="PortSeal", error="{error.error}"'
    return response
