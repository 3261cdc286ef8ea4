package webhook_test

import (
	"bytes"
	"context"
	"net/http"
	"runtime/debug"
	"testing"

	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/webhook"
)

// inMemory is an inventory that never waits.
type inMemory struct{ inventory }

func (inMemory) InMemory() {}

// A policy over one inventory in memory costs a request no timer and no goroutine; one that may wait has a time limit.
func TestOneInventoryInMemoryIsAskedAtOnce(t *testing.T) {
	t.Parallel()
	scope, err := policy.NewScope("devices")
	if err != nil {
		t.Fatal(err)
	}
	condition, faults := scope.CompileCondition("device.managed")
	if faults != nil {
		t.Fatal(faults)
	}
	p := &policy.Policy{Name: "staff", Inventories: []string{"devices"}, Rules: []*policy.Rule{{Name: "managed", Require: condition}}}
	for _, waits := range []bool{false, true} {
		var limited, handled bool
		of := having("C02HARNESS01", "{}")
		asked := inventory(func(ctx context.Context, q posture.Query) (posture.Device, error) {
			_, limited = ctx.Deadline()
			handled = bytes.Contains(debug.Stack(), []byte("ServeHTTP"))
			return of(ctx, q)
		})
		source := posture.Source{Name: "devices", Kind: "test", Provider: inMemory{asked}}
		if waits {
			source.Provider = asked
		}
		hook := testHook()
		hook.Gate = &posture.Gate{Join: posture.Join{Inventories: []posture.Source{source}}, Policy: p.Authority(nil)}
		c := startWith(t, webhook.NewHooks([]webhook.Hook{hook}, true), nil)
		body := []byte(`{` + stamp + `,` + data + `,"x509Certificate":{"subject":{"commonName":"C02HARNESS01"}}}`)
		if r := c.post(t, signed(hook, body), body); r.status != http.StatusOK || r.text != `{"allow":true,"data":{}}` {
			t.Fatalf("got %d %s, want an allow", r.status, r.text)
		}
		if limited != waits || !handled {
			t.Errorf("inventory that may wait %v: a time limit %v, want %v; asked by the handler itself %v, want true", waits, limited, waits, handled)
		}
	}
}
