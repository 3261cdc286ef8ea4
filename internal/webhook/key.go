package webhook

import (
	"crypto/sha256"

	"github.com/go-json-experiment/json"
)

// noteKey notes which key the certificate is for, as far as the request says it in a form that can be read: audit prove compares it
// with that of a certificate. Nothing is decided by it.
func (c *exchange) noteKey() {
	switch {
	case c.at.ask == nil, c.at.shows: // of a certificate that exists
	case c.body.X509CertificateRequest != nil:
		if csr, p := c.body.X509CertificateRequest.read(); p == nil {
			c.event.PublicKey = csr.key
		}
	case c.body.X509Certificate != nil:
		var der []byte // step-ca writes it as it will be in the certificate
		if json.Unmarshal(c.body.X509Certificate.PublicKey, &der) == nil && len(der) > 0 {
			c.event.PublicKey = sha256.Sum256(der)
		}
	case c.parts != nil && c.parts.ssh != nil && len(c.parts.ssh.PublicKey) > 0:
		c.event.PublicKey = sha256.Sum256(c.parts.ssh.PublicKey)
	}
}
