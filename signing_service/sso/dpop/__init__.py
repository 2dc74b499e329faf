"""Tokens that are worth something only with a key of their platform's: DPoP (RFC 9449)."""
