package webhook_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"step-posture-connector/internal/webhook"
)

// The answer is the same for every fault of the authentication; only the log has the reason.
func TestNotAuthenticated(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	hook := s.hook(t)
	other := hookWith("00000000-0000-4000-8000-000000000000", bytes.Repeat([]byte{7}, 64))
	unknown := hookWith("11111111-1111-4111-8111-111111111111", nil)
	zeros := hookWith("22222222-2222-4222-8222-222222222222", make([]byte, 32))
	good := signed(hook, s.body)["X-Smallstep-Signature"][0]
	const id, sig = "X-Smallstep-Webhook-Id", "X-Smallstep-Signature"

	for name, test := range map[string]struct {
		header http.Header
		reason string
	}{
		"unknown ID, right signature": {http.Header{id: {unknown.ID}, sig: {good}}, "unknown webhook ID"},
		// HMAC pads a key with zeros, so this is the empty key too.
		"unknown ID, zero key":          {signed(hookWith(unknown.ID, make([]byte, 64)), s.body), "signed with the empty key"},
		"unknown ID, longer zero key":   {signed(hookWith(unknown.ID, make([]byte, 65)), s.body), "unknown webhook ID"},
		"unknown ID, empty key":         {signed(unknown, s.body), "step ca provisioner webhook add"},
		"empty ID":                      {http.Header{id: {""}, sig: {good}}, "unknown webhook ID"},
		"empty key":                     {signed(hookWith(hook.ID, nil), s.body), "step ca provisioner webhook add"},
		"empty key, configured":         {signed(zeros, s.body), "only zero bytes"},
		"another key than zeros":        {signed(hookWith(zeros.ID, hook.Secrets[0]), s.body), "only zero bytes"},
		"wrong key":                     {signed(hookWith(hook.ID, []byte("wrong")), s.body), "wrong signature"},
		"key of another webhook":        {signed(hookWith(hook.ID, other.Secrets[0]), s.body), "wrong signature"},
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
		"secret's base64 text as a key": {signed(hookWith(hook.ID, []byte(s.meta.WebhookSecret)), s.body), "wrong signature"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, neverAsked(t), nil, hook, other, zeros)
			r := c.post(t, test.header, s.body)
			wantRefusal(t, r, http.StatusUnauthorized, "unauthenticated")
			event := c.log.event(t)
			// Only the empty key has the remedy that helps against it.
			empty := strings.Contains(test.reason, "empty key") || strings.Contains(test.reason, "webhook add")
			if logged := fmt.Sprint(event["reason"], event["remedy"]); strings.Contains(logged, "webhook add") != empty || strings.Contains(logged, "empty key") != empty {
				t.Errorf("got %q, want it to name the empty key: %v", logged, empty)
			}
			if reason := fmt.Sprint(event["reason"]); !strings.Contains(reason, test.reason) {
				t.Errorf("got reason %q in the event, want it to have %q", reason, test.reason)
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

func hookWith(id string, secret []byte) webhook.Hook {
	return webhook.Hook{ID: id, Secrets: [][]byte{secret}}
}

func TestAuthenticationIgnoresCase(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	hook := s.hook(t)
	c := start(t, having("C02HARNESS01", ""), nil, hook)
	header := signed(hookWith(strings.ToUpper(hook.ID), hook.Secrets[0]), s.body)
	header["X-Smallstep-Signature"][0] = strings.ToUpper(header["X-Smallstep-Signature"][0])
	if r := c.post(t, header, s.body); r.text != `{"allow":true,"data":{}}` {
		t.Errorf("got %s, want an allow", r.text)
	}
}
