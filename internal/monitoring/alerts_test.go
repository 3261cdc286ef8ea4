package monitoring_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/promqltest"
)

// An alert fires when it should, and not when it should not: the last sample of the load decides.
func TestAlerts(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ fires, quiet string }{
		"PostureConnectorDown":          {`up{job="step-posture-connector"} 0+0x60`, `up{job="step-posture-connector"} 1+0x60`},
		"PostureConnectorRestarts":      {`step_posture_process_start_time_seconds 0+0x50 1 2 3 4 5 6 7 8 9 9`, `step_posture_process_start_time_seconds 0+0x50 1+0x10`},
		"PostureCertificateExpiresSoon": {`step_posture_certificate_expiry_timestamp_seconds 24000+0x60`, `step_posture_certificate_expiry_timestamp_seconds 36000+0x60`},
		"PostureCertificateExpires":     {`step_posture_certificate_expiry_timestamp_seconds 3000+0x60`, `step_posture_certificate_expiry_timestamp_seconds 24000+0x60`},
		"PostureFileRefused":            {`step_posture_check_ok{check="inventory"} 0+0x60`, `step_posture_check_ok{check="inventory"} 1+0x60`},
		"PostureProviderFailing": {
			"step_posture_provider_duration_seconds_count{result=\"failed\"} 0+3x60\n step_posture_provider_duration_seconds_count{result=\"answered\"} 0+7x60",
			"step_posture_provider_duration_seconds_count{result=\"failed\"} 0+1x60\n step_posture_provider_duration_seconds_count{result=\"answered\"} 0+9x60",
		},
		"PostureTokenRenewalFailing": {`step_posture_token_renewals_total{result="failure"} 0+1x60`, `step_posture_token_renewals_total{result="failure"} 0+0x59 1`},
		"PostureRefusalsRising": {
			// A day, of which the last half hour is different.
			"step_posture_decisions_total{outcome=\"allow\"} 0+10x1440\n step_posture_decisions_total{outcome=\"deny\"} 0+0x1410 5+5x29",
			"step_posture_decisions_total{outcome=\"allow\"} 0+10x1440\n step_posture_decisions_total{outcome=\"deny\"} 0+5x1440",
		},
		"PostureUnauthenticated":    {`step_posture_decisions_total{code="unauthenticated"} 0+1x60`, `step_posture_decisions_total{code="unauthenticated"} 0+0x58 1 2`},
		"PostureFault":              {`step_posture_decisions_total{code="internal"} 0+0x58 1 1`, `step_posture_decisions_total{code="internal"} 0+0x60`},
		"PostureInventoryStale":     {`step_posture_inventory_age_seconds 700000+60x60`, `step_posture_inventory_age_seconds 500000+60x60`},
		"PostureInventoryShrunk":    {`step_posture_inventory_devices 100+0x30 70+0x29`, `step_posture_inventory_devices 100+0x30 90+0x29`},
		"PostureAuditLinesLost":     {`step_posture_audit_failures_total 0+0x58 1 1`, `step_posture_audit_failures_total 5+0x60`},
		"PostureConnectionsEvicted": {`step_posture_connections_evicted_total 0+0x58 1 1`, `step_posture_connections_evicted_total 5+0x60`},
		"PostureSlow": {
			"step_posture_request_duration_seconds_bucket{le=\"5\"} 0+0x60\n step_posture_request_duration_seconds_bucket{le=\"9\"} 0+5x60\n step_posture_request_duration_seconds_bucket{le=\"+Inf\"} 0+5x60",
			"step_posture_request_duration_seconds_bucket{le=\"5\"} 0+5x60\n step_posture_request_duration_seconds_bucket{le=\"9\"} 0+5x60\n step_posture_request_duration_seconds_bucket{le=\"+Inf\"} 0+5x60",
		},
	}
	for _, rule := range readRules(t) {
		t.Run(rule.Alert, func(t *testing.T) {
			t.Parallel()
			if rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Error("severity, summary or description is missing")
			}
			c, known := cases[rule.Alert]
			if !known {
				t.Fatal("there is no case for this alert")
			}
			if got := time.Duration(rule.For); got > time.Hour {
				t.Errorf("it waits for %s", got)
			}
			for load, count := range map[string]int{c.fires: 1, c.quiet: 0} {
				at := "60m"
				if strings.Contains(load, "x1440") {
					at = "1440m"
				}
				// count() of nothing is nothing; "or vector(0)" makes it a number.
				script := fmt.Sprintf("load 1m\n %s\n\neval instant at %s count(%s) or vector(0)\n {} %d\n", load, at, rule.Expr, count)
				engine := promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)
				promqltest.RunTest(t, script, engine)
			}
		})
	}
}
