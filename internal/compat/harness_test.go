package compat_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/compat"
	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/inbound"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/store"
)

const (
	keysBearer    = "keys-credential-0123456789abcdef"
	queriesBearer = "queries-credential-0123456789abcdef"
	udid          = "5B1D6C1E-7C0B-5E0E-9A55-0C7D1B0A9F11"
	serial        = "C02XK1ABJHD2"
)

// rule is that of the policy that COMPAT_MDMSECURITYDEMO makes.
func rule() *posture.TokenRequirement {
	return &posture.TokenRequirement{Policy: "default", In: "2.5.4.35", UDIDIn: "2.5.4.45", Lifetime: 5 * time.Minute, UnpairedUDID: true}
}

// errDown is what an inventory says that cannot answer.
var errDown = errors.New("the inventory is down")

// knows is an inventory with one device, by its serial number and by its UDID. It fails the test where it is asked for nothing.
func knows(t testing.TB) func(context.Context, string, string) (bool, error) {
	t.Helper()
	return func(ctx context.Context, gotSerial, gotUDID string) (bool, error) {
		if gotSerial == "" && gotUDID == "" {
			t.Error("an inventory is asked for a device without a name")
		}
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > 9*time.Second {
			t.Error("an inventory is asked without a limit of time")
		}
		switch gotSerial {
		case "DOWN":
			return true, errDown
		case "PANIC":
			panic("a value with " + queriesBearer)
		}
		return gotSerial == serial || gotUDID == udid, nil
	}
}

// demo is the handler behind a real server, with a real state database.
type demo struct {
	*httptest.Server
	handler *compat.Handler
	db      *store.DB
	events  chan *compat.Event
}

func start(t testing.TB) *demo {
	t.Helper()
	return startHandler(t, func(h *compat.Handler) http.Handler { return h })
}

func startHandler(t testing.TB, handler func(*compat.Handler) http.Handler) *demo {
	t.Helper()
	u, err := store.ParseURL("sqlite:" + filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.OpenDaemon(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	d := &demo{db: db, events: make(chan *compat.Event, 1000)}
	d.handler = &compat.Handler{
		Keys: inbound.NewCredential([]byte(keysBearer)), Queries: inbound.NewCredential([]byte(queriesBearer)),
		Tokens: &enroll.Tokens{Store: db}, Rule: rule, Known: knows(t), Record: func(e *compat.Event) { d.events <- e },
	}
	d.Server = httptest.NewServer(handler(d.handler))
	t.Cleanup(d.Close)
	return d
}

func bearer(credential string) http.Header {
	return http.Header{"Authorization": {"Bearer " + credential}}
}

// reply is an answer with the event of its request.
type reply struct {
	status int
	header http.Header
	closed bool
	text   string
	event  *compat.Event
}

// do sends a request, and checks what holds for every answer: an error is text that no decoder takes for JSON, and neither
// it nor the event shows a secret.
func (d *demo) do(t testing.TB, method, path string, header http.Header, body io.Reader) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, d.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := d.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{response.StatusCode, response.Header, response.Close, string(text), <-d.events}
	if r.event.Status != r.status || r.event.Reference == "" || r.event.RemoteAddress == "" || (r.event.Code == "") != (r.status == http.StatusOK) {
		t.Errorf("%s %.99s: got event %+v, want one for status %d", method, path, r.event, r.status)
	}
	if r.status != http.StatusOK {
		wantText(t, fmt.Sprintf("%s %.99s", method, path), method, r.status, r.header, r.text)
		if !r.closed {
			t.Errorf("%s %.99s: the connection of status %d stays open", method, path, r.status)
		}
	}
	for _, secret := range []string{keysBearer, queriesBearer} {
		if strings.Contains(fmt.Sprintf("%+v %+v", r, *r.event), secret) {
			t.Errorf("%s %.99s: a credential is in the answer or the event: %+v", method, path, r.event)
		}
	}
	return r
}

// wantText checks an answer other than 200: the text of its status, as the original's.
func wantText(t testing.TB, what, method string, status int, header http.Header, text string) {
	t.Helper()
	want := http.StatusText(status) + "\n"
	if method == http.MethodHead {
		want = ""
	}
	if text != want || json.Valid([]byte(text)) {
		t.Errorf("%s: got %q, want %q", what, text, want)
	}
	if got := header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
		t.Errorf("%s: got Content-Type %q, want text", what, got)
	}
}

func (d *demo) key(t testing.TB, udid string) reply {
	t.Helper()
	return d.do(t, http.MethodPost, "/api/key/"+udid, bearer(keysBearer), nil)
}

func (d *demo) query(t testing.TB, body string) reply {
	t.Helper()
	return d.do(t, http.MethodPost, "/devices/query", bearer(queriesBearer), strings.NewReader(body))
}

// unread hides the length of a body, which is sent in chunks then.
type unread struct{ io.Reader }

// counted counts how often a store is asked to insert.
type counted struct {
	enroll.Store
	inserted atomic.Int32
}

func (c *counted) Insert(ctx context.Context, t enroll.Token, lifetime time.Duration) (enroll.Token, error) {
	c.inserted.Add(1)
	return c.Store.Insert(ctx, t, lifetime)
}
