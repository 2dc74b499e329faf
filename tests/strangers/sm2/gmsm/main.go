// Makes GM/T 0010 messages with an SM2 authority of its own, all by gmsm: main OUTPUT DOCUMENT.
package main

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/emmansun/gmsm/pkcs7"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func certificate(name string, serial int64, issuer *smx509.Certificate, issuerKey, key *sm2.PrivateKey) *smx509.Certificate {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(serial),
		Subject:               pkix.Name{Country: []string{"CN"}, CommonName: name},
		NotBefore:             start,
		NotAfter:              start.AddDate(20, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
		BasicConstraintsValid: true,
	}
	parent := issuer
	if issuer == nil {
		template.IsCA = true
		template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
		parent = (*smx509.Certificate)(template)
	}
	encoded := must(smx509.CreateCertificate(rand.Reader, template, parent, key.Public(), issuerKey))
	return must(smx509.ParseCertificate(encoded))
}

func main() {
	output, document := os.Args[1], must(os.ReadFile(os.Args[2]))
	rootKey, key := must(sm2.GenerateKey(rand.Reader)), must(sm2.GenerateKey(rand.Reader))
	root := certificate("gmsm root", 1, nil, rootKey, rootKey)
	signer := certificate("gmsm signer", 2, root, rootKey, key)
	write := func(name string, octets []byte) {
		if err := os.WriteFile(filepath.Join(output, name), octets, 0o644); err != nil {
			log.Fatal(err)
		}
	}
	for name, detached := range map[string]bool{"gmsm-attached.p7s": false, "gmsm-detached.p7s": true} {
		message := must(pkcs7.NewSMSignedData(document))
		if err := message.AddSignerChain(signer, crypto.PrivateKey(key), []*smx509.Certificate{root}, pkcs7.SignerInfoConfig{}); err != nil {
			log.Fatal(err)
		}
		if detached {
			message.Detach()
		}
		write(name, must(message.Finish()))
	}
	message := must(pkcs7.NewSMSignedData(document))
	if err := message.SignWithoutAttr(signer, key, pkcs7.SignerInfoConfig{}); err != nil {
		log.Fatal(err)
	}
	write("gmsm-without-attributes.p7s", must(message.Finish()))
	write("gmsm-root.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}))
}
