package device

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/crypto/acme"
)

const (
	challengeType  = "device-attest-01"
	identifierType = "permanent-identifier"
	// nonceRetries is how often a request is repeated when the CA rejected its
	// anti-replay nonce as stale.
	nonceRetries = 5
)

// Order is an ACME order whose challenge is valid. The last step is to finalize it;
// step-ca calls its webhooks then.
type Order struct {
	device *Device
	client *acme.Client
	uri    string
	final  string
}

// Order places an order for the device's serial number with an ACME directory
// and attests to it. A refusal is an *acme.Error.
func (d *Device) Order(ctx context.Context, client *http.Client, directory string) (*Order, error) {
	account, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make account key: %w", err)
	}
	ca := &acme.Client{Key: account, HTTPClient: client, DirectoryURL: directory, RetryBackoff: backoff}
	if _, err := ca.Register(ctx, &acme.Account{}, acme.AcceptTOS); err != nil {
		return nil, fmt.Errorf("register account: %w", err)
	}
	order, err := ca.AuthorizeOrder(ctx, []acme.AuthzID{{Type: identifierType, Value: d.Serial}})
	if err != nil {
		return nil, fmt.Errorf("place order: %w", err)
	}
	for _, uri := range order.AuthzURLs {
		if err := d.authorize(ctx, ca, uri); err != nil {
			return nil, err
		}
	}
	return &Order{device: d, client: ca, uri: order.URI, final: order.FinalizeURL}, nil
}

// authorize completes the device-attest-01 challenge of one authorization.
func (d *Device) authorize(ctx context.Context, ca *acme.Client, uri string) error {
	authz, err := ca.GetAuthorization(ctx, uri)
	if err != nil {
		return fmt.Errorf("get authorization: %w", err)
	}
	for _, challenge := range authz.Challenges {
		if challenge.Type != challengeType {
			continue
		}
		keyAuthorization, err := ca.HTTP01ChallengeResponse(challenge.Token)
		if err != nil {
			return fmt.Errorf("make key authorization: %w", err)
		}
		if challenge.Payload, err = d.attest(challenge.Token, keyAuthorization); err != nil {
			return err
		}
		accepted, err := ca.Accept(ctx, challenge)
		if err != nil {
			return fmt.Errorf("answer challenge: %w", err)
		}
		// step-ca leaves the authorization of a refused attestation pending: waiting for it would not end.
		if accepted.Status == acme.StatusInvalid {
			return fmt.Errorf("answer challenge: %w", accepted.Error)
		}
		if _, err := ca.WaitAuthorization(ctx, uri); err != nil {
			return fmt.Errorf("await authorization: %w", err)
		}
		return nil
	}
	return errors.New("the CA offers no " + challengeType + " challenge")
}

// FinalizeURL is the URL that finalizes the order. The CA's log has it too.
func (o *Order) FinalizeURL() string { return o.final }

// Finalize requests the certificate. After a refusal it may be called again:
// step-ca keeps the order ready until it expires.
func (o *Order) Finalize(ctx context.Context) (*x509.Certificate, error) {
	return o.FinalizeAs(ctx, o.device.Serial)
}

// FinalizeAs is Finalize with any common name in the certificate request, as a lying
// device would make it.
func (o *Order) FinalizeAs(ctx context.Context, commonName string) (*x509.Certificate, error) {
	return o.FinalizeWith(ctx, pkix.Name{CommonName: commonName})
}

// FinalizeWith is Finalize with any subject in the certificate request.
func (o *Order) FinalizeWith(ctx context.Context, subject pkix.Name) (*x509.Certificate, error) {
	template := &x509.CertificateRequest{Subject: subject}
	csr, err := x509.CreateCertificateRequest(rand.Reader, template, o.device.key)
	if err != nil {
		return nil, fmt.Errorf("make certificate request: %w", err)
	}
	chain, _, err := o.client.CreateOrderCert(ctx, o.final, csr, true)
	if err != nil {
		return nil, fmt.Errorf("finalize order: %w", err)
	}
	certificate, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return nil, fmt.Errorf("parse certificate: %w", err)
	}
	return certificate, nil
}

// Status is the order's status in the CA, such as "ready" or "valid".
func (o *Order) Status(ctx context.Context) (string, error) {
	order, err := o.client.GetOrder(ctx, o.uri)
	if err != nil {
		return "", fmt.Errorf("get order: %w", err)
	}
	return order.Status, nil
}

// backoff makes the client repeat a request only for a stale nonce. Some tests expect
// a server error, which a later success must not hide.
func backoff(n int, _ *http.Request, resp *http.Response) time.Duration {
	if n > nonceRetries || resp.StatusCode >= http.StatusInternalServerError {
		return 0
	}
	return time.Millisecond
}
