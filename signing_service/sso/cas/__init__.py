"""The CAS protocol 3.0, for platforms that speak nothing newer, on the same session."""
