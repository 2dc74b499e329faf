"""Names of XML-DSig and XAdES."""

DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
XADES_141 = "http://uri.etsi.org/01903/v1.4.1#"
SIGNED_PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"
COUNTERSIGNED = "http://uri.etsi.org/01903#CountersignedSignature"
XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
WITHOUT_SIGNATURES = "not(ancestor-or-self::ds:Signature)"
"""The one XPath expression that is accepted: the document without any signature."""
XPATH_FILTER = "http://www.w3.org/2002/06/xmldsig-filter2"
SUBTRACTED_SIGNATURES = "/descendant::ds:Signature"
"""The same by XML-Signature XPath Filter 2.0, taken out (`subtract`)."""
BASE64 = DS + "base64"
ENVELOPED_SIGNATURE = DS + "enveloped-signature"


def ds(name: str) -> str:
    return f"{{{DS}}}{name}"


def xades(name: str) -> str:
    return f"{{{XADES}}}{name}"


def xades141(name: str) -> str:
    return f"{{{XADES_141}}}{name}"
