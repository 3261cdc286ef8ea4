package device

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
)

// Renew asks the CA at url to renew a certificate of the device without an ACME
// order: the device authenticates with the certificate only. It returns the HTTP
// status.
func (d *Device) Renew(ctx context.Context, roots *x509.CertPool, url string, cert *x509.Certificate) (int, error) {
	pair := &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: d.key}
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs:    roots,
		MinVersion: tls.VersionTLS12,
		// Sent for any issuers that the server accepts: without the intermediate,
		// crypto/tls cannot see that one of them issued the certificate.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil },
	}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/renew", http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("make renewal request: %w", err)
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return 0, fmt.Errorf("renew: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode, nil
}
