package audit_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
)

func event() *audit.Event {
	return &audit.Event{
		Time: time.Date(2026, 11, 24, 12, 30, 0, 123456789, time.FixedZone("", 3600)), Reference: "7F3K9Q2M", Authenticated: true,
		Code: "deviceNotInGroup", Reason: "not a member", Identifier: "C02XK1JKLVCG", Mode: "computer", Provider: "jamf",
		WebhookID: "98a6ad8d-d8e5-4d1d-b465-770fb66a5207", RequestID: "d3f2a1", Duration: 1234567 * time.Nanosecond,
	}
}

func openTrail(t *testing.T, path string) *audit.Trail {
	t.Helper()
	trail, _, err := audit.OpenTrail(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = trail.Close() })
	return trail
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// references returns the references of a file's lines. Each line must be whole.
func references(t *testing.T, path string) []string {
	t.Helper()
	text := content(t, path)
	if text != "" && !strings.HasSuffix(text, "\n") {
		t.Errorf("the last line of %s is not whole", path)
	}
	var found []string
	for text := range strings.Lines(text) {
		var line struct{ Reference string }
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Errorf("not a line of JSON: %q: %v", text, err)
		}
		found = append(found, line.Reference)
	}
	return found
}

func TestLine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	trail := openTrail(t, path)
	allowed := event()
	allowed.Allowed, allowed.Code, allowed.Groups = true, "", []string{"Up <to> date"}
	hostile := event()
	hostile.Identifier, hostile.RequestID, hostile.Mode = "a\"\n\xff\u2028"+strings.Repeat("x", 1000), "", ""
	for _, e := range []*audit.Event{event(), allowed, hostile} {
		if err := trail.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	const rest = `"identifier":"C02XK1JKLVCG","mode":"computer","provider":"jamf","webhook_id":"98a6ad8d-d8e5-4d1d-b465-770fb66a5207","request_id":"d3f2a1",`
	want := `{"time":"2026-11-24T11:30:00.123456Z","reference":"7F3K9Q2M","decision":"deny","code":"deviceNotInGroup","reason":"not a member",` + rest + `"groups":[],"duration_ms":1.234}
{"time":"2026-11-24T11:30:00.123456Z","reference":"7F3K9Q2M","decision":"allow","code":"","reason":"not a member",` + rest + `"groups":["Up <to> date"],"duration_ms":1.234}
`
	got := content(t, path)
	if !strings.HasPrefix(got, want) {
		t.Errorf("the file has\n%s\nwant\n%s", got, want)
	}
	var last struct{ Identifier string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(got, want)), &last); err != nil || last.Identifier != `a"???`+strings.Repeat("x", 249)+"..." {
		t.Errorf("a hostile identifier is written as %q (%v)", last.Identifier, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v (%v), want 0600", info.Mode(), err)
	}
}

// Two trails share no lock: their lines are whole only because each is one write, to the end of the file.
func TestConcurrentLines(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	trails := []*audit.Trail{openTrail(t, path), openTrail(t, path)}
	const writers, lines = 16, 400
	var working sync.WaitGroup
	for w := range writers {
		working.Go(func() {
			for i := range lines {
				e := event()
				e.Reference, e.Reason = fmt.Sprint(w*lines+i), strings.Repeat("x", i)
				if err := trails[w%2].Append(e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	working.Wait()
	found := references(t, path)
	slices.Sort(found)
	if n := len(slices.Compact(found)); n != writers*lines {
		t.Errorf("%d different lines, want %d", n, writers*lines)
	}
}

// A program moves the file and has it reopened, while lines are written: none is lost or duplicated.
func TestRotation(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	trail := openTrail(t, path)
	const writers, rotations = 4, 20
	done := make(chan struct{})
	written := make([]int, writers)
	var working sync.WaitGroup
	for w := range writers {
		working.Go(func() {
			for {
				e := event()
				e.Reference = fmt.Sprint(w, "-", written[w])
				if err := trail.Append(e); err != nil {
					t.Error(err)
				}
				written[w]++
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range rotations {
		if err := os.Rename(path, fmt.Sprint(path, ".", i)); err != nil {
			t.Error(err)
		}
		if _, err := trail.Reopen(); err != nil {
			t.Error(err)
		}
	}
	close(done)
	working.Wait()
	found := references(t, path)
	for i := range rotations {
		found = append(found, references(t, fmt.Sprint(path, ".", i))...)
	}
	want := 0
	for _, n := range written {
		want += n
	}
	slices.Sort(found)
	if lines, different := len(found), len(slices.Compact(found)); lines != want || different != want {
		t.Errorf("%d lines, %d different ones, want %d", lines, different, want)
	}
}

// When it cannot be reopened, the file that was open stays in use.
func TestReopenFails(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "log", "audit.jsonl")
	if err := os.Mkdir(filepath.Join(folder, "log"), 0o700); err != nil {
		t.Fatal(err)
	}
	trail := openTrail(t, path)
	if err := os.Rename(filepath.Join(folder, "log"), filepath.Join(folder, "away")); err != nil {
		t.Fatal(err)
	}
	if _, err := trail.Reopen(); err == nil || !strings.HasSuffix(err.Error(), " does not exist") {
		t.Errorf("Reopen() = %v, want that the file does not exist", err)
	}
	if err := trail.Append(event()); err != nil {
		t.Errorf("Append after that: %v", err)
	}
	if n := len(references(t, filepath.Join(folder, "away", "audit.jsonl"))); n != 1 {
		t.Errorf("%d lines, want 1", n)
	}
}

// A daemon that was killed may have left an unfinished line. It is removed; any other content is kept.
func TestUnfinishedLine(t *testing.T) {
	t.Parallel()
	const whole = `{"time":"2026","reference":"AAAAAAAA"}` + "\n"
	for name, test := range map[string]struct {
		before, keeps string
		cut           int64
	}{
		"empty":                  {"", "", 0},
		"whole":                  {whole, whole, 0},
		"part of a line":         {whole + `{"time":"20`, whole, 11},
		"the beginning of one":   {whole + `{`, whole, 1},
		"only part of one":       {`{"time":"2026"`, "", 14},
		"another file":           {"password", "password\n", 0},
		"another file with JSON": {whole + `{"devices":`, whole + `{"devices":` + "\n", 0},
		"half a megabyte":        {whole + `{"time":"` + strings.Repeat("x", 1<<19), whole, 9 + 1<<19},
		"no line end in reach":   {strings.Repeat("x", 9) + `{"time":"` + strings.Repeat("x", 1<<20-9), strings.Repeat("x", 9) + `{"time":"` + strings.Repeat("x", 1<<20-9) + "\n", 0},
		"zeros of a lost block":  {whole + "\x00\x00", whole + "\x00\x00\n", 0},
		"a very long line":       {strings.Repeat("x", 2<<20), strings.Repeat("x", 2<<20) + "\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "audit.jsonl")
			write(t, path, test.before)
			trail, cut, err := audit.OpenTrail(path)
			if err != nil || cut != test.cut {
				t.Fatalf("OpenTrail cut %d bytes (%v), want %d", cut, err, test.cut)
			}
			defer trail.Close()
			for range 2 {
				if err := trail.Append(event()); err != nil {
					t.Fatal(err)
				}
			}
			got, ok := strings.CutPrefix(content(t, path), test.keeps)
			if !ok || !strings.HasPrefix(got, `{"time":`) || strings.Count(got, "\n") != 2 || strings.Contains(got, "\n\n") {
				t.Errorf("the file ends in %.200q, want two lines after the former content", got)
			}
		})
	}
}

func TestCannotBeOpened(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "file"), "")
	for path, want := range map[string]string{
		folder:                         "open: is a directory",
		folder + "/none/audit.jsonl":   "no such file or directory: the folder " + folder + "/none does not exist",
		folder + "/file/audit.jsonl":   "not a directory: " + folder + "/file is not a folder",
		"/proc/self/nothing-goes-here": "open: no such file or directory",
	} {
		if _, _, err := audit.OpenTrail(path); err == nil || err.Error() != want {
			t.Errorf("OpenTrail(%s) = %v, want %s", path, err, want)
		}
		if err := audit.Probe(path, false); err == nil {
			t.Errorf("Probe(%s) = %v, want an error", path, err)
		}
	}
}

// Probe creates nothing and removes nothing.
func TestProbe(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, path := range []string{"", folder + "/audit.jsonl"} {
		if err := audit.Probe(path, false); err != nil {
			t.Errorf("Probe(%q) = %v", path, err)
		}
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v (%v)", entries, err)
	}
	write(t, folder+"/existing", `{"time":"unfin`)
	if err := audit.Probe(folder+"/there", false); err != nil || content(t, folder+"/existing") != `{"time":"unfin` {
		t.Errorf("Probe = %v, and the file is %q", err, content(t, folder+"/existing"))
	}
}

func BenchmarkAppend(b *testing.B) {
	trail, _, err := audit.OpenTrail(filepath.Join(b.TempDir(), "audit.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	defer trail.Close()
	e := event()
	b.ReportAllocs()
	for b.Loop() {
		if err := trail.Append(e); err != nil {
			b.Fatal(err)
		}
	}
}
