package webhook_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/webhook"
)

// While one secret replaces the other, both are accepted, and each notes when it signed a request.
func TestTwoSecrets(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	before, after := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	both := hookWith("7f0a3a4e-6f8a-4f6c-9a57-0a4f5d3c2b1a", before)
	both.Secrets = append(both.Secrets, after)
	both.Used = []*atomic.Int64{{}, {}}
	other := hookWith("8f0a3a4e-6f8a-4f6c-9a57-0a4f5d3c2b1a", bytes.Repeat([]byte{3}, 32))
	now := recorded()
	c := start(t, having("C02HARNESS01", ""), func(h *webhook.Handler) { h.Now = func() time.Time { return now } }, other, both)
	wantUsed := func(first, second int64) {
		t.Helper()
		if got := [2]int64{both.Used[0].Load(), both.Used[1].Load()}; got != [2]int64{first, second} {
			t.Errorf("the secrets were used at %d, want %d and %d", got, first, second)
		}
	}
	send := func(secret []byte) reply {
		t.Helper()
		return c.post(t, signed(hookWith(both.ID, secret), s.body), s.body)
	}
	wantUsed(0, 0)
	if r := send(after); r.status != http.StatusOK {
		t.Errorf("got %s for the new secret, want an allow", r.text)
	}
	wantUsed(0, recorded().Unix())
	now = recorded().Add(5 * time.Second)
	if r := send(before); r.status != http.StatusOK {
		t.Errorf("got %s for the old secret, want an allow", r.text)
	}
	wantUsed(recorded().Unix()+5, recorded().Unix())
	now = recorded().Add(7 * time.Second)
	for _, secret := range [][]byte{other.Secrets[0], nil, append(bytes.Clone(before), after...)} {
		wantRefusal(t, send(secret), http.StatusUnauthorized, "unauthenticated")
	}
	if r := c.post(t, signed(other, s.body), s.body); r.status != http.StatusOK {
		t.Errorf("got %s for a webhook with one secret, want an allow", r.text)
	}
	wantRefusal(t, c.post(t, signed(hookWith(other.ID, before), s.body), s.body), http.StatusUnauthorized, "unauthenticated")
	wantUsed(recorded().Unix()+5, recorded().Unix())
}

// A webhook that is removed is refused from the next request on, also on a connection that it used before; one that is added
// may call.
func TestHooksAreReplacedOnAnOpenConnection(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	added := hookWith("7f0a3a4e-6f8a-4f6c-9a57-0a4f5d3c2b1a", bytes.Repeat([]byte{1}, 32))
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			gate := gateOf(having("C02HARNESS01", ""))
			c := startWith(t, hooksOf(gate, s.hook(t)), nil)
			transport := c.Client().Transport.(*http.Transport)
			if protocol == "HTTP/1.1" {
				transport.ForceAttemptHTTP2, transport.TLSClientConfig.NextProtos = false, []string{"http/1.1"}
			}
			send := func(header http.Header, wantReused bool) reply {
				t.Helper()
				reused := false
				request := c.request(t, http.MethodPost, webhook.AttestPath, header, s.body)
				r := c.send(t, request.WithContext(httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{
					GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused },
				})))
				if reused != wantReused {
					t.Errorf("the connection was used before: %v, want %v", reused, wantReused)
				}
				return r
			}
			if r := send(s.headers(), false); r.status != http.StatusOK {
				t.Fatalf("got %s, want an allow", r.text)
			}
			c.handler.Use(hooksOf(gate, added))
			if r := send(signed(added, s.body), true); r.status != http.StatusOK {
				t.Errorf("got %s for the webhook that was added, want an allow", r.text)
			}
			wantRefusal(t, send(s.headers(), true), http.StatusUnauthorized, "unauthenticated")
			c.handler.Use(hooksOf(gate, s.hook(t)))
			if r := c.post(t, s.headers(), s.body); r.status != http.StatusOK {
				t.Errorf("got %s after the webhook came back, want an allow", r.text)
			}
		})
	}
}

// A request that is under way finishes with the gate that it began with.
func TestRequestsUnderWayKeepTheirHooks(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	asked, release := make(chan struct{}), make(chan struct{})
	slow := inventory(func(ctx context.Context, q posture.Query) (posture.Device, error) {
		close(asked)
		<-release
		return having("C02HARNESS01", `{"from":"before"}`)(ctx, q)
	})
	c := start(t, slow, nil, s.hook(t))
	request := c.request(t, http.MethodPost, webhook.AttestPath, s.headers(), s.body)
	answered := make(chan string, 1)
	go func() {
		response, err := c.Client().Do(request)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer func() { _ = response.Body.Close() }()
		text, err := io.ReadAll(response.Body)
		answered <- fmt.Sprint(string(text), err)
	}()
	<-asked
	c.handler.Use(hooksOf(gateOf(having("C02HARNESS01", `{"from":"after"}`)), s.hook(t)))
	if r := c.post(t, s.headers(), s.body); r.text != `{"allow":true,"data":{"from":"after"}}` {
		t.Errorf("got %s for a request after the exchange", r.text)
	}
	c.handler.Use(webhook.NewHooks(nil, false))
	wantRefusal(t, c.post(t, s.headers(), s.body), http.StatusUnauthorized, "unauthenticated")
	close(release)
	if got := <-answered; got != `{"allow":true,"data":{"from":"before"}}<nil>` {
		t.Errorf("got %s for the request under way", got)
	}
}

// Before any webhook is known, every request is refused.
func TestNoHooks(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	c := startWith(t, nil, nil)
	wantRefusal(t, c.post(t, s.headers(), s.body), http.StatusUnauthorized, "unauthenticated")
}

// With a policy file, the reason of a refusal names it beside the variables of the environment.
func TestReasonsNameThePolicyFile(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	for reason, header := range map[string]http.Header{
		"unknown webhook ID: compare it with WEBHOOK_IDS and the policy file":                              signed(hookWith("7f0a3a4e-6f8a-4f6c-9a57-0a4f5d3c2b1a", []byte{1}), s.body),
		"wrong signature: compare the webhook's secret with the one in WEBHOOK_SECRETS or the policy file": signed(hookWith(s.meta.WebhookID, []byte{1}), s.body),
	} {
		c := startWith(t, webhook.NewHooks([]webhook.Hook{s.hook(t)}, true), nil)
		wantRefusal(t, c.post(t, header, s.body), http.StatusUnauthorized, "unauthenticated")
		if got := c.log.event(t)["reason"]; got != reason {
			t.Errorf("got reason %q, want %q", got, reason)
		}
	}
}
