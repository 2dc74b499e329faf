"""Nouns that every room shares: clock, entropy, identifiers, algorithms, refusals, ASN.1."""
