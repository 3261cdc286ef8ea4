package e2e_test

import (
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/idp"
)

// TestPeopleClaims: the claims that step-ca accepts, and the connector must not believe.
func TestPeopleClaims(t *testing.T) {
	l := newPeopleLab(t)
	g := l.openGate(t, entrances()[0], asWritten)
	g.portal.up.Store(true)
	for _, test := range []struct {
		code, reason string
		claims       idp.Claims
	}{
		{"addressNotVerified", "", idp.Claims{Subject: "1", Email: ada}},
		{"requestUnexpected", "<no value>", idp.Claims{Subject: "2"}},
		{"deviceNotFound", "", idp.Claims{Subject: "3", Email: "x&email=" + ada, EmailVerified: true}},
	} {
		for _, ssh := range []bool{false, true} {
			result := get(t, g.person, ada, ssh, l.tokenFlags(t, test.claims))
			if result.Status != 1 || !strings.Contains(result.Stderr, isForbidden) || !strings.Contains(result.Stderr, "("+test.code+")") {
				t.Errorf("SSH %t: %+v: the client says %+v, want %s", ssh, test.claims, result, test.code)
			}
		}
		expectLog(t, g.guard.Connector, "[DENY]", test.code, test.reason)
	}
}

// TestPeopleQueryUnescaped: where the URL lacks urlquery, an address that adds a parameter names another person, and is refused for
// its doubled parameter.
func TestPeopleQueryUnescaped(t *testing.T) {
	l := newPeopleLab(t)
	g := l.openGate(t, entrances()[0], func(commands string) string { return strings.ReplaceAll(commands, " | urlquery", "") })
	result := get(t, g.person, ada, false, l.tokenFlags(t, idp.Claims{Subject: "3", Email: "x&email=" + ada, EmailVerified: true}))
	if result.Status != 1 || !strings.Contains(result.Stderr, "(requestUnexpected)") {
		t.Errorf("the client says %+v, want requestUnexpected", result)
	}
	expectLog(t, g.guard.Connector, "[DENY]", "requestUnexpected", "more than once")
}
