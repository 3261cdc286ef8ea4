package upgrade_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// compareStart wants both programs to serve, or both to exit, unless a row of the page says otherwise.
func (tr trial) compareStart(t *testing.T, then, now int, output string) {
	t.Helper()
	want, text := 0, tr.warns
	if tr.exits != "" {
		want, text = max(1, tr.code), tr.exits
	}
	if now != want || !strings.Contains(output, text) {
		t.Errorf("exit status %d, want %d and %q:\n%s", now, want, text, output)
	}
	if differs := (then == 0) != (now == 0); differs && tr.differs == "" {
		t.Errorf("v1.0.0: exit status %d, now %d; docs/upgrade.md has no row for that:\n%s", then, now, output)
	} else if !differs && tr.differs != "" {
		t.Errorf("both have the exit status %d, so the start does not differ: %q", now, tr.differs)
	}
}

// wantWhole wants an exit status, or an answer to every order.
func (tr trial) wantWhole(t *testing.T, r record) {
	t.Helper()
	var missing []string
	for _, o := range tr.orders {
		if _, found := r.Answers[o.title()]; !found {
			missing = append(missing, o.title())
		}
	}
	if r.Exit == 0 && (len(missing) > 0 || len(r.Answers) != len(tr.orders)) || r.Exit != 0 && r.Answers != nil {
		t.Errorf("%s: the record of v1.0.0 has %d answers to %d orders, and the exit status %d; missing: %q", tr.name, len(r.Answers), len(tr.orders), r.Exit, missing)
	}
}

// want wants the answer that the order says.
func (o order) want(t *testing.T, now answer) {
	t.Helper()
	got := now.Code
	if now.Allow {
		got = "allow"
	}
	if got != o.now || now.Allow != (now.Status == http.StatusOK && now.Code == "") {
		t.Errorf("%s: got %d %s, want %s", o.title(), now.Status, got, o.now)
	}
	if now.Allow && o.data != "" && !sameData(t, json.RawMessage(o.data), now.Data) {
		t.Errorf("%s: the data is %s, want %s", o.title(), now.Data, o.data)
	}
}

// compare wants what v1.0.0 answered, unless a row of the page says otherwise; then it wants the answer to differ.
func (o order) compare(t *testing.T, then, now answer) {
	t.Helper()
	same := then.Allow == now.Allow && (!now.Allow || sameData(t, then.Data, now.Data))
	switch {
	case same && o.differs == refusals:
		if now.Allow || then.Status != http.StatusBadRequest || now.Status != http.StatusOK {
			t.Errorf("%s: v1.0.0 answered %d, now %d; want 400 and 200", o.title(), then.Status, now.Status)
		}
	case same && o.differs == noData:
		if then.Data != nil || string(now.Data) != "{}" {
			t.Errorf("%s: the data of v1.0.0 is %q, now %q; want none and {}", o.title(), then.Data, now.Data)
		}
	case same && o.differs == failures:
		if now.Allow || then.Status != http.StatusBadRequest || now.Status != http.StatusServiceUnavailable {
			t.Errorf("%s: v1.0.0 answered %d, now %d; want 400 and 503", o.title(), then.Status, now.Status)
		}
	case same && o.differs != "":
		t.Errorf("%s: both answered the same, so this does not differ: %q", o.title(), o.differs)
	case !same && o.differs == "":
		t.Errorf("%s: v1.0.0 answered %s, now %s; docs/upgrade.md has no row for that", o.title(), marshal(t, then), marshal(t, now))
	}
}

// sameData compares values, numbers by their digits. No data is an empty object: v1.0.0 left out the member then.
func sameData(t *testing.T, a, b json.RawMessage) bool {
	t.Helper()
	return reflect.DeepEqual(decodeData(t, a), decodeData(t, b))
}

func decodeData(t *testing.T, text json.RawMessage) any {
	t.Helper()
	if len(text) == 0 {
		return map[string]any{}
	}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return value
}
