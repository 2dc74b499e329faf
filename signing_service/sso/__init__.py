"""Single sign-on: proof of possession of a card, then OpenID Connect for every platform."""
