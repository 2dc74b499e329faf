"""The card's second certificate: others encrypt to it, and the card alone decrypts."""

from kernel.identifiers import serial_text
from portseal.demo import strangers
from portseal.demo.stage import Stage, expect
from portseal.holder.opening import open_message

CONTRACT = "合同金额：1,000,000 元\n"


def encrypt_to_card(stage: Stage) -> str:
    """The centre delivers the encryption key; openssl encrypts to its certificate."""
    card = stage.cards["operator"]
    certificate = stage.anonymous().fetch_encryption_key(card)
    expect(certificate.subject_der == card.certificate.subject_der, "another holder's certificate")
    expect(certificate.spki != card.certificate.spki, "one key for two purposes")
    written = stage.keep("operator-encryption.pem", certificate.pem)
    contract, sealed = stage.keep("contract.txt", CONTRACT), stage.file("contract.p7m")
    strangers.openssl_encrypts(contract, written, sealed)
    opened = open_message(sealed.read_bytes(), card.encryption.keys())
    expect(opened == contract.read_bytes(), "the card decrypted something else")
    return (
        "the key pair was made by the key-management centre, escrowed there, and delivered to the\n"
        "USB key wrapped, in clear nowhere but in tokens; certificate "
        f"{serial_text(certificate.serial)[:16]}….\n"
        "openssl cms encrypted contract.txt to it (contract.p7m), and the card decrypted it."
    )
