package audit_test

import (
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/audit"
)

// What a person did is a line of its own form, without what a client may hide in a text, and no decision to a reader.
func TestNotice(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	trail := openTrail(t, path)
	for _, n := range []audit.Notice{
		{Time: event().Time, Event: "console_view", Reference: "7F3K9Q2M", User: "ada", RemoteAddress: "127.0.0.1:55366", Page: "/decision", Identifier: "C02XK1JKLVCG", Result: "shown"},
		{Time: event().Time, Event: "console_login", User: "a\n\u202e" + strings.Repeat("x", 300)},
	} {
		if err := trail.AppendEvent(n); err != nil {
			t.Fatal(err)
		}
	}
	want := `{"time":"2026-11-24T11:30:00.123456Z","reference":"7F3K9Q2M","event":"console_view","user":"ada","remote_address":"127.0.0.1:55366","page":"/decision","identifier":"C02XK1JKLVCG","result":"shown"}
{"time":"2026-11-24T11:30:00.123456Z","event":"console_login","user":"a??` + strings.Repeat("x", 251) + `...","remote_address":"","page":"","identifier":"","result":""}
`
	got := content(t, path)
	if got != want {
		t.Errorf("the file has\n%s\nwant\n%s", got, want)
	}
	for text := range strings.Lines(got) {
		line, err := audit.NewReader().Read([]byte(text))
		if err != nil || line.Event == "" || line.Allowed() {
			t.Errorf("%s is read as %+v, %v, want a line that is no decision", text, line, err)
		}
	}
}
