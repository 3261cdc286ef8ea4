package webhook

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"net/http"

	"step-posture-connector/internal/audit"
)

// notified records what became of a request by SCEP, and answers what step-ca does not read. Of the certificate its serial
// number and common name are recorded: the CSR holds the challenge.
func (c *exchange) notified() answer {
	n := &audit.Notification{TransactionID: c.parts.transactionID, Error: c.parts.errorDescription}
	if c.body.X509Certificate != nil {
		n.Issued = true
		if cert, err := x509.ParseCertificate(c.body.X509Certificate.Raw); err == nil {
			n.CommonName, n.SerialNumber = cert.Subject.CommonName, hex.EncodeToString(cert.SerialNumber.Bytes())
			c.event.PublicKey = sha256.Sum256(cert.RawSubjectPublicKeyInfo)
		}
	}
	c.event.Notification, c.event.Allowed = n, true
	c.event.Identifier = n.CommonName
	c.event.Reason = n.Text()
	return answer{status: http.StatusOK, body: []byte(`{"allow":true}`)}
}
