package webhook_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/webhook"
)

const harnessData = `{"user":{"email":"lab@example.com"},"n":12345678901234567890,"t":"<ä>"}`

// The recorded requests verify with their recorded signatures and get the answers of the specification.
func TestRecordedRequests(t *testing.T) {
	t.Parallel()
	for name, wantCode := range map[string]string{
		"acme-da-x509-enriching":   "",
		"acme-da-x509-authorizing": "",
		"jwk-x509-enriching":       "attestationMissing",
		"jwk-x509-authorizing":     "attestationMissing",
		"jwk-sshuser-enriching":    "attestationMissing",
		"jwk-sshuser-authorizing":  "attestationMissing",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := readSample(t, name)
			c := start(t, having("C02HARNESS01", harnessData), nil, s.hook(t))
			r := c.post(t, s.headers(), s.body)
			event := c.log.event(t)
			if got := event["request_id"]; got != s.meta.Headers["X-Request-Id"][0] {
				t.Errorf("got request_id %v in the event, want that of the request", got)
			}
			if got := event["webhook_id"]; got != s.meta.WebhookID {
				t.Errorf("got webhook_id %v in the event, want %s", got, s.meta.WebhookID)
			}
			if wantCode != "" {
				wantRefusal(t, r, http.StatusOK, wantCode)
				if msg := event["msg"].(string); !strings.HasPrefix(msg, "[DENY]") {
					t.Errorf("got event %q, want [DENY]", msg)
				}
				return
			}
			if want := `{"allow":true,"data":` + harnessData + `}`; r.status != http.StatusOK || r.text != want {
				t.Errorf("got %d %s, want 200 %s", r.status, r.text, want)
			}
			wantHeaders(t, r)
			if event["msg"] != "[ALLOW] C02HARNESS01" || event["decision"] != "allow" || event["provider"] != "test" || event["level"] != "info" {
				t.Errorf("got event %v, want an allow of C02HARNESS01 by the provider", event)
			}
		})
	}
}

func TestAllowWithoutDataHasAnEmptyObject(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	c := start(t, having("C02HARNESS01", ""), nil, s.hook(t))
	if r := c.post(t, s.headers(), s.body); r.text != `{"allow":true,"data":{}}` {
		t.Errorf("got %s, want data to be an empty object", r.text)
	}
}

func TestTimestampTolerance(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	stamp := time.Date(2026, 11, 22, 2, 2, 20, 791936166, time.UTC)
	for name, test := range map[string]struct {
		now    time.Time
		reason string // of a refusal
	}{
		"now":                  {stamp, ""},
		"30 s old":             {stamp.Add(30 * time.Second), ""},
		"a nanosecond too old": {stamp.Add(30*time.Second + 1), "30s in the past"},
		"30 s ahead":           {stamp.Add(-30 * time.Second), ""},
		"too far ahead":        {stamp.Add(-30*time.Second - 1), "30s in the future"},
		"10 min old":           {stamp.Add(10 * time.Minute), "the timestamp is 10m0s in the past, more than TIMESTAMP_TOLERANCE (30s)"},
		"10 min ahead":         {stamp.Add(-10 * time.Minute), "the timestamp is 10m0s in the future, more than TIMESTAMP_TOLERANCE (30s)"},
		"years":                {stamp.AddDate(3, 0, 0), "in the past"},
		"centuries":            {stamp.AddDate(400, 0, 0), "in the past"},
		"centuries ahead":      {stamp.AddDate(-400, 0, 0), "in the future"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, having("C02HARNESS01", ""), func(h *webhook.Handler) { h.Now = func() time.Time { return test.now } }, s.hook(t))
			r := c.post(t, s.headers(), s.body)
			if test.reason == "" {
				if r.text != `{"allow":true,"data":{}}` {
					t.Errorf("got %s, want an allow", r.text)
				}
				return
			}
			wantRefusal(t, r, http.StatusOK, "requestExpired")
			if reason := fmt.Sprint(c.log.event(t)["reason"]); !strings.Contains(reason, test.reason) || strings.Contains(reason, " -") {
				t.Errorf("got reason %q, want %q in it, without a sign", reason, test.reason)
			}
		})
	}
}

// step-ca repeats a request with identical bytes.
func TestIdenticalRepeatIsAllowed(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	c := start(t, having("C02HARNESS01", ""), nil, s.hook(t))
	for range 2 {
		if r := c.post(t, s.headers(), s.body); r.text != `{"allow":true,"data":{}}` {
			t.Errorf("got %s, want an allow", r.text)
		}
	}
}

func TestHTTP1AndHTTP2(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	c := start(t, having("C02HARNESS01", ""), nil, s.hook(t))
	plain := c.Client().Transport.(*http.Transport).Clone()
	plain.ForceAttemptHTTP2 = false
	plain.TLSClientConfig.NextProtos = []string{"http/1.1"}
	for want, client := range map[string]*http.Client{"HTTP/2.0": c.Client(), "HTTP/1.1": {Transport: plain}} {
		request := c.request(t, http.MethodPost, "/webhook/device-attest", s.headers(), s.body)
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		_, _ = text.ReadFrom(response.Body)
		_ = response.Body.Close()
		if response.Proto != want || text.String() != `{"allow":true,"data":{}}` {
			t.Errorf("got %s %s, want an allow by %s", response.Proto, &text, want)
		}
	}
	plain.CloseIdleConnections()
}
