package webhook_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/webhook"
)

// On HTTP/1.1 the whole answer is sent before the event is recorded.
func TestAnswerIsSentBeforeItIsRecorded(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	received := make(chan struct{}, 1)
	c := start(t, having("C02HARNESS01", `{"large":"`+strings.Repeat("x", 9000)+`"}`), func(h *webhook.Handler) {
		h.Record = func(*audit.Event) {
			select {
			case <-received:
			case <-time.After(30 * time.Second):
				t.Error("the event is recorded before the answer was received")
			}
		}
	}, s.hook(t))
	plain := c.Client().Transport.(*http.Transport).Clone()
	plain.ForceAttemptHTTP2 = false
	plain.TLSClientConfig.NextProtos = []string{"http/1.1"}
	defer plain.CloseIdleConnections()
	for _, path := range []string{webhook.AttestPath, "/unknown"} {
		request := c.request(t, http.MethodPost, path, s.headers(), s.body)
		response, err := (&http.Client{Transport: plain}).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.ContentLength != int64(len(text)) {
			t.Errorf("%s: %d bytes were received, %v, want Content-Length %d", path, len(text), err, response.ContentLength)
		}
		received <- struct{}{}
	}
}

// The event of an allow has the client's address: when a secret has leaked, it is the only trace.
func TestEventOfAnAllowHasTheClient(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	c := start(t, having("C02HARNESS01", ""), nil, s.hook(t))
	if r := c.post(t, s.headers(), s.body); r.status != http.StatusOK {
		t.Fatalf("got %s, want an allow", r.text)
	}
	event := c.log.event(t)
	address, _ := event[audit.KeyRemoteAddress].(string)
	if event[audit.KeyMethod] != "POST" || event[audit.KeyPath] != webhook.AttestPath || !strings.HasPrefix(address, "127.0.0.1:") {
		t.Errorf("got the event %v, want it with method, path and remote address", event)
	}
}

// The audit log may take the rest of the time for the answer, and no more.
func TestAuditKeepsTheBudget(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	for asked, want := range map[time.Duration]time.Duration{0: 8900 * time.Millisecond, 8500 * time.Millisecond: 400 * time.Millisecond, time.Minute: time.Nanosecond} {
		now := recorded()
		var left time.Duration
		slow := inventory(func(ctx context.Context, q posture.Query) (posture.Device, error) {
			now = now.Add(asked)
			return having("C02HARNESS01", "")(ctx, q)
		})
		c := start(t, slow, func(h *webhook.Handler) {
			h.Now = func() time.Time { return now }
			h.Audit = func(e *audit.Event) { left = e.Left }
		}, s.hook(t))
		if c.post(t, s.headers(), s.body); left != want {
			t.Errorf("when the inventory took %s, %s are left, want %s", asked, left, want)
		}
	}
}
