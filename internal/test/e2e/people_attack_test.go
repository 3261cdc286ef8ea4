package e2e_test

import (
	"context"
	"crypto/x509"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/idp"
)

const ceo = "ceo@example.com"

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

// TestPeopleAdmin: an admin of the provisioner asks for the name of somebody else, and the template copies the request. A policy
// without the rule own_names lets that pass; with the rule, AUTHORIZING refuses it.
func TestPeopleAdmin(t *testing.T) {
	l := newPeopleLab(t)
	g := l.openGate(t, entrances()[0], func(commands string) string {
		return strings.Replace(commands, "--x509-template people.tpl", "--admin "+ada, 1)
	})
	result, _ := g.askAs(t, ceo)
	if !strings.Contains(result, isForbidden) || !strings.Contains(result, "error creating certificate.") {
		t.Errorf("with the rule the client says %q", result)
	}
	expectLog(t, g.guard.Connector, "[DENY]", "own_names", ada)

	g.setPolicies(t, strings.Replace(g.policies, "require: request.names.all(n, n == request.url.email) && request.certificate.emails == [request.url.email]",
		"require: request.url.verified == \"true\"", 1))
	result, certificate := g.askAs(t, ceo)
	if certificate == nil || !slices.Equal(certificate.EmailAddresses, []string{ceo}) {
		t.Errorf("without the rule the admin gets no certificate for %s: %s", ceo, result)
	}
}

// askAs asks, with the token of ada, for a certificate with another name. It returns what the client prints.
func (g *peopleGate) askAs(t *testing.T, name string) (printed string, certificate *x509.Certificate) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	for _, args := range [][]string{
		{"certificate", "create", name, "other.csr", "other.key", "--csr", "--san", name, "--no-password", "--insecure", "--force"},
		append([]string{"ca", "sign", "other.csr", "other.crt", "--force"}, g.flags(t, g.peopleLab, "", ada, false)...),
	} {
		result, err := g.person.Run(ctx, args...)
		if err != nil {
			t.Fatal(err)
		}
		if result.Status != 0 {
			return result.Stderr, nil
		}
	}
	certificate, err := g.person.Read("other.crt")
	if err != nil {
		t.Fatal(err)
	}
	return "", certificate
}

// setPolicies replaces the policy file, and waits until the connector has taken it.
func (g *peopleGate) setPolicies(t *testing.T, content string) {
	t.Helper()
	if content == g.policies {
		t.Fatal("the policy file has not the text that the test changes")
	}
	if err := g.guard.SetPolicies(content); err != nil {
		t.Fatal(err)
	}
	expectLog(t, g.guard.Connector, "reloaded: policies")
}
