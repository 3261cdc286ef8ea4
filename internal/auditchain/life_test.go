//go:build unix

package auditchain_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/auditchain"
)

func appendText(t *testing.T, path, text string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

// What a daemon finds at its start: it continues the chain, tells an unfinished line apart from a change, and begins a new chain
// where the last line does not verify. Verify says the same of the file later. Before are a chain_start and three decisions.
func TestStart(t *testing.T) {
	t.Parallel()
	cut := func(t *testing.T, path string, n int64) {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, info.Size()-n); err != nil {
			t.Fatal(err)
		}
	}
	edit := func(t *testing.T, path string, edit func(lines []string) []string) {
		t.Helper()
		put(t, path, edit(linesOf(t, path))...)
	}
	for name, c := range map[string]struct {
		change   func(t *testing.T, path string)
		started  string // why a new chain begins; empty where it goes on
		isBroken bool
		torn     int64
		verdict  string
		notes    string
	}{
		"as it was left":     {func(*testing.T, string) {}, "", false, 0, "intact", "audit.jsonl:1 chain_start"},
		"no file":            {func(t *testing.T, path string) { _ = os.Remove(path) }, "the file had no lines", false, 0, "intact", "audit.jsonl:1 chain_start"},
		"an empty file":      {func(t *testing.T, path string) { put(t, path) }, "the file had no lines", false, 0, "intact", "audit.jsonl:1 chain_start"},
		"an unfinished line": {func(t *testing.T, path string) { cut(t, path, 10) }, "", false, 0, "intact", "audit.jsonl:1 chain_start, audit.jsonl:5 torn"},
		"a beginning":        {func(t *testing.T, path string) { appendText(t, path, `{"ti`) }, "", false, 4, "intact", "audit.jsonl:1 chain_start, audit.jsonl:6 torn"},
		"zeros":              {func(t *testing.T, path string) { appendText(t, path, "\x00\x00") }, "", false, 2, "intact", "audit.jsonl:1 chain_start, audit.jsonl:6 torn"},
		"two pieces":         {func(t *testing.T, path string) { appendText(t, path, "{\"time\n{\"ti") }, "", false, 11, "intact", "audit.jsonl:1 chain_start, audit.jsonl:7 torn"},
		"no line end":        {func(t *testing.T, path string) { cut(t, path, 1) }, "", false, 0, "intact", "audit.jsonl:1 chain_start"},
		"only a beginning":   {func(t *testing.T, path string) { put(t, path, `{"time`) }, "the file had no lines", false, 0, "intact", "audit.jsonl:1 not_covered, audit.jsonl:2 chain_start"},
		"the end was removed": {
			func(t *testing.T, path string) { edit(t, path, func(l []string) []string { return l[:3] }) }, "", false, 0, "intact", "audit.jsonl:1 chain_start",
		},
		"the last was changed": {
			func(t *testing.T, path string) {
				edit(t, path, func(l []string) []string { l[3] = strings.Replace(l[3], "allow", "deny_", 1); return l })
			}, "the last line before does not verify: it was changed, or written with another key", true, 0, "audit.jsonl:4 changed", "audit.jsonl:1 chain_start, audit.jsonl:5 chain_start",
		},
		"changed, and cut": {
			func(t *testing.T, path string) {
				edit(t, path, func(l []string) []string { l[3] = strings.Replace(l[3], "allow", "deny_", 1); return append(l, "{") })
			}, "the last line before does not verify: it was changed, or written with another key", true, 0, "audit.jsonl:4 changed", "audit.jsonl:1 chain_start, audit.jsonl:6 chain_start",
		},
		"a line was added": {
			func(t *testing.T, path string) { appendText(t, path, "{}\n") }, "the lines before were written without a chain", true, 0, "audit.jsonl:5 inserted", "audit.jsonl:1 chain_start, audit.jsonl:6 chain_start",
		},
		"without a chain": {
			func(t *testing.T, path string) { put(t, path, "{}\n", "{}\n") }, "the lines before were written without a chain", false, 0, "intact", "audit.jsonl:1 not_covered, audit.jsonl:3 chain_start",
		},
		"without a chain, cut": {
			func(t *testing.T, path string) { put(t, path, "{}\n", "{") }, "the lines before were written without a chain", false, 0, "intact", "audit.jsonl:1 not_covered, audit.jsonl:3 chain_start",
		},
		"a very long line": {
			func(t *testing.T, path string) { appendText(t, path, strings.Repeat("x", 2<<20)+"\n") }, "the end of the file could not be read", true, 0, "audit.jsonl:5 inserted", "audit.jsonl:1 chain_start, audit.jsonl:6 chain_start",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := written(t, 3)
			c.change(t, path)
			trail, b, err := audit.OpenChain(path, key(), func(text string) { t.Errorf("a warning: %s", text) })
			if err != nil {
				t.Fatal(err)
			}
			isTorn := strings.Contains(c.notes, "torn")
			if b.Started != c.started || b.IsBroken != c.isBroken || b.Err != nil || (b.Torn > 0) != isTorn || c.torn > 0 && b.Torn != c.torn {
				t.Errorf("it begins with %+v", b)
			}
			for i := range 3 {
				if err := trail.Append(event(i)); err != nil {
					t.Fatal(err)
				}
			}
			if err := trail.Close(); err != nil {
				t.Error(err)
			}
			r := verify(t, auditchain.Options{}, path)
			if got := first(r); got != c.verdict || notes(r) != c.notes {
				t.Errorf("got %s (%s), want %s (%s): %+v", got, notes(r), c.verdict, c.notes, r.Problems)
			}
		})
	}
}

// What stands before a torn event is protected by it too.
func TestTornIsProtected(t *testing.T) {
	t.Parallel()
	path := written(t, 3)
	appendText(t, path, `{"time":"2026`)
	l := open(t, path, key())
	l.write(t, 2)
	_ = l.Close()
	lines := linesOf(t, path) // 5 is unfinished, 6 the event
	for name, c := range map[string]struct {
		lines []string
		want  string
	}{
		"unchanged":   {lines, "intact"},
		"changed":     {slices.Replace(slices.Clone(lines), 4, 5, strings.Replace(lines[4], "2026", "2027", 1)), "f:5 changed"},
		"longer":      {slices.Insert(slices.Clone(lines), 5, "{}\n"), "f:5 changed"},
		"removed":     {slices.Delete(slices.Clone(lines), 4, 5), "f:4 changed"},
		"moved":       {slices.Concat(lines[:4], lines[5:7], lines[4:5], lines[7:]), "f:4 changed"},
		"no event":    {slices.Delete(slices.Clone(lines), 5, 6), "f:5 inserted"},
		"at the end":  {append(slices.Clone(lines), strings.TrimSuffix(lines[4], "\n")), fmt.Sprintf("f:%d unfinished", len(lines)+1)},
		"in a middle": {slices.Insert(slices.Clone(lines), 2, lines[4]), "f:3 inserted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := verify(t, auditchain.Options{}, put(t, filepath.Join(t.TempDir(), "f"), c.lines...))
			if got := first(r); got != c.want {
				t.Errorf("got %s, want %s: %+v", got, c.want, r.Problems)
			}
		})
	}
}

// A file that another program changes while the daemon runs: it is noticed at the next line, and verified later.
func TestChangedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change  func(t *testing.T, path string)
		warning string
		verdict string
		notes   string
	}{
		"copytruncate": {
			func(t *testing.T, path string) {
				put(t, path+".1", linesOf(t, path)...)
				if err := os.Truncate(path, 0); err != nil {
					t.Fatal(err)
				}
			}, "copytruncate", "intact", "audit.jsonl:1 truncated, audit.jsonl.1:1 chain_start",
		},
		"an end that is cut": {
			func(t *testing.T, path string) {
				put(t, path+".1")
				lines := linesOf(t, path)
				if err := os.Truncate(path, int64(len(lines[0])+len(lines[1])+5)); err != nil {
					t.Fatal(err)
				}
			}, "shorter", "audit.jsonl:4 removed 3-4", "audit.jsonl:1 chain_start, audit.jsonl:4 torn, audit.jsonl:5 truncated",
		},
		"a line of another program": {
			func(t *testing.T, path string) { put(t, path+".1"); appendText(t, path, "{}\n") }, "another program has written", "audit.jsonl:5 inserted", "audit.jsonl:1 chain_start",
		},
		"a piece of a line": {
			func(t *testing.T, path string) { put(t, path+".1"); appendText(t, path, "{}") }, "another program has written", "intact", "audit.jsonl:1 chain_start, audit.jsonl:6 torn",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := open(t, filepath.Join(t.TempDir(), "audit.jsonl"), key())
			l.write(t, 3)
			c.change(t, l.path)
			l.write(t, 3)
			_ = l.Close()
			if len(l.warnings) != 1 || !strings.Contains(l.warnings[0], c.warning) {
				t.Errorf("the warnings are %q, want one with %q", l.warnings, c.warning)
			}
			r := verify(t, auditchain.Options{}, l.path, l.path+".1")
			if got := first(r); got != c.verdict || notes(r) != c.notes {
				t.Errorf("got %s (%s), want %s (%s): %+v", got, notes(r), c.verdict, c.notes, r.Problems)
			}
		})
	}
}

// One file has one daemon. A file that was moved belongs to the daemon that has it.
func TestLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := open(t, path, key())
	if _, _, err := audit.OpenChain(path, key(), nil); err == nil || !strings.Contains(err.Error(), "another daemon writes to it") {
		t.Errorf("a second daemon: %v", err)
	}
	if _, err := l.Reopen(); err != nil {
		t.Errorf("the file that is open: %v", err)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	second := open(t, path, key()) // before the first one is told to reopen
	if _, err := l.Reopen(); err == nil || !strings.Contains(err.Error(), "another daemon writes to it") {
		t.Errorf("a file that a second daemon has: %v", err)
	}
	l.write(t, 2)
	second.write(t, 2)
	if r := verify(t, auditchain.Options{}, path+".1", path); !r.Intact || len(r.Chains) != 2 {
		t.Errorf("two chains: %+v", r)
	}
	_ = second.Close()
	if _, _, err := audit.OpenChain("/dev/null", key(), nil); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a device: %v", err)
	}
}
