"""Remote signing with seals held in the authority's token: CSC API 2.0.0.2 (Cloud Signature
Consortium, Architectures and protocols for remote signature applications)."""
