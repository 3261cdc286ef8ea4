package idp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/oauth2"

	"step-posture-connector/internal/test/idp"
	"step-posture-connector/internal/test/testca"
)

const callback = "https://console.example.com/callback"

// client is a plain and careful client, which follows no redirect and waits for two seconds.
type client struct {
	provider *idp.Provider
	http     *http.Client
	verifier string
}

func newClient(t *testing.T) *client {
	t.Helper()
	ca := testca.New(t, "root")
	p := idp.Start(t, ca)
	p.SetRedirects(callback)
	p.SetUser(idp.User{Name: "ada", Password: "correct horse", Groups: []string{"helpdesk", "staff"}})
	roots := x509.NewCertPool()
	roots.AddCert(ca.Certificate)
	return &client{p, &http.Client{
		Timeout:       2 * time.Second,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, oauth2.GenerateVerifier()}
}

// discover reads the configuration of the provider.
func (c *client) discover(ctx context.Context) (*oauth2.Config, string, error) {
	var found struct {
		Issuer        string `json:"issuer"`
		Keys          string `json:"jwks_uri"`
		Authorization string `json:"authorization_endpoint"`
		Token         string `json:"token_endpoint"`
	}
	if err := c.getJSON(ctx, c.provider.Issuer+idp.DiscoveryPath, &found); err != nil {
		return nil, "", err
	}
	if found.Issuer != c.provider.Issuer || !strings.HasPrefix(found.Token, "https://") {
		return nil, "", errors.New("another issuer, or no TLS")
	}
	return &oauth2.Config{
		ClientID: c.provider.ClientID, ClientSecret: c.provider.ClientSecret, RedirectURL: callback, Scopes: []string{"openid", "groups"},
		Endpoint: oauth2.Endpoint{AuthURL: found.Authorization, TokenURL: found.Token, AuthStyle: oauth2.AuthStyleInHeader},
	}, found.Keys, nil
}

func (c *client) getJSON(ctx context.Context, url string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return json.NewDecoder(response.Body).Decode(into)
}

// authorize logs in on the provider's page, and returns the address to which the person comes back.
func (c *client) authorize(ctx context.Context, config *oauth2.Config, user, password string) (*url.URL, int, error) {
	request := config.AuthCodeURL("the-state", oauth2.S256ChallengeOption(c.verifier), oauth2.SetAuthURLParam("nonce", "the-nonce"))
	_, query, _ := strings.Cut(request, "?")
	form := url.Values{"request": {query}, "user": {user}, "password": {password}}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, config.Endpoint.AuthURL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, 0, err
	}
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := c.http.Do(post)
	if err != nil {
		return nil, 0, err
	}
	defer response.Body.Close()
	back, err := response.Location()
	return back, response.StatusCode, err
}

// logIn is a whole log-in: it returns the groups of the person, or what is wrong.
func (c *client) logIn(ctx context.Context) ([]string, error) {
	config, keysURL, err := c.discover(ctx)
	if err != nil {
		return nil, fmt.Errorf("discover: %w", err)
	}
	back, _, err := c.authorize(ctx, config, "ada", "correct horse")
	if err != nil {
		return nil, fmt.Errorf("authorize: %w", err)
	}
	if back.Query().Get("state") != "the-state" || back.Query().Has("error") {
		return nil, fmt.Errorf("come back: %s", back)
	}
	token, err := config.Exchange(context.WithValue(ctx, oauth2.HTTPClient, c.http), back.Query().Get("code"), oauth2.VerifierOption(c.verifier))
	if err != nil {
		return nil, fmt.Errorf("exchange: %w", err)
	}
	signed, _ := token.Extra("id_token").(string)
	return c.verify(ctx, keysURL, signed)
}

// idToken are the claims that the client reads.
type idToken struct {
	jwt.RegisteredClaims
	Nonce  string   `json:"nonce"`
	Party  string   `json:"azp"`
	Groups []string `json:"groups"`
}

func (c *client) verify(ctx context.Context, keysURL, signed string) ([]string, error) {
	var set struct{ Keys []map[string]string }
	if err := c.getJSON(ctx, keysURL, &set); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	var claims idToken
	_, err := jwt.ParseWithClaims(signed, &claims, func(token *jwt.Token) (any, error) {
		for _, key := range set.Keys {
			if key["kid"] == token.Header["kid"] && key["alg"] == token.Method.Alg() {
				return publicKey(key)
			}
		}
		return nil, errors.New("unknown key")
	}, jwt.WithIssuer(c.provider.Issuer), jwt.WithAudience(c.provider.ClientID), jwt.WithExpirationRequired(), jwt.WithValidMethods([]string{"RS256", "ES256"}))
	switch {
	case err != nil:
		return nil, fmt.Errorf("verify: %w", err)
	case claims.Nonce != "the-nonce", claims.Subject == "", claims.Groups == nil, claims.Party != "" && claims.Party != c.provider.ClientID:
		return nil, errors.New("a claim is wrong")
	}
	return claims.Groups, nil
}

func publicKey(key map[string]string) (any, error) {
	number := func(name string) *big.Int {
		data, _ := base64.RawURLEncoding.DecodeString(key[name])
		return new(big.Int).SetBytes(data)
	}
	if key["kty"] == "RSA" {
		return &rsa.PublicKey{N: number("n"), E: int(number("e").Int64())}, nil
	}
	point := append([]byte{4}, append(number("x").FillBytes(make([]byte, 32)), number("y").FillBytes(make([]byte, 32))...)...)
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
}

// A careful client logs a person in, with each algorithm and after new keys.
func TestLogIn(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for _, algorithm := range []string{"RS256", "ES256"} {
		c.provider.SetAlgorithm(algorithm)
		if groups, err := c.logIn(t.Context()); err != nil || strings.Join(groups, " ") != "helpdesk staff" {
			t.Errorf("%s: groups %q, error %v", algorithm, groups, err)
		}
		c.provider.RotateKeys(t)
	}
	if got := c.provider.Asked(idp.TokenPath); got != 2 {
		t.Errorf("the token endpoint was asked %d times, want 2", got)
	}
}

// Each fault is one: the careful client refuses it, and logs in again after the repair.
func TestFaults(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.http.Timeout = time.Second
	for _, fault := range append(idp.Faults(), idp.GroupsAsString) {
		c.provider.Plant(fault)
		if groups, err := c.logIn(t.Context()); err == nil {
			t.Errorf("%s: the client has accepted it, with groups %q", fault, groups)
		} else {
			t.Logf("%s: %v", fault, err)
		}
	}
	c.provider.Plant(idp.None)
	c.http.Timeout = 10 * time.Second
	if _, err := c.logIn(t.Context()); err != nil {
		t.Errorf("after the repair: %v", err)
	}
}

// The provider refuses clients that are wrong.
func TestStrict(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	config, _, err := c.discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, status, _ := c.authorize(t.Context(), config, "ada", "wrong"); status != http.StatusUnauthorized {
		t.Errorf("wrong password: status %d, want 401", status)
	}
	good, err := url.ParseQuery("client_id=" + c.provider.ClientID + "&redirect_uri=" + url.QueryEscape(callback) +
		"&response_type=code&scope=openid&state=s&nonce=n&code_challenge_method=S256&code_challenge=" + oauth2.S256ChallengeFromVerifier(c.verifier))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"": "", "client_id": "other", "redirect_uri": "https://evil.example.com/", "response_type": "token", "scope": "profile",
		"state": "", "nonce": "", "code_challenge": "", "code_challenge_method": "plain",
	} {
		query, want := url.Values{}, http.StatusOK
		for key := range good {
			query.Set(key, good.Get(key))
		}
		if name != "" {
			query.Set(name, value)
			want = http.StatusBadRequest
		}
		if status := c.get(t, config.Endpoint.AuthURL+"?"+query.Encode()); status != want {
			t.Errorf("%s=%q: status %d, want %d", name, value, status, want)
		}
	}

	withClient := context.WithValue(t.Context(), oauth2.HTTPClient, c.http)
	code := func() string {
		back, _, err := c.authorize(t.Context(), config, "ada", "correct horse")
		if err != nil {
			t.Fatal(err)
		}
		return back.Query().Get("code")
	}
	if _, err := config.Exchange(withClient, code(), oauth2.VerifierOption(oauth2.GenerateVerifier())); err == nil {
		t.Error("another verifier was accepted")
	}
	once := code()
	if _, err := config.Exchange(withClient, once, oauth2.VerifierOption(c.verifier)); err != nil {
		t.Error(err)
	}
	if _, err := config.Exchange(withClient, once, oauth2.VerifierOption(c.verifier)); err == nil {
		t.Error("a code was accepted twice")
	}
	config.ClientSecret = "wrong"
	if _, err := config.Exchange(withClient, code(), oauth2.VerifierOption(c.verifier)); err == nil {
		t.Error("a wrong secret of the client was accepted")
	}
}

func (c *client) get(t *testing.T, url string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Error(err)
	}
	return response.StatusCode
}
