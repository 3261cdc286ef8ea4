package access_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"step-posture-connector/internal/console/access"
)

// idp is an OpenID provider, which says that everybody is grace, and what a test wants.
type idp struct {
	*httptest.Server

	key *ecdsa.PrivateKey

	mu      sync.Mutex
	asked   []string // paths
	nonces  map[string]string
	proofs  map[string]string // challenges by code
	config  map[string]any    // changes of the configuration
	claims  map[string]any    // changes of the claims; nil removes one
	sign    func(claims jwt.MapClaims) string
	serve   func(w http.ResponseWriter, r *http.Request) bool // in place of the answer
	secrets []string                                          // that came to the token endpoint
}

const (
	clientID     = "console"
	clientSecret = "the secret & more"
	group        = "helpdesk"
)

func newIDP(t *testing.T) *idp {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &idp{key: key, nonces: map[string]string{}, proofs: map[string]string{}}
	p.Server = httptest.NewTLSServer(p)
	t.Cleanup(p.Close)
	return p
}

// ServeHTTP answers as a provider.
func (p *idp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, r.URL.Path)
	if p.serve != nil && p.serve(w, r) {
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		config := map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"ES256", "none", "HS256"}, "scopes_supported": []string{"openid", "groups"},
		}
		maps.Copy(config, p.config)
		answer(w, config)
	case "/keys":
		encode := base64.RawURLEncoding.EncodeToString
		const size = 32
		answer(w, map[string]any{"keys": []any{map[string]any{
			"kty": "EC", "crv": "P-256", "kid": "1", "use": "sig", "x": encode(p.key.X.FillBytes(make([]byte, size))), "y": encode(p.key.Y.FillBytes(make([]byte, size))),
		}}})
	case "/token":
		p.token(w, r)
	default:
		http.NotFound(w, r)
	}
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (p *idp) token(w http.ResponseWriter, r *http.Request) {
	id, secret, basic := r.BasicAuth()
	if basic {
		id, _ = url.QueryUnescape(id)
		secret, _ = url.QueryUnescape(secret)
	} else {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	p.secrets = append(p.secrets, secret)
	code := r.PostFormValue("code")
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	challenge, known := p.proofs[code]
	delete(p.proofs, code)
	if !known || id != clientID || secret != clientSecret || base64.RawURLEncoding.EncodeToString(sum[:]) != challenge || r.PostFormValue("grant_type") != "authorization_code" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		answer(w, map[string]any{"error": "invalid_grant", "error_description": "<b>no</b>"})
		return
	}
	claims := jwt.MapClaims{
		"iss": p.URL, "aud": clientID, "sub": "4711", "exp": time.Now().Add(time.Minute).Unix(), "iat": time.Now().Unix(),
		"nonce": p.nonces[code], "preferred_username": "grace", "groups": []string{"staff", group},
	}
	for name, value := range p.claims {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	sign := p.sign
	if sign == nil {
		sign = func(claims jwt.MapClaims) string { return signed(jwt.SigningMethodES256, p.key, "1", claims) }
	}
	answer(w, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": sign(claims)})
}

func signed(method jwt.SigningMethod, key crypto.PrivateKey, kid string, claims jwt.MapClaims) string {
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = kid
	text, err := token.SignedString(key)
	if err != nil {
		return err.Error()
	}
	return text
}

// set changes the provider.
func (p *idp) set(change func()) { p.mu.Lock(); defer p.mu.Unlock(); change() }

// paths are those that were asked for since the last call.
func (p *idp) paths() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := p.asked
	p.asked = nil
	return asked
}

// settings describe the provider for a console at an address.
func (p *idp) settings(console string, now func() time.Time) access.ProviderSettings {
	return access.ProviderSettings{
		Issuer: p.URL, ClientID: clientID, ClientSecret: func() []byte { return []byte(clientSecret) }, Group: group, GroupsClaim: "groups", URL: console, Now: now,
		Roots: &tls.Config{RootCAs: p.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, MinVersion: tls.VersionTLS12}, //nolint:forcetypeassert // httptest makes it
	}
}

// consent is what the provider makes of a person who has been sent to it: the query with which it returns.
func (p *idp) consent(t *testing.T, location string) url.Values {
	t.Helper()
	to, err := url.Parse(location)
	if err != nil || to.Scheme+"://"+to.Host != p.URL || to.Path != "/authorize" {
		t.Fatalf("the person is sent to %q", location)
	}
	query := to.Query()
	if query.Get("response_type") != "code" || query.Get("client_id") != clientID || query.Get("code_challenge_method") != "S256" || query.Get("nonce") == "" ||
		query.Get("state") == "" || query.Get("state") == query.Get("nonce") || query.Get("scope") != "openid profile email groups" {
		t.Errorf("what is asked of the provider: %v", query)
	}
	code := rand.Text()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.proofs[code], p.nonces[code] = query.Get("code_challenge"), query.Get("nonce")
	return url.Values{"code": {code}, "state": {query.Get("state")}}
}
