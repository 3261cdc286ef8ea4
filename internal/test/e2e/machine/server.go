package machine

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/crypto/acme"
)

// nonceRetries is how often a request is repeated when the CA rejected its anti-replay nonce as stale.
const nonceRetries = 5

// Server orders certificates for its names by ACME, and proves with Web and Names that it has them.
type Server struct {
	Web   *Web
	Names *Names
}

// Order is an ACME order whose challenges are valid; step-ca calls its webhooks when it is finalized.
type Order struct {
	client *acme.Client
	uri    string
	final  string
	key    *ecdsa.PrivateKey
	names  []acme.AuthzID
}

// Order places an order for names, and completes a challenge of the given type for each. A refusal is an *acme.Error.
func (s *Server) Order(ctx context.Context, client *http.Client, directory, challenge string, names ...acme.AuthzID) (*Order, error) {
	account, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make account key: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make server key: %w", err)
	}
	ca := &acme.Client{Key: account, HTTPClient: client, DirectoryURL: directory, RetryBackoff: backoff}
	if _, err := ca.Register(ctx, &acme.Account{}, acme.AcceptTOS); err != nil {
		return nil, fmt.Errorf("register account: %w", err)
	}
	order, err := ca.AuthorizeOrder(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("place order: %w", err)
	}
	for _, uri := range order.AuthzURLs {
		if err := s.authorize(ctx, ca, uri, challenge); err != nil {
			return nil, err
		}
	}
	return &Order{client: ca, uri: order.URI, final: order.FinalizeURL, key: key, names: names}, nil
}

// authorize completes the challenge of a type of one authorization.
func (s *Server) authorize(ctx context.Context, ca *acme.Client, uri, kind string) error {
	authorization, err := ca.GetAuthorization(ctx, uri)
	if err != nil {
		return fmt.Errorf("get authorization: %w", err)
	}
	for _, challenge := range authorization.Challenges {
		if challenge.Type != kind {
			continue
		}
		if err := s.prepare(ca, authorization.Identifier.Value, challenge); err != nil {
			return err
		}
		if _, err := ca.Accept(ctx, challenge); err != nil {
			return fmt.Errorf("answer challenge: %w", err)
		}
		if _, err := ca.WaitAuthorization(ctx, uri); err != nil {
			return fmt.Errorf("await authorization: %w", err)
		}
		return nil
	}
	return fmt.Errorf("the CA offers no %s challenge for %s", kind, authorization.Identifier.Value)
}

// prepare puts the answer to a challenge where the CA looks.
func (s *Server) prepare(ca *acme.Client, name string, challenge *acme.Challenge) error {
	if challenge.Type == "dns-01" {
		text, err := ca.DNS01ChallengeRecord(challenge.Token)
		if err != nil {
			return fmt.Errorf("make DNS record: %w", err)
		}
		s.Names.SetText("_acme-challenge."+name, text)
		return nil
	}
	text, err := ca.HTTP01ChallengeResponse(challenge.Token)
	if err != nil {
		return fmt.Errorf("make key authorization: %w", err)
	}
	s.Web.SetResponse(ca.HTTP01ChallengePath(challenge.Token), text)
	return nil
}

// Finalize requests the certificate for the names of the order, with a subject that the server chooses. After a refusal
// it may be called again: step-ca keeps the order ready until it expires.
func (o *Order) Finalize(ctx context.Context, subject pkix.Name) (*x509.Certificate, error) {
	template := &x509.CertificateRequest{Subject: subject}
	for _, name := range o.names {
		if name.Type == "ip" {
			template.IPAddresses = append(template.IPAddresses, net.ParseIP(name.Value))
		} else {
			template.DNSNames = append(template.DNSNames, name.Value)
		}
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, template, o.key)
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

// backoff makes the client repeat a request only for a stale nonce. Some tests expect a server error, which a later
// success must not hide.
func backoff(n int, _ *http.Request, response *http.Response) time.Duration {
	if n > nonceRetries || response.StatusCode >= http.StatusInternalServerError {
		return 0
	}
	return time.Millisecond
}
