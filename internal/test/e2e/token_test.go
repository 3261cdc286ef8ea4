package e2e_test

import (
	"context"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"step-posture-connector/internal/test/e2e/device"
)

// TestTokens follows the page about enrolment tokens with a real step-ca.
func TestTokens(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	g := l.followEnrolment(t)
	t.Run("Issued", g.testIssued)
	t.Run("Keys", g.testKeys)
	t.Run("AtOnce", g.testAtOnce)
	t.Run("Outage", g.testOutage)
	t.Run("Refused", g.testRefused)
	t.Run("Templates", g.testTemplates)
	t.Run("Samples", g.testSamples)
	t.Run("Errors", g.testErrors)
	t.Run("Backup", g.testBackup)
}

// with finalizes an order with a token.
func (g *tokenGuard) with(t *testing.T, order *device.Order, serial, udid, token string) (*x509.Certificate, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	return order.FinalizeWith(ctx, subjectWith(serial, udid, token))
}

// expectToken wants a certificate for the enrolled device, without the token.
func (g *tokenGuard) expectToken(t *testing.T, cert *x509.Certificate, err error, token string) {
	t.Helper()
	expectIssuedTo(t, enrolledSerial, cert, err)
	expectNoToken(t, "the certificate", cert.Raw, token)
	expectNoToken(t, "the log", []byte(g.Log()), token)
	expectNoToken(t, "step-ca's log", []byte(g.ca.Log()), token)
	udids := 0
	for _, attribute := range cert.Subject.Names {
		switch {
		case attribute.Type.Equal(tokenOID()):
			t.Errorf("the subject has the attribute of the token: %s", cert.Subject)
		case attribute.Type.Equal(udidOID()) && attribute.Value == enrolledUDID:
			udids++
		}
	}
	if udids != 1 {
		t.Errorf("the subject is %s, want the UDID in it: the template copies the other attributes", cert.Subject)
	}
}

// expectInvalid wants that an order gets nothing, and that the log says why.
func (g *tokenGuard) expectInvalid(t *testing.T, order *device.Order, udid, token, reason string) {
	t.Helper()
	cert, err := g.with(t, order, enrolledSerial, udid, token)
	expectRefused(t, g.Connector, "tokenInvalid", enrolledSerial, cert, err)
	reference := regexp.MustCompile(`\(ref [0-9A-Z]{8}\)`).FindString(err.Error())
	expectLog(t, g.Connector, "tokenInvalid", strings.Trim(strings.TrimPrefix(reference, "(ref "), ")"), reason)
	expectReady(t, order)
}

// testIssued: a device of the inventory needs a token. With one it gets its certificate, as often as it asks with the same key.
func (g *tokenGuard) testIssued(t *testing.T) {
	d := g.device(t, enrolledSerial)
	order := g.orderOf(t, d)
	g.expectInvalid(t, order, enrolledUDID, "", "has 0 tokens in 2.5.4.35")
	g.expectInvalid(t, order, enrolledUDID, strings.Repeat("A", 43), "there is no such token")
	token := g.token(t)
	cert, err := g.with(t, order, enrolledSerial, enrolledUDID, token.Token)
	g.expectToken(t, cert, err, token.Token)
	expectLog(t, g.Connector, "[ALLOW]", enrolledSerial, "token_id="+token.ID)

	// An order that is valid gives its certificate again, and asks nobody.
	again, err := g.with(t, order, enrolledSerial, enrolledUDID, token.Token)
	if err == nil && !again.Equal(cert) {
		t.Error("the second finalize of an order gave another certificate")
	}
}

// testKeys: the token is good for further orders of its key, and for no other key.
func (g *tokenGuard) testKeys(t *testing.T) {
	d, token := g.device(t, enrolledSerial), g.token(t)
	for range 2 {
		cert, err := g.with(t, g.orderOf(t, d), enrolledSerial, enrolledUDID, token.Token)
		g.expectToken(t, cert, err, token.Token)
	}
	// A device that starts over has a new key, and so needs a new token.
	over := g.orderOf(t, g.device(t, enrolledSerial))
	g.expectInvalid(t, over, enrolledUDID, token.Token, "a device that starts over needs a new one")
	fresh := g.token(t)
	cert, err := g.with(t, over, enrolledSerial, enrolledUDID, fresh.Token)
	g.expectToken(t, cert, err, fresh.Token)
}

// testAtOnce: four finalizes at once of the orders of one key all get a certificate; with four keys, one does. Of four of the
// same order, the token refuses none.
func (g *tokenGuard) testAtOnce(t *testing.T) {
	const all = 4
	order, token := g.orderOf(t, g.device(t, enrolledSerial)), g.token(t)
	var same sync.WaitGroup
	before := strings.Count(g.Log(), "tokenInvalid")
	for range all {
		// step-ca itself may give a server error to one that comes second.
		same.Go(func() { _, _ = g.with(t, order, enrolledSerial, enrolledUDID, token.Token) })
	}
	same.Wait()
	cert, err := g.with(t, order, enrolledSerial, enrolledUDID, token.Token)
	g.expectToken(t, cert, err, token.Token)
	if after := strings.Count(g.Log(), "tokenInvalid"); after != before {
		t.Error("of finalizes of the same order at once, one was refused for its token")
	}
	finalize := func(devices func() *device.Device) (given int) {
		token := g.token(t)
		var orders []*device.Order
		for range all {
			orders = append(orders, g.orderOf(t, devices()))
		}
		var (
			mu      sync.Mutex
			working sync.WaitGroup
		)
		for _, order := range orders {
			working.Go(func() {
				if _, err := g.with(t, order, enrolledSerial, enrolledUDID, token.Token); err == nil {
					mu.Lock()
					defer mu.Unlock()
					given++
				}
			})
		}
		working.Wait()
		return given
	}
	one := g.device(t, enrolledSerial)
	if given := finalize(func() *device.Device { return one }); given != all {
		t.Errorf("of %d orders of one key, %d got a certificate", all, given)
	}
	if given := finalize(func() *device.Device { return g.device(t, enrolledSerial) }); given != 1 {
		t.Errorf("of the orders of %d keys, %d got a certificate, want 1", all, given)
	}
}

// testOutage: an order that could not be decided is as good as before, and so is its token.
func (g *tokenGuard) testOutage(t *testing.T) {
	order, token := g.orderOf(t, g.device(t, enrolledSerial)), g.token(t)
	setPolicies(t, g.Guard, outage(t, withoutTests(g.policies)))
	cert, err := g.with(t, order, enrolledSerial, enrolledUDID, token.Token)
	expectProblem(t, cert, err, 500, "urn:ietf:params:acme:error:serverInternal")
	expectReady(t, order)
	expectLog(t, g.Connector, "[DENY]", "unavailable", "status=503")
	setPolicies(t, g.Guard, g.policies)
	cert, err = g.with(t, order, enrolledSerial, enrolledUDID, token.Token)
	g.expectToken(t, cert, err, token.Token)
}

// withoutTests leaves the tests of a policy file out.
func withoutTests(policies string) string {
	return regexp.MustCompile(`(?ms)^    tests:\n.*?^(\w)`).ReplaceAllString(policies, "$1")
}

// testRefused: a token of another device, UDID or state is refused, and none of these attempts uses it up.
func (g *tokenGuard) testRefused(t *testing.T) {
	order := g.orderOf(t, g.device(t, enrolledSerial))
	other := g.tokens.issue(t, map[string]string{"policy": "enrolment", "identifier": otherSerial})
	g.expectInvalid(t, order, enrolledUDID, other.Token, `the token is for the device \"`+otherSerial)
	token := g.token(t)
	g.expectInvalid(t, order, "", token.Token, "the CSR has 0 in 2.5.4.45")
	g.expectInvalid(t, order, "00008030-"+otherSerial, token.Token, "the CSR has another one")
	// The UDID in the CSR is the client's word; the inventory has another one.
	liar := g.tokens.issue(t, map[string]string{"policy": "enrolment", "udid": "00008030-" + otherSerial})
	g.expectInvalid(t, order, "00008030-"+otherSerial, liar.Token, "the inventory says that the device has another one")
	revoked := g.token(t)
	if status, body := g.tokens.do(t.Context(), t, http.MethodDelete, g.tokens.url+"/"+revoked.ID, nil); status != http.StatusNoContent {
		t.Fatalf("the API answers %d %s, want 204", status, body)
	}
	g.expectInvalid(t, order, enrolledUDID, revoked.Token, "the token was revoked")
	used, d := g.token(t), g.device(t, enrolledSerial)
	cert, err := g.with(t, g.orderOf(t, d), enrolledSerial, enrolledUDID, used.Token)
	g.expectToken(t, cert, err, used.Token)
	if status, body := g.tokens.do(t.Context(), t, http.MethodDelete, g.tokens.url+"/"+used.ID, nil); status != http.StatusNoContent {
		t.Fatalf("the API answers %d %s, want 204", status, body)
	}
	g.expectInvalid(t, g.orderOf(t, d), enrolledUDID, used.Token, "the token was revoked")
	cert, err = g.with(t, order, enrolledSerial, enrolledUDID, token.Token)
	g.expectToken(t, cert, err, token.Token)
}

// testTemplates: a template that shows the token gets no certificate. The line that the log proposes keeps the token out.
func (g *tokenGuard) testTemplates(t *testing.T) {
	template, err := os.ReadFile(filepath.Join(g.dir, "enrolment.tpl"))
	if err != nil {
		t.Fatal(err)
	}
	good := string(template)
	ours := extraNamesLine(t, good)
	d, token := g.device(t, enrolledSerial), g.token(t)
	order := g.orderOf(t, d)
	for name, line := range map[string]string{
		"a copy of the subject": `"extraNames": {{ toJson .Insecure.CR.Subject.ExtraNames }}`,
		// Of an OID, printf makes a list of numbers, which is no dotted text.
		"printf": strings.Replace(ours, `(toJson .Type) (toJson "2.5.4.35")`, `(printf "%v" .Type) "2.5.4.35"`, 1),
	} {
		g.setTemplate(t, strings.Replace(good, ours, line, 1))
		cert, err := g.with(t, order, enrolledSerial, enrolledUDID, token.Token)
		if cert != nil || line == ours {
			t.Fatalf("%s: a certificate was issued", name)
		}
		expectRefused(t, g.Connector, "tokenInCertificate", enrolledSerial, cert, err)
	}
	g.setTemplate(t, strings.Replace(good, ours, g.proposedLine(t), 1))
	cert, err := g.with(t, order, enrolledSerial, enrolledUDID, token.Token)
	g.expectToken(t, cert, err, token.Token)
	g.setTemplate(t, good)
}

// proposedLine is what the log says that a template needs, as it is printed there.
func (g *tokenGuard) proposedLine(t *testing.T) string {
	t.Helper()
	line, err := g.AwaitLog(t.Context(), "tokenInCertificate")
	if err != nil {
		t.Fatal(err)
	}
	reason, err := strconv.Unquote(regexp.MustCompile(`reason=("(?:[^"\\]|\\.)*")`).FindStringSubmatch(line + ` reason=""`)[1])
	if err != nil {
		t.Fatal(err)
	}
	return extraNamesLine(t, reason)
}
