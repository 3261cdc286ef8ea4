package jamf

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/flight"
)

const (
	tokenEndpoint = "token endpoint"
	// The paths of the token endpoint, newest first; servers before 11.23 have only the second.
	// https://developer.jamf.com/jamf-pro/docs/client-credentials
	tokenPath    = "/api/v1/oauth/token" //nolint:gosec // G101: a path, no credential
	oldTokenPath = "/api/oauth/token"    //nolint:gosec // G101: a path, no credential
)

// errCredentials says that the server does not know the API client, or its secret is wrong.
var errCredentials = fmt.Errorf("%w: check JAMF_CLIENT_ID and JAMF_CLIENT_SECRET, and that the API client is enabled", posture.ErrCredentials)

// tokens exchanges the API client's credentials for bearer tokens (RFC 6749 section 4.4), and keeps
// the current one in memory.
type tokens struct {
	*connection
	id      string
	secret  config.Secret
	renewed func(error) // is called for every token that was asked for

	flight flight.Group[struct{}, string]

	mu      sync.Mutex
	current string
	issued  time.Time
	until   time.Time
	old     bool // the server has only the older path
}

// get returns a token that is good for some time. Any number of callers cause one request.
func (t *tokens) get(ctx context.Context) (string, error) {
	if token := t.cached(); token != "" {
		return token, nil
	}
	return t.flight.Do(ctx, struct{}{}, func(ctx context.Context) (string, error) {
		// Another flight may have landed between the look above and the start of this one.
		if token := t.cached(); token != "" {
			return token, nil
		}
		token, err := t.fetch(ctx)
		t.renewed(err)
		return token, err
	})
}

func (t *tokens) cached() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Now().Before(t.until) {
		return t.current
	}
	return ""
}

// discard forgets a token that the server refused, unless it was replaced meanwhile.
func (t *tokens) discard(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current == token {
		t.current, t.until = "", time.Time{}
	}
}

// age is how long ago a token was issued; of one that was replaced meanwhile it is as long as can be.
func (t *tokens) age(token string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != token {
		return math.MaxInt64
	}
	return time.Since(t.issued)
}

// fetch asks for a token; a server that does not have the one path is asked on the other one: it may be
// too old for the newer, or was replaced by a newer server.
func (t *tokens) fetch(ctx context.Context) (string, error) {
	t.mu.Lock()
	path, other := tokenPath, oldTokenPath
	if t.old {
		path, other = other, path
	}
	t.mu.Unlock()
	asked := time.Now()
	token, err := t.exchange(ctx, path)
	if missing := (*fault)(nil); errors.As(err, &missing) && missing.status == http.StatusNotFound {
		path = other
		token, err = t.exchange(ctx, path)
	}
	if err != nil {
		return "", err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.old = path == oldTokenPath
	lifetime := time.Duration(0)
	if !token.Expiry.IsZero() { // the library fills Expiry only
		lifetime = time.Until(token.Expiry)
	}
	t.current, t.issued, t.until = token.AccessToken, asked, asked.Add(usable(lifetime))
	return t.current, nil
}

// usable is how long a token is used: until shortly before it expires. The margin scales with the
// lifetime, which an administrator may set to a minute: a fixed one would fetch a token for each call.
func usable(lifetime time.Duration) time.Duration {
	if lifetime <= 0 {
		lifetime = unknownLifetime
	}
	const fifth, most = 5, time.Minute
	return lifetime - min(lifetime/fifth, most)
}

func (t *tokens) exchange(ctx context.Context, path string) (token *oauth2.Token, err error) {
	address := *t.base
	address.Path += path
	exchange := clientcredentials.Config{
		ClientID:     t.id,
		ClientSecret: string(t.secret.Reveal()),
		TokenURL:     address.String(),
		AuthStyle:    oauth2.AuthStyleInParams, // probing for it would double the requests
	}
	http := *t.http
	http.Transport = whole{t.http.Transport}
	err = t.run(ctx, false, func(ctx context.Context, at *progress) error {
		got, err := exchange.Token(context.WithValue(ctx, oauth2.HTTPClient, &http))
		if err != nil {
			return t.tokenError(err, at)
		}
		if got.Type() != "Bearer" {
			return errors.New(tokenEndpoint + ": the token is not a bearer token")
		}
		token = got
		return nil
	})
	return token, err
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
		if status == http.StatusUnauthorized || code == "invalid_client" || code == "unauthorized_client" {
			return fmt.Errorf("%s answered %d: %w", tokenEndpoint, status, errCredentials)
		}
		if status == http.StatusOK {
			return fmt.Errorf("%s refused with %q", tokenEndpoint, code)
		}
		return &fault{endpoint: tokenEndpoint, status: status, wait: retryAfter(refused.Response)}
	case errors.As(err, &inURL):
		return &fault{endpoint: tokenEndpoint, cause: t.failed(err, at)}
	default:
		// Also what was cut off; and whoever joins a request that began badly gets a second one.
		return &fault{endpoint: tokenEndpoint, cause: fmt.Errorf("the answer holds no token: %w", errNotJamf)}
	}
}
