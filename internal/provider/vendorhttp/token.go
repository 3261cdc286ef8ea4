package vendorhttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/flight"
)

// tokenEndpoint is the name of the endpoint that issues tokens.
const tokenEndpoint = "token endpoint"

// ClientCredentials exchanges an ID and a secret for bearer tokens (RFC 6749 section 4.4).
type ClientCredentials struct {
	ID     string
	Secret Secret
	// Path is that of the token endpoint. Where the server answers 404 to it, OldPath is asked, if there is one.
	Path, OldPath string
	// URL is the token endpoint in place of Path; it may be on another host than the inventory.
	URL *url.URL
	// Basic sends ID and secret as a Basic header (RFC 6749 section 2.3.1) and not in the body.
	Basic bool
	// Scopes are asked for; none leaves them to the server.
	Scopes []string
	// Remedy is what to check when the server refuses them: "check JAMF_CLIENT_ID and JAMF_CLIENT_SECRET".
	Remedy string
	// Outdated reports whether a new token may be accepted where one that was issued at that time was refused with
	// another status than 401; it may be nil. The zero time stands for a token that was replaced meanwhile.
	Outdated func(why *Fault, issued time.Time) bool
	// Assertion makes the signed JWT that stands in place of the secret (RFC 7523 section 2.2), a new one for each request;
	// nil means that the secret is sent.
	Assertion func(now time.Time) (string, error)
	// Remember is how long refused credentials are not tried again, for a token endpoint that throttles.
	Remember time.Duration
	// Explain says in our own words why the token endpoint refused, from the body of an answer 400, 401 or 403 whose standard
	// error code says too little; "" where it does not know. It may be nil. The credentials are then wrong.
	Explain func(body []byte) string
}

func (cc ClientCredentials) bind(c *Client) authorizer {
	t := &tokens{ClientCredentials: cc, client: c, way: c.way, path: cc.Path}
	t.issue = t.exchange
	if cc.URL != nil && (cc.URL.Host != c.way.base.Host || cc.URL.Scheme != c.way.base.Scheme) {
		o := c.options
		// The client certificate is for the inventory only.
		o.Base, o.Certificate = cc.URL, nil
		c.tokens = newConnection(o, c.Upstream)
		t.way = c.tokens
	}
	return t
}

// tokens keeps the current token in memory.
type tokens struct {
	ClientCredentials
	client *Client
	way    *connection
	issue  func(ctx context.Context, path string) (grant, error)
	flight flight.Group[struct{}, string]

	mu      sync.Mutex
	current string
	issued  time.Time
	until   time.Time
	path    string // that answered last
	refused error  // the refusal of the credentials, until again
	again   time.Time
}

// grant is a token, and how long it lives; 0 is not known.
type grant struct {
	token    string
	lifetime time.Duration
}

func (t *tokens) credentials(ctx context.Context) (header, error) {
	token, err := t.get(ctx)
	return header{name: "Authorization", value: "Bearer " + token}, err
}

// replace discards a token that the server does not accept any more.
func (t *tokens) replace(refused header, why *Fault) bool {
	token := strings.TrimPrefix(refused.value, "Bearer ")
	if why.Status != http.StatusUnauthorized && (t.Outdated == nil || !t.Outdated(why, t.issuedAt(token))) {
		return false
	}
	t.discard(token)
	return true
}

// get returns a token that is valid for some time. Any number of callers cause one request.
func (t *tokens) get(ctx context.Context) (string, error) {
	if token := t.cached(); token != "" {
		return token, nil
	}
	ctx, cancel := WithoutPage(ctx)
	defer cancel()
	// Webhooks wait for the token too: that a door asks for it first makes it none of a door's share.
	return t.flight.Do(posture.ForAll(ctx), struct{}{}, func(ctx context.Context) (string, error) {
		// Another flight may have brought a token since.
		if token := t.cached(); token != "" {
			return token, nil
		}
		if err := t.remembered(); err != nil {
			return "", err
		}
		token, err := t.fetch(ctx)
		t.client.tokenRenewed(err)
		return token, err
	})
}

func (t *tokens) cached() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.client.now().Before(t.until) {
		return t.current
	}
	return ""
}

// remembered is why the credentials were refused a short time ago; nil where they may be tried.
func (t *tokens) remembered() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.client.now().Before(t.again) {
		return t.refused
	}
	return nil
}

// discard forgets a token that the server refused, unless it was replaced meanwhile.
func (t *tokens) discard(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current == token {
		t.current, t.until = "", time.Time{}
	}
}

// issuedAt is when a token was issued; the zero time where it was replaced meanwhile.
func (t *tokens) issuedAt(token string) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != token {
		return time.Time{}
	}
	return t.issued
}

// fetch asks for a token. A server that does not have one path is asked on the other one: it may be too old for the
// newer, or was replaced by a newer server.
func (t *tokens) fetch(ctx context.Context) (string, error) {
	t.mu.Lock()
	path, other := t.path, t.OldPath
	if path == t.OldPath {
		other = t.Path
	}
	t.mu.Unlock()
	asked := t.client.now()
	got, err := t.issue(ctx, path)
	if other != "" && HasStatus(err, tokenEndpoint, http.StatusNotFound) {
		path = other
		got, err = t.issue(ctx, path)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		if login := (refusedLogin{}); errors.Is(err, posture.ErrCredentials) || errors.As(err, &login) {
			t.refused, t.again = err, t.client.now().Add(t.Remember)
		}
		return "", err
	}
	t.path = path
	t.current, t.issued, t.until = got.token, asked, asked.Add(usable(got.lifetime))
	return t.current, nil
}

// usable is how long a token is used: until shortly before it expires. The margin scales with the
// lifetime, which an administrator may set to a minute: a fixed one would fetch a token for each call.
func usable(lifetime time.Duration) time.Duration {
	if lifetime <= 0 {
		lifetime = unknownLifetime
	}
	const fifth = 5
	return lifetime - min(lifetime/fifth, longestMargin)
}

func (t *tokens) exchange(ctx context.Context, path string) (g grant, err error) {
	address := *t.way.base
	address.Path += path
	if t.URL != nil {
		address = *t.URL
	}
	style := oauth2.AuthStyleInParams // probing for it would double the requests
	if t.Basic {
		style = oauth2.AuthStyleInHeader
	}
	exchange := clientcredentials.Config{
		ClientID:  t.ID,
		TokenURL:  address.String(),
		AuthStyle: style,
		Scopes:    t.Scopes,
	}
	if t.Assertion != nil {
		signed, err := t.Assertion(t.client.now())
		if err != nil {
			return grant{}, fmt.Errorf("%s: %w", tokenEndpoint, err)
		}
		exchange.AuthStyle = oauth2.AuthStyleInParams
		exchange.EndpointParams = url.Values{"client_assertion_type": {assertionType}, "client_assertion": {signed}}
	} else {
		exchange.ClientSecret = string(t.Secret.Reveal())
	}
	http := *t.way.http
	http.Transport = whole{t.way.http.Transport}
	begin := func(context.Context) error { return t.client.lockedOut(tokenEndpoint) }
	err = t.way.run(ctx, false, begin, func(ctx context.Context, at *progress) error {
		got, err := exchange.Token(context.WithValue(ctx, oauth2.HTTPClient, &http))
		if err != nil {
			return t.tokenError(err, at)
		}
		if got.Type() != "Bearer" {
			return errors.New(tokenEndpoint + ": the token is not a bearer token")
		}
		g.token = got.AccessToken
		if !got.Expiry.IsZero() { // the library fills Expiry only
			g.lifetime = time.Until(got.Expiry)
		}
		return checkToken(g.token)
	})
	return g, err
}

// checkToken refuses what no header can have (RFC 6749 section A.12): kept, it would fail every lookup until its end.
func checkToken(token string) error {
	if strings.ContainsFunc(token, func(c rune) bool { return c < ' ' || c > '~' }) {
		return errors.New(tokenEndpoint + ": the token has a character that no token may have")
	}
	return nil
}

// tokenError keeps of the library's errors what holds nothing that the server sent: their texts
// repeat whole answers.
func (t *tokens) tokenError(err error, at *progress) error {
	var refused *oauth2.RetrieveError
	var inURL *url.Error
	switch {
	case errors.As(err, &refused):
		status := refused.Response.StatusCode
		code := ""
		if regexp.MustCompile(`^[a-z_]{1,40}$`).MatchString(refused.ErrorCode) {
			code = refused.ErrorCode
		}
		if said := t.explained(status, refused.Body); said != "" {
			return fmt.Errorf("%s answered %d: %w: %s", tokenEndpoint, status, posture.ErrCredentials, said)
		}
		if status == http.StatusUnauthorized || code == "invalid_client" || code == "unauthorized_client" {
			return fmt.Errorf("%s answered %d: %w: %s", tokenEndpoint, status, posture.ErrCredentials, t.Remedy)
		}
		if status == http.StatusOK {
			return fmt.Errorf("%s refused with %q", tokenEndpoint, code)
		}
		return t.client.refusal(tokenEndpoint, refused.Response)
	case errors.As(err, &inURL):
		return &Fault{Endpoint: tokenEndpoint, cause: t.way.failed(err, at)}
	default:
		// Also what was cut off. The fault is retriable: callers that have joined the request get a second one.
		return &Fault{Endpoint: tokenEndpoint, cause: fmt.Errorf("the answer holds no token: %w", t.client.Other())}
	}
}

// explained is what the vendor's own words for a refusal mean; "" where that is not known.
func (t *tokens) explained(status int, body []byte) string {
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		if t.Explain != nil {
			return t.Explain(body)
		}
	}
	return ""
}
