"""Object identifiers that certificate profiles speak of by name.

Certificate policies are arcs below one number that an operator owns. `PLACEHOLDER_ARC` is the
enterprise number that RFC 5612 reserves for documentation: a real authority replaces it by its
own, in one setting that reaches `policies.catalogue.load_catalogue`.
"""

PLACEHOLDER_ARC = "1.3.6.1.4.1.32473"

SUBJECT_ATTRIBUTES = {
    "country": "2.5.4.6",
    "organization": "2.5.4.10",
    "organization_identifier": "2.5.4.97",
    "organizational_unit": "2.5.4.11",
    "common_name": "2.5.4.3",
    "serial_number": "2.5.4.5",
}
"""Subject fields by X.520 type (RFC 5280, 4.1.2.4; 2.5.4.97: ETSI EN 319 412-1, 5.1.4)."""

PRINTABLE_ATTRIBUTES = frozenset({"country", "serial_number"})
"""Fields that RFC 5280, appendix A, holds to PrintableString; all others are UTF8String."""

EXTENDED_KEY_USAGES = {
    "serverAuth": "1.3.6.1.5.5.7.3.1",
    "clientAuth": "1.3.6.1.5.5.7.3.2",
    "emailProtection": "1.3.6.1.5.5.7.3.4",
    "timeStamping": "1.3.6.1.5.5.7.3.8",
    "OCSPSigning": "1.3.6.1.5.5.7.3.9",
}
"""RFC 5280, 4.2.1.12."""

BASIC_CONSTRAINTS = "2.5.29.19"
KEY_USAGE = "2.5.29.15"
EXTENDED_KEY_USAGE = "2.5.29.37"
SUBJECT_KEY_IDENTIFIER = "2.5.29.14"
AUTHORITY_KEY_IDENTIFIER = "2.5.29.35"
CERTIFICATE_POLICIES = "2.5.29.32"
CRL_DISTRIBUTION_POINTS = "2.5.29.31"
AUTHORITY_INFORMATION_ACCESS = "1.3.6.1.5.5.7.1.1"
SUBJECT_ALTERNATIVE_NAME = "2.5.29.17"
OCSP_NOCHECK = "1.3.6.1.5.5.7.48.1.5"
CRL_NUMBER = "2.5.29.20"
DELTA_CRL_INDICATOR = "2.5.29.27"
ISSUING_DISTRIBUTION_POINT = "2.5.29.28"
FRESHEST_CRL = "2.5.29.46"
