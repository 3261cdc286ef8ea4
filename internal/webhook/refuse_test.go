package webhook_test

import (
	"bytes"
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

// Whatever is wrong with the authentication, the answer is the same; only the log tells more.
func TestNotAuthenticated(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	hook := s.hook(t)
	other := webhook.Webhook{ID: "00000000-0000-4000-8000-000000000000", Secret: bytes.Repeat([]byte{7}, 64)}
	unknown := webhook.Webhook{ID: "11111111-1111-4111-8111-111111111111"}
	zeros := webhook.Webhook{ID: "22222222-2222-4222-8222-222222222222", Secret: make([]byte, 32)}
	good := signed(hook, s.body)["X-Smallstep-Signature"][0]
	const id, sig = "X-Smallstep-Webhook-Id", "X-Smallstep-Signature"

	for name, test := range map[string]struct {
		header http.Header
		reason string
	}{
		"unknown ID, right signature": {http.Header{id: {unknown.ID}, sig: {good}}, "unknown webhook ID"},
		// To HMAC this is the empty key, too.
		"unknown ID, zero key":          {signed(webhook.Webhook{ID: unknown.ID, Secret: make([]byte, 64)}, s.body), "signed with the empty key"},
		"unknown ID, longer zero key":   {signed(webhook.Webhook{ID: unknown.ID, Secret: make([]byte, 65)}, s.body), "unknown webhook ID"},
		"unknown ID, empty key":         {signed(unknown, s.body), "step ca provisioner webhook add"},
		"empty ID":                      {http.Header{id: {""}, sig: {good}}, "unknown webhook ID"},
		"empty key":                     {signed(webhook.Webhook{ID: hook.ID}, s.body), "step ca provisioner webhook add"},
		"empty key, configured":         {signed(zeros, s.body), "only zero bytes"},
		"another key than zeros":        {signed(webhook.Webhook{ID: zeros.ID, Secret: hook.Secret}, s.body), "only zero bytes"},
		"wrong key":                     {signed(webhook.Webhook{ID: hook.ID, Secret: []byte("wrong")}, s.body), "wrong signature"},
		"key of another webhook":        {signed(webhook.Webhook{ID: hook.ID, Secret: other.Secret}, s.body), "wrong signature"},
		"ID of another webhook":         {http.Header{id: {other.ID}, sig: {good}}, "wrong signature"},
		"signature of other bytes":      {signed(hook, append(bytes.Clone(s.body), ' ')), "wrong signature"},
		"truncated signature":           {http.Header{id: {hook.ID}, sig: {good[:62]}}, "hex"},
		"half a byte missing":           {http.Header{id: {hook.ID}, sig: {good[:63]}}, "hex"},
		"signature too long":            {http.Header{id: {hook.ID}, sig: {good + "00"}}, "hex"},
		"signature not hex":             {http.Header{id: {hook.ID}, sig: {"z" + good[1:]}}, "hex"},
		"signature with a prefix":       {http.Header{id: {hook.ID}, sig: {"sha256=" + good}}, "hex"},
		"empty signature":               {http.Header{id: {hook.ID}, sig: {""}}, "hex"},
		"no signature":                  {http.Header{id: {hook.ID}}, "no X-Smallstep-Signature"},
		"no ID":                         {http.Header{sig: {good}}, "no X-Smallstep-Webhook-Id"},
		"no header at all":              {nil, "no X-Smallstep-Webhook-Id"},
		"ID twice":                      {http.Header{id: {hook.ID, hook.ID}, sig: {good}}, "more than one"},
		"signature twice":               {http.Header{id: {hook.ID}, sig: {good, good}}, "more than one"},
		"secret's base64 text as a key": {signed(webhook.Webhook{ID: hook.ID, Secret: []byte(s.meta.WebhookSecret)}, s.body), "wrong signature"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, neverAsked(t), nil, hook, other, zeros)
			r := c.post(t, test.header, s.body)
			wantRefusal(t, r, http.StatusUnauthorized, "unauthenticated")
			event := c.log.event(t)
			// What helps against the empty key alone is not said of anything else.
			empty := strings.Contains(test.reason, "empty key") || strings.Contains(test.reason, "webhook add")
			if told := fmt.Sprint(event["reason"], event["remedy"]); strings.Contains(told, "webhook add") != empty || strings.Contains(told, "empty key") != empty {
				t.Errorf("got %q, want it to speak of the empty key: %v", told, empty)
			}
			if reason := fmt.Sprint(event["reason"]); !strings.Contains(reason, test.reason) {
				t.Errorf("got reason %q in the event, want it to say %q", reason, test.reason)
			}
			if !strings.Contains(r.body.Error.Message, fmt.Sprint(event["reference"])) {
				t.Errorf("got message %q without the reference %v of the event", r.body.Error.Message, event["reference"])
			}
			if !strings.HasPrefix(fmt.Sprint(event["msg"]), "[DENY]") || event["level"] != "warning" {
				t.Errorf("got event %v, want a warning with [DENY]", event)
			}
		})
	}
}

func TestAuthenticationIgnoresCase(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	hook := s.hook(t)
	c := start(t, having("C02HARNESS01", ""), nil, hook)
	header := signed(webhook.Webhook{ID: strings.ToUpper(hook.ID), Secret: hook.Secret}, s.body)
	header["X-Smallstep-Signature"][0] = strings.ToUpper(header["X-Smallstep-Signature"][0])
	if r := c.post(t, header, s.body); r.text != `{"allow":true,"data":{}}` {
		t.Errorf("got %s, want an allow", r.text)
	}
}

// neverAsked is an inventory that a request must not get to.
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

// A body of unknown length is held to the same bound.
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

// A provider that cannot answer is no refusal: step-ca tries again, and so may the device.
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
		"another device": {answering(posture.Device{Identifier: "C02HARNESS0", Managed: true}, nil), 503, "unavailable", "another identifier"},
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
				t.Errorf("got reason %q, want it to say %q", reason, test.reason)
			}
			if strings.Contains(r.text, upstream) {
				t.Errorf("the answer %s repeats what the provider said", r.text)
			}
			if stack := fmt.Sprint(event["stack"]); strings.HasPrefix(name, "joined") && !strings.Contains(stack, "webhook_test.TestProviderFaults.func") {
				t.Errorf("the stack is not that of the function that panicked:\n%s", stack)
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

// joined does its work in another goroutine, as a provider does for lookups that come together.
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
		"member":        {[]string{"All", "Compliant Macs"}, true},
		"no group":      {nil, false},
		"prefix":        {[]string{"Compliant"}, false},
		"longer":        {[]string{"Compliant Macs 2"}, false},
		"another case":  {[]string{"compliant macs"}, false},
		"another blank": {[]string{"Compliant Macs "}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			device := posture.Device{Identifier: "C02HARNESS01", Type: posture.Computer, Managed: true, Groups: test.groups}
			c := start(t, answering(device, nil), func(h *webhook.Handler) {
				h.Decider.Policy.RequiredGroups = map[posture.DeviceType]string{posture.Computer: "Compliant Macs"}
			}, s.hook(t))
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

func TestMode(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	for query, want := range map[string]string{
		"": "", "?mode=": "", "?type=": "", "?mode=computer": "computer", "?mode=mobiledevice": "mobiledevice", "?mode=any": "any",
		"?type=computer": "computer", "?mode=computer&type=computer": "computer", "?mode=&type=any": "any", "?x=1": "",
		"?mode=computer&mode=computer": "computer",

		"?mode=laptop": "refused", "?type=laptop": "refused", "?mode=Computer": "refused", "?mode=computer&type=any": "refused",
		"?mode=computer&mode=any": "refused", "?mode=%20computer": "refused", "?mode=%zz": "refused", "?mode=computer;x=1": "refused",
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			asked := posture.DeviceType("nobody")
			c := start(t, inventory(func(_ context.Context, q posture.Query) (posture.Device, error) {
				asked = q.Type
				return posture.Device{Identifier: "C02HARNESS01", Managed: true}, nil
			}), nil, s.hook(t))
			r := c.send(t, c.request(t, http.MethodPost, "/webhook/device-attest"+query, s.headers(), s.body))
			if want == "refused" {
				wantRefusal(t, r, http.StatusOK, "modeUnsupported")
				if asked != "nobody" {
					t.Errorf("the inventory was asked for %q", asked)
				}
				return
			}
			if r.text != `{"allow":true,"data":{}}` || string(asked) != want {
				t.Errorf("got %s and a lookup for %q, want an allow and %q", r.text, asked, want)
			}
		})
	}
}

// Where the other kind of device was not asked for, the log says how to ask for it.
func TestRemedyOfTheOtherKind(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	for mode, want := range map[string]string{
		"":               "?mode=computer, or ?mode=any",
		"?mode=computer": "?mode=mobiledevice, or ?mode=any",
		"?mode=any":      "",
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			c := start(t, answering(posture.Device{}, posture.ErrNotFound), func(h *webhook.Handler) { h.Decider.DefaultType = posture.MobileDevice }, s.hook(t))
			r := c.send(t, c.request(t, http.MethodPost, "/webhook/device-attest"+mode, s.headers(), s.body))
			wantRefusal(t, r, http.StatusOK, "deviceNotFound")
			remedy := fmt.Sprint(c.log.event(t)["remedy"])
			if strings.Contains(remedy, "?mode=") != (want != "") || !strings.Contains(remedy, want) {
				t.Errorf("got remedy %q, want %q in it", remedy, want)
			}
			if strings.Contains(r.text, "mode") {
				t.Errorf("the device is told %s", r.text)
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

// Nothing that a stranger sends gets into the log as it is.
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
