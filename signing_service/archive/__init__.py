"""Accepted signatures, kept with their whole evidence (Electronic Signature Law, article 24).

Facts stand in the database, bytes in a content-addressed store.
"""
