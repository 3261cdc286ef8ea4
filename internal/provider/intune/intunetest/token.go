package intunetest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

// The error codes of Entra that the token endpoint answers with.
const (
	unknownApplication = 700016
	unknownTenant      = 90002
	wrongSecret        = 7000215
	expiredSecret      = 7000222
	wrongAssertion     = 700027
	usedAssertion      = 7000229
	unknownResource    = 500011
	malformed          = 900144
	throttled          = 50196
)

// token is a bearer token that was issued.
type token struct {
	permissions []string // that its application had when it was issued
	expires     time.Time
	revoked     bool
}

// Revoke makes every token that was issued until now invalid.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		t.revoked = true
	}
}

// Expire puts the clock forward until every token that was issued has expired.
func (s *Server) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		if left := t.expires.Sub(s.now()); left > 0 {
			s.skew += left
		}
	}
}

// TokensIssued returns how many tokens were issued.
func (s *Server) TokensIssued() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issued
}

// Secrets returns everything that must not be seen outside of a client: the secrets, the tokens, and the marker of the
// server's own texts.
func (s *Server) Secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	secrets := append(slices.Collect(maps.Keys(s.tokens)), vendortest.Marker)
	for _, a := range s.options.Applications {
		if a.Secret != "" {
			secrets = append(secrets, a.Secret)
		}
	}
	return secrets
}

// serveToken is the client credentials grant of Entra, the credentials in the body.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request, tenant string) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		s.Violate("token: the Content-Type is not that of a form")
		refuseToken(w, http.StatusBadRequest, "invalid_request", malformed)
		return
	}
	if err := r.ParseForm(); err != nil || r.URL.RawQuery != "" || r.Header.Get("Authorization") != "" {
		s.Violate("token: the credentials belong into a form in the body")
		refuseToken(w, http.StatusBadRequest, "invalid_request", malformed)
		return
	}
	known := []string{"grant_type", "client_id", "client_secret", "scope", "client_assertion_type", "client_assertion"}
	for name, values := range r.PostForm {
		if !slices.Contains(known, name) || len(values) != 1 {
			s.Violate("token: the form has unknown or repeated fields")
			refuseToken(w, http.StatusBadRequest, "invalid_request", malformed)
			return
		}
	}
	form := r.PostForm
	switch {
	case form.Get("grant_type") != "client_credentials":
		s.Violate("token: the grant type is not client_credentials")
		refuseToken(w, http.StatusBadRequest, "unsupported_grant_type", malformed)
	case form.Has("client_secret") == form.Has("client_assertion"):
		s.Violate("token: the form has not exactly one of a secret and an assertion")
		refuseToken(w, http.StatusBadRequest, "invalid_request", malformed)
	case !strings.EqualFold(tenant, s.options.TenantID):
		refuseToken(w, http.StatusBadRequest, "invalid_request", unknownTenant)
	case form.Get("scope") != s.options.Resource+"/.default":
		// A token of one cloud is not for another.
		refuseToken(w, http.StatusBadRequest, "invalid_resource", unknownResource)
	default:
		s.issue(w, form, s.URL()+r.URL.Path)
	}
}

func (s *Server) issue(w http.ResponseWriter, form url.Values, audience string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.options.Applications, func(a Application) bool { return a.ID == form.Get("client_id") })
	if i < 0 {
		refuseToken(w, http.StatusBadRequest, "unauthorized_client", unknownApplication)
		return
	}
	application := s.options.Applications[i]
	code := 0
	switch secret := form.Get("client_secret"); {
	case form.Has("client_assertion"):
		if form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
			code = malformed
			break
		}
		code = s.judge(form.Get("client_assertion"), application, audience)
	case application.Secret == "" || subtle.ConstantTimeCompare([]byte(secret), []byte(application.Secret)) != 1:
		code = wrongSecret
	case application.SecretExpired:
		code = expiredSecret
	}
	if code != 0 {
		refuseToken(w, http.StatusUnauthorized, "invalid_client", code)
		return
	}
	text := "eyJ0eXAiOiJKV1QifQ." + rand.Text() + "." + rand.Text()
	lifetime := time.Duration(application.ExpiresIn) * time.Second
	s.tokens[text] = &token{permissions: slices.Clone(application.Permissions), expires: s.now().Add(lifetime)}
	s.issued++
	writeJSON(w, http.StatusOK, map[string]any{
		"token_type": "Bearer", "expires_in": application.ExpiresIn, "ext_expires_in": application.ExpiresIn, "access_token": text,
	})
}

// judge returns the error code of an assertion that Entra would not accept, else 0; s.mu is held.
func (s *Server) judge(assertion string, a Application, audience string) int {
	certificate, err := certificateOf(a)
	if err != nil {
		return wrongAssertion
	}
	parts := strings.Split(assertion, ".")
	var header struct {
		Alg        string `json:"alg"`
		Typ        string `json:"typ"`
		Thumbprint string `json:"x5t#S256"`
	}
	var claims struct {
		Aud      string `json:"aud"`
		Iss      string `json:"iss"`
		Sub      string `json:"sub"`
		JTI      string `json:"jti"`
		Nbf, Exp int64
	}
	if len(parts) != 3 || !decodePart(parts[0], &header) || !decodePart(parts[1], &claims) {
		return wrongAssertion
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return wrongAssertion
	}
	sum := sha256.Sum256(certificate.Raw)
	key, isRSA := certificate.PublicKey.(*rsa.PublicKey)
	if !isRSA || header.Alg != "PS256" || header.Typ != "JWT" || header.Thumbprint != base64.RawURLEncoding.EncodeToString(sum[:]) {
		return wrongAssertion
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPSS(key, crypto.SHA256, digest[:], signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) != nil {
		return wrongAssertion
	}
	now := time.Now()
	switch {
	case claims.Aud != audience, claims.Iss != a.ID, claims.Sub != a.ID, claims.JTI == "":
		return wrongAssertion
	case now.Unix() < claims.Nbf, now.Unix() >= claims.Exp, claims.Exp-now.Unix() > int64(time.Hour/time.Second), now.After(certificate.NotAfter):
		return wrongAssertion
	case s.used[claims.JTI]:
		return usedAssertion
	}
	s.used[claims.JTI] = true
	return 0
}

func decodePart(part string, into any) bool {
	text, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(text, into) == nil
}

// refuseToken answers as Entra refuses a token.
func refuseToken(w http.ResponseWriter, status int, code string, number int) {
	writeJSON(w, status, map[string]any{
		"error": code, "error_description": "AADSTS: " + vendortest.Marker, "error_codes": []int{number},
		"timestamp": "2026-07-29 08:21:00Z", "trace_id": vendortest.Marker, "correlation_id": vendortest.Marker,
	})
}

// authenticate returns the permissions of a request's token; good says that it is valid.
func (s *Server) authenticate(r *http.Request, endpoint string) (permissions []string, good bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 || !strings.HasPrefix(values[0], "Bearer ") {
		s.Violate("%s: the request has no bearer token", endpoint)
		return nil, false
	}
	s.mu.Lock()
	t, known := s.tokens[strings.TrimPrefix(values[0], "Bearer ")]
	valid := known && !t.revoked && s.now().Before(t.expires)
	s.mu.Unlock()
	if !known {
		s.Violate("%s: the bearer token was never issued", endpoint)
		return nil, false
	}
	return t.permissions, valid
}
