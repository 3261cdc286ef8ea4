package jamf_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/jamf"
	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

func collected(t *testing.T, provider *jamf.Provider) string {
	t.Helper()
	text, err := testutil.CollectAndFormat(provider, expfmt.TypeTextPlain, "step_posture_upstream_requests_total", "step_posture_token_renewals_total")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every request to the server is counted by the status of its answer, those for tokens too.
func TestMetrics(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{Devices: []jamftest.Device{mac(macSerial)}})
	provider := opened(t, configOf(server, "pro"))
	want := func(what string, lines ...string) {
		t.Helper()
		text := collected(t, provider)
		for _, line := range lines {
			if !strings.Contains(text, line+"\n") {
				t.Errorf("%s: %s is missing in\n%s", what, line, text)
			}
		}
	}
	const requests, renewals = `step_posture_upstream_requests_total`, `step_posture_token_renewals_total`
	want("before the first", requests+`{status="200"} 0`, requests+`{status="none"} 0`, renewals+`{result="success"} 0`, renewals+`{result="failure"} 0`)

	finds(t, provider, macSerial, posture.Computer)
	want("a token, the version, the device", requests+`{status="200"} 3`, renewals+`{result="success"} 1`)

	server.Revoke()
	finds(t, provider, macSerial, posture.Computer)
	want("the token was revoked", requests+`{status="401"} 1`, requests+`{status="200"} 5`, renewals+`{result="success"} 2`)

	server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusServiceUnavailable, Times: 1}, lookupEndpoints()...)
	finds(t, provider, macSerial, posture.Computer)
	want("one 503", requests+`{status="503"} 1`, requests+`{status="200"} 6`)

	server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: 599, Times: 1}, lookupEndpoints()...)
	finds(t, provider, macSerial, posture.Computer)
	want("an unknown status", requests+`{status="other"} 1`)

	server.Fail(vendortest.Fault{Kind: vendortest.Hang}, lookupEndpoints()...)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := provider.Lookup(ctx, query(t, macSerial, posture.Computer)); err == nil {
		t.Error("a lookup that hangs was answered")
	}
	await(t, server, func() bool { return server.Hanging() == 0 })
	server.Heal()
	finds(t, provider, macSerial, posture.Computer)
	// The lookup returned by its deadline, which its request may outlive by a moment.
	for end := time.Now().Add(ample); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if strings.Contains(collected(t, provider), requests+`{status="none"} 1`) {
			break
		}
	}
	want("no answer", requests+`{status="none"} 1`)

	server.Revoke()
	server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusUnauthorized}, jamftest.Token)
	if _, err := lookup(t, provider, macSerial, posture.Computer); err == nil {
		t.Error("a lookup without a token was answered")
	}
	want("no token", renewals+`{result="failure"} 1`)
	if problems, err := testutil.CollectAndLint(provider); err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, %v", problems, err)
	}
}
