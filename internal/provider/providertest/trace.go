package providertest

import (
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
)

// requestIDs: every request for a lookup has the lookup's ID, so an administrator can compare the vendor's log with
// ours. No other request has one, and a text that cannot be an ID is not sent.
func requestIDs(t *testing.T, h HTTPHarness) {
	service := h.open(t, mac(serial), mac(secondSerial))
	seen := 0
	want := func(what, sent, received string) {
		t.Helper()
		q := query(t, serial, posture.Computer)
		q.RequestID = sent
		if _, err := service.lookup(t, q, ample); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		all := service.Server.RequestIDs()
		got := all[seen:]
		seen = len(all)
		if len(got) == 0 || slices.ContainsFunc(got, func(id string) bool { return id != received }) {
			t.Errorf("%s: the server has received the request IDs %q, want %q with each", what, got, received)
		}
	}
	// The first asks for a token, too.
	want("the first lookup", "d3f2a1.A_b:c-9", "d3f2a1.A_b:c-9")
	want("another", "other", "other")
	want("none", "", "")
	want("what is no ID", "a b", "")
	want("what is too long", strings.Repeat("x", 65), "")
}
