package e2e_test

import (
	"testing"

	"step-posture-connector/internal/test/e2e/idp"
)

// TestClaimsInURL: what the URL of the page's webhooks says of tokens that step-ca accepts, and that the connector must refuse.
func TestClaimsInURL(t *testing.T) {
	l := newPeopleLab(t)
	answers := new(answerer)
	p := l.setUp(t, entrances()[0], answers)
	for _, test := range []struct {
		name   string
		claims idp.Claims
		query  string
	}{
		{"address not verified", idp.Claims{Subject: "1", Email: ada}, "?email=ada%40example.com&verified=false"},
		{"no address", idp.Claims{Subject: "2"}, "?email=%3Cno+value%3E&verified=false"},
		{"address that adds a parameter", idp.Claims{Subject: "3", Email: "x&email=" + ada, EmailVerified: true}, "?email=x%26email%3Dada%40example.com&verified=true"},
	} {
		answers.set("deny")
		result := get(t, p, ada, false, l.tokenFlags(t, test.claims))
		if calls := answers.set("deny"); len(calls) != 1 || calls[0] != "/webhook/certificate"+test.query {
			t.Errorf("%s: step-ca calls %q, want %s once; the client says %+v", test.name, calls, test.query, result)
		}
	}
}
