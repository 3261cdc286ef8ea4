package blackbox_test

import (
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/journal"
	"step-posture-connector/internal/store"
	"step-posture-connector/internal/test/program"
)

// journalLab is a daemon with doors, a webhook and one for notifications, and a journal.
type journalLab struct {
	*doorLab

	secret, told, trail string
	hook                *program.StepCA
}

func newJournalLab(t *testing.T, variables ...string) *journalLab {
	t.Helper()
	l := &journalLab{doorLab: prepareDoors(t, doorPolicies), secret: program.NewSecret(), told: program.NewSecret()}
	l.policies.WriteFile(t, "secret", l.secret)
	l.policies.WriteFile(t, "told", l.told)
	l.policies.Append(t, "webhooks:\n  - {name: ca, id: "+program.HookID(1)+", secret: {file: secret}, policy: doors}\n"+
		"  - {name: told, id: "+program.HookID(2)+", secret: {file: told}, accepts: scep_notification}\n")
	folder := t.TempDir()
	l.trail = filepath.Join(folder, "audit.jsonl")
	l.env = l.env.With("AUDIT_LOG_PATH", l.trail, "STATE_URL", "sqlite:"+filepath.Join(folder, "state.db"), "JOURNAL", "1").With(variables...)
	l.startJournal(t)
	return l
}

func (l *journalLab) startJournal(t *testing.T) {
	t.Helper()
	l.Daemon = program.StartDaemon(t, l.env)
	l.hook = program.NewStepCA(t, l.pki, l.Address, nil).As(t, program.HookID(1), l.secret)
	l.proxy = l.caller(t, l.callers, &x509.Certificate{DNSNames: []string{"proxy.example.com"}})
}

type journalDecision struct {
	program.AuditLine

	ID, Door, Event, Remedy string
	Rules                   []struct{ Name, Result, Reason string }
	Facts                   json.RawMessage
}

// decisions are what the command prints, by the environment of the daemon's state database alone.
func (l *journalLab) decisions(t *testing.T, args ...string) []journalDecision {
	t.Helper()
	r := program.Run(t, program.Environment{}.With("STATE_URL", l.env["STATE_URL"]), "", append([]string{"decisions", "--json"}, args...)...)
	var list struct {
		Decisions []journalDecision
		More      bool
	}
	if err := json.Unmarshal([]byte(r.Stdout), &list); err != nil || r.Code != 0 {
		t.Fatalf("exit code %d, %v\n%s%s", r.Code, err, r.Stdout, r.Stderr)
	}
	return list.Decisions
}

func (l *journalLab) awaitWritten(t *testing.T, want string) {
	t.Helper()
	l.Eventually(t, want+" decisions are written", func() bool { return l.Metric(t, `step_posture_journal_lines_total{result="written"}`) == want })
	if lost, waiting := l.Metric(t, `step_posture_journal_lines_total{result="lost"}`), l.Metric(t, "step_posture_journal_waiting"); lost != "0" || waiting != "0" {
		t.Errorf("%s were lost, and %s wait", lost, waiting)
	}
}

// Decisions of every door and notifications go into the journal, with facts that the audit log has not; they outlive a restart.
func TestJournal(t *testing.T) {
	t.Parallel()
	l := newJournalLab(t)
	l.WantLog(t, "journal: decisions are kept for 90d, with facts")
	l.hook.WantDecision(t, "a webhook", doorDevice, `{"allow":true`)
	l.hook.WantDecision(t, "another device", otherDevice, program.Refused("diskNotEncrypted"))
	l.want(t, "a door", l.device, http.StatusOK, `{"allow":true}`)
	l.want(t, "the same, remembered", l.device, http.StatusOK, `{"allow":true}`)
	body := fmt.Appendf(nil, `{"timestamp":%q,"provisionerName":"scep","x509CertificateRequest":{},"scepTransactionID":"t1","scepErrorCode":1,"scepErrorDescription":"no"}`, time.Now().Format(time.RFC3339Nano))
	if status, text, err := program.NewStepCA(t, l.pki, l.Address, nil).As(t, program.HookID(2), l.told).SendTo(t, "/webhook/scep-notification", body); err != nil || status != http.StatusOK {
		t.Errorf("a notification got %d %s, %v", status, text, err)
	}
	stranger := *l.hook
	stranger.Key = []byte("another")
	if status, _, err := stranger.Send(t, program.WebhookBody(doorDevice)); err != nil || status != http.StatusUnauthorized {
		t.Errorf("an unauthenticated client got %d (%v)", status, err)
	}
	l.awaitWritten(t, "4")
	if code, _, wrong := l.Ready(t); code != http.StatusOK || wrong["journal"] != "" {
		t.Errorf("got %d, %v", code, wrong)
	}
	got := l.decisions(t)
	if len(got) != 4 {
		t.Fatalf("the journal has %+v", got)
	}
	for i, want := range []string{" scep_notification webhook", "allow  forward_auth", "deny  webhook", "allow  webhook"} {
		if has := got[i].Decision + " " + got[i].Event + " " + got[i].Door; has != want {
			t.Errorf("entry %d is %q, want %q", i, has, want)
		}
	}
	denied := got[2]
	if denied.Code != "diskNotEncrypted" || len(denied.Rules) != 1 || denied.Rules[0].Result != "unmet" || denied.Remedy == "" || !strings.Contains(string(denied.Facts), `"encrypted":false`) {
		t.Errorf("got %+v %s", denied, denied.Facts)
	}
	// All facts of the vocabulary are asked for, and not only those of the rule.
	for _, fact := range []string{"os_version", "groups", "email_address"} {
		if !strings.Contains(string(denied.Facts), `"`+fact+`"`) {
			t.Errorf("the facts lack %s: %s", fact, denied.Facts)
		}
	}
	if text, err := os.ReadFile(l.trail); err != nil || strings.Contains(string(text), `"facts"`) || strings.Count(string(text), "\n") != 4 {
		t.Errorf("%v: the audit log has facts, or other lines: %s", err, text)
	}
	whole := program.Run(t, program.Environment{}.With("STATE_URL", l.env["STATE_URL"]), "", "decisions", "--ref", strings.ToLower(denied.Reference))
	if want := regexp.MustCompile(`(?s)^\[DENY\] ` + otherDevice + ` \(diskNotEncrypted\)\n.*message: Encrypt the disk\.\nwhat to do: .*  encrypted: unmet, enforced: .*inventory owned: found\n`); whole.Code != 0 || !want.MatchString(whole.Stdout) {
		t.Errorf("exit code %d\n%s%s", whole.Code, whole.Stdout, whole.Stderr)
	}

	l.hook.WantDecision(t, "before the end", doorDevice, `{"allow":true`)
	if code, output := l.Stop(t); code != 0 || strings.Contains(output, "lost") {
		t.Errorf("exit code %d\n%s", code, output)
	}
	l.startJournal(t)
	l.hook.WantDecision(t, "after a restart", otherDevice, program.Refused("diskNotEncrypted"))
	l.awaitWritten(t, "1")
	if got := l.decisions(t, doorDevice); len(got) != 3 {
		t.Errorf("the journal has %d decisions about the device, want 3", len(got))
	}
	if got := l.decisions(t, "--denied", "--since", "1h"); len(got) != 2 || got[0].Reference == got[1].Reference {
		t.Errorf("there are %d refusals, want 2 with references of their own", len(got))
	}
}

// What is older than JOURNAL_RETENTION is deleted.
func TestJournalRetention(t *testing.T) {
	t.Parallel()
	l := newJournalLab(t, "JOURNAL_RETENTION", "1h")
	l.WantLog(t, "journal: decisions are kept for 1h")
	l.hook.WantDecision(t, "a device", doorDevice, `{"allow":true`)
	l.awaitWritten(t, "1")
	l.Stop(t)
	addOld(t, l.env["STATE_URL"], 500)
	if got := l.decisions(t); len(got) != 501 {
		t.Fatalf("the journal has %d decisions", len(got))
	}
	l.startJournal(t)
	l.Eventually(t, "the old ones are deleted", func() bool { return len(l.decisions(t)) == 1 })
	if got := l.decisions(t); got[0].Identifier != doorDevice {
		t.Errorf("the journal has %+v", got)
	}
}

// addOld adds decisions of two hours ago, while no daemon runs.
func addOld(t *testing.T, stateURL string, count int) {
	t.Helper()
	u, err := store.ParseURL(stateURL)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.OpenDaemon(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var batch []journal.Entry
	for range count {
		at := time.Now().Add(-2 * time.Hour)
		batch = append(batch, journal.Entry{ID: journal.NewID(at), Reference: "00000000", Decision: "allow", Line: fmt.Appendf(nil, `{"time":%q,"reference":"00000000","decision":"allow"}`, at.Format(time.RFC3339Nano))})
	}
	if err := db.Journal().Append(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
}

// A journal needs a database; what would do nothing is a warning; check says what is on.
func TestJournalConfiguration(t *testing.T) {
	t.Parallel()
	env := program.WorkingEnvironment(t, program.NewPKI(t))
	state := "sqlite:" + filepath.Join(t.TempDir(), "state.db")
	for name, row := range map[string]struct {
		env  program.Environment
		code int
		want string
	}{
		"without a database": {env.With("JOURNAL", "1"), 1, `(?m)^STATE_URL: not set, but JOURNAL is 1: the journal is in the state database; accepted: sqlite:`},
		"neither":            {env.With("JOURNAL", "yes"), 1, `(?m)^JOURNAL: .*accepted: 0 or 1`},
		"short":              {env.With("JOURNAL", "1", "STATE_URL", state, "JOURNAL_RETENTION", "59m"), 1, `(?m)^JOURNAL_RETENTION: .*from 1h to 3650d`},
		"without a unit":     {env.With("JOURNAL", "1", "STATE_URL", state, "JOURNAL_RETENTION", "90"), 1, `(?m)^JOURNAL_RETENTION: `},
		"retention alone":    {env.With("JOURNAL_RETENTION", "7d"), 0, `JOURNAL_RETENTION is set but JOURNAL is not 1`},
		"on":                 {env.With("JOURNAL", "1", "STATE_URL", state, "JOURNAL_RETENTION", "36h"), 0, `journal: decisions are kept for 36h0m0s, with facts`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if r := program.Run(t, row.env, "", "check"); r.Code != row.code || !regexp.MustCompile(row.want).MatchString(r.Stdout+r.Stderr) {
				t.Errorf("exit code %d\n%s%s\nwant %d and %s", r.Code, r.Stdout, r.Stderr, row.code, row.want)
			}
		})
	}
}

// While the database is locked decisions are made as ever, and wait; /readyz says so, and the log once where it begins and ends.
func TestJournalOutage(t *testing.T) {
	t.Parallel()
	l := newJournalLab(t)
	l.hook.WantDecision(t, "before", doorDevice, `{"allow":true`)
	l.awaitWritten(t, "1")
	db, err := sql.Open("sqlite", strings.TrimPrefix(l.env["STATE_URL"], "sqlite:")+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	lock, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Rollback() }()
	l.hook.WantDecision(t, "meanwhile", otherDevice, program.Refused("diskNotEncrypted"))
	var wrong map[string]string
	l.Eventually(t, "it is reported", func() bool { _, _, wrong = l.Ready(t); return wrong["journal"] != "" })
	if want := regexp.MustCompile(`^degraded: 1 decision waits in memory: the state database, sqlite:\S+: it (is locked|has no room|did not answer)`); !want.MatchString(wrong["journal"]) {
		t.Errorf("/readyz says %q", wrong["journal"])
	}
	if code, status, _ := l.Ready(t); code != http.StatusOK || status != "degraded" {
		t.Errorf("got %d, %s", code, status)
	}
	if waiting := l.Metric(t, "step_posture_journal_waiting"); waiting != "1" {
		t.Errorf("%s decisions wait, want 1", waiting)
	}
	_ = lock.Rollback()
	l.awaitWritten(t, "2")
	l.Eventually(t, "it is over", func() bool { _, _, wrong := l.Ready(t); return wrong["journal"] == "" })
	_, output := l.Stop(t)
	for _, want := range []string{"; decisions wait in memory, and are answered as ever", "journal: the state database takes decisions again"} {
		if strings.Count(output, want) != 1 {
			t.Errorf("the log says not once %q:\n%s", want, output)
		}
	}
}
