"""A key from the centre's token to a card, sealed: whole and guarded there, or not at all."""

from dataclasses import replace

import pytest
from pkcs11 import Attribute, ObjectClass

from hsm.decryption_key import DecryptionKey
from hsm.secret_keys import SecretUse
from hsm.token import Token
from hsm.transport import TRANSPORT_LABEL, destroy_transport_key, make_transport_key, receive, seal
from hsm.wrapping import KeyUse, WrappedKey
from kernel.algorithms import (
    ECDSA_P256_SHA256,
    ECDSA_P384_SHA384,
    RSA_PKCS1_SHA256,
    AlgorithmSuite,
    PublicKey,
)
from kernel.asn1.key_envelope import KeyEnvelope
from kernel.refusals import Conflict, Forbidden, Malformed, Refusal, Unprocessable
from tests.software_keys import SoftwareKey
from tests.token import TokenBench


@pytest.fixture(scope="module")
def centre(token_bench: TokenBench) -> Token:
    token = token_bench.new_token("transport-centre")
    token.generate_secret("escrow", SecretUse.WRAP)
    return token


@pytest.fixture(scope="module")
def card(token_bench: TokenBench) -> Token:
    return token_bench.new_token("transport-card")


@pytest.fixture(scope="module")
def transport(card: Token) -> PublicKey:
    return make_transport_key(card)


def escrowed(centre: Token, suite: AlgorithmSuite = ECDSA_P256_SHA256) -> WrappedKey:
    use = KeyUse.DECRYPT if suite is RSA_PKCS1_SHA256 else KeyUse.AGREE
    return centre.generate_wrapped(suite, use, "escrow")


@pytest.mark.parametrize("suite", [ECDSA_P256_SHA256, ECDSA_P384_SHA384, RSA_PKCS1_SHA256])
def test_a_key_arrives_and_decrypts(
    centre: Token, card: Token, transport: PublicKey, suite: AlgorithmSuite
) -> None:
    made, label = escrowed(centre, suite), f"encryption-{suite.name}"
    sent = seal(centre, made, "escrow", transport).encode()
    receive(card, KeyEnvelope.decode(sent), label, PublicKey.from_spki(made.spki))
    key = DecryptionKey(card, label)
    assert key.public_key.spki == made.spki
    key.self_test()
    key.require_guarded()
    assert "" not in centre.key_labels(), "the centre's token keeps none"
    assert centre.key_labels() == []


def test_the_key_that_arrived_does_nothing_but_decrypt(
    centre: Token, card: Token, transport: PublicKey
) -> None:
    made = escrowed(centre)
    sealed = seal(centre, made, "escrow", transport)
    receive(card, sealed, "agrees-only", PublicKey.from_spki(made.spki))
    with card.pool.write() as session:
        key = session.get_key(ObjectClass.PRIVATE_KEY, label="agrees-only")
        uses = (Attribute.DERIVE, Attribute.SIGN, Attribute.DECRYPT, Attribute.UNWRAP)
        assert [key[use] for use in uses] == [True, False, False, False]
    with pytest.raises(Unprocessable) as refusal:
        DecryptionKey(card, "agrees-only").decrypt(b"x" * 256, oaep=True)
    assert refusal.value.code == "key.use"


def refused(card: Token, sealed: KeyEnvelope, key: PublicKey) -> str:
    before = card.key_labels()
    with pytest.raises(Refusal) as refusal:
        receive(card, sealed, "never", key)
    assert card.key_labels() == before, "nothing is left behind"
    return refusal.value.code


def flipped(value: bytes) -> bytes:
    return value[:-1] + bytes((value[-1] ^ 1,))


def test_what_was_changed_on_the_way_is_refused(
    centre: Token, card: Token, transport: PublicKey
) -> None:
    made = escrowed(centre)
    key, sealed = PublicKey.from_spki(made.spki), seal(centre, made, "escrow", transport)
    for wrong in (
        replace(sealed, content=flipped(sealed.content)),
        replace(sealed, encrypted_key=flipped(sealed.encrypted_key)),
        replace(sealed, content=seal(centre, made, "escrow", transport).content),
    ):
        assert refused(card, wrong, key) == "key-envelope.malformed"


def test_another_key_than_the_certificate_s_is_refused_and_removed(
    centre: Token, card: Token, transport: PublicKey
) -> None:
    made, other = escrowed(centre), SoftwareKey.generate().public_key
    sealed = seal(centre, made, "escrow", transport)
    assert refused(card, sealed, other) == "token.wrong-key"


def test_an_envelope_is_for_one_card(centre: Token, card: Token, token_bench: TokenBench) -> None:
    other = token_bench.new_token("transport-other")
    made = escrowed(centre)
    sealed = seal(centre, made, "escrow", make_transport_key(other))
    with pytest.raises(Forbidden) as refusal:
        receive(card, sealed, "never", PublicKey.from_spki(made.spki))
    assert refusal.value.code == "key-envelope.other-recipient"


def test_a_label_in_use_is_kept(centre: Token, card: Token, transport: PublicKey) -> None:
    made = escrowed(centre)
    sealed = seal(centre, made, "escrow", transport)
    receive(card, sealed, "kept", PublicKey.from_spki(made.spki))
    with pytest.raises(Conflict) as refusal:
        receive(card, sealed, "kept", PublicKey.from_spki(made.spki))
    assert refusal.value.code == "key.exists"


def test_what_another_escrow_key_wrapped_is_refused(centre: Token, transport: PublicKey) -> None:
    centre.generate_secret("other-escrow", SecretUse.WRAP)
    made = centre.generate_wrapped(ECDSA_P256_SHA256, KeyUse.AGREE, "other-escrow")
    with pytest.raises(Malformed) as refusal:
        seal(centre, made, "escrow", transport)
    assert refusal.value.code == "wrapped-key.malformed"


def test_a_transport_key_serves_one_delivery(token_bench: TokenBench) -> None:
    card = token_bench.new_token("transport-once")
    first, second = make_transport_key(card), make_transport_key(card)
    assert first.spki != second.spki
    assert card.key_labels() == [TRANSPORT_LABEL]
    destroy_transport_key(card)
    destroy_transport_key(card)
    assert card.key_labels() == []
