package webhook_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/flight"
	"step-posture-connector/internal/webhook"
)

// neverAsked is an inventory that a request must not reach.
func neverAsked(t *testing.T) inventory {
	t.Helper()
	return func(context.Context, posture.Query) (posture.Device, error) {
		t.Error("the inventory was asked")
		return posture.Device{}, posture.ErrNotFound
	}
}

// 404 comes before 405, 405 before 413, 413 before 401.
func TestOrderOfHTTPRefusals(t *testing.T) {
	t.Parallel()
	hook := readSample(t, "acme-da-x509-enriching").hook(t)
	large, most := make([]byte, webhook.MaxBody+1), make([]byte, webhook.MaxBody)
	for name, test := range map[string]struct {
		method, path string
		body         []byte
		header       http.Header
		status       int
		code, allow  string
	}{
		"unknown path, any method":      {"GET", "/", nil, nil, 404, "notFound", ""},
		"unknown path, large":           {"POST", "/webhook", large, nil, 404, "notFound", ""},
		"double slash":                  {"POST", "//webhook/device-attest", nil, nil, 404, "notFound", ""},
		"trailing slash":                {"POST", "/webhook/device-attest/", nil, nil, 404, "notFound", ""},
		"escaped slash":                 {"POST", "/webhook%2fdevice-attest", nil, nil, 404, "notFound", ""},
		"escaped letter":                {"POST", "/%77ebhook/device-attest", nil, nil, 404, "notFound", ""},
		"dots":                          {"POST", "/webhook/../webhook/device-attest", nil, nil, 404, "notFound", ""},
		"upper case":                    {"POST", "/Webhook/device-attest", nil, nil, 404, "notFound", ""},
		"GET":                           {"GET", "/webhook/device-attest", nil, nil, 405, "methodNotAllowed", "POST"},
		"PUT, large":                    {"PUT", "/webhook/device-attest", large, nil, 405, "methodNotAllowed", "POST"},
		"POST to status":                {"POST", "/status", nil, nil, 405, "methodNotAllowed", "GET, HEAD"},
		"large, not signed":             {"POST", "/webhook/device-attest", large, nil, 413, "tooLarge", ""},
		"large, signed":                 {"POST", "/webhook/device-attest", large, signed(hook, large), 413, "tooLarge", ""},
		"largest, not signed":           {"POST", "/webhook/device-attest", most, nil, 401, "unauthenticated", ""},
		"largest, signed, but not JSON": {"POST", "/webhook/device-attest", most, signed(hook, most), 400, "malformed", ""},
		"empty, not signed":             {"POST", "/webhook/device-attest", nil, nil, 401, "unauthenticated", ""},
		"large header":                  {"POST", "/webhook/device-attest", nil, http.Header{"X": {strings.Repeat("x", 16<<10)}}, 431, "tooLarge", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, neverAsked(t), nil, hook)
			r := c.send(t, c.request(t, test.method, test.path, test.header, test.body))
			wantRefusal(t, r, test.status, test.code)
			if got := r.header.Get("Allow"); got != test.allow {
				t.Errorf("got Allow: %q, want %q", got, test.allow)
			}
			c.log.event(t)
		})
	}
}

// A body of unknown length has the same limit.
func TestChunkedBodyTooLarge(t *testing.T) {
	t.Parallel()
	c := start(t, neverAsked(t), nil)
	request := c.request(t, http.MethodPost, "/webhook/device-attest", nil, make([]byte, webhook.MaxBody+1))
	request.ContentLength = -1
	wantRefusal(t, c.send(t, request), http.StatusRequestEntityTooLarge, "tooLarge")
}

func TestStatus(t *testing.T) {
	t.Parallel()
	c := start(t, neverAsked(t), nil)
	r := c.send(t, c.request(t, http.MethodGet, "/status", nil, nil))
	if r.status != http.StatusOK || r.text != `{"status":"ok"}` {
		t.Errorf("got %d %s, want 200 {\"status\":\"ok\"}", r.status, r.text)
	}
	wantHeaders(t, r)
	c.Close()
	if got := c.log.text.String(); got != "" {
		t.Errorf("a good /status was logged: %s", got)
	}
}

// A provider that cannot answer causes an error, not a refusal: step-ca and the device may try again.
func TestProviderFaults(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	const upstream = "upstream says sesame"
	for name, test := range map[string]struct {
		provider inventory
		status   int
		code     string
		reason   string
	}{
		"not found":      {answering(posture.Device{}, posture.ErrNotFound), 200, "deviceNotFound", "no such device"},
		"ambiguous":      {answering(posture.Device{}, posture.ErrAmbiguous), 200, "deviceAmbiguous", "several"},
		"fault":          {answering(posture.Device{}, errors.New(upstream)), 503, "unavailable", upstream},
		"another device": {answering(posture.Device{Identifier: "C02HARNESS0", Facts: posture.Facts{Managed: posture.Known(true)}}, nil), 503, "unavailable", "another identifier"},
		"empty record":   {answering(posture.Device{}, nil), 503, "unavailable", "another identifier"},
		"not managed":    {answering(posture.Device{Identifier: "C02HARNESS01"}, nil), 200, "deviceNotManaged", "not manage"},
		"panic":          {func(context.Context, posture.Query) (posture.Device, error) { panic(upstream) }, 500, "internal", "panic"},
		"joined panic":   {joined(func() { panic(upstream) }), 500, "internal", "panic: value of type string"},
		"joined runtime": {joined(func() { index(nil) }), 500, "internal", "panic: runtime error: index out of range"},
		"runtime panic":  {func(context.Context, posture.Query) (posture.Device, error) { panic(index(nil)) }, 500, "internal", "panic"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, test.provider, nil, s.hook(t))
			r := c.post(t, s.headers(), s.body)
			wantRefusal(t, r, test.status, test.code)
			event := c.log.event(t)
			if reason := fmt.Sprint(event["reason"]); !strings.Contains(reason, test.reason) {
				t.Errorf("got reason %q, want it to have %q", reason, test.reason)
			}
			if strings.Contains(r.text, upstream) {
				t.Errorf("the answer %s repeats the text of the provider", r.text)
			}
			if stack := fmt.Sprint(event["stack"]); strings.HasPrefix(name, "joined") && !strings.Contains(stack, "webhook_test.TestProviderFaults.func") {
				t.Errorf("the stack is not the one of the panic:\n%s", stack)
			}
			if test.code == "internal" && strings.Contains(fmt.Sprint(event), upstream) {
				t.Errorf("the event %v shows the value of a panic", event)
			}
			if test.status >= 500 && event["level"] != "error" {
				t.Errorf("got level %v, want error", event["level"])
			}
			if again := c.post(t, s.headers(), s.body); again.status != test.status {
				t.Errorf("the second request got %d, want %d like the first", again.status, test.status)
			}
		})
	}
}

func answering(d posture.Device, err error) inventory {
	return func(context.Context, posture.Query) (posture.Device, error) { return d, err }
}

// joined works in another goroutine, as a provider does for lookups at the same time.
func joined(work func()) inventory {
	var group flight.Group[string, posture.Device]
	return func(ctx context.Context, q posture.Query) (posture.Device, error) {
		return group.Do(ctx, q.Identifier.Key(), func(context.Context) (posture.Device, error) {
			work()
			return posture.Device{}, nil
		})
	}
}

func index(list []int) int { return list[len(list)] }

func TestRequiredGroup(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	for name, test := range map[string]struct {
		groups  []string
		allowed bool
	}{
		"member":       {[]string{"All", "Compliant Macs"}, true},
		"no group":     {nil, false},
		"prefix":       {[]string{"Compliant"}, false},
		"longer":       {[]string{"Compliant Macs 2"}, false},
		"another case": {[]string{"compliant macs"}, false},
		"a space more": {[]string{"Compliant Macs "}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			device := posture.Device{Identifier: "C02HARNESS01", Type: posture.Computer, Facts: posture.Facts{Managed: posture.Known(true), Groups: posture.Known(test.groups)}}
			gate := gateOf(answering(device, nil))
			gate.Policy.Requirements = map[string]posture.Requirements{"": {Groups: posture.RequiredGroups("Compliant Macs", "")}}
			c := startWith(t, hooksOf(gate, s.hook(t)), nil)
			r := c.post(t, s.headers(), s.body)
			if test.allowed {
				if r.text != `{"allow":true,"data":{}}` {
					t.Errorf("got %s, want an allow", r.text)
				}
				return
			}
			wantRefusal(t, r, http.StatusOK, "deviceNotInGroup")
			if strings.Contains(r.text, "Compliant") {
				t.Errorf("the answer %s names the group", r.text)
			}
		})
	}
}

// The references of two decisions differ.
func TestReferenceIsNew(t *testing.T) {
	t.Parallel()
	c := start(t, neverAsked(t), nil)
	seen := map[string]bool{}
	for range 50 {
		seen[c.post(t, nil, nil).body.Error.Message] = true
	}
	if len(seen) != 50 {
		t.Errorf("got %d different messages of 50, want all", len(seen))
	}
}

// Text from an unauthenticated client gets into the log only cleaned.
func TestLogIsNotForged(t *testing.T) {
	t.Parallel()
	c := start(t, neverAsked(t), nil)
	header := http.Header{
		"X-Smallstep-Webhook-Id": {strings.Repeat("\u202e\u0085", 1000)},
		"X-Request-Id":           {"a b\t[ALLOW]<script>" + strings.Repeat("x", 100)},
		"X-Smallstep-Signature":  {hex.EncodeToString(make([]byte, sha256.Size))},
	}
	c.post(t, header, nil)
	event := c.log.event(t)
	if got := fmt.Sprint(event["request_id"]); len(got) != 64 || !strings.HasPrefix(got, "abALLOWscriptxxx") {
		t.Errorf("got request_id %q, want it cleaned and cut to 64 bytes", got)
	}
	if got := fmt.Sprint(event["webhook_id"]); len(got) > 300 || strings.ContainsAny(got, "\u202e\u0085") {
		t.Errorf("got webhook_id %q, want it cleaned and cut", got)
	}
}
