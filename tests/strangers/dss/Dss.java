// EU DSS as a stranger: signs with a key that it is given, and validates what others signed.
// Run by compare.py; see README.md beside it.

import eu.europa.esig.dss.asic.cades.ASiCWithCAdESSignatureParameters;
import eu.europa.esig.dss.asic.cades.signature.ASiCWithCAdESService;
import eu.europa.esig.dss.asic.xades.ASiCWithXAdESSignatureParameters;
import eu.europa.esig.dss.asic.xades.signature.ASiCWithXAdESService;
import eu.europa.esig.dss.cades.CAdESSignatureParameters;
import eu.europa.esig.dss.cades.signature.CAdESService;
import eu.europa.esig.dss.enumerations.ASiCContainerType;
import eu.europa.esig.dss.enumerations.DigestAlgorithm;
import eu.europa.esig.dss.enumerations.JWSSerializationType;
import eu.europa.esig.dss.enumerations.SigDMechanism;
import eu.europa.esig.dss.enumerations.SignatureAlgorithm;
import eu.europa.esig.dss.enumerations.SignatureLevel;
import eu.europa.esig.dss.enumerations.SignaturePackaging;
import eu.europa.esig.dss.jades.JAdESSignatureParameters;
import eu.europa.esig.dss.jades.signature.JAdESService;
import eu.europa.esig.dss.model.DSSDocument;
import eu.europa.esig.dss.model.FileDocument;
import eu.europa.esig.dss.model.SignatureValue;
import eu.europa.esig.dss.model.ToBeSigned;
import eu.europa.esig.dss.model.x509.CertificateToken;
import eu.europa.esig.dss.pades.PAdESSignatureParameters;
import eu.europa.esig.dss.pades.signature.PAdESService;
import eu.europa.esig.dss.service.crl.OnlineCRLSource;
import eu.europa.esig.dss.service.ocsp.OnlineOCSPSource;
import eu.europa.esig.dss.service.tsp.OnlineTSPSource;
import eu.europa.esig.dss.signature.AbstractSignatureParameters;
import eu.europa.esig.dss.signature.DocumentSignatureService;
import eu.europa.esig.dss.spi.validation.CommonCertificateVerifier;
import eu.europa.esig.dss.spi.x509.CommonTrustedCertificateSource;
import eu.europa.esig.dss.spi.x509.aia.DefaultAIASource;
import eu.europa.esig.dss.validation.SignedDocumentValidator;
import eu.europa.esig.dss.validation.reports.Reports;
import eu.europa.esig.dss.xades.XAdESSignatureParameters;
import eu.europa.esig.dss.xades.signature.XAdESService;
import java.io.File;
import java.io.FileInputStream;
import java.nio.file.Files;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;

public class Dss {
    static CommonCertificateVerifier verifier;
    static PrivateKey key;
    static List<CertificateToken> chain = new ArrayList<>();
    static File out;

    public static void main(String[] args) throws Exception {
        File work = new File(args[0]);
        verifier = new CommonCertificateVerifier();
        CommonTrustedCertificateSource trusted = new CommonTrustedCertificateSource();
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        try (FileInputStream file = new FileInputStream(new File(work, "root.pem"))) {
            trusted.addCertificate(new CertificateToken((X509Certificate) factory.generateCertificate(file)));
        }
        verifier.setTrustedCertSources(trusted);
        verifier.setCrlSource(new OnlineCRLSource());
        verifier.setOcspSource(new OnlineOCSPSource());
        verifier.setAIASource(new DefaultAIASource());
        if (args[1].equals("sign")) {
            sign(work, args[2]);
        } else {
            validate(work);
        }
    }

    static void sign(File work, String tsa) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        char[] password = Files.readString(new File(work, "password").toPath()).trim().toCharArray();
        try (FileInputStream file = new FileInputStream(new File(work, "signer.p12"))) {
            store.load(file, password);
        }
        String alias = store.aliases().nextElement();
        key = (PrivateKey) store.getKey(alias, password);
        for (Certificate each : store.getCertificateChain(alias)) {
            chain.add(new CertificateToken((X509Certificate) each));
        }
        out = new File(work, "theirs");
        out.mkdirs();
        DSSDocument xml = new FileDocument(new File(work, "document.xml"));
        DSSDocument pdf = new FileDocument(new File(work, "document.pdf"));
        OnlineTSPSource stamps = new OnlineTSPSource(tsa);
        for (String level : new String[] {"B", "T", "LT", "LTA"}) {
            for (SignaturePackaging packaging : new SignaturePackaging[] {SignaturePackaging.DETACHED, SignaturePackaging.ENVELOPING}) {
                CAdESSignatureParameters cades = new CAdESSignatureParameters();
                cades.setSignaturePackaging(packaging);
                cades.setSignatureLevel(SignatureLevel.valueOf("CAdES_BASELINE_" + level));
                CAdESService service = new CAdESService(verifier);
                service.setTspSource(stamps);
                make(service, cades, xml, "cades-" + packaging + "-" + level + ".p7s");
            }
            for (SignaturePackaging packaging : SignaturePackaging.values()) {
                XAdESSignatureParameters xades = new XAdESSignatureParameters();
                xades.setSignaturePackaging(packaging);
                xades.setSignatureLevel(SignatureLevel.valueOf("XAdES_BASELINE_" + level));
                if (packaging == SignaturePackaging.INTERNALLY_DETACHED) {
                    continue;
                }
                XAdESService service = new XAdESService(verifier);
                service.setTspSource(stamps);
                make(service, xades, xml, "xades-" + packaging + "-" + level + ".xml");
            }
            for (JWSSerializationType kind : JWSSerializationType.values()) {
                for (SignaturePackaging packaging : new SignaturePackaging[] {SignaturePackaging.ENVELOPING, SignaturePackaging.DETACHED}) {
                    if (kind == JWSSerializationType.COMPACT_SERIALIZATION && !level.equals("B")) {
                        continue;
                    }
                    JAdESSignatureParameters jades = new JAdESSignatureParameters();
                    jades.setSignaturePackaging(packaging);
                    jades.setJwsSerializationType(kind);
                    if (packaging == SignaturePackaging.DETACHED) {
                        jades.setSigDMechanism(SigDMechanism.OBJECT_ID_BY_URI_HASH);
                    }
                    jades.setSignatureLevel(SignatureLevel.valueOf("JAdES_BASELINE_" + level));
                    JAdESService service = new JAdESService(verifier);
                    service.setTspSource(stamps);
                    make(service, jades, xml, "jades-" + kind + "-" + packaging + "-" + level + ".json");
                }
            }
            PAdESSignatureParameters pades = new PAdESSignatureParameters();
            pades.setSignatureLevel(SignatureLevel.valueOf("PAdES_BASELINE_" + level));
            PAdESService pdfs = new PAdESService(verifier);
            pdfs.setTspSource(stamps);
            make(pdfs, pades, pdf, "pades-" + level + ".pdf");
            for (ASiCContainerType type : ASiCContainerType.values()) {
                ASiCWithCAdESSignatureParameters withCades = new ASiCWithCAdESSignatureParameters();
                withCades.aSiC().setContainerType(type);
                withCades.setSignatureLevel(SignatureLevel.valueOf("CAdES_BASELINE_" + level));
                ASiCWithCAdESService first = new ASiCWithCAdESService(verifier);
                first.setTspSource(stamps);
                make(first, withCades, xml, "asic-cades-" + type + "-" + level + ".zip");
                ASiCWithXAdESSignatureParameters withXades = new ASiCWithXAdESSignatureParameters();
                withXades.aSiC().setContainerType(type);
                withXades.setSignatureLevel(SignatureLevel.valueOf("XAdES_BASELINE_" + level));
                ASiCWithXAdESService second = new ASiCWithXAdESService(verifier);
                second.setTspSource(stamps);
                make(second, withXades, xml, "asic-xades-" + type + "-" + level + ".zip");
            }
        }
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    static void make(DocumentSignatureService service, AbstractSignatureParameters parameters, DSSDocument document, String name) {
        try {
            parameters.setSigningCertificate(chain.get(0));
            parameters.setCertificateChain(chain);
            parameters.setDigestAlgorithm(DigestAlgorithm.SHA256);
            parameters.bLevel().setSigningDate(new Date());
            ToBeSigned data = service.getDataToSign(document, parameters);
            Signature signer = Signature.getInstance("SHA256withECDSA");
            signer.initSign(key);
            signer.update(data.getBytes());
            SignatureValue value = new SignatureValue(SignatureAlgorithm.ECDSA_SHA256, signer.sign());
            service.signDocument(document, parameters, value).save(new File(out, name).getPath());
        } catch (Exception refusal) {
            System.out.println("theirs\t" + name + "\tnot made: " + refusal.getMessage());
        }
    }

    static void validate(File work) throws Exception {
        DSSDocument xml = new FileDocument(new File(work, "document.xml"));
        File[] files = new File(work, "ours").listFiles();
        java.util.Arrays.sort(files);
        for (File file : files) {
            String told;
            try {
                SignedDocumentValidator validator = SignedDocumentValidator.fromDocument(new FileDocument(file));
                validator.setCertificateVerifier(verifier);
                if (file.getName().contains("detached")) {
                    validator.setDetachedContents(List.of(xml));
                }
                Reports reports = validator.validateDocument();
                StringBuilder line = new StringBuilder();
                for (String id : reports.getSimpleReport().getSignatureIdList()) {
                    line.append(reports.getSimpleReport().getIndication(id));
                    line.append(' ').append(reports.getSimpleReport().getSubIndication(id));
                    line.append(' ').append(reports.getSimpleReport().getSignatureFormat(id));
                    line.append(' ').append(reports.getSimpleReport().getAdESValidationErrors(id).stream().map(e -> e.getValue()).toList());
                }
                told = line.toString();
            } catch (Exception refusal) {
                told = "not read: " + refusal;
            }
            System.out.println("ours\t" + file.getName() + "\t" + told);
        }
    }
}
