package e2e_test

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"step-posture-connector/internal/test/e2e/doors"
	"step-posture-connector/internal/test/e2e/radius"
)

// TestRADIUS logs devices in to FreeRADIUS, which runs with the files of docs/doors/freeradius.
func TestRADIUS(t *testing.T) {
	t.Parallel()
	scenarios := map[string]func(*testing.T){
		"allowed":             testRADIUSAllowed,
		"refused":             testRADIUSRefused,
		"answers":             testRADIUSAnswers,
		"other certificates":  testRADIUSCertificates,
		"other methods":       testRADIUSMethods,
		"twelve at once":      testRADIUSTogether,
		"one after the other": testRADIUSMany,
		"connector down":      testRADIUSDown,
		"connector slow":      testRADIUSSlow,
		"resumed session":     testRADIUSResumed,
		"VLAN not configured": testRADIUSWithoutVLAN,
		"variable not set":    testRADIUSUnset,
	}
	for name, scenario := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t)
		})
	}
}

// testRADIUSAllowed: the attributes of the answer reach the access point, and the question has what the connector needs.
func testRADIUSAllowed(t *testing.T) {
	l := newDoorLab(t)
	server := l.radius(t, nil)
	for _, tls13 := range []bool{false, true} {
		l.stub.Answer(doors.JSON(http.StatusOK, accept))
		result := connect(t, server, radius.Login{Device: l.device, TLS13: tls13, MAC: "02:00:00:00:00:42", SSID: "corp"})
		wantAccepted(t, result, "42")
		want(t, result, radius.SessionTimeout, "3600")
		want(t, result, radius.Termination, "1")

		questions := l.stub.Questions()
		if len(questions) != 1 {
			t.Fatalf("the connector was asked %d times, want once", len(questions))
		}
		question := questions[0]
		if question.Method != http.MethodPost || question.URI != "/door/radius" || question.Caller != "caller.example.com" {
			t.Errorf("the connector was asked %s %s by %s, want POST /door/radius by caller.example.com", question.Method, question.URI, question.Caller)
		}
		for _, attribute := range []string{
			`"TLS-Client-Cert-Common-Name":{"type":"string","value":["` + knownSerial + `"]}`,
			`"TLS-Client-Cert-Issuer":{"type":"string","value":["\/O=Loopback\/CN=Devices CA"]}`,
			`"TLS-Client-Cert-X509v3-Authority-Key-Identifier":`,
			`"TLS-Client-Cert-X509v3-Extended-Key-Usage-OID":{"type":"string","value":["1.3.6.1.5.5.7.3.2"]}`,
			`"TLS-Client-Cert-Expiration":`,
			// SEQUENCE { INTEGER 6, OCTET STRING "acme-da", OCTET STRING "" }
			`"TLS-Client-Cert-1.3.6.1.4.1.37476.9000.64.1":{"type":"octets","value":["0x300e020106040761636d652d64610400"]}`,
			`"EAP-Type":{"type":"integer","value":["TLS"]}`,
			`"Calling-Station-Id":{"type":"string","value":["02-00-00-00-00-42"]}`,
			`"Called-Station-Id":{"type":"string","value":["AA-BB-CC-DD-EE-FF:corp"]}`,
		} {
			if !bytes.Contains(question.Body, []byte(attribute)) {
				t.Errorf("the question lacks %s:\n%s", attribute, question.Body)
			}
		}
	}
}

// testRADIUSRefused: the reason reaches the access point, and nothing else does.
func testRADIUSRefused(t *testing.T) {
	l := newDoorLab(t)
	server := l.radius(t, nil)
	const message = "This device is not in the inventory. (ref 12345678)"
	l.stub.Answer(doors.JSON(http.StatusUnauthorized, `{"reply:Reply-Message":{"op":":=","do_xlat":false,"value":["`+message+`"]}}`))
	result := connect(t, server, radius.Login{Device: l.device})
	wantRejected(t, result)
	want(t, result, radius.ReplyMessage, message)

	// No answer that we send has both.
	l.stub.Answer(doors.JSON(http.StatusUnauthorized, accept))
	wantRejected(t, connect(t, server, radius.Login{Device: l.device}))
	// FreeRADIUS evaluates expressions in values unless it is told otherwise.
	l.stub.Answer(doors.JSON(http.StatusUnauthorized, `{"reply:Reply-Message":{"op":":=","do_xlat":false,"value":["%{User-Name} 100%{"]}}`))
	result = connect(t, server, radius.Login{Device: l.device})
	wantRejected(t, result)
	want(t, result, radius.ReplyMessage, "%{User-Name} 100%{")
}

// testRADIUSCertificates: FreeRADIUS itself refuses certificates that the issuer of devices' certificates has not issued. It
// does not ask the connector.
func testRADIUSCertificates(t *testing.T) {
	l := newDoorLab(t)
	server := l.radius(t, nil)
	template, err := doors.DeviceTemplate(knownSerial, "acme-da")
	if err != nil {
		t.Fatal(err)
	}
	expired := *template
	expired.NotBefore, expired.NotAfter = l.pki.Root.Certificate.NotBefore, l.pki.Root.Certificate.NotBefore.Add(1)
	for name, device := range map[string]doors.Credential{
		"sibling CA": l.issueDevice(t, l.pki.Sibling, knownSerial),
		"root":       l.issueDevice(t, l.pki.Root, knownSerial),
		"foreign CA": l.issueDevice(t, l.pki.Foreign, knownSerial),
		"expired":    l.issue(t, "expired", &expired),
		"caller":     l.caller,
	} {
		for _, tls13 := range []bool{false, true} {
			result := connect(t, server, radius.Login{Device: device, TLS13: tls13})
			if result.Accepted {
				t.Errorf("%s, TLS 1.3 %t: accepted", name, tls13)
			}
		}
	}
	wantQuestions(t, l.stub, 0)

	// What was refused is the certificate, and nothing else is wrong with the server.
	many := *template
	for i := range 100 {
		many.DNSNames = append(many.DNSNames, fmt.Sprintf("a-rather-long-name-of-a-host-%d.example.com", i))
	}
	many.ExtraExtensions = nil
	wantAccepted(t, connect(t, server, radius.Login{Device: l.issue(t, "many", &many)}), "42")
}

// testRADIUSMethods: there is no other way in than EAP-TLS.
func testRADIUSMethods(t *testing.T) {
	l := newDoorLab(t)
	server := l.radius(t, nil)
	for _, lines := range [][]string{
		{"eap=MD5", `password="secret"`},
		{"eap=PEAP", `password="secret"`, `phase2="auth=MSCHAPV2"`},
		{"eap=TTLS", `password="secret"`, `phase2="auth=PAP"`},
		{"eap=PWD", `password="secret"`},
	} {
		result := connect(t, server, radius.Login{Lines: lines})
		wantRejected(t, result)
		if !strings.Contains(result.Output, "Access-Reject") {
			t.Errorf("%s: FreeRADIUS did not answer", lines[0])
		}
	}
	code, err := server.Password(t.Context(), "secret", true)
	if err != nil || code != radius.Reject {
		t.Errorf("PAP: answer %d, %v, want a refusal", code, err)
	}
	code, err = server.Password(t.Context(), "secret", false)
	if err != nil || code != 0 {
		t.Errorf("PAP without Message-Authenticator: answer %d, %v, want none", code, err)
	}
	wantQuestions(t, l.stub, 0)
}

// testRADIUSTogether: devices that connect at once get their own answer each.
func testRADIUSTogether(t *testing.T) {
	l := newDoorLab(t)
	server := l.radius(t, nil)
	l.stub.Answer(func(response http.ResponseWriter, question doors.Question) {
		for i := range 12 {
			if bytes.Contains(question.Body, fmt.Appendf(nil, `"DEVICE%02d"`, i)) && i%3 != 0 {
				doors.JSON(http.StatusOK, strings.ReplaceAll(accept, `"42"`, fmt.Sprintf(`"%d"`, 100+i)))(response, question)
				return
			}
		}
		doors.JSON(http.StatusUnauthorized, `{}`)(response, question)
	})
	var group sync.WaitGroup
	results := make([]radius.Result, 12)
	for i := range results {
		device := l.issueDevice(t, l.pki.Issuer, fmt.Sprintf("DEVICE%02d", i))
		group.Go(func() { results[i] = connect(t, server, radius.Login{Device: device, TLS13: i%2 == 0}) })
	}
	group.Wait()
	for i, result := range results {
		if i%3 == 0 {
			wantRejected(t, result)
		} else {
			wantAccepted(t, result, fmt.Sprint(100+i))
		}
	}
	wantQuestions(t, l.stub, 12)
}

// testRADIUSMany: FreeRADIUS keeps the answered requests of five seconds, and drops none for it when so many devices come back.
func testRADIUSMany(t *testing.T) {
	l := newDoorLab(t)
	server := l.radius(t, func(c *radius.Config) { c.Quiet = true })
	var group sync.WaitGroup
	for i := range 5 {
		group.Go(func() {
			wantAccepted(t, connect(t, server, radius.Login{Device: l.device, TLS13: true, MAC: fmt.Sprintf("02:00:00:00:01:%02d", i), Again: 11}), "42")
		})
	}
	group.Wait()
	wantQuestions(t, l.stub, 5*12)
	if strings.Contains(server.Log(), "too many") {
		t.Errorf("FreeRADIUS has dropped requests:\n%s", server.Log())
	}
}

// testRADIUSResumed: an operator has switched the session cache on. FreeRADIUS then asks about a device whose session was
// resumed without its certificate, so the connector can only refuse.
func testRADIUSResumed(t *testing.T) {
	l := newDoorLab(t)
	server := l.radius(t, func(c *radius.Config) {
		c.Edit = func(config string) string {
			return strings.Replace(config, "\t\t\t\tenable = no\n", "\t\t\t\tenable = yes\n\t\t\t\tname = sessions\n\t\t\t\tpersist_dir = .\n", 1)
		}
	})
	l.stub.Answer(func(response http.ResponseWriter, question doors.Question) {
		if !bytes.Contains(question.Body, []byte(knownSerial)) {
			doors.JSON(http.StatusUnauthorized, `{"reply:Reply-Message":{"op":":=","do_xlat":false,"value":["certificateMissing"]}}`)(response, question)
			return
		}
		doors.JSON(http.StatusOK, accept)(response, question)
	})
	result := connect(t, server, radius.Login{Device: l.device, TLS13: true, Again: 1})
	wantRejected(t, result)
	want(t, result, radius.ReplyMessage, "certificateMissing")
	questions := l.stub.Questions()
	if len(questions) != 2 || !bytes.Contains(questions[0].Body, []byte("TLS-Client-Cert-")) || bytes.Contains(questions[1].Body, []byte("TLS-Client-Cert-")) {
		t.Errorf("%d questions, want one with the certificate and one without:\n%s", len(questions), questions)
	}

	// With TLS 1.2, most of the certificate is in the session.
	l.stub.Answer(doors.JSON(http.StatusOK, accept))
	connect(t, server, radius.Login{Device: l.device, Again: 1})
	wantQuestions(t, l.stub, 2)
}

// issue issues a certificate of the issuer of devices' certificates.
func (l *doorLab) issue(t *testing.T, name string, template *x509.Certificate) doors.Credential {
	t.Helper()
	c, err := l.pki.Issue(l.pki.Issuer, name, template)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wantAccepted(t *testing.T, result radius.Result, vlan string) {
	t.Helper()
	if !result.Accepted {
		t.Errorf("refused, want access:\n%s", result.Output)
		return
	}
	if vlan == "" {
		for _, name := range []string{radius.VLAN, radius.TunnelType, radius.TunnelMedium} {
			want(t, result, name)
		}
		return
	}
	want(t, result, radius.VLAN, vlan)
	want(t, result, radius.TunnelType, "0000000d")
	want(t, result, radius.TunnelMedium, "00000006")
}

func wantRejected(t *testing.T, result radius.Result) {
	t.Helper()
	if result.Accepted {
		t.Errorf("access with %v, want a refusal", result.Attributes)
	}
	for name := range result.Attributes {
		if !slices.Contains([]string{radius.ReplyMessage, "EAP-Message", "Message-Authenticator"}, name) {
			t.Errorf("the refusal has %s: %v", name, result.Attributes[name])
		}
	}
}

func want(t *testing.T, result radius.Result, name string, values ...string) {
	t.Helper()
	if got := result.Attributes[name]; !slices.Equal(got, values) {
		t.Errorf("%s is %q, want %q", name, got, values)
	}
}

func wantQuestions(t *testing.T, stub *doors.Stub, want int) {
	t.Helper()
	if questions := stub.Questions(); len(questions) != want {
		t.Errorf("the connector was asked %d times, want %d:\n%s", len(questions), want, questions)
	}
}
