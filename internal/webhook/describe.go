package webhook

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"

	"github.com/go-json-experiment/json"

	"step-posture-connector/internal/posture"
)

// The words of request.kind and request.key_type that this door knows; posture.RequestKinds and posture.KeyTypes have all.
const (
	kindEnriching   = "enriching"
	kindAuthorizing = "authorizing"
	keyTypeEC       = "EC"
	keyTypeRSA      = "RSA"
	keyTypeOKP      = "OKP"
)

// describe fills in what rules may know of the request. What cannot be read stays unknown, so that no rule is met by it.
func (b *requestBody) describe(into *posture.Request) {
	into.Provisioner = b.ProvisionerName
	switch {
	case b.X509CertificateRequest != nil:
		into.Kind = kindEnriching
		b.X509CertificateRequest.describe(into)
	case b.X509Certificate != nil:
		into.Kind = kindAuthorizing
		b.X509Certificate.describe(into)
	}
}

// describe reads the DER of the CSR. Of the JSON beside it, dnsNames, publicKey and the like are not read: step-ca made them
// from the same DER, and dnsNames has the common name in lower case too, which the device did not ask for.
func (c *certificateRequest) describe(into *posture.Request) {
	csr, p := c.read()
	if p != nil {
		return
	}
	into.KeyType, into.KeyBits = csr.keyType, csr.keyBits
	var names nameList
	names.addAll(csr.commonNames)
	for _, der := range csr.subjectAltNames {
		names.addExtension(der)
	}
	names.addSANs(c.SANs, c.Extensions)
	into.Names = names.all()
}

// describe reads the JSON of a certificate that is not made yet. A template may write alternative names into members of their
// own, which step-ca signs where there is no extension for them.
func (c *certificate) describe(into *posture.Request) {
	var der []byte
	if json.Unmarshal(c.PublicKey, &der) == nil {
		if key, err := x509.ParsePKIXPublicKey(der); err == nil {
			into.KeyType, into.KeyBits = describeKey(key)
		}
	}
	subjects, p := c.subjects()
	if p != nil {
		return
	}
	var names nameList
	for _, commonNames := range subjects {
		names.addAll(commonNames)
	}
	names.addMember(c.DNSNames, plainName)
	names.addMember(c.EmailAddresses, plainName)
	names.addMember(c.IPAddresses, ipName)
	names.addMember(c.URIs, plainName)
	names.addSANs(c.SANs, c.Extensions)
	into.Names = names.all()
}

// describeKey returns the type of a key, in the words of JSON Web Keys (RFC 7518), and its size: of an elliptic key that of
// its curve, of an RSA key that of its modulus. Zero is unknown, and so are all other keys.
func describeKey(key any) (keyType string, bits int64) {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		return keyTypeEC, int64(key.Curve.Params().BitSize)
	case *rsa.PublicKey:
		return keyTypeRSA, int64(key.N.BitLen())
	case ed25519.PublicKey:
		const ed25519Bits = 256
		return keyTypeOKP, ed25519Bits
	default:
		return "", 0
	}
}
