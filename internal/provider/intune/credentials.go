package intune

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/filesys"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
)

// certificate is one of the app registration, with its key.
type certificate struct {
	of  *x509.Certificate
	key crypto.Signer
}

// readCertificate reads both files. What is wrong names the variable, and shows nothing of the files.
func readCertificate(certPath, keyPath config.Path) (*certificate, *config.Problem) {
	wrong := func(variable, text, accepted string) *config.Problem {
		return &config.Problem{Variable: variable, Text: text, Accepted: accepted}
	}
	const acceptedCert, acceptedKey = "a PEM file with the certificate that was uploaded to the app registration", "a PEM file with its RSA key"
	text, err := readFile(string(certPath))
	if err != nil {
		return nil, wrong("INTUNE_CERT_PATH", "the file cannot be read: "+err.Error(), acceptedCert)
	}
	c := &certificate{}
	if c.of, err = parseCertificate(text); err != nil {
		return nil, wrong("INTUNE_CERT_PATH", err.Error(), acceptedCert)
	}
	if text, err = readFile(string(keyPath)); err != nil {
		return nil, wrong("INTUNE_KEY_PATH", "the file cannot be read: "+err.Error(), acceptedKey)
	}
	if c.key, err = vendorhttp.ParseKey(text); err != nil {
		return nil, wrong("INTUNE_KEY_PATH", "the file "+err.Error(), acceptedKey)
	}
	key, isRSA := c.key.(*rsa.PrivateKey)
	switch {
	case !isRSA:
		return nil, wrong("INTUNE_KEY_PATH", "the file holds a key that is not RSA, and Entra accepts no other", acceptedKey)
	case !key.PublicKey.Equal(c.of.PublicKey):
		return nil, wrong("INTUNE_KEY_PATH", "the key is not that of the certificate", acceptedKey)
	}
	return c, nil
}

// parseCertificate returns the first certificate of a PEM file.
func parseCertificate(text []byte) (*x509.Certificate, error) {
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return nil, errors.New("the file holds no certificate in PEM")
		}
		if block.Type == "CERTIFICATE" {
			parsed, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, errors.New("the file holds a certificate that cannot be read")
			}
			return parsed, nil
		}
		text = rest
	}
}

// readFile reads a small file. The error does not show the path.
func readFile(path string) ([]byte, error) {
	f, err := filesys.Open(path)
	if err != nil {
		return nil, filesys.Cause(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, filesys.Cause(err)
	case len(text) > maxFile:
		return nil, fmt.Errorf("it has more than %d bytes", maxFile)
	}
	return text, nil
}

// sign makes an assertion (RFC 7523) for the token endpoint that is asked. Entra finds the certificate by its thumbprint.
func (c *certificate) sign(client, audience string, now time.Time) (string, error) {
	if expired(c.of, now) {
		return "", fmt.Errorf("%w: the certificate of INTUNE_CERT_PATH has expired", posture.ErrCredentials)
	}
	sum := sha256.Sum256(c.of.Raw)
	signed, err := vendorhttp.Assertion{
		Key: c.key, Client: client, Audience: audience,
		Header: map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])},
	}.Sign(now)
	if err != nil {
		return "", fmt.Errorf("INTUNE_KEY_PATH: %w", err)
	}
	return signed, nil
}

// credentials are how the app registration logs in. certificate is nil where it has a secret.
func (p *Provider) credentials(login *url.URL, cert *certificate) vendorhttp.ClientCredentials {
	c := p.config
	endpoint := *login
	endpoint.Path += "/" + c.TenantID + "/oauth2/v2.0/token"
	credentials := vendorhttp.ClientCredentials{
		ID: c.ClientID, Secret: c.ClientSecret, URL: &endpoint,
		// Fail closed: the scope is that of the cloud and never of INTUNE_GRAPH_URL, so that no token is for a host that
		// only the configuration knows.
		Scopes: []string{cloudOf(c.Cloud).graph + "/.default"},
		Remedy: "check INTUNE_CLIENT_ID and INTUNE_CLIENT_SECRET", Explain: refusal, Outdated: p.outdated,
	}
	if cert != nil {
		credentials.Remedy = "check INTUNE_CLIENT_ID, and that the certificate of INTUNE_CERT_PATH is one of the app registration's"
		credentials.Assertion = func(now time.Time) (string, error) { return cert.sign(c.ClientID, endpoint.String(), now) }
	}
	return credentials
}

// refusal says what the error codes of Entra mean; "" where none is known.
// https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes
func refusal(body []byte) string {
	var answer struct {
		Codes []int `json:"error_codes"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	for _, known := range []struct {
		codes []int
		text  string
	}{
		{[]int{7000215}, "INTUNE_CLIENT_SECRET is wrong; it is the value of a client secret and not its ID"},
		{[]int{7000222}, "the client secret has expired; make a new one in the app registration"},
		{[]int{700016}, "the tenant has no application with this INTUNE_CLIENT_ID"},
		{[]int{90002, 900023}, "there is no tenant with this INTUNE_TENANT_ID in this cloud; check INTUNE_TENANT_ID and INTUNE_CLOUD"},
		{[]int{700027}, "the certificate of INTUNE_CERT_PATH is none of the app registration's; upload it there"},
		{[]int{700024}, "the assertion is not valid at this time; check the clock of this machine"},
		{[]int{7000112}, "the application is disabled in the tenant"},
		{[]int{500011}, "the tenant does not know what the token is for; check INTUNE_CLOUD"},
	} {
		if slices.ContainsFunc(answer.Codes, func(code int) bool { return slices.Contains(known.codes, code) }) {
			return known.text
		}
	}
	return ""
}
