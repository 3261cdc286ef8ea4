package appletest

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"math/big"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

const (
	tokenPath = "/auth/oauth2/token" //nolint:gosec // G101: a path is no credential
	// audience is that of every assertion. It is not the URL that assertions are sent to.
	audience = "https://account.apple.com/auth/oauth2/v2/token"
	// longestAssertion is how long an assertion may be valid.
	longestAssertion = 180 * 24 * time.Hour
	// signatureSize is that of ES256 in a JWT: r and s, 32 bytes each.
	signatureSize = 64
)

// token is an access token that was issued.
type token struct {
	client  Client
	expires time.Time
	revoked bool
}

// Revoke makes every token that was issued until now invalid.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		t.revoked = true
	}
}

// Expire makes every token that was issued until now expire.
func (s *Server) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		t.expires = s.now()
	}
}

// TokensIssued returns how many tokens were issued.
func (s *Server) TokensIssued() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issued
}

// Secrets returns everything that must not be seen outside of a client: the keys, the assertions, the tokens, and the marker of
// the server's own texts.
func (s *Server) Secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	secrets := append(slices.Collect(maps.Keys(s.tokens)), vendortest.Marker)
	secrets = append(secrets, s.assertions...)
	for _, c := range s.options.Clients {
		if block, _ := pem.Decode([]byte(c.PrivateKey)); block != nil {
			secrets = append(secrets, base64.StdEncoding.EncodeToString(block.Bytes)[:60])
		}
	}
	return secrets
}

// serveToken is the client credentials grant with a signed assertion (RFC 7523 section 2.2).
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	refuse := func(code, violation string) {
		if violation != "" {
			s.Violate("token: %s", violation)
		}
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": code, "error_description": vendortest.Marker})
	}
	s.mu.Lock()
	throttled := tooMany(&s.tokenTimes, s.options.Now(), time.Minute, tokensAMinute)
	s.mu.Unlock()
	if throttled {
		s.Violate("token: more than %d requests in a minute", tokensAMinute)
		writeError(w, http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
		return
	}
	if r.URL.RawQuery != "" || r.Header.Get("Authorization") != "" {
		refuse("invalid_request", "the credentials belong into the body")
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		refuse("invalid_request", "the Content-Type is not that of a form")
		return
	}
	if err := r.ParseForm(); err != nil {
		refuse("invalid_request", "the body is not a form")
		return
	}
	wanted := []string{"client_assertion", "client_assertion_type", "client_id", "grant_type", "scope"}
	if !slices.Equal(slices.Sorted(maps.Keys(r.PostForm)), wanted) {
		refuse("invalid_request", "the form has missing or unknown fields")
		return
	}
	for _, values := range r.PostForm {
		if len(values) != 1 {
			refuse("invalid_request", "the form has a repeated field")
			return
		}
	}
	if r.PostForm.Get("grant_type") != "client_credentials" {
		refuse("unsupported_grant_type", "the grant type is not client_credentials")
		return
	}
	if r.PostForm.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		refuse("invalid_request", "the type of the assertion is not jwt-bearer")
		return
	}
	s.issue(w, r.PostForm, refuse)
}

func (s *Server) issue(w http.ResponseWriter, form url.Values, refuse func(code, violation string)) {
	id, assertion := form.Get("client_id"), form.Get("client_assertion")
	s.mu.Lock()
	s.assertions = append(s.assertions, assertion)
	client, violation, err := s.verify(id, assertion)
	s.mu.Unlock()
	if err != nil {
		refuse("invalid_client", violation)
		return
	}
	scope := "business.api"
	if strings.HasPrefix(id, schoolPrefix) {
		scope = "school.api"
	}
	if form.Get("scope") != scope {
		refuse("invalid_scope", "the scope is not that of the client ID")
		return
	}
	lifetime := client.ExpiresIn
	if lifetime == 0 {
		lifetime = 3600
	}
	text := "eyJ0eXAiOiJKV1QifQ." + rand.Text() + "." + rand.Text()
	s.mu.Lock()
	s.tokens[text] = &token{client: client, expires: s.now().Add(time.Duration(lifetime) * time.Second)}
	s.issued++
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"access_token": text, "token_type": "Bearer", "expires_in": lifetime, "scope": scope})
}

var errRefused = errors.New("refused")

// claims are those of an assertion.
type claims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience any    `json:"aud"`
	ID       string `json:"jti"`
	Issued   int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

// verify returns the client of an assertion. The violation is what no client with the right settings sends; it is called with
// the lock.
func (s *Server) verify(id, assertion string) (client Client, violation string, err error) {
	var header struct {
		Algorithm string `json:"alg"`
		Type      string `json:"typ"`
		Key       string `json:"kid"`
	}
	var said claims
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 || decodePart(parts[0], &header) != nil || decodePart(parts[1], &said) != nil {
		return Client{}, "the assertion is no JWT", errRefused
	}
	now := s.now()
	switch {
	case header.Algorithm != "ES256" || header.Type != "JWT":
		return Client{}, "the assertion is not signed by ES256", errRefused
	case said.Audience != audience:
		return Client{}, "the audience of the assertion is not " + audience, errRefused
	case said.Issuer != id || said.Subject != id:
		return Client{}, "iss and sub of the assertion are not the client ID", errRefused
	case said.ID == "" || s.used[said.ID]:
		return Client{}, "the assertion has no jti, or one that was used", errRefused
	case time.Unix(said.Expires, 0).Sub(time.Unix(said.Issued, 0)) > longestAssertion:
		return Client{}, "the assertion is valid for more than 180 days", errRefused
	}
	s.used[said.ID] = true
	if time.Unix(said.Issued, 0).After(now) || !now.Before(time.Unix(said.Expires, 0)) {
		return Client{}, "", errRefused // the clock of one of the two is wrong
	}
	key := s.keys[id+" "+header.Key]
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if key == nil || err != nil || len(signature) != signatureSize {
		return Client{}, "", errRefused
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if !ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		return Client{}, "", errRefused
	}
	i := slices.IndexFunc(s.options.Clients, func(c Client) bool { return c.ID == id && c.KeyID == header.Key })
	if i < 0 || s.options.Clients[i].Inactive {
		return Client{}, "", errRefused
	}
	return s.options.Clients[i], "", nil
}

func decodePart(part string, into any) error {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return errRefused
	}
	if json.Unmarshal(text, into) != nil {
		return errRefused
	}
	return nil
}
