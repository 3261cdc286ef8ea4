package webhook

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
)

// informed is an inventory that has every device, with facts.
type informed struct{ now time.Time }

func (i informed) Lookup(_ context.Context, q posture.Query) (posture.Device, error) {
	version, err := posture.ParseVersion("15.4.1")
	return posture.Device{
		Identifier: q.Identifier.String(), Type: posture.Computer,
		Facts: posture.Facts{
			Managed: posture.Known(true), OS: posture.Known("macOS"), OSVersion: posture.Known(version), Encrypted: posture.Known(true),
			LastSeen: posture.Known(i.now.Add(-time.Hour)), Groups: posture.Known([]string{"Engineering", "Employees"}),
			Attributes: posture.Known(map[string]string{"asset": "A-0000017"}),
			User:       posture.UserFacts{Department: posture.Known("Engineering"), EmailAddress: posture.Known("user@example.com")},
		},
		Data: []byte(`{"department":"Engineering"}`),
	}, err
}

// The whole inventory is in memory.
func (informed) InMemory() {}

// commonRules are ten rules of every kind, which the device of informed meets; internal/test/bench has the same.
func commonRules() []string {
	return []string{
		`device.last_seen > now - days(30)`,
		`device.os_version.atLeast("15.4")`,
		`device.os == "macOS" || device.os == "Windows"`,
		`device.encrypted`,
		`"Employees" in device.groups`,
		`device.attributes["asset"].startsWith("A-")`,
		`!has(device.compliant) || device.compliant`,
		`user.email_address.endsWith("@example.com")`,
		`request.key_type == "EC" && request.key_bits >= 256`,
		`request.names.all(n, sameIdentifier(n, device.identifier))`,
	}
}

// ruled is a hook whose policy has as many of commonRules, again from the first where they are not enough, and with data three
// expressions.
func ruled(b *testing.B, c call, rules int, data bool) Hook {
	b.Helper()
	scope, err := policy.NewScope("devices")
	if err != nil {
		b.Fatal(err)
	}
	p := &policy.Policy{Name: "staff", Inventories: []string{"devices"}}
	for i := range rules {
		text := commonRules()[i%len(commonRules())]
		condition, faults := scope.CompileCondition(text)
		if faults != nil {
			b.Fatalf("%s: %v", text, faults)
		}
		p.Rules = append(p.Rules, &policy.Rule{Name: fmt.Sprintf("rule_%d", i), Require: condition, Code: posture.DeviceNotCompliant, Message: "Ask."})
	}
	if data {
		for name, text := range map[string]string{"department": "user.department", "email": "user.email_address", "asset": `device.attributes["asset"]`} {
			value, faults := scope.CompileValue(text)
			if faults != nil {
				b.Fatalf("%s: %v", text, faults)
			}
			p.Data = append(p.Data, policy.Datum{Name: name, Value: value})
		}
	}
	hook := c.hook
	hook.Name = "devices"
	hook.Gate = &posture.Gate{
		Join:   posture.Join{Inventories: []posture.Source{{Name: "devices", Kind: "file", Provider: informed{c.now}, Facts: p.FactsOf("devices")}}},
		Policy: p.Authority(nil),
	}
	return hook
}

// BenchmarkRules is BenchmarkHandler with policies. Without one it is the same call, about the same device.
func BenchmarkRules(b *testing.B) {
	c := recordedCall(b)
	without := c.hook
	without.Gate = gateOf(informed{c.now})
	for _, one := range []struct {
		name string
		hook Hook
	}{
		{"without", without},
		{"rules=0", ruled(b, c, 0, false)},
		{"rules=0/data=3", ruled(b, c, 0, true)},
		{"rules=1", ruled(b, c, 1, false)},
		{"rules=10", ruled(b, c, 10, false)},
		{"rules=10/data=3", ruled(b, c, 10, true)},
		{"rules=64", ruled(b, c, 64, false)},
	} {
		h := &Handler{Tolerance: time.Second, Now: func() time.Time { return c.now }, Record: audit.NewLog(io.Discard, false).Write}
		h.Use(NewHooks([]Hook{one.hook}, true))
		b.Run(one.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, AttestPath, bytes.NewReader(c.body))
				r.Header = c.header
				w := deadlines{httptest.NewRecorder()}
				h.ServeHTTP(w, r)
				if w.Code != http.StatusOK || !bytes.HasPrefix(w.Body.Bytes(), []byte(`{"allow":true`)) {
					b.Fatalf("got %d %s, want an allow", w.Code, w.Body)
				}
			}
		})
	}
}
