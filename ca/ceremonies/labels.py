"""Under which names the house's plan makes its keys, and on which tokens."""

ROOT, ISSUING, OCSP, TSA, SIGN_IN = "root", "issuing", "ocsp", "tsa", "sign-in"
ROOT_OCSP, REPORT = "root-ocsp", "report"
PERSONAL_DATA, PERSONAL_INDEX, ESCROW = "personal-data", "personal-index", "escrow"
"""Secret keys of the house's plan: for columns with personal data, for finding rows by them, and
for the encryption keys of holders."""
ROOT_TOKEN, ISSUING_TOKEN = "root", "issuing"
"""The tokens of a plan. In normal running the first is away."""
