package command_test

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/command"
	"step-posture-connector/internal/journal"
	"step-posture-connector/internal/posture"
)

// journaled writes events into the journal of a new database; it returns the variable that names it.
func journaled(t *testing.T, events ...*audit.Event) []string {
	t.Helper()
	variable, db := stateDatabase(t)
	var batch []journal.Entry
	for _, e := range events {
		entry, err := journal.NewEncoder().Entry(e)
		if err != nil {
			t.Fatal(err)
		}
		batch = append(batch, entry)
	}
	if err := db.Journal().Append(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	return []string{variable}
}

func denied(at time.Time) *audit.Event {
	device := posture.Device{Identifier: "C02ADA", Type: posture.Computer}
	device.Facts.Managed = posture.Known(true)
	device.Facts.Groups = posture.Known([]string{"Staff", "a\u202eb"})
	device.Facts.User.Username = posture.Known("\x1b[31mada")
	return &audit.Event{
		Time: at, Reference: "7F3K9Q2M", Authenticated: true, Code: "notEncrypted", Reason: "encrypted: device.disk_encrypted is false", Identifier: "C02ADA",
		Mode: "computer", Policy: "staff", Inventory: "jamf", Door: "webhook", Caller: "acme", Status: 200,
		Verdict: posture.Verdict{
			Outcomes: []posture.Outcome{
				{Rule: "encrypted", Result: posture.Unmet, Applies: true, Enforced: true, Code: "notEncrypted", Message: "Turn on FileVault", Reason: "device.disk_encrypted is false"},
				{Rule: "recent", Result: posture.Unknown, Applies: true, Reason: "device.os_version is unknown"},
				{Rule: "phones"},
			},
			Unmet: []string{"encrypted"}, WouldDeny: []string{"recent"},
		},
		Evidence: &posture.Evidence{
			Now: at, Request: posture.Request{Door: "webhook", Mode: "computer"},
			Answers: []posture.Answer{
				{Inventory: "jamf", Record: &device, Asked: posture.MustFacts("device.groups", "user.username", "device.os_version")},
				{Inventory: "fleet", Err: posture.ErrNotFound},
			},
		},
	}
}

func allowed(at time.Time) *audit.Event {
	return &audit.Event{Time: at, Reference: "8G4M0R3N", Authenticated: true, Allowed: true, Reason: "managed", Identifier: "c02-bob", Policy: "staff", Door: "radius", Status: 200}
}

func TestDecisions(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Microsecond)
	note := &audit.Event{Time: now.Add(-2 * time.Hour), Reference: "9H5N1S4P", Authenticated: true, Allowed: true, Door: "webhook", Notification: &audit.Notification{Issued: true}, Status: 200}
	fault := &audit.Event{Time: now.Add(-48 * time.Hour), Reference: "AJ6P2T5Q", Authenticated: true, Code: "unavailable", Identifier: "C02ADA", Policy: "staff", Door: "webhook", Status: 503}
	environ := journaled(t, denied(now), allowed(now.Add(-time.Hour)), note, fault)
	const head = `TIME +DECISION +REFERENCE +IDENTIFIER +CODE +POLICY +DOOR +UNMET +WOULD DENY\n`
	rowDenied := regexp.QuoteMeta(now.Format(time.RFC3339)) + ` +deny +7F3K9Q2M +C02ADA +notEncrypted +staff +webhook +encrypted +recent\n`
	rowAllowed := `\S+Z +allow +8G4M0R3N +c02-bob +- +staff +radius +- +-\n`
	rowNote := `\S+Z +scep_notification +9H5N1S4P +- +- +- +webhook +- +-\n`
	rowFault := `\S+Z +deny +AJ6P2T5Q +C02ADA +unavailable +staff +webhook +- +-\n`
	whole := `\[DENY\] C02ADA \(notEncrypted\)
time: \S+Z
reference: 7F3K9Q2M
reason: encrypted: device.disk_encrypted is false
message: Turn on FileVault
what to do: the reason names the rules [^\n]+
unmet: encrypted
would deny: recent
policy: staff
inventory: jamf
door: webhook
caller: acme
mode: computer
rules:
  encrypted: unmet, enforced: device.disk_encrypted is false
  recent: unknown, report only: device.os_version is unknown
  phones: does not apply
inventory jamf: found
  device.identifier: C02ADA
  device.type: computer
  device.managed: true
  device.groups: "Staff", "a\\u202eb"
  user.username: \\u001b\[31mada
inventory fleet: not found
request:
  request.door: webhook
  request.mode: computer
`
	empty := journaled(t)
	missing := []string{"STATE_URL=sqlite:" + filepath.Join(t.TempDir(), "state.db")}
	for name, row := range map[string]struct {
		environ        []string
		args           string
		code           int
		stdout, stderr string
	}{
		"all":                     {environ, "decisions", 0, head + rowDenied + rowAllowed + rowNote + rowFault, ``},
		"a device":                {environ, "decisions c02ada", 0, head + rowDenied + rowFault, ``},
		"its hyphens":             {environ, "decisions C02-BOB", 0, head + rowAllowed, ``},
		"since":                   {environ, "decisions --since 90m", 0, head + rowDenied + rowAllowed, ``},
		"refusals":                {environ, "decisions --denied --since 1d", 0, head + rowDenied, ``},
		"none":                    {environ, "decisions C02EVE", 0, ``, `note: there are no such decisions in the journal\n`},
		"none, JSON":              {environ, "decisions C02EVE --json", 0, `\{"decisions":\[\],"more":false\}\n`, ``},
		"one":                     {environ, "decisions --ref 7f3k9q2m", 0, whole, ``},
		"one without facts":       {environ, "decisions --ref AJ6P2T5Q", 0, `\[DENY\] C02ADA \(unavailable\)\n(?s:.*)what to do: .step-posture-connector check. asks (?s:.*)`, ``},
		"a notification":          {environ, "decisions --ref 9H5N1S4P", 0, `\[NOTE\] \(scep_notification success\)\ntime(?s:.*)`, ``},
		"no such reference":       {environ, "decisions --ref 00000000", 1, ``, `decisions: no decision has the reference 00000000; it may be older than [^\n]*\n`},
		"of another device":       {environ, "decisions C02EVE --ref 7F3K9Q2M", 1, ``, `decisions: no decision has the reference 7F3K9Q2M and all else that is asked for\n`},
		"an empty journal":        {empty, "decisions", 0, ``, `note: the journal is empty; the daemon writes it with JOURNAL=1\n`},
		"its reference":           {empty, "decisions --ref 7F3K9Q2M --json", 1, ``, `decisions: the journal is empty; [^\n]*\n`},
		"a short reference":       {environ, "decisions --ref 7F3K9Q2", 64, ``, `--ref: it is no reference; accepted are eight (?s:.*)`},
		"an empty reference":      {environ, "decisions --ref=", 64, ``, `--ref: it is no reference; (?s:.*)`},
		"a letter that is none":   {environ, "decisions --ref 7F3K9Q2O", 64, ``, `--ref: it is no reference; (?s:.*)`},
		"no duration":             {environ, "decisions --since yesterday", 64, ``, `--since: it is no duration; accepted is a duration with a unit, (?s:.*)`},
		"no time":                 {environ, "decisions --since 0h", 64, ``, `--since: it is no duration; (?s:.*)`},
		"an empty duration":       {environ, "decisions --since=", 64, ``, `--since: it is no duration; (?s:.*)`},
		"no identifier":           {environ, "decisions a\x01b", 64, ``, `decisions: it has U\+0001(?s:.*)`},
		"an empty identifier":     {environ, "decisions \"\"", 64, ``, `decisions: (?s:.*)`},
		"two identifiers":         {environ, "decisions A B", 64, ``, `decisions: one identifier at a time(?s:.*)`},
		"no state database":       {nil, "decisions", 1, ``, `configuration:\nSTATE_URL: not set: the journal is in the state database; accepted: [^\n]*\n`},
		"another URL":             {[]string{"STATE_URL=mysql://u:pa55word@h/d"}, "decisions", 1, ``, `configuration:\nSTATE_URL: its scheme is not known[^\n]*\n`},
		"a database without":      {missing, "decisions", 1, ``, `decisions: the state database, sqlite:/[^\n]*: it does not exist; start the daemon once\n`},
		"a database that is down": {[]string{"STATE_URL=postgres://u:pa55word@" + closedAddress(t) + "/d"}, "decisions", 1, ``, `decisions: the state database, [^\n]*: it cannot be reached\n`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := strings.Fields(row.args)
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], `""`, "")
			}
			code, stdout, stderr := run(t, row.environ, args...)
			if code != row.code || !regexp.MustCompile("^"+row.stdout+"$").MatchString(stdout) || !regexp.MustCompile("^"+row.stderr+"$").MatchString(stderr) || strings.Contains(stdout+stderr, "pa55word") {
				t.Errorf("exit status %d\n%s\n%s\nwant %d, %s, %s", code, stdout, stderr, row.code, row.stdout, row.stderr)
			}
		})
	}
}

// A retention may be longer than a year, and so may --since.
func TestOldDecisions(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	environ := journaled(t, allowed(time.Now().Add(-400*day)))
	for since, code := range map[string]int{"399d": command.ExitError, "401d": command.ExitOK, "999999999d": command.ExitOK} {
		if got, _, stderr := run(t, environ, "decisions", "--ref", "8G4M0R3N", "--since", since); got != code {
			t.Errorf("--since %s: exit status %d, want %d: %s", since, got, code, stderr)
		}
	}
}

// Each element is the line of the audit log with facts, and what is beside it.
func TestDecisionsJSON(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Microsecond)
	e := denied(now)
	entry, err := journal.NewEncoder().Entry(e)
	if err != nil {
		t.Fatal(err)
	}
	environ := journaled(t, e, allowed(now.Add(-time.Hour)))
	code, stdout, stderr := run(t, environ, "decisions", "--json")
	if code != command.ExitOK || stderr != "" || strings.ContainsAny(stdout, "\u202e\x1b") {
		t.Fatalf("exit status %d, %s, %s", code, stdout, stderr)
	}
	var got struct {
		Decisions []map[string]any
		More      *bool
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || len(got.Decisions) != 2 || got.More == nil || *got.More {
		t.Fatalf("%v: %s", err, stdout)
	}
	var line map[string]any
	if err := json.Unmarshal(entry.Line, &line); err != nil {
		t.Fatal(err)
	}
	first := got.Decisions[0]
	for key, want := range line {
		if has, _ := json.Marshal(first[key]); string(has) != string(must(json.Marshal(want))) {
			t.Errorf("%s is %s, want %v", key, has, want)
		}
	}
	rules := string(must(json.Marshal(first["rules"])))
	if id, _ := first["id"].(string); len(first) != len(line)+3 || !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(id) || !strings.Contains(rules, `"Turn on FileVault"`) || !strings.HasPrefix(first["remedy"].(string), "the reason names") {
		t.Errorf("got %v", first)
	}
	if second := got.Decisions[1]; second["remedy"] != "" || len(second["rules"].([]any)) != 0 || second["reference"] != "8G4M0R3N" {
		t.Errorf("got %v", second)
	}
}

func must(text []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return text
}

// More than the limit is said, and the newest are listed.
func TestManyDecisions(t *testing.T) {
	t.Parallel()
	variable, db := stateDatabase(t)
	encoder := journal.NewEncoder()
	now := time.Now()
	var batch []journal.Entry
	for i := range journal.MaxFound + 5 {
		e := allowed(now.Add(time.Duration(i) * time.Millisecond))
		if i == 0 {
			e.Reference = "00000001" // the oldest
		}
		entry, err := encoder.Entry(e)
		if err != nil {
			t.Fatal(err)
		}
		batch = append(batch, entry)
	}
	for len(batch) > 0 {
		n := min(len(batch), 200)
		if err := db.Journal().Append(t.Context(), batch[:n]); err != nil {
			t.Fatal(err)
		}
		batch = batch[n:]
	}
	code, stdout, stderr := run(t, []string{variable}, "decisions")
	if code != command.ExitOK || strings.Count(stdout, "\n") != journal.MaxFound+1 || strings.Contains(stdout, "00000001") || stderr != "note: only the newest 1000 are listed; an identifier, --since and --denied select fewer\n" {
		t.Errorf("exit status %d, %d lines, %s", code, strings.Count(stdout, "\n"), stderr)
	}
	if _, stdout, _ := run(t, []string{variable}, "decisions", "--json"); !strings.HasSuffix(stdout, `"more":true}`+"\n") {
		t.Errorf("got …%s", stdout[max(0, len(stdout)-50):])
	}
}
