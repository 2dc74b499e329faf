"""Well-formed inputs to start from, made by the tests' own signers."""

import hashlib
import json
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID

from ca.ocsp.messages import single_request
from kernel.asn1.key_envelope import KeyEnvelope
from kernel.entropy import SystemEntropy
from records.database import Database, metadata
from signing_service.formats import bundle as bundles
from signing_service.formats.asic import whole as asic
from signing_service.formats.bundle import Part
from signing_service.formats.cades import whole as cades
from signing_service.formats.jades import whole as jades
from signing_service.formats.pades import whole as pades
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.formats.xades import whole as xades
from signing_service.sso.authentication_token import make_authentication_token
from signing_service.timestamping.client import encode_request
from signing_service.validation.evidence import Packaging, SignatureFormat
from tests.signing_service.archive.scenery import StampingWorld
from tests.signing_service.formats.material import crl_of, material_for, ocsp_of
from tests.signing_service.formats.pades.pdf.samples import sample
from tests.signing_service.test_trusted_lists import Operator
from tests.signing_service.validation.scenery import DAY, START, YEAR, World
from tests.sm2_authority import Sm2Authority, sm2_authority
from tests.software_keys import SoftwareAuthority

IMPRINT = hashlib.sha256(b"stamped").digest()
DOCUMENT = "<报关单><GrossWt>1840.5</GrossWt></报关单>".encode()
NONCE = 4711


class Seeds:
    """One world with its signers; every seed is made when it is first asked for."""

    def __init__(self) -> None:
        self.world = World()
        self.software = SoftwareAuthority(START)
        self.timestamper = self.world.timestamper()
        self.signer = self.software.signer()
        self.operator = Operator(self.world)

    @cached_property
    def material(self) -> ValidationMaterial:
        return material_for(self.software, self.signer.certificate)

    @cached_property
    def sm2(self) -> Sm2Authority:
        return sm2_authority()

    # -- signatures ----------------------------------------------------------------------------

    def cades(self) -> list[bytes]:
        key, certificate = self.signer.key, self.signer.certificate
        plain = cades.sign(DOCUMENT, key, certificate, START)
        stamped = cades.sign(
            DOCUMENT, key, certificate, START,
            packaging=Packaging.ENVELOPING, chain=self.signer.chain, timestamper=self.timestamper,
        )  # fmt: skip
        long = cades.add_validation_material(stamped, self.material)
        step = cades.prepare_counter_signature(plain, certificate, START)
        countered = cades.assemble_counter_signature(step, key.sign(step.to_be_signed))
        archived = cades.add_archive_timestamp(long, self.timestamper)
        sm2 = cades.sign(DOCUMENT, self.sm2.signer.key, self.sm2.signer.certificate, START)
        return [plain, stamped, countered, long, archived, sm2]

    def xades(self) -> list[bytes]:
        key, certificate = self.signer.key, self.signer.certificate
        plain = xades.sign(DOCUMENT, key, certificate, START)
        stamped = xades.sign(
            DOCUMENT, key, certificate, START,
            packaging=Packaging.ENVELOPING, chain=self.signer.chain, timestamper=self.timestamper,
        )  # fmt: skip
        long = xades.add_validation_material(stamped, self.material)
        sm2 = xades.sign(DOCUMENT, self.sm2.signer.key, self.sm2.signer.certificate, START)
        archived = xades.add_archive_timestamp(long, self.timestamper)
        return [plain, stamped, long, archived, sm2]

    def pades(self) -> list[bytes]:
        key, certificate = self.signer.key, self.signer.certificate
        signed = [
            pades.sign(sample(1, as_streams=streams), key, certificate, START)
            for streams in (False, True)
        ]
        long = pades.add_validation_material(signed[1], self.material)
        return [*signed, long, sample(1)]

    def jades(self) -> list[bytes]:
        key, certificate = self.signer.key, self.signer.certificate
        made = [
            jades.sign(DOCUMENT, key, certificate, START, serialisation=serialisation)
            for serialisation in jades.Serialisation
        ]
        stamped = jades.sign(
            DOCUMENT, key, certificate, START, chain=self.signer.chain,
            serialisation=jades.Serialisation.FLATTENED, timestamper=self.timestamper,
        )  # fmt: skip
        detached = jades.sign(DOCUMENT, key, certificate, START, packaging=Packaging.DETACHED)
        return [*made, stamped, jades.add_validation_material(stamped, self.material), detached]

    def asic(self) -> list[bytes]:
        return [
            asic.sign(
                {"declaration.xml": DOCUMENT}, self.signer.key, self.signer.certificate, START,
                container=container, inner=inner,
            )
            for container in asic.ContainerType
            for inner in (SignatureFormat.CADES, SignatureFormat.XADES)
        ]  # fmt: skip

    def signed_files(self) -> list[bytes]:
        """One small one of each kind."""
        kinds = (self.cades, self.xades, self.pades, self.jades, self.asic)
        return [kind()[0] for kind in kinds]

    def documents(self) -> list[bytes]:
        return [DOCUMENT, sample(1), *self.pades()[:1], self.asic()[2]]

    def prepared(self) -> list[bytes]:
        certificate = self.signer.certificate
        counter = cades.prepare_counter_signature(self.cades()[0], certificate, START)
        return [
            counter.to_bytes(),
            cades.prepare(DOCUMENT, certificate, START, chain=self.signer.chain).to_bytes(),
            xades.prepare(DOCUMENT, certificate, START).to_bytes(),
            jades.prepare(DOCUMENT, certificate, START).to_bytes(),
            asic.prepare({"a": DOCUMENT}, certificate, START).to_bytes(),
            pades.prepare(sample(1), certificate, START).to_bytes(),
        ]

    def bundle_proofs(self) -> list[bytes]:
        bundle = bundles.build([Part("海关", DOCUMENT), Part("税务", b"<t/>")], SystemEntropy())
        step = bundles.prepare(bundle, self.signer.certificate, START)
        signature = cades.assemble(step, self.signer.key.sign(step.to_be_signed))
        return [proof.to_bytes() for proof in bundle.signed(signature)]

    # -- certificates and their status ---------------------------------------------------------

    def certificates(self) -> list[bytes]:
        chain = (self.signer.certificate, *self.signer.chain)
        sm2 = (self.sm2.signer.certificate, self.sm2.root.certificate)
        more = (self.world.card.certificate, self.world.tsa.certificate, *sm2)
        return [certificate.der for certificate in (*chain, *more)]

    def crls(self) -> list[bytes]:
        issuer = self.software.issuing
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(self.signer.certificate.serial)
            .revocation_date(START)
            .add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False)
            .build()
        )
        point = x509.IssuingDistributionPoint(
            [x509.UniformResourceIdentifier("http://crl.example/1.crl")], None,
            only_contains_user_certs=False, only_contains_ca_certs=False, only_some_reasons=None,
            indirect_crl=True, only_contains_attribute_certs=False,
        )  # fmt: skip
        name = x509.load_der_x509_certificate(issuer.certificate.der).subject
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(name)
            .last_update(START)
            .next_update(START + timedelta(days=1))
            .add_revoked_certificate(entry)
            .add_extension(x509.CRLNumber(7), critical=False)
        )
        full = builder.sign(issuer.key.private_key, hashes.SHA256())
        indirect = builder.add_extension(point, critical=True)
        delta = indirect.add_extension(x509.DeltaCRLIndicator(6), critical=True)
        made = [
            full,
            *(each.sign(issuer.key.private_key, hashes.SHA256()) for each in (indirect, delta)),
        ]
        return [
            crl_of(self.software, issuer),
            *(c.public_bytes(serialization.Encoding.DER) for c in made),
        ]

    def ocsp_responses(self) -> list[bytes]:
        return [ocsp_of(self.software, self.signer.certificate)]

    def sm2_status(self) -> list[bytes]:
        certificate = self.sm2.signer.certificate
        responses = [self.sm2.ocsp(certificate, digest=digest) for digest in ("sha1", "sm3")]
        return [*responses, self.sm2.crl(self.sm2.issuing, certificate)]

    def sm2_keys_and_values(self) -> list[bytes]:
        key = self.sm2.signer.key
        return [key.spki, key.sign(DOCUMENT)]

    def ocsp_requests(self) -> list[bytes]:
        certificate, issuer = self.signer.certificate, self.software.issuing.certificate
        return [single_request(certificate.serial, issuer)]

    def certification_requests(self) -> list[bytes]:
        """Requests, and what they sign alone."""
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, "张三"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "示例"),
            ]
        )
        usage = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = x509.CertificateSigningRequestBuilder().subject_name(name)
        made = [
            each.sign(self.signer.key.private_key, hashes.SHA256())
            for each in (builder, builder.add_extension(usage, critical=False))
        ]
        encoded = [request.public_bytes(serialization.Encoding.DER) for request in made]
        pem = made[0].public_bytes(serialization.Encoding.PEM)
        return [*encoded, pem, *(request.tbs_certrequest_bytes for request in made)]

    # -- time ----------------------------------------------------------------------------------

    def timestamp_requests(self) -> list[bytes]:
        return [
            encode_request(IMPRINT, "sha256", nonce=NONCE),
            encode_request(IMPRINT, "sha256", nonce=None, policy="1.3.6.1.4.1.32473.2"),
        ]

    def timestamp_responses(self) -> list[bytes]:
        authority = self.timestamper._authority
        asked = [*self.timestamp_requests(), b"nonsense"]
        return [authority.answer(request) for request in asked]

    def timestamp_tokens(self) -> list[bytes]:
        return [self.timestamper.stamp(IMPRINT, "sha256")]

    def evidence_records(self) -> list[bytes]:
        with TemporaryDirectory() as directory:
            database = Database(f"sqlite:///{directory}/records.db")
            metadata.create_all(database.engine)
            world = StampingWorld(database, Path(directory))
            accepted = [world.accept(b"a%d" % n, b"b") for n in range(5)]
            world.stamping().cover_new()
            records = [world.evidence.of_signature(each) for each in accepted]
            database.dispose()
        return [record.encoded for record in records if record is not None]

    # -- keys and secrets on their way ---------------------------------------------------------

    @staticmethod
    def key_envelopes() -> list[bytes]:
        return [KeyEnvelope(bytes(20), bytes(range(256)) * 2, bytes(range(144))).encode()]

    def encrypted_messages(self) -> list[bytes]:
        recipient = rsa.generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "card")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .serial_number(7)
            .not_valid_before(START)
            .not_valid_after(START + YEAR)
            .public_key(recipient.public_key())
            .sign(recipient, hashes.SHA256())
        )
        message = pkcs7.PKCS7EnvelopeBuilder().set_data(DOCUMENT).add_recipient(certificate)
        return [message.encrypt(serialization.Encoding.DER, [])]

    # -- other -----------------------------------------------------------------------------------

    def trusted_lists(self) -> list[bytes]:
        """Signed ones, and what stands in them alone."""
        service = self.operator.service(("withdrawn", START - DAY), ("granted", START - YEAR))
        return [self.operator.signed(service), self.operator.unsigned(service)]

    @staticmethod
    def declarations() -> list[bytes]:
        samples = Path(__file__).parents[1] / "samples"
        return [each.read_bytes() for each in sorted(samples.glob("*.xml"), reverse=True)]

    def authentication_tokens(self) -> list[bytes]:
        card = self.world.card
        made = make_authentication_token(
            card.key, card.certificate.der, "https://a.example", "nonce", "fuzz/1"
        )
        return [json.dumps(made).encode()]
