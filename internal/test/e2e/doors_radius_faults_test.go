package e2e_test

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/e2e/doors"
	"step-posture-connector/internal/test/e2e/radius"
)

// without removes an attribute from accept.
func without(name string) string {
	var kept []string
	for _, member := range strings.SplitAfter(strings.Trim(accept, "{}")+"},", "]},") {
		if member != "" && !strings.Contains(member, name) {
			kept = append(kept, strings.TrimSuffix(member, ","))
		}
	}
	return "{" + strings.Join(kept, ",") + "}"
}

// otherwise replaces a text in accept.
func otherwise(from, to string) string { return strings.Replace(accept, from, to, 1) }

// noAccess are answers to which a device must not get access: what the connector answers when it refuses, what it never
// answers, and what another server in its place might answer.
func noAccess() map[string]doors.Answer {
	answers := map[string]doors.Answer{
		"200, empty":               doors.JSON(200, ""),
		"200, {}":                  doors.JSON(200, "{}"),
		"200, allow false":         doors.JSON(200, `{"allow":false}`),
		"200, allow true":          doors.JSON(200, `{"allow":true}`),
		"200, HTML":                doors.Status(200, "text/html", "<html><body>Welcome</body></html>"),
		"200, text":                doors.Status(200, "text/plain", accept),
		"200, list":                doors.JSON(200, "[]"),
		"200, cut":                 doors.JSON(200, accept[:len(accept)-9]),
		"200, noise":               doors.JSON(200, "\x00\xff{"),
		"200, unknown attribute":   doors.JSON(200, `{"reply:No-Such-Attribute":{"op":":=","do_xlat":false,"value":["1"]}}`),
		"200, Auth-Type Reject":    doors.JSON(200, otherwise("Accept", "Reject")),
		"200, Auth-Type unknown":   doors.JSON(200, otherwise("Accept", "Acccept")),
		"200, Auth-Type missing":   doors.JSON(200, without("Auth-Type")),
		"200, two Auth-Types":      doors.JSON(200, otherwise(`"op":":=","do_xlat":false,"value":["Accept"]`, `"op":"+=","do_xlat":false,"value":["Accept","Reject"]`)),
		"200, no timeout":          doors.JSON(200, without("Session-Timeout")),
		"200, bad timeout":         doors.JSON(200, otherwise("3600", "soon")),
		"200, timeout 0":           doors.JSON(200, otherwise("3600", "0")),
		"200, long timeout":        doors.JSON(200, otherwise("3600", "86401")),
		"200, no termination":      doors.JSON(200, without("Termination-Action")),
		"200, VLAN alone":          doors.JSON(200, strings.Replace(without("Tunnel-Type"), "reply:Tunnel-Medium-Type", "reply:Filter-Id", 1)),
		"200, empty VLAN":          doors.JSON(200, otherwise("42", "")),
		"200, VLAN with a space":   doors.JSON(200, otherwise("42", "4 2")),
		"200, VLAN with a newline": doors.JSON(200, otherwise("42", `42\n`)),
		"200, long VLAN":           doors.JSON(200, otherwise("42", strings.Repeat("4", 33))),
		"200, VLAN null":           doors.JSON(200, otherwise(`["42"]`, "null")),
		"200, VLAN empty list":     doors.JSON(200, otherwise(`["42"]`, "[]")),
		"200, two VLANs":           doors.JSON(200, otherwise(`"op":":=","do_xlat":false,"value":["42"]`, `"op":"+=","do_xlat":false,"value":["42","1"]`)),
		"200, tagged beside":       doors.JSON(200, strings.TrimSuffix(accept, "}")+`,"reply:Tunnel-Private-Group-Id:1":{"op":"+=","do_xlat":false,"value":["1"]}}`),
		"200, no Tunnel-Type":      doors.JSON(200, without("Tunnel-Type")),
		"200, bad Tunnel-Type":     doors.JSON(200, otherwise("VLAN", "VLANN")),
		"200, other Tunnel-Type":   doors.JSON(200, otherwise("VLAN", "L2TP")),
		"200, no medium":           doors.JSON(200, without("Tunnel-Medium-Type")),
		"200, bad medium":          doors.JSON(200, otherwise("IEEE-802", "IEEE-803")),
		"204":                      func(response http.ResponseWriter, _ doors.Question) { response.WriteHeader(http.StatusNoContent) },
		"no HTTP":                  doors.Garbage("\x00\xff\r\n\r\n" + accept),
		"no status":                doors.Garbage("X-Device-Id: 1\r\nContent-Type: application/json\r\n\r\n" + accept),
		"cut":                      doors.Garbage("HTTP/1.1 200 OK\r\nX-Device-Id: 1\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n" + accept),
		"dropped":                  doors.Drop,
	}
	for _, status := range []int{300, 301, 302, 304, 307, 400, 401, 403, 404, 405, 407, 410, 413, 418, 429, 500, 502, 503, 504, 599} {
		answers[strconv.Itoa(status)] = doors.Headers(status, map[string]string{"Location": "/door/radius"}, accept)
	}
	return answers
}

// testRADIUSAnswers: with every answer that is no clear allow, a device gets no access.
func testRADIUSAnswers(t *testing.T) {
	for _, vlan := range []string{"required", "optional"} {
		t.Run(vlan, func(t *testing.T) {
			t.Parallel()
			newDoorLab(t).wantNoAccess(t, vlan)
		})
	}
}

func (l *doorLab) wantNoAccess(t *testing.T, vlan string) {
	t.Helper()
	server := l.radius(t, func(c *radius.Config) { c.VLAN = vlan })
	for name, answer := range noAccess() {
		l.stub.Answer(answer)
		result := connect(t, server, radius.Login{Device: l.device})
		if result.Accepted {
			t.Errorf("%s: access with %v", name, result.Attributes)
		}
		if len(l.stub.Questions()) == 0 {
			t.Errorf("%s: the connector was not asked", name)
		}
	}
	// The same server still grants access, also with a JSON that is written otherwise.
	for _, answer := range []doors.Answer{
		doors.JSON(200, accept), doors.Status(200, "application/json; charset=utf-8", accept), doors.Status(200, "", accept),
	} {
		l.stub.Answer(answer)
		wantAccepted(t, connect(t, server, radius.Login{Device: l.device}), "42")
	}
	l.stub.Answer(doors.JSON(200, otherwise("42", "guests_1.a-b")))
	wantAccepted(t, connect(t, server, radius.Login{Device: l.device}), "guests_1.a-b")
}

// testRADIUSWithoutVLAN: an answer without a VLAN gives access where none is required. Without a decision about it, nobody
// gets access.
func testRADIUSWithoutVLAN(t *testing.T) {
	l := newDoorLab(t)
	l.stub.Answer(doors.JSON(200, without("Tunnel")))
	optional := l.radius(t, func(c *radius.Config) { c.VLAN = "optional" })
	wantAccepted(t, connect(t, optional, radius.Login{Device: l.device, TLS13: true}), "")
	required := l.radius(t, nil)
	wantRejected(t, connect(t, required, radius.Login{Device: l.device}))

	l.stub.Answer(doors.JSON(200, accept))
	for name, edit := range map[string]func(*radius.Config){
		"misspelled": func(c *radius.Config) { c.VLAN = "require" },
		"empty":      func(c *radius.Config) { c.VLAN = "" },
	} {
		if result := connect(t, l.radius(t, edit), radius.Login{Device: l.device}); result.Accepted {
			t.Errorf("WIFI_VLAN is %s: accepted with %v", name, result.Attributes)
		}
	}
	wantQuestions(t, l.stub, 0)
}

// testRADIUSUnset: without one of the variables FreeRADIUS does not start, or refuses every device.
func testRADIUSUnset(t *testing.T) {
	l := newDoorLab(t)
	for _, variable := range []string{
		"WIFI_ADDRESS", "WIFI_CLIENTS", "WIFI_SECRET", "WIFI_CERTIFICATE", "WIFI_KEY", "WIFI_DEVICE_ISSUER", "WIFI_VLAN",
		"POSTURE_URL", "POSTURE_CA", "POSTURE_CERTIFICATE", "POSTURE_KEY",
	} {
		config := l.radiusConfig()
		config.Unset = []string{variable}
		server, err := radius.Start(t.Context(), config)
		if err != nil {
			continue
		}
		if result := connect(t, server, radius.Login{Device: l.device}); result.Accepted {
			t.Errorf("without %s: access with %v", variable, result.Attributes)
		}
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	}
	wantQuestions(t, l.stub, 0)
}

// testRADIUSDown: while the connector cannot be asked, nobody gets access; the next login after that does.
func testRADIUSDown(t *testing.T) {
	l := newDoorLab(t)
	server := l.radius(t, nil)
	wantAccepted(t, connect(t, server, radius.Login{Device: l.device}), "42")
	for name, certificate := range map[string]*doors.Credential{
		"down":       nil,
		"foreign CA": new(l.issueServer(t, l.pki.Foreign, "foreign", "localhost")),
		"other name": new(l.issueServer(t, l.pki.Root, "other", "other.example.com")),
	} {
		if err := l.stub.Down(); err != nil {
			t.Fatal(err)
		}
		l.stub.Answer(doors.JSON(http.StatusOK, accept))
		if certificate != nil {
			l.up(t, *certificate)
		}
		for range 3 {
			wantRejected(t, connect(t, server, radius.Login{Device: l.device}))
		}
		wantQuestions(t, l.stub, 0)
		if err := l.stub.Down(); err != nil {
			t.Fatal(err)
		}
		l.up(t, l.connector)
		wantAccepted(t, connect(t, server, radius.Login{Device: l.device}), "42")
		if t.Failed() {
			t.Fatalf("this was with the connector %s", name)
		}
	}
}

// up starts the stub again.
func (l *doorLab) up(t *testing.T, certificate doors.Credential) {
	t.Helper()
	if err := l.stub.Up(t.Context(), certificate); err != nil {
		t.Fatal(err)
	}
}

// testRADIUSSlow: an answer that comes too late, or never ends, gives no access.
func testRADIUSSlow(t *testing.T) {
	l := newDoorLab(t)
	server := l.radius(t, nil)
	for name, answer := range map[string]doors.Answer{
		"slow":     doors.Slow(time.Minute, doors.JSON(200, accept)),
		"trickles": doors.Trickle(200, map[string]string{"Content-Type": "application/json"}, 100*time.Millisecond),
	} {
		l.stub.Answer(answer)
		if result := connect(t, server, radius.Login{Device: l.device}); result.Accepted {
			t.Errorf("%s: access with %v", name, result.Attributes)
		}
		wantQuestions(t, l.stub, 1)
	}
	l.stub.Answer(doors.JSON(200, accept))
	wantAccepted(t, connect(t, server, radius.Login{Device: l.device}), "42")
	if !bytes.Contains(l.stub.Questions()[0].Body, []byte(knownSerial)) {
		t.Error("the question lacks the device")
	}
}
