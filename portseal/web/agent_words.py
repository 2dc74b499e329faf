"""What pages say of a refusal of the key agent, by its code.

The element that shows a journey (`<portseal-progress>`) and the list of what is signed hold them as
`data-code-...` attributes. Of the codes that have a state of their own (a wrong PIN, no agent) the
words for the state tell enough: templates/agent/progress.html.
"""

from flask_babel import LazyString, lazy_gettext

_CANNOT_READ = lazy_gettext(
    "The key agent cannot read what the service sent. Nothing was changed on the USB key."
)
_CANNOT_DO = lazy_gettext("The USB key, or the kind of its key, cannot do this.")
_ASKED_WRONG = lazy_gettext(
    "The page asked in a way that the key agent does not take. Load the page again; if that does "
    "not help, tell whoever runs this site."
)
_OTHER_DOCUMENT = lazy_gettext(
    "What the service prepared is not the document that was shown. Nothing was signed."
)
_MORE = lazy_gettext(
    "What the service prepared holds more than the document that was shown. Nothing was signed."
)
_NOT_ANSWERING = lazy_gettext(
    "The USB key does not answer. Try again; if that does not help, pull it and plug it in again."
)
_KEY_AMISS = lazy_gettext("The key of the card is not on the USB key, or does not work.")
_AGENT_FAILED = lazy_gettext(
    "The key agent failed at this. Try again; if that does not help, start it anew."
)
_ANOTHER_USER = lazy_gettext(
    "The key agent that runs here is another user's. Start one of your own."
)
_IN_USE = lazy_gettext("This USB key is in use already.")
_NO_OPENSSL = lazy_gettext("For SM2 the key agent needs OpenSSL 3, which is not on this computer.")
_ONE_TRY = lazy_gettext("One try is left: after one more wrong PIN the USB key locks itself.")

_WORDS: dict[str, LazyString] = {
    # -- the agent itself
    "agent.answer": lazy_gettext(
        "Another program answers where the key agent should. Stop it, then start the key agent."
    ),
    "agent.failed": _AGENT_FAILED,
    "agent.paused": lazy_gettext(
        "You sent this page away several times, or too many sites asked at once. Wait a little, "
        "then try again."
    ),
    "agent.too-late": lazy_gettext("The PIN is needed again: start once more."),
    "file.locked": lazy_gettext("Another process of the key agent is busy with this. Try again."),
    "host.unknown": _ASKED_WRONG,
    "method.not-allowed": _ASKED_WRONG,
    "method.unknown": lazy_gettext(
        "The key agent on this computer does not know this yet. Install the current version."
    ),
    "origin.missing": _ASKED_WRONG,
    "origin.unacceptable": lazy_gettext(
        "The key agent serves pages that come over https, and those of a server on this computer."
    ),
    "origins.too-many": lazy_gettext(
        "The key agent knows too many sites. Remove some with “portseal-agent origins forget”."
    ),
    "origins.unreadable": lazy_gettext(
        "The key agent cannot read its list of sites on this computer."
    ),
    "page.policy": lazy_gettext(
        "The policy of this page does not let it reach the key agent. Tell whoever runs this site."
    ),
    "peer.not-loopback": _ANOTHER_USER,
    "peer.other-user": _ANOTHER_USER,
    "presence.too-many": lazy_gettext(
        "The key agent watches over too many sessions already. Sign out of some of them."
    ),
    "presence.unheard": lazy_gettext(
        "The key agent does not reach this site, so that it cannot end the session when the USB "
        "key is pulled."
    ),
    "request.length": _ASKED_WRONG,
    "request.malformed": _ASKED_WRONG,
    "request.media-type": _ASKED_WRONG,
    "request.too-large": lazy_gettext("This is too much at once."),
    "request.too-many": lazy_gettext("This page asks too often. Wait a little, then try again."),
    "window.failed": lazy_gettext(
        "The key agent cannot open a window to ask you in. Install a pinentry program, or start "
        "the key agent in a terminal."
    ),
    # -- cards and what stands on them
    "card.no-encryption-key": lazy_gettext("This card holds no encryption key."),
    "card.none-more": lazy_gettext(
        "No other card is plugged in that this site cannot see. Plug in the USB key with your "
        "card, or make the card first."
    ),
    "card.not-shown": lazy_gettext(
        "You did not let this site see the card. What it saw before it still sees."
    ),
    "card.other-holder": lazy_gettext("This certificate is another holder's."),
    "card.other-key": lazy_gettext("This certificate is for a key on another USB key."),
    "certificate.several": lazy_gettext("Several cards are plugged in. Choose one of them."),
    "key-envelope.other-recipient": lazy_gettext("This was made for another USB key."),
    "key.enrolled": lazy_gettext("This USB key holds a card already. Renew it instead."),
    "key.exists": lazy_gettext("The USB key holds a key of this name already."),
    "key.missing": lazy_gettext("The new key is not on the USB key of the card."),
    "pin.weak": lazy_gettext("A PIN has 6 to 64 characters."),
    "recovery.other-token": lazy_gettext("This was made for another USB key."),
    "recovery.secret": lazy_gettext("The one-time secret is wrong."),
    "token.ambiguous": lazy_gettext("Two USB keys of this name are plugged in. Pull one of them."),
    "token.blank": lazy_gettext("This USB key is blank: no card has been made on it."),
    "token.busy": _NOT_ANSWERING,
    "token.exists": _IN_USE,
    "token.failed": _NOT_ANSWERING,
    "token.forked": _AGENT_FAILED,
    "token.full": lazy_gettext("There is no room left on the USB key."),
    "token.in-use": _IN_USE,
    "token.last-try": _ONE_TRY,
    "token.mechanism": _CANNOT_DO,
    "token.module": lazy_gettext(
        "The PKCS#11 library of the USB key cannot be loaded. Install it anew, and start the key "
        "agent again."
    ),
    "token.no-key": _KEY_AMISS,
    "token.no-library": lazy_gettext(
        "There is no PKCS#11 library for USB keys on this computer. Install the one of your key's "
        "maker, or OpenSC, and start the key agent again."
    ),
    "token.no-pin": lazy_gettext("No PIN has been set on this USB key yet."),
    "token.not-exportable": _CANNOT_DO,
    "token.officer": lazy_gettext("The USB key does not take its unblocking code now."),
    "token.pin-expired": lazy_gettext("The PIN of the USB key has expired. Change it first."),
    "token.pin-length": lazy_gettext("The USB key does not take a PIN of this length."),
    "token.read-only": lazy_gettext("The USB key is write-protected."),
    "token.several": lazy_gettext("Several USB keys are plugged in. Choose one of them."),
    "token.timeout": _NOT_ANSWERING,
    "token.unblocking-code-wrong": lazy_gettext("The unblocking code is wrong."),
    "token.unguarded-key": lazy_gettext(
        "This USB key does not keep its keys to itself. No card is made on it."
    ),
    "token.wrong-key": _KEY_AMISS,
    # -- what is to be signed
    "document.format": lazy_gettext("The key agent does not sign in this format."),
    "document.too-large": lazy_gettext("The document is too large."),
    "draft.broken": lazy_gettext(
        "The signature that is to be countersigned does not hold. Nothing was signed."
    ),
    "draft.more-than-the-document": _MORE,
    "draft.other-certificate": lazy_gettext(
        "What the service prepared is for another card. Nothing was signed."
    ),
    "draft.other-document": _OTHER_DOCUMENT,
    "draft.other-octets": _OTHER_DOCUMENT,
    "draft.timestamp": _MORE,
    "draft.unreadable": lazy_gettext(
        "The key agent cannot read what the service prepared. Nothing was signed."
    ),
    # -- what the service sent, and keys of kinds that are not served
    **dict.fromkeys(
        (
            "ber.malformed", "ber.too-complex", "certificate.malformed", "der.malformed",
            "key-envelope.malformed", "oid.malformed", "public-key.malformed",
            "recovery.envelope", "recovery.key", "signature.malformed",
            "transport-key.unsuitable",
        ),
        _CANNOT_READ,
    ),
    **dict.fromkeys(
        (
            "algorithm.unknown", "key.digest", "key.suite", "key.use", "public-key.unsupported",
            "signin.algorithm",
        ),
        _CANNOT_DO,
    ),
    **dict.fromkeys(("libcrypto.missing", "libcrypto.too-old", "libcrypto.unfit"), _NO_OPENSSL),
    # -- the service, as far as every page that needs the agent hears it
    "service.unreachable": lazy_gettext("The service did not answer. Try again."),
    "signin.required": lazy_gettext("Your session has ended. Sign in again."),
}  # fmt: skip

AGENT_CODES = {code.replace(".", "-"): words for code, words in _WORDS.items()}
"""Sentences in the language of whoever reads them, by code with hyphens for dots, as attributes
have it."""
