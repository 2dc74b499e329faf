"""The key-management centre: makes, escrows, delivers and recovers keys that holders are
encrypted to (docs/key-centre.md).

It knows neither certificates' issue nor registration: what it needs of both it declares in
`key_centre.ports`, and the front hall fulfils it.
"""
