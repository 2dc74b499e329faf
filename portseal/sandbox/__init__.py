"""Private servers on loopback for the demo and the tests: real ones, in directories of their own.

Nothing here is used by an authority that runs for real.
"""
