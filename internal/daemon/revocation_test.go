package daemon_test

import (
	"slices"
	"testing"
	"time"

	"step-posture-connector/internal/daemon"
)

func TestRevocationListSettings(t *testing.T) {
	t.Parallel()
	const (
		list     = "TLS_CRL_PATH: revocation list DIR/"
		accepted = "; accepted: revocation lists in PEM or DER of CAs in TLS_CA_PATH, with the certificates of their issuers where TLS_CA_PATH does not have them"
	)
	tests := []struct {
		name    string
		changes map[string]string
		want    []string
	}{
		{"without mutual TLS", map[string]string{"TLS_CRL_PATH": "DIR/empty"}, []string{"TLS_CRL_PATH: set, but ENABLE_MTLS is not 1: no client certificate is asked for; accepted: ENABLE_MTLS=1 and TLS_CA_PATH with it, or neither"}},
		{"missing", map[string]string{"ENABLE_MTLS": "1", "TLS_CA_PATH": "DIR/server.crt", "TLS_CRL_PATH": "DIR/none.crl"}, []string{list + "none.crl: no such file or directory" + there}},
		{"empty", map[string]string{"ENABLE_MTLS": "1", "TLS_CA_PATH": "DIR/server.crt", "TLS_CRL_PATH": "DIR/empty"}, []string{list + "empty: it has no PEM revocation list" + accepted}},
		{"a certificate", map[string]string{"ENABLE_MTLS": "1", "TLS_CA_PATH": "DIR/server.crt", "TLS_CRL_PATH": "DIR/server.crt"}, []string{list + "server.crt: it has no PEM revocation list, but a certificate" + accepted}},
		{"both broken", map[string]string{"ENABLE_MTLS": "1", "TLS_CA_PATH": "DIR/empty", "TLS_CRL_PATH": "DIR/empty"}, []string{"TLS_CA_PATH: client CA bundle DIR/empty: it has no PEM certificate" + aBundle, list + "empty: it has no PEM revocation list" + accepted}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			in := install(t)
			in.write(t, "empty", "")
			wantLines(t, "Load", in.refused(t, test.changes), test.want)
		})
	}
}

// A list that should have been replaced has a line an hour, and at once when it is another one.
func TestOverdueReport(t *testing.T) {
	t.Parallel()
	var got []string
	note := daemon.OverdueReport(func(line string) { got = append(got, line) })
	at := time.Unix(1e9, 0)
	for _, step := range []struct {
		after   time.Duration
		overdue string
	}{{0, ""}, {time.Minute, "a"}, {time.Minute, "a"}, {58 * time.Minute, "a"}, {time.Minute, "a"}, {time.Minute, "a; b"}, {time.Minute, ""}, {time.Minute, "a; b"}, {-24 * time.Hour, "a; b"}} {
		at = at.Add(step.after)
		note(step.overdue, at)
	}
	line := func(overdue string) string {
		return "TLS_CRL_PATH: " + overdue + "; it goes on counting, but lacks what was revoked since: fetch the present one"
	}
	if want := []string{line("a"), line("a"), line("a; b"), line("a; b"), line("a; b")}; !slices.Equal(got, want) {
		t.Errorf("the lines are %q, want %q", got, want)
	}
}
