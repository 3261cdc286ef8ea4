// Package idp is a small OpenID Connect identity provider on the loopback interface. It signs any ID token that a test or the
// demo asks for; step-ca finds its keys as it finds those of any identity provider.
package idp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"go.step.sm/crypto/jose"
)

const (
	// ClientID is the name under which step-ca is registered.
	ClientID = "step-ca"
	// lifetime is how long a token counts.
	lifetime = 5 * time.Minute
	// keyID names the one signing key.
	keyID = "idp-key"

	configurationPath = "/.well-known/openid-configuration"
	keysPath          = "/keys"
	// headerTimeout bounds how long a client may take to send a request.
	headerTimeout = 10 * time.Second
)

// Provider is a running identity provider.
type Provider struct {
	issuer string
	key    *ecdsa.PrivateKey
	signer jose.Signer
	server *http.Server
	done   chan error
}

// Claims are what an ID token says of a person, beside what every token has.
type Claims struct {
	Subject string `json:"sub"`
	// Email is left out when it is empty.
	Email         string   `json:"email,omitempty"`
	EmailVerified bool     `json:"email_verified"`
	Groups        []string `json:"groups,omitempty"`
}

// Start runs an identity provider with a certificate for localhost; step-ca must trust who issued it, as it trusts itself.
func Start(ctx context.Context, certPath, keyPath string) (*Provider, error) {
	certificate, err := tls.LoadX509KeyPair(certPath, keyPath)
	if err != nil {
		return nil, fmt.Errorf("load certificate of the identity provider: %w", err)
	}
	p := &Provider{done: make(chan error, 1)}
	if p.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	options := new(jose.SignerOptions).WithType("JWT").WithHeader("kid", keyID)
	if p.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: p.key}, options); err != nil {
		return nil, fmt.Errorf("make signer: %w", err)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	p.issuer = "https://localhost:" + port
	p.server = &http.Server{
		Handler:           p.handler(),
		ReadHeaderTimeout: headerTimeout,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
	}
	go func() { p.done <- p.server.ServeTLS(listener, "", "") }()
	return p, nil
}

// Stop ends the provider and its connections.
func (p *Provider) Stop() error {
	err := p.server.Close()
	if served := <-p.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// Issuer is the name of the provider in its tokens.
func (p *Provider) Issuer() string { return p.issuer }

// ConfigurationURL is where step-ca finds what it must know.
func (p *Provider) ConfigurationURL() string { return p.issuer + configurationPath }

func (p *Provider) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+configurationPath, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"issuer": p.issuer, "jwks_uri": p.issuer + keysPath,
			"authorization_endpoint": p.issuer + "/authorize", "token_endpoint": p.issuer + "/token",
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
			"id_token_signing_alg_values_supported": []string{jose.ES256},
		})
	})
	mux.HandleFunc("GET "+keysPath, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: keyID, Algorithm: jose.ES256, Use: "sig"}}})
	})
	return mux
}

func answer(w http.ResponseWriter, content any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(content); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// Token signs an ID token, as the provider does when a person has logged in. No two tokens are the same.
func (p *Provider) Token(claims Claims) (string, error) {
	now := time.Now()
	number, err := rand.Prime(rand.Reader, 64)
	if err != nil {
		return "", fmt.Errorf("choose token ID: %w", err)
	}
	token, err := jose.Signed(p.signer).Claims(jose.Claims{
		Issuer: p.issuer, Audience: jose.Audience{ClientID}, ID: strconv.FormatUint(number.Uint64(), 36),
		IssuedAt: jose.NewNumericDate(now), NotBefore: jose.NewNumericDate(now), Expiry: jose.NewNumericDate(now.Add(lifetime)),
	}).Claims(claims).CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return token, nil
}
