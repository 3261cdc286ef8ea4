package auditchain_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/auditchain"
)

func key() []byte      { return bytes.Repeat([]byte{7}, 32) }
func otherKey() []byte { return bytes.Repeat([]byte{8}, 32) }

// event is a decision, which differs from others by its number.
func event(n int) *audit.Event {
	return &audit.Event{
		Time: time.Date(2026, 11, 24, 12, 30, n%60, 0, time.UTC), Reference: fmt.Sprintf("REF%05d", n), Allowed: true,
		Reason: "in the inventory", Identifier: "C02XK1JKLVCG", Mode: "computer", Provider: "jamf", Duration: time.Millisecond,
	}
}

// log is an audit log that is being written.
type log struct {
	*audit.Trail
	path     string
	n        int
	warnings []string
}

// open opens the audit log at a path, as a daemon does at its start.
func open(t testing.TB, path string, key []byte) *log {
	t.Helper()
	l := &log{path: path}
	trail, b, err := audit.OpenChain(path, key, func(text string) { l.warnings = append(l.warnings, text) })
	if err != nil || b.Err != nil {
		t.Fatal(err, b.Err)
	}
	l.Trail = trail
	t.Cleanup(func() { _ = trail.Close() })
	return l
}

func (l *log) write(t testing.TB, lines int) {
	t.Helper()
	for range lines {
		l.n++
		if err := l.Append(event(l.n)); err != nil {
			t.Fatal(err)
		}
	}
}

func (l *log) head(t testing.TB) audit.Head {
	t.Helper()
	link, err := l.Head()
	if err != nil {
		t.Fatal(err)
	}
	return link.Head()
}

// rotate moves the file, as logrotate does.
func (l *log) rotate(t testing.TB, to string) {
	t.Helper()
	if err := os.Rename(l.path, to); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
}

// written is the path of a log with a chain_start and n decisions.
func written(t testing.TB, n int) string {
	t.Helper()
	l := open(t, filepath.Join(t.TempDir(), "audit.jsonl"), key())
	l.write(t, n)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.path
}

func linesOf(t testing.TB, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(strings.Lines(string(text)))
}

func put(t testing.TB, path string, lines ...string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func verify(t testing.TB, o auditchain.Options, paths ...string) *auditchain.Report {
	t.Helper()
	if o.Key == nil {
		o.Key = key()
	}
	r, err := auditchain.Verify(t.Context(), o, paths, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// first is the first problem of a report, in short.
func first(r *auditchain.Report) string {
	if len(r.Problems) == 0 {
		return "intact"
	}
	p := r.Problems[0]
	text := fmt.Sprintf("%s:%d %s", filepath.Base(p.File), p.Line, p.Kind)
	if p.First > 0 {
		text += fmt.Sprintf(" %d-%d", p.First, p.Last)
	}
	return text
}

// notes are the notes of a report, in short.
func notes(r *auditchain.Report) string {
	var all []string
	for _, n := range r.Notes {
		all = append(all, fmt.Sprintf("%s:%d %s", filepath.Base(n.File), n.Line, n.Event))
	}
	return strings.Join(all, ", ")
}
