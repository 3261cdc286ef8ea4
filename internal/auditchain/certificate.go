package auditchain

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"step-posture-connector/internal/certname"
)

// Certificate is what is compared with the audit log.
type Certificate struct {
	Subject      string    `json:"subject"`
	SerialNumber string    `json:"serial_number"` // in hex
	NotBefore    time.Time `json:"not_before"`
	NotAfter     time.Time `json:"not_after"`
	PublicKey    string    `json:"public_key_sha256"` // as lines have it

	identifiers []string        // what may name the device, each as a whole
	references  map[string]bool // what may be a reference
}

// ErrCertificate says that a file has no certificate.
var ErrCertificate = errors.New("no certificate; accepted: a certificate in PEM, whose first one counts, or in DER")

// ReadCertificate reads the first certificate of a file, in PEM or DER. Its signature is not verified: the file does not say who
// must have signed it.
func ReadCertificate(text []byte) (*Certificate, error) {
	if len(text) > maxCertificate {
		return nil, ErrCertificate
	}
	der := text
	for rest := text; bytes.Contains(rest, []byte("-----BEGIN")); {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, ErrCertificate
		}
		if block.Type == "CERTIFICATE" {
			der = block.Bytes
			break
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, ErrCertificate
	}
	key := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	c := &Certificate{
		Subject: cert.Subject.String(), SerialNumber: hex.EncodeToString(cert.SerialNumber.Bytes()),
		NotBefore: cert.NotBefore.UTC(), NotAfter: cert.NotAfter.UTC(), PublicKey: hex.EncodeToString(key[:]),
		references: map[string]bool{},
	}
	c.readNames(cert)
	return c, nil
}

func (c *Certificate) readNames(cert *x509.Certificate) {
	c.identifiers = slices.Concat(certname.CommonNames(cert.Subject), certname.SerialNumbers(cert.Subject))
	for _, attribute := range cert.Subject.Names {
		if text, ok := attribute.Value.(string); ok {
			c.addReferences([]byte(text))
		}
	}
	for _, extension := range cert.Extensions {
		c.addElements(extension.Value, maxDepth) // the names of a SAN are in it as they are
		if extension.Id.String() != certname.SubjectAltName {
			continue
		}
		names := certname.List{}
		names.AddExtension(extension.Value)
		c.identifiers = append(c.identifiers, names.All()...) // nothing where one cannot be read: fail closed
	}
}

// addElements notes the references in the elements of DER. Around a text there are bytes that look like letters and digits, such as
// its length, and the tag of what follows. What is no DER is searched as a whole.
func (c *Certificate) addElements(der []byte, depth int) {
	inner := map[*cryptobyte.String]bool{}
	for rest := cryptobyte.String(der); !rest.Empty(); {
		element, tag := new(cryptobyte.String), cbasn1.Tag(0)
		if depth == 0 || !rest.ReadAnyASN1(element, &tag) {
			c.addReferences(der)
			return
		}
		inner[element] = tag&constructed != 0 || tag == cbasn1.OCTET_STRING
	}
	for element, hasElements := range inner {
		if hasElements {
			c.addElements(*element, depth-1)
		} else {
			c.addReferences(*element)
		}
	}
}

// constructed is the bit of a tag whose element has others within (X.690, 8.1.2.5).
const constructed cbasn1.Tag = 0x20

const referenceLength = 8

// addReferences notes each word of eight characters that a reference can be.
func (c *Certificate) addReferences(text []byte) {
	begin := 0
	for i := range len(text) + 1 {
		if i < len(text) && isWordByte(text[i]) {
			continue
		}
		if word := text[begin:i]; len(word) == referenceLength && isReference(word) {
			c.references[string(word)] = true
		}
		begin = i + 1
	}
}

func isWordByte(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
}

// isReference reports whether a word has only the characters of a reference.
func isReference(word []byte) bool {
	return !slices.ContainsFunc(word, func(c byte) bool { return 'a' <= c && c <= 'z' || c == 'I' || c == 'L' || c == 'O' || c == 'U' })
}
