import java.io.ByteArrayInputStream;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.Security;
import java.security.spec.ECGenParameterSpec;
import java.time.Instant;
import java.util.Date;
import java.util.Hashtable;
import java.util.List;
import org.bouncycastle.asn1.ASN1EncodableVector;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.DERSet;
import org.bouncycastle.asn1.cms.Attribute;
import org.bouncycastle.asn1.cms.AttributeTable;
import org.bouncycastle.asn1.ess.ESSCertIDv2;
import org.bouncycastle.asn1.ess.SigningCertificateV2;
import org.bouncycastle.asn1.gm.GMObjectIdentifiers;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaCertStore;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.CMSSignedDataGenerator;
import org.bouncycastle.cms.DefaultSignedAttributeTableGenerator;
import org.bouncycastle.cms.SignerInfoGenerator;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.jcajce.JcaSignerInfoGeneratorBuilder;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.DigestCalculator;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;
import org.bouncycastle.tsp.TSPAlgorithms;
import org.bouncycastle.tsp.TimeStampRequestGenerator;
import org.bouncycastle.tsp.TimeStampResponse;
import org.bouncycastle.tsp.TimeStampResponseGenerator;
import org.bouncycastle.tsp.TimeStampTokenGenerator;
import org.bouncycastle.util.Store;

/** Bouncy Castle signs and verifies CMS with SM2: `make OUTPUT DOCUMENT`, `verify MESSAGE DOCUMENT`. */
public class Sm2Messages {
    static final Instant START = Instant.parse("2026-01-01T00:00:00Z");
    static final Instant SIGNED = Instant.parse("2026-11-20T08:00:00Z");

    record Identity(KeyPair keys, X509CertificateHolder certificate) {}

    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        byte[] document = Files.readAllBytes(Path.of(arguments[2]));
        if (arguments[0].equals("verify")) {
            verify(Files.readAllBytes(Path.of(arguments[1])), document);
        } else {
            make(Path.of(arguments[1]), document);
        }
    }

    static void make(Path output, byte[] document) throws Exception {
        Identity root = certify("Bouncy Castle root", null, 1, null);
        Identity signer = certify("Bouncy Castle signer", root, 2, null);
        Identity tsa = certify("Bouncy Castle TSA", root, 3, KeyPurposeId.id_kp_timeStamping);
        CMSSignedDataGenerator generator = new CMSSignedDataGenerator();
        generator.addSignerInfoGenerator(signerInfo(signer));
        generator.addCertificates(new JcaCertStore(List.of(signer.certificate, root.certificate)));
        CMSSignedData signed = generator.generate(new CMSProcessableByteArray(document), false);
        Files.write(output.resolve("bouncy-castle.p7s"), signed.getEncoded());
        byte[] value = signed.getSignerInfos().getSigners().iterator().next().getSignature();
        Files.write(output.resolve("bouncy-castle.tst"), timestamp(tsa, root, value));
        Files.write(output.resolve("bouncy-castle-root.der"), root.certificate.getEncoded());
    }

    static Identity certify(String name, Identity issuer, long serial, KeyPurposeId purpose) throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC", "BC");
        generator.initialize(new ECGenParameterSpec("sm2p256v1"));
        KeyPair keys = generator.generateKeyPair();
        X500Name subject = new X500Name("CN=" + name);
        JcaX509v3CertificateBuilder builder = new JcaX509v3CertificateBuilder(
            issuer == null ? subject : issuer.certificate.getSubject(), BigInteger.valueOf(serial),
            Date.from(START), Date.from(START.plusSeconds(20L * 365 * 86400)), subject, keys.getPublic());
        boolean isCa = issuer == null;
        int usage = isCa ? KeyUsage.keyCertSign | KeyUsage.cRLSign : KeyUsage.digitalSignature | KeyUsage.nonRepudiation;
        builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(isCa));
        builder.addExtension(Extension.keyUsage, true, new KeyUsage(usage));
        if (purpose != null) {
            builder.addExtension(Extension.extendedKeyUsage, true, new ExtendedKeyUsage(purpose));
        }
        KeyPair signing = isCa ? keys : issuer.keys;
        return new Identity(keys, builder.build(contentSigner(signing)));
    }

    static ContentSigner contentSigner(KeyPair keys) throws Exception {
        return new JcaContentSignerBuilder("SM3withSM2").setProvider("BC").build(keys.getPrivate());
    }

    static SignerInfoGenerator signerInfo(Identity signer) throws Exception {
        byte[] hash = MessageDigest.getInstance("SM3", "BC").digest(signer.certificate.getEncoded());
        SigningCertificateV2 reference = new SigningCertificateV2(
            new ESSCertIDv2(new AlgorithmIdentifier(GMObjectIdentifiers.sm3), hash));
        ASN1EncodableVector attributes = new ASN1EncodableVector();
        attributes.add(new Attribute(PKCSObjectIdentifiers.id_aa_signingCertificateV2, new DERSet(reference)));
        attributes.add(new Attribute(PKCSObjectIdentifiers.pkcs_9_at_signingTime,
            new DERSet(new org.bouncycastle.asn1.cms.Time(Date.from(SIGNED)))));
        return new JcaSignerInfoGeneratorBuilder(new JcaDigestCalculatorProviderBuilder().setProvider("BC").build())
            .setSignedAttributeGenerator(new DefaultSignedAttributeTableGenerator(new AttributeTable(attributes)))
            .build(contentSigner(signer.keys), signer.certificate);
    }

    static byte[] timestamp(Identity tsa, Identity root, byte[] value) throws Exception {
        DigestCalculator sm3 = new JcaDigestCalculatorProviderBuilder().setProvider("BC").build()
            .get(new AlgorithmIdentifier(GMObjectIdentifiers.sm3));
        SignerInfoGenerator signer = new JcaSignerInfoGeneratorBuilder(
            new JcaDigestCalculatorProviderBuilder().setProvider("BC").build())
            .build(contentSigner(tsa.keys), tsa.certificate);
        TimeStampTokenGenerator generator = new TimeStampTokenGenerator(
            signer, sm3, new ASN1ObjectIdentifier("1.3.6.1.4.1.32473.2"));
        generator.setAccuracySeconds(1);
        generator.addCertificates(new JcaCertStore(List.of(tsa.certificate, root.certificate)));
        TimeStampRequestGenerator asking = new TimeStampRequestGenerator();
        asking.setCertReq(true);
        byte[] imprint = MessageDigest.getInstance("SM3", "BC").digest(value);
        TimeStampResponse response = new TimeStampResponseGenerator(generator, TSPAlgorithms.ALLOWED)
            .generate(asking.generate(GMObjectIdentifiers.sm3, imprint), BigInteger.ONE,
                Date.from(SIGNED.plusSeconds(60)));
        return response.getTimeStampToken().getEncoded();
    }

    static void verify(byte[] message, byte[] document) throws Exception {
        CMSSignedData signed = new CMSSignedData(new CMSProcessableByteArray(document), new ByteArrayInputStream(message));
        Store<X509CertificateHolder> certificates = signed.getCertificates();
        for (SignerInformation signer : signed.getSignerInfos()) {
            X509CertificateHolder holder =
                (X509CertificateHolder) certificates.getMatches(signer.getSID()).iterator().next();
            boolean genuine;
            try {
                genuine = signer.verify(new JcaSimpleSignerInfoVerifierBuilder().setProvider("BC")
                    .build(new JcaX509CertificateConverter().setProvider("BC").getCertificate(holder)));
            } catch (org.bouncycastle.cms.CMSSignerDigestMismatchException mismatch) {
                genuine = false;
            }
            System.out.println(genuine ? "genuine" : "refused");
        }
    }
}
