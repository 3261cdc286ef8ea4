package webhook_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"testing"

	"step-posture-connector/internal/posture"
)

// keyOf is the hash of the key in a recorded body, read without the code under test; what is the kind of object that has it.
func keyOf(t *testing.T, text []byte) (sum [sha256.Size]byte, what string) {
	t.Helper()
	type ssh struct{ PublicKey []byte }
	var body struct {
		Request *struct{ Raw []byte } `json:"x509CertificateRequest"`
		Leaf    *struct {
			Raw       []byte
			PublicKey []byte
		} `json:"x509Certificate"`
		SSHRequest *ssh `json:"sshCertificateRequest"`
		SSH        *ssh `json:"sshCertificate"`
	}
	if err := json.Unmarshal(text, &body); err != nil {
		return sum, ""
	}
	switch {
	case body.Leaf != nil && len(body.Leaf.Raw) > 0: // of a notification, or of a device that shows it
		cert, err := x509.ParseCertificate(body.Leaf.Raw)
		if err != nil {
			return sum, ""
		}
		return sha256.Sum256(cert.RawSubjectPublicKeyInfo), "raw"
	case body.Request != nil:
		csr, err := x509.ParseCertificateRequest(body.Request.Raw)
		if err != nil {
			t.Fatal(err)
		}
		return sha256.Sum256(csr.RawSubjectPublicKeyInfo), "CSR"
	case body.Leaf != nil && len(body.Leaf.PublicKey) > 0:
		return sha256.Sum256(body.Leaf.PublicKey), "certificate"
	case body.SSH != nil:
		return sha256.Sum256(body.SSH.PublicKey), "SSH"
	case body.SSHRequest != nil:
		return sha256.Sum256(body.SSHRequest.PublicKey), "SSH"
	}
	return sum, ""
}

// The event of every recorded request has the key that the certificate is for: an audit line without it proves no certificate.
func TestKeyOfEveryRecordedRequest(t *testing.T) {
	t.Parallel()
	checked := map[string]int{}
	for _, name := range samples(t) {
		s, c := readSample(t, name), callerOf(name)
		want, what := keyOf(t, s.body)
		if what == "" || what == "CSR" && c.accepts == posture.SCEPNotification {
			continue // a request that has failed has no certificate
		}
		hook := c.hookFor(t)
		d := newDoor(hook, true).at(timeOf(t, s.body))
		_, code := d.allowed(d.send(http.MethodPost, pathFor(c.accepts)+c.query, signed(hook, s.body), s.body))
		if code == string(posture.CertificateUntrusted) || code == "malformed" || code == "expired" || code == "requestUnexpected" {
			continue // refused before
		}
		checked[what]++
		if d.last.PublicKey != want {
			t.Errorf("%s (%s, code %q): the key is %x, want %x", name, what, code, d.last.PublicKey, want)
		}
	}
	for _, what := range []string{"CSR", "certificate", "SSH"} {
		if checked[what] == 0 {
			t.Errorf("no request with the key of a %s was compared: %v", what, checked)
		}
	}
	t.Log(checked)
}
