package webhook_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/webhook"
)

// sample is a recorded request of a real step-ca.
type sample struct {
	body []byte
	meta struct {
		Headers       map[string][]string `json:"headers"`
		WebhookID     string              `json:"webhookID"`
		WebhookSecret string              `json:"webhookSecret"`
	}
}

func readSample(tb testing.TB, name string) sample {
	tb.Helper()
	var s sample
	var err error
	if s.body, err = os.ReadFile(filepath.Join("testdata", "samples", name+".json")); err != nil {
		tb.Fatal(err)
	}
	meta, err := os.ReadFile(filepath.Join("testdata", "samples", name+".meta.json"))
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(meta, &s.meta); err != nil {
		tb.Fatal(err)
	}
	return s
}

func (s sample) hook(tb testing.TB) webhook.Hook {
	tb.Helper()
	secret, err := base64.StdEncoding.DecodeString(s.meta.WebhookSecret)
	if err != nil {
		tb.Fatal(err)
	}
	return webhook.Hook{ID: s.meta.WebhookID, Secrets: [][]byte{secret}}
}

func (s sample) headers() http.Header {
	header := http.Header{}
	for name, values := range s.meta.Headers {
		if name != "Content-Length" {
			header[http.CanonicalHeaderKey(name)] = values
		}
	}
	return header
}

// recorded is shortly after the samples were made.
func recorded() time.Time { return time.Date(2026, 11, 22, 2, 2, 21, 0, time.UTC) }

// inventory is a provider whose answers a test chooses.
type inventory func(context.Context, posture.Query) (posture.Device, error)

func (i inventory) Lookup(ctx context.Context, q posture.Query) (posture.Device, error) {
	return i(ctx, q)
}

// having is an inventory with one managed device.
func having(identifier, data string) inventory {
	return func(_ context.Context, q posture.Query) (posture.Device, error) {
		d := posture.Device{Identifier: identifier, Facts: posture.Facts{Managed: posture.Known(true)}, Data: json.RawMessage(data)}
		if !q.Identifier.Matches(d) {
			return posture.Device{}, posture.ErrNotFound
		}
		return d, nil
	}
}

// connector is the handler behind real TLS.
type connector struct {
	*httptest.Server
	handler *webhook.Handler
	log     *logBuffer
}

func start(t *testing.T, provider posture.Provider, configure func(*webhook.Handler), hooks ...webhook.Hook) *connector {
	t.Helper()
	return startWith(t, hooksOf(gateOf(provider), hooks...), configure)
}

// gateOf asks one inventory, as without a policy file.
func gateOf(provider posture.Provider) *posture.Gate {
	return &posture.Gate{Join: posture.Join{Inventories: []posture.Source{{Kind: "test", Provider: provider}}}}
}

// hooksOf are webhooks about which one gate decides.
func hooksOf(gate *posture.Gate, hooks ...webhook.Hook) *webhook.Hooks {
	for i := range hooks {
		hooks[i].Gate = gate
	}
	return webhook.NewHooks(hooks, false)
}

func startWith(t *testing.T, hooks *webhook.Hooks, configure func(*webhook.Handler)) *connector {
	t.Helper()
	log := &logBuffer{}
	handler := &webhook.Handler{
		Tolerance: 30 * time.Second,
		Now:       recorded,
		Record:    audit.NewLog(log, true).Write,
	}
	handler.Use(hooks)
	if configure != nil {
		configure(handler)
	}
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return &connector{server, handler, log}
}

// logBuffer keeps the log. A request is logged after its answer was sent, so readers wait.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.more != nil {
		close(b.more)
		b.more = nil
	}
	return b.text.Write(p)
}

// event returns the only event.
func (b *logBuffer) event(t *testing.T) map[string]any {
	t.Helper()
	for {
		b.mu.Lock()
		text, more := b.text.String(), make(chan struct{})
		b.more = more
		b.mu.Unlock()
		if text == "" {
			select {
			case <-more:
			case <-t.Context().Done():
				t.Fatal("nothing was logged")
			}
			continue
		}
		if n := strings.Count(text, "\n"); n != 1 {
			t.Fatalf("got %d log lines, want one:\n%s", n, text)
		}
		var event map[string]any
		if err := json.Unmarshal([]byte(text), &event); err != nil {
			t.Fatal(err)
		}
		return event
	}
}

type reply struct {
	status int
	header http.Header
	text   string
	body   struct {
		Allow *bool           `json:"allow"`
		Data  json.RawMessage `json:"data"`
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
}

func (c *connector) send(t *testing.T, request *http.Request) reply {
	t.Helper()
	response, err := c.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{status: response.StatusCode, header: response.Header, text: string(text)}
	if err := json.Unmarshal(text, &r.body); err != nil {
		t.Fatalf("answer %q is not JSON: %v", text, err)
	}
	return r
}

func (c *connector) request(t *testing.T, method, path string, header http.Header, body []byte) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, c.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	return r
}

func (c *connector) post(t *testing.T, header http.Header, body []byte) reply {
	t.Helper()
	return c.send(t, c.request(t, http.MethodPost, "/webhook/device-attest", header, body))
}

// signed returns the headers that step-ca sends with a body.
func signed(hook webhook.Hook, body []byte) http.Header {
	mac := hmac.New(sha256.New, hook.Secrets[0])
	mac.Write(body)
	return http.Header{
		"X-Smallstep-Webhook-Id": {hook.ID},
		"X-Smallstep-Signature":  {hex.EncodeToString(mac.Sum(nil))},
	}
}

// wantRefusal checks an answer that is not an allow, and what all of them have in common.
func wantRefusal(t *testing.T, r reply, status int, code string) {
	t.Helper()
	if r.status != status || r.body.Error.Code != code {
		t.Errorf("got status %d, code %q, want %d, %q: %s", r.status, r.body.Error.Code, status, code, r.text)
	}
	if r.body.Allow == nil || *r.body.Allow {
		t.Errorf("got %s, want allow to be false", r.text)
	}
	if len(r.body.Data) > 0 {
		t.Errorf("got %s, want no data", r.text)
	}
	if !regexp.MustCompile(`^[A-Z][^.]*[^. ] \(ref [0-9A-Z]{8}\)$`).MatchString(r.body.Error.Message) {
		t.Errorf("got message %q, want one sentence with a reference at its end", r.body.Error.Message)
	}
	wantHeaders(t, r)
}

func wantHeaders(t *testing.T, r reply) {
	t.Helper()
	for name, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "Www-Authenticate": ""} {
		if got := r.header.Get(name); got != want {
			t.Errorf("got header %s: %q, want %q", name, got, want)
		}
	}
}
