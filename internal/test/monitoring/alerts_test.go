package monitoring_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
)

// A sample a minute. An hour, or a day, is long enough for every rule.
const (
	decisions    = `step_posture_decisions_total{outcome="allow",code="none"} `
	denials      = `step_posture_decisions_total{outcome="deny",code="deviceNotFound"} `
	failures     = `step_posture_decisions_total{outcome="deny",code="unavailable"} `
	answered     = `step_posture_provider_duration_seconds_count{result="answered"} `
	failed       = `step_posture_provider_duration_seconds_count{result="failed"} `
	requests     = `step_posture_request_duration_seconds_bucket`
	up           = `up{job="step-posture-connector"} `
	expiry       = `step_posture_certificate_expiry_timestamp_seconds `
	provider     = `step_posture_check_ok{check="provider"} `
	started      = `process_start_time_seconds{job="step-posture-connector"} `
	handshakes   = `step_posture_tls_handshake_failures_total`
	doorFailures = `step_posture_door_handshake_failures_total`
	devices      = `step_posture_inventory_devices `
	fetched      = `step_posture_snapshot_fetches_total{inventory="mdm",list="computer",result="adopted"} `
	unfetched    = `step_posture_snapshot_fetches_total{inventory="mdm",list="computer",result="failed"} `
	snapshot     = `step_posture_snapshot_age_seconds{inventory="mdm",list="computer"} `
	nextList     = `step_posture_crl_next_update_timestamp_seconds `
	revoked      = `step_posture_revoked_requests_total `
	unknown      = `step_posture_decisions_total{outcome="deny",code="unauthenticated"} `
)

// loads returns by alert the series with which it fires at their end, and those with which it does not. The series of one
// load are on lines of their own.
func loads() map[string]struct{ fires, quiet []string } {
	return map[string]struct{ fires, quiet []string }{
		"PostureConnectorDown": {
			[]string{up + "0+0x60", up + "1+0x57 0 0 0", `other 0+0x60`},
			[]string{up + "1+0x60", up + "1+0x58 0 0"}, // for one minute only
		},
		"PostureConnectorRestarts":      {[]string{started + "0+0x50 1 2 3 4 5 6 7 8 9 9"}, []string{started + "0+0x50 1+0x10", `process_start_time_seconds{job="other"} 0+0x50 1 2 3 4 5 6 7 8 9 9`}},
		"PostureCertificateExpiresSoon": {[]string{expiry + "24000+0x60"}, []string{expiry + "36000+0x60", expiry + "24000+0x55 90000+0x5"}},
		"PostureCertificateExpires":     {[]string{expiry + "3000+0x60"}, []string{expiry + "24000+0x60"}},
		"PostureRevocationListStale": {
			[]string{nextList + "2400+0x60", nextList + "Inf+0x60\nstep_posture_door_crl_next_update_timestamp_seconds 2400+0x60"},
			// Replaced in time, replaced a little late, and none that has to be replaced.
			[]string{nextList + "2400+0x30 90000+0x30", nextList + "2400+0x45 90000+0x15", nextList + "Inf+0x60", nextList + "3300+0x60"},
		},
		"PostureRevokedCaller": {
			[]string{handshakes + `{cause="revoked_client_certificate"} 0+0x57 1 2 3`, revoked + "0+0x58 1 1"},
			[]string{handshakes + `{cause="revoked_client_certificate"} 5+0x60` + "\n" + revoked + "5+0x60", handshakes + `{cause="name_not_allowed"} 0+1x60`},
		},
		"PostureFileRefused": {
			[]string{`step_posture_check_ok{check="inventory"} 0+0x60`, `step_posture_check_ok{check="certificate"} 1+0x54 0+0x6`},
			[]string{`step_posture_check_ok{check="inventory"} 1+0x60`, `step_posture_check_ok{check="certificate"} 1+0x56 0+0x4`, provider + "0+0x60"},
		},
		"PosturePolicyRefused": {
			[]string{`step_posture_check_ok{check="policy"} 1+0x54 0+0x6`},
			[]string{`step_posture_check_ok{check="policy"} 1+0x56 0+0x4`, provider + "0+0x60"},
		},
		"PostureProviderFailing": {
			[]string{failed + "0+3x60\n" + answered + "0+7x60"},
			[]string{failed + "0+1x60\n" + answered + "0+9x60", failed + "0+0x57 3 6 9\n" + answered + "0+7x60"},
		},
		"PostureProviderUnwell":      {[]string{provider + "1+0x40 0+0x20"}, []string{provider + "1+0x60", provider + "1+0x50 0+0x10"}},
		"PostureTokenRenewalFailing": {[]string{`step_posture_token_renewals_total{result="failure"} 0+1x60`}, []string{`step_posture_token_renewals_total{result="failure"} 0+0x59 1`}},
		"PostureRefusalsRising": {
			[]string{
				// A day whose last hour is different: before it no refusals, one third, and three quarters.
				decisions + "0+10x1440\n" + denials + "0+0x1380 5+5x59",
				decisions + "0+10x1440\n" + denials + "0+5x1380 6925+25x59",
				decisions + "0+1x1380 1380+0x60\n" + denials + "0+3x1440",
			},
			[]string{
				decisions + "0+10x1440\n" + denials + "0+5x1440",
				decisions + "0+1x1440\n" + denials + "0+3x1440",
				// Lookups without an answer of the MDM, and unauthenticated clients, have alerts of their own.
				decisions + "0+10x1440\n" + denials + "0+1x1440\n" + failures + "0+0x1380 50+50x59\n" + unknown + "0+0x1380 50+50x59",
				// One device that is not ours, five times.
				decisions + "0+1x1440\n" + denials + "0+0x1435 1 2 3 4 5",
			},
		},
		"PostureUnauthenticated": {[]string{unknown + "0+1x60"}, []string{unknown + "0+0x58 1 2"}},
		"PostureFault":           {[]string{`step_posture_decisions_total{code="internal"} 0+0x58 1 1`}, []string{`step_posture_decisions_total{code="internal"} 0+0x60`}},
		"PostureInventoryStale":  {[]string{`step_posture_inventory_age_seconds 700000+60x120`}, []string{`step_posture_inventory_age_seconds 500000+60x120`, `step_posture_inventory_age_seconds 603000+60x60`}},
		"PostureInventoryShrunk": {[]string{devices + "100+0x30 70+0x29"}, []string{devices + "100+0x30 90+0x29", devices + "100+0x50 70+0x5 100+0x5"}},
		"PostureSnapshotFailing": {
			[]string{unfetched + "0+1x60\n" + fetched + "9+0x60"},
			[]string{unfetched + "0+1x60\n" + fetched + "0+1x60", unfetched + "5+0x60\n" + fetched + "9+0x60", unfetched + "0+0x55 1 2 3 4 5\n" + fetched + "9+0x60"},
		},
		"PostureSnapshotStale": {
			[]string{snapshot + "60+60x30 Inf+0x29\n" + unfetched + "0+1x60"},
			[]string{
				snapshot + "60+60x60\n" + unfetched + "0+1x60",
				snapshot + "Inf+0x60\n" + unfetched + "0+0x60", // the first fetch, or a list that nobody asks for
				snapshot + "Inf+0x50 1+60x10\n" + unfetched + "0+1x60",
			},
		},
		"PostureSnapshotShrunk": {
			[]string{`step_posture_snapshot_alarms_total{alarm="shrunk"} 0+0x50 1+0x10`},
			[]string{`step_posture_snapshot_alarms_total{alarm="shrunk"} 1+0x60`, `step_posture_snapshot_alarms_total{alarm="slow"} 0+1x60`},
		},
		"PostureSnapshotAlarm": {
			[]string{`step_posture_snapshot_alarms_total{alarm="contradicted"} 0+0x50 1+0x10`, `step_posture_snapshot_alarms_total{alarm="unwritten"} 0+1x60`},
			[]string{`step_posture_snapshot_alarms_total{alarm="slow"} 3+0x60`, `step_posture_snapshot_alarms_total{alarm="shrunk"} 0+1x60`},
		},
		"PostureStateDown": {
			[]string{`step_posture_state_up 0+0x60`, `step_posture_state_up 1+0x57 0 0 0`},
			[]string{`step_posture_state_up 1+0x60`, `step_posture_state_up 1+0x58 0 0`, `other 0+0x60`},
		},
		"PostureJournalLinesLost": {
			[]string{`step_posture_journal_lines_total{result="lost"} 0+0x55 7+0x5`, `step_posture_check_ok{check="journal"} 1+0x57 0 0 0`},
			[]string{`step_posture_journal_lines_total{result="lost"} 7+0x60`, `step_posture_journal_lines_total{result="written"} 0+9x60`, `step_posture_check_ok{check="journal"} 1+0x58 0 0`, `step_posture_check_ok{check="state"} 0+0x60`},
		},
		"PostureConsoleGuessing": {
			[]string{`step_posture_console_logins_total{result="failed"} 0+5x60`, `step_posture_console_logins_total{result="unknown"} 0+2x60` + "\n" + `step_posture_console_logins_total{result="limited"} 0+2x60`},
			[]string{`step_posture_console_logins_total{result="ok"} 0+50x60`, `step_posture_console_logins_total{result="failed"} 0+1x60`, `step_posture_console_logins_total{result="limited"} 900+0x60`},
		},
		"PostureAuditLinesLost": {[]string{`step_posture_audit_failures_total 0+0x58 1 1`}, []string{`step_posture_audit_failures_total 5+0x60`}},
		"PostureLogLinesLost": {
			[]string{`step_posture_log_lines_dropped_total 0+0x55 1 1 1 1 1`, `step_posture_check_ok{check="log"} 1+0x55 0+0x5`},
			[]string{`step_posture_log_lines_dropped_total 5+0x60`, `step_posture_check_ok{check="log"} 1+0x60`},
		},
		"PostureDoorCallerRefused": {
			[]string{doorFailures + `{cause="expired_client_certificate"} 0+0x57 1 2 3`, doorFailures + `{cause="untrusted_client_certificate"} 0+2x60`},
			[]string{doorFailures + `{cause="no_client_certificate"} 0+9x60`, doorFailures + `{cause="timeout_or_closed"} 0+9x60`, handshakes + `{cause="untrusted_client_certificate"} 0+2x60`},
		},
		"PostureConnectionsEvicted": {[]string{`step_posture_connections_evicted_total 0+0x58 1 1`}, []string{`step_posture_connections_evicted_total 5+0x60`}},
		"PostureConnectionsRefused": {[]string{`step_posture_connections_refused_total 0+0x58 1 1`}, []string{`step_posture_connections_refused_total 5+0x60`}},
		"PostureTLSRefused": {
			[]string{handshakes + `{cause="name_not_allowed"} 0+0x57 1 2 3`, handshakes + `{cause="client_refused_server_certificate"} 0+2x60`},
			[]string{handshakes + `{cause="no_client_certificate"} 0+9x60`, handshakes + `{cause="timeout_or_closed"} 0+9x60`, handshakes + `{cause="name_not_allowed"} 5+0x60`},
		},
		"PostureSlow": {
			[]string{requests + `{le="5"} 0+0x60` + "\n" + requests + `{le="9"} 0+5x60` + "\n" + requests + `{le="+Inf"} 0+5x60`},
			[]string{requests + `{le="5"} 0+5x60` + "\n" + requests + `{le="9"} 0+5x60` + "\n" + requests + `{le="+Inf"} 0+5x60`},
		},
	}
}

// An alert fires when it should, and not when it should not. Each rule is evaluated every minute, as Prometheus
// does it, so that what it waits for counts.
func TestAlerts(t *testing.T) {
	t.Parallel()
	for _, rule := range readRules(t) {
		t.Run(rule.Alert, func(t *testing.T) {
			t.Parallel()
			if rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Error("severity, summary or description is missing")
			}
			c, known := loads()[rule.Alert]
			if !known {
				t.Fatal("this alert has no test case")
			}
			for _, load := range c.fires {
				if got := state(t, rule, load); got != rules.StateFiring {
					t.Errorf("it is %s with\n%s", got, load)
				}
			}
			for _, load := range c.quiet {
				if got := state(t, rule, load); got == rules.StateFiring {
					t.Errorf("it is %s with\n%s", got, load)
				}
			}
		})
	}
}

// state returns the state of a rule at the end of a load.
func state(t *testing.T, rule rulefmt.Rule, load string) rules.AlertState {
	t.Helper()
	var minutes int64 = 60
	for long, length := range map[string]int64{"x120": 120, "x1380": 1440, "x1435": 1440, "x1440": 1440} {
		if strings.Contains(load, long) {
			minutes = max(minutes, length)
		}
	}
	expression, err := parser.NewParser(parser.Options{}).ParseExpr(rule.Expr)
	if err != nil {
		t.Fatal(err)
	}
	storage := promqltest.LoadedStorage(t, "load 1m\n "+strings.ReplaceAll(load, "\n", "\n ")+"\n")
	engine := promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)
	alert := rules.NewAlertingRule(rule.Alert, expression, time.Duration(rule.For), time.Duration(rule.KeepFiringFor),
		labels.FromMap(rule.Labels), labels.FromMap(rule.Annotations), labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler))
	// The last two hours: no rule waits longer.
	for minute := max(minutes-120, 0); minute <= minutes; minute++ {
		at := time.Unix(minute*60, 0)
		if _, err := alert.Eval(t.Context(), 0, at, rules.EngineQueryFunc(engine, storage), nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	result := rules.StateInactive
	for _, active := range alert.ActiveAlerts() {
		result = max(result, active.State)
		for name, text := range active.Annotations.Map() {
			if strings.Contains(text, "<error") {
				t.Errorf("the %s is %s", name, text)
			}
		}
	}
	return result
}
