"""OpenID Connect for platforms: our own OpenID Provider over the card."""
