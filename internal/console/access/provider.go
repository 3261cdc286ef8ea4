package access

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// ProviderSettings describe an OpenID provider (OpenID Connect Core 1.0), and the console as its client.
type ProviderSettings struct {
	Issuer       string // an https URL
	ClientID     string
	ClientSecret func() []byte
	// Group is the one whose members may log in, and GroupsClaim the claim of the ID token with the groups of a person.
	Group, GroupsClaim string
	URL                string // of the console, without a path
	Now                func() time.Time
	// Roots replace those of the system, in tests.
	Roots *tls.Config
}

// Provider is an OpenID provider. It is asked when the first person logs in.
type Provider struct {
	s      ProviderSettings
	client *http.Client

	asking chan struct{} // held by the one who asks for the endpoints
	mu     sync.Mutex
	known  *endpoints // nil before the provider has answered
	asked  time.Time  // when it was asked last
	fault  error      // of that
}

// endpoints are what the provider says about itself.
type endpoints struct {
	at       time.Time
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier
	config   oauth2.Config
	// sendsIssuer says that each answer has the issuer (RFC 9207).
	sendsIssuer bool
}

// NewProvider makes a Provider. It sends nothing.
func NewProvider(s ProviderSettings) *Provider {
	roots := s.Roots
	if roots == nil {
		roots = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return &Provider{s: s, asking: make(chan struct{}, 1), client: &http.Client{
		Timeout: providerTimeout,
		Transport: bounded{&http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: roots, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: providerTimeout, ResponseHeaderTimeout: providerTimeout, IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 2,
			MaxResponseHeaderBytes: maxAnswer,
		}},
		// Fail closed: the client secret goes where the issuer has said, and nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
	}}
}

var (
	errRedirect = errors.New("it redirects, which is not followed")
	errTooLarge = fmt.Errorf("its answer has more than %d bytes", maxAnswer)
)

// bounded bounds answers, and makes errors of those to GET that are none: libraries would repeat their bodies.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" {
		return nil, errors.New("its URL is not https")
	}
	answer, err := b.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if r.Method == http.MethodGet && answer.StatusCode != http.StatusOK {
		_ = answer.Body.Close()
		return nil, fmt.Errorf("its status is %d", answer.StatusCode)
	}
	answer.Body = &boundedBody{answer.Body, maxAnswer}
	return answer, nil
}

type boundedBody struct {
	io.ReadCloser

	left int
}

// Read fails after maxAnswer bytes.
func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left+1)])
	if b.left -= n; b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// fingerprint changes with the provider, the client and the group: then sessions end.
func (p *Provider) fingerprint(k key) []byte {
	return k.mark("oidc", []byte(p.s.Issuer), []byte(p.s.ClientID), []byte(p.s.GroupsClaim), []byte(p.s.Group))
}

// with makes libraries use our client.
func (p *Provider) with(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, p.client)
}

// endpoints asks the provider for its endpoints, if they are not known or too old. One that does not answer is not asked again at
// once; what is known stays good meanwhile.
func (p *Provider) endpoints(ctx context.Context) (*endpoints, error) {
	if known, err, fresh := p.state(); fresh {
		return known, err
	}
	select {
	case p.asking <- struct{}{}:
		defer func() { <-p.asking }()
	case <-ctx.Done():
		return nil, errors.New("the answer of the provider is awaited for too long")
	}
	if known, err, fresh := p.state(); fresh { // somebody else has asked meanwhile
		return known, err
	}
	limited, cancel := context.WithTimeout(p.with(ctx), providerTimeout)
	defer cancel()
	found, err := p.discover(limited)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked, p.fault = p.s.Now(), err
	if err == nil {
		p.known = found
	}
	if p.known != nil {
		return p.known, nil
	}
	return nil, err
}

// state is what is known; fresh is false where the provider should be asked.
func (p *Provider) state() (known *endpoints, err error, fresh bool) { //nolint:revive // error-return: fresh says whether the two count
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.s.Now()
	switch {
	case p.known != nil && now.Sub(p.known.at) < providerFresh, p.known != nil && p.fault != nil && now.Sub(p.asked) < providerRetry:
		return p.known, nil, true
	case p.known == nil && p.fault != nil && now.Sub(p.asked) < providerRetry:
		return nil, p.fault, true
	}
	return nil, nil, false
}

// algorithms are the signatures of ID tokens that are verified. Never none, nor those with the client secret.
func algorithms() []string {
	return []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}
}

// discover reads the configuration of the provider (OpenID Connect Discovery 1.0 section 4).
func (p *Provider) discover(ctx context.Context) (*endpoints, error) {
	found, err := oidc.NewProvider(ctx, p.s.Issuer)
	if err != nil {
		return nil, fmt.Errorf("configuration of the provider: %w", plain(err))
	}
	var says struct {
		Keys        string   `json:"jwks_uri"`
		Methods     []string `json:"token_endpoint_auth_methods_supported"`
		SendsIssuer bool     `json:"authorization_response_iss_parameter_supported"`
	}
	if err := found.Claims(&says); err != nil {
		return nil, errors.New("configuration of the provider: it cannot be read")
	}
	where := found.Endpoint()
	for name, text := range map[string]string{"authorization_endpoint": where.AuthURL, "token_endpoint": where.TokenURL, "jwks_uri": says.Keys} {
		if u, err := url.Parse(text); err != nil || u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("configuration of the provider: %s is no https URL", name)
		}
	}
	switch { // OpenID Connect Discovery 1.0 section 3: client_secret_basic where nothing is said
	case len(says.Methods) == 0 || slices.Contains(says.Methods, "client_secret_basic"):
		where.AuthStyle = oauth2.AuthStyleInHeader
	case slices.Contains(says.Methods, "client_secret_post"):
		where.AuthStyle = oauth2.AuthStyleInParams
	default:
		return nil, errors.New("configuration of the provider: it takes neither client_secret_basic nor client_secret_post")
	}
	return &endpoints{
		at: p.s.Now(), provider: found, sendsIssuer: says.SendsIssuer,
		verifier: found.Verifier(&oidc.Config{ClientID: p.s.ClientID, SupportedSigningAlgs: algorithms(), Now: p.s.Now}),
		config: oauth2.Config{
			ClientID: p.s.ClientID, ClientSecret: string(p.s.ClientSecret()), Endpoint: where, RedirectURL: p.s.URL + PathCallback,
			Scopes: p.scopes(found),
		},
	}, nil
}

// scopes are what is asked for. Many providers have a scope groups, and others refuse a scope that they do not know.
func (p *Provider) scopes(found *oidc.Provider) []string {
	var says struct {
		Scopes []string `json:"scopes_supported"`
	}
	scopes := []string{oidc.ScopeOpenID, "profile", "email"}
	if err := found.Claims(&says); err == nil && slices.Contains(says.Scopes, "groups") {
		scopes = append(scopes, "groups")
	}
	return scopes
}

// plain is an error without what the provider has sent, which may be anything.
func plain(err error) error {
	var inURL *url.Error
	var mismatch *oidc.IssuerMismatchError
	var retrieve *oauth2.RetrieveError
	var expired *oidc.TokenExpiredError
	switch {
	case errors.As(err, &retrieve) && retrieve.Response != nil:
		return fmt.Errorf("its status is %d, its error %s", retrieve.Response.StatusCode, word(retrieve.ErrorCode))
	case errors.As(err, &inURL):
		return inURL.Err
	case errors.As(err, &mismatch):
		return errors.New("it names another issuer than CONSOLE_OIDC_ISSUER")
	case errors.As(err, &expired):
		return errors.New("it has expired")
	case strings.Contains(err.Error(), errTooLarge.Error()): // libraries do not wrap it
		return errTooLarge
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return err
	}
	for _, known := range [][2]string{ // go-oidc has no types for these
		{"issued by a different provider", "it is of another issuer"},
		{"expected audience", "it is for another client"},
		{"before the nbf", "it is not valid yet"},
		{"failed to verify id token signature", "no key of the provider has signed it"},
		{"malformed jwt", "it is no ID token, or not signed by an algorithm that is accepted: " + strings.Join(algorithms(), ", ")},
	} {
		if strings.Contains(err.Error(), known[0]) {
			return errors.New(known[1])
		}
	}
	return errors.New("it cannot be read")
}

// word is a code of OAuth 2.0 for the log, if it is one.
func word(code string) string {
	const longest = 64
	if code == "" || len(code) > longest || strings.Trim(code, "abcdefghijklmnopqrstuvwxyz_-") != "" {
		return "unknown"
	}
	return code
}
