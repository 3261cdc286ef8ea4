package tokenapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/tokenapi"
)

const (
	enrolBearer = "enrol-credential-0123456789abcdef"
	guestBearer = "guest-credential-0123456789abcdef"
	idleBearer  = "idle-credential-0123456789abcdef"
	plainBearer = "plain-credential-0123456789abcdef"
)

// clients are those of the tests: two that share no policy, one that has none, and one whose policy has no tokens.
func clients() []tokenapi.Client {
	return []tokenapi.Client{
		{Name: "enrol", Bearer: config.NewSecret([]byte(enrolBearer)), Policies: []string{"enrolment", "kiosk", "plain"}},
		{Name: "guest", Bearer: config.NewSecret([]byte(guestBearer)), Policies: []string{"guests"}},
		{Name: "idle", Bearer: config.NewSecret([]byte(idleBearer))},
		{Name: "plain", Bearer: config.NewSecret([]byte(plainBearer)), Policies: []string{"plain"}},
		{Name: "unset", Policies: []string{"enrolment"}},
	}
}

func rules() map[string]*posture.TokenRequirement {
	return map[string]*posture.TokenRequirement{
		"enrolment": {Policy: "enrolment", In: "2.5.4.35", UDIDIn: "2.5.4.45", Lifetime: 5 * time.Minute},
		"kiosk":     {Policy: "kiosk", In: "2.5.4.35", Lifetime: 8 * 24 * time.Hour},
		"guests":    {Policy: "guests", In: "2.5.4.35", Lifetime: 5 * time.Minute},
	}
}

// api is the handler behind a real server.
type api struct {
	*httptest.Server
	handler *tokenapi.Handler
	events  chan *tokenapi.Event

	mu  sync.Mutex
	now time.Time
}

// start starts the API over an empty state database. Its clock stands still.
func start(t testing.TB) *api {
	t.Helper()
	return startWith(t, openStore(t))
}

func startWith(t testing.TB, store enroll.Store) *api {
	t.Helper()
	a := &api{events: make(chan *tokenapi.Event, 1000), now: time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)}
	a.handler = &tokenapi.Handler{Tokens: &enroll.Tokens{Store: store}, Now: a.clock, Record: func(e *tokenapi.Event) { a.events <- e }}
	a.handler.Use(tokenapi.NewAccess(clients(), rules()))
	a.Server = httptest.NewServer(a.handler)
	t.Cleanup(a.Close)
	return a
}

func (a *api) clock() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now
}

func (a *api) advance(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now = a.now.Add(d)
}

// reply is an answer with the event of its request.
type reply struct {
	status int
	header http.Header
	closed bool
	text   string
	event  *tokenapi.Event
	body   struct {
		ID        string           `json:"id"`
		Token     string           `json:"token"`
		ExpiresAt time.Time        `json:"expires_at"`
		Tokens    []map[string]any `json:"tokens"`
		More      *bool            `json:"more"`
		Allow     *bool            `json:"allow"`
		Error     struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
}

// do sends a request with any header. Time passes, so that the rate limit refuses none.
func (a *api) do(t testing.TB, method, path string, header http.Header, body io.Reader) reply {
	t.Helper()
	a.advance(time.Second)
	return a.doAtOnce(t, method, path, header, body)
}

func (a *api) doAtOnce(t testing.TB, method, path string, header http.Header, body io.Reader) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, a.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := a.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	return a.read(t, response)
}

// read reads an answer, and the event of its request.
func (a *api) read(t testing.TB, response *http.Response) reply {
	t.Helper()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{status: response.StatusCode, header: response.Header, closed: response.Close, text: string(text), event: <-a.events}
	if r.event.Status != r.status {
		t.Errorf("the event has status %d, the answer %d", r.event.Status, r.status)
	}
	if got := r.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("got Cache-Control %q, want no-store", got)
	}
	if r.status == http.StatusNoContent {
		return r
	}
	if err := json.Unmarshal(text, &r.body); err != nil {
		t.Fatalf("answer %q is not JSON: %v", text, err)
	}
	if got := r.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("got Content-Type %q, want application/json", got)
	}
	return r
}

func bearer(credential string) http.Header {
	return http.Header{"Authorization": {"Bearer " + credential}}
}

// issue sends a body as a client.
func (a *api) issue(t testing.TB, credential, body string) reply {
	t.Helper()
	return a.do(t, http.MethodPost, "/v1/tokens", bearer(credential), strings.NewReader(body))
}

// issued is issue where it has to succeed.
func (a *api) issued(t testing.TB, credential, body string) reply {
	t.Helper()
	r := a.issue(t, credential, body)
	if r.status != http.StatusCreated {
		t.Fatalf("got status %d, want 201: %s", r.status, r.text)
	}
	return r
}

func (a *api) list(t testing.TB, credential, query string) reply {
	t.Helper()
	return a.do(t, http.MethodGet, "/v1/tokens"+query, bearer(credential), nil)
}

func (a *api) revoke(t testing.TB, credential, id string) reply {
	t.Helper()
	return a.do(t, http.MethodDelete, "/v1/tokens/"+id, bearer(credential), nil)
}

// wantError checks an error, and what all of them have in common. Each part is in the message.
func wantError(t testing.TB, r reply, status int, code string, parts ...string) {
	t.Helper()
	if r.status != status || r.body.Error.Code != code {
		t.Errorf("got status %d, code %q, want %d, %q: %s", r.status, r.body.Error.Code, status, code, r.text)
	}
	if r.body.Allow == nil || *r.body.Allow {
		t.Errorf("got %s, want allow to be false", r.text)
	}
	if !regexp.MustCompile(`^[A-Z].*[^. ] \(ref [0-9A-Z]{8}\)$`).MatchString(r.body.Error.Message) || !strings.HasSuffix(r.body.Error.Message, "(ref "+r.event.Reference+")") {
		t.Errorf("got message %q, want one sentence with the reference %s at its end", r.body.Error.Message, r.event.Reference)
	}
	for _, part := range parts {
		if !strings.Contains(r.body.Error.Message, part) {
			t.Errorf("got message %q, want %q in it", r.body.Error.Message, part)
		}
	}
	if r.event.Code != code || r.event.Reason == "" || r.event.TokenID != "" {
		t.Errorf("got event %+v, want code %s, a reason and no token", r.event, code)
	}
	if got := r.header.Get("WWW-Authenticate"); got != "" {
		t.Errorf("got WWW-Authenticate %q, want none", got)
	}
	wantNoSecret(t, r, enrolBearer, guestBearer, idleBearer, plainBearer)
}

// wantNoSecret checks that neither an event nor an answer has any of these texts.
func wantNoSecret(t testing.TB, r reply, secrets ...string) {
	t.Helper()
	event, err := json.Marshal(r.event)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range secrets {
		if bytes.Contains(event, []byte(secret)) || strings.Contains(r.text, secret) {
			t.Errorf("%q is in the event %s or in the answer %s", secret, event, r.text)
		}
	}
}
