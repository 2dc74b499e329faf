"""Keys that never leave their token, reached through PKCS#11 (Cryptoki 2.40).

The authority's HSM and a holder's USB key are the same thing here.
"""
