package httpjson_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/providertest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// TestTokens: a token that is valid outlives an outage of the host that issues tokens, and many lookups need one token.
func TestTokens(t *testing.T) {
	t.Parallel()
	s := &assetsService{}
	devices := make([]providertest.Device, 20)
	for i := range devices {
		devices[i].Identifier = "C" + string(rune('A'+i)) + "0"
	}
	p := s.open(t, 9*time.Second, devices)
	var wg sync.WaitGroup
	for _, d := range devices {
		wg.Go(func() {
			if _, err := p.Lookup(t.Context(), posture.Query{Identifier: identifier(t, d.Identifier)}); err != nil {
				t.Errorf("Lookup = %v", err)
			}
		})
	}
	wg.Wait()
	if n := s.server.Count("token"); n != 1 {
		t.Errorf("%d tokens were asked for, want 1", n)
	}
	s.server.Fail(vendortest.Fault{Kind: vendortest.Reset}, "token")
	if _, err := p.Lookup(t.Context(), posture.Query{Identifier: identifier(t, "CA0")}); err != nil {
		t.Errorf("Lookup with a valid token = %v", err)
	}
}

// TestCheck distinguishes what an operator has to change from what may pass.
func TestCheck(t *testing.T) {
	t.Parallel()
	s := &assetsService{}
	p := s.open(t, 9*time.Second, []providertest.Device{{Identifier: "C02"}})
	if found, warnings, err := p.Check(t.Context()); err != nil || len(warnings) > 0 || !strings.Contains(found, s.server.URL()) {
		t.Errorf("Check = %q, %q, %v", found, warnings, err)
	}
	s.server.Fail(vendortest.Fault{Kind: vendortest.Answer, Body: `{"results":[]}`, Headers: map[string]string{"Content-Type": "application/json"}}, "devices")
	if _, warnings, err := p.Check(t.Context()); !errors.Is(err, posture.ErrUnanswered) || len(warnings) != 1 || !strings.Contains(warnings[0], "step 9 (select.items)") {
		t.Errorf("Check of another shape = %q, %v", warnings, err)
	}
	s.server.Heal()
	s.server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: 401}, "token")
	s.mu.Lock()
	s.valid = false
	s.mu.Unlock()
	if _, _, err := p.Check(t.Context()); !errors.Is(err, posture.ErrCredentials) {
		t.Errorf("Check with wrong credentials = %v", err)
	}
	s.server.Down()
	if _, _, err := p.Check(t.Context()); err == nil || errors.Is(err, posture.ErrCredentials) || errors.Is(err, posture.ErrUnanswered) {
		t.Errorf("Check of a service that is down = %v", err)
	}
}
