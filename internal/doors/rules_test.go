package doors_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/devicecert"
	"step-posture-connector/internal/doors"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/test/testca"
)

// Rules see the certificate and the connection, the same at both doors as far as both know it.
func TestRulesSeeTheCertificate(t *testing.T) {
	t.Parallel()
	l := newLab(t, "")
	cert := l.devices.Device(t, testca.Good(serial))
	until := cert.NotAfter.UTC().Format(time.RFC3339)
	rule := func(name, when, require string) string {
		return fmt.Sprintf("      - {name: %s, when: %q, require: %q}\n", name, when, require)
	}
	const always = `request.door == "radius" || request.door == "forward_auth"`
	rules := []string{
		rule("serial", always, fmt.Sprintf("request.certificate.serial == \"%x\"", cert.SerialNumber.Bytes())),
		rule("since", always, "request.certificate.not_before < now && request.certificate.not_before > now - days(1)"),
		rule("until", always, `request.certificate.not_after == timestamp("`+until+`")`),
		rule("provisioner", always, `request.certificate.provisioner == "acme-da"`),
		rule("kind", always, `request.certificate.provisioner_type == "ACME"`),
		rule("name", always, `request.certificate.common_name == "`+serial+`"`),
		rule("identifier", always, `request.identifier == "`+serial+`"`),
		rule("nas", `request.door == "radius"`, `request.radius.nas == "ap1" && request.radius.ssid == "corp" && request.radius.calling_station == "02-00-00-00-00-01"`),
		rule("caller", `request.door == "radius"`, `request.caller == "`+radiusCaller+`"`),
		rule("caller2", `request.door == "forward_auth"`, `request.caller == "`+webCaller+`"`),
	}
	l.use(t, inventories+"\npolicies:\n  default:\n    inventories: [owned]\n    rules:\n"+strings.Join(rules, "")+plainDoors)
	check := func(door string, status int) {
		t.Helper()
		l.sync(t)
		if e := l.last(t); status != http.StatusOK {
			t.Errorf("%s: the answer is %d: %s %v", door, status, e.Reason, e.Verdict.Unmet)
		}
	}
	check("radius", l.radius(t).device(t, cert).status)
	check("forward_auth", l.web(t).show(t, cert).status)
	second := l.devices.Device(t, testca.Good(serial))
	denied(t, l.web(t).show(t, second), http.StatusForbidden, "deviceNotCompliant")
	l.radius(t).refused(t, l.radius(t).device(t, second), "deviceNotCompliant")
}

// What a RADIUS server says of the connection: the first NAS that it names, the SSID behind the first colon, and nothing that is
// doubled.
func TestConnection(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		attributes devicecert.Attributes
		want       posture.RADIUSRequest
	}{
		{nil, posture.RADIUSRequest{}},
		{devicecert.Attributes{"NAS-Identifier": {"ap1"}, "NAS-IP-Address": {"10.0.0.1"}}, posture.RADIUSRequest{NAS: "ap1"}},
		{devicecert.Attributes{"NAS-IP-Address": {"10.0.0.1"}, "NAS-IPv6-Address": {"::1"}}, posture.RADIUSRequest{NAS: "10.0.0.1"}},
		{devicecert.Attributes{"NAS-IPv6-Address": {"::1"}}, posture.RADIUSRequest{NAS: "::1"}},
		{devicecert.Attributes{"NAS-Identifier": {"ap1", "ap2"}, "NAS-IP-Address": {"10.0.0.1"}}, posture.RADIUSRequest{}},
		{devicecert.Attributes{"NAS-Identifier": {"ap1", "ap1"}, "NAS-IP-Address": {"10.0.0.1"}}, posture.RADIUSRequest{}},
		{devicecert.Attributes{"NAS-Identifier": {""}, "NAS-IP-Address": {"10.0.0.1"}}, posture.RADIUSRequest{}},
		{devicecert.Attributes{"Called-Station-Id": {"AA-BB-CC-DD-EE-FF:corp"}}, posture.RADIUSRequest{SSID: "corp"}},
		{devicecert.Attributes{"Called-Station-Id": {"AA-BB-CC-DD-EE-FF:a:b"}}, posture.RADIUSRequest{SSID: "a:b"}},
		{devicecert.Attributes{"Called-Station-Id": {"AA-BB-CC-DD-EE-FF"}}, posture.RADIUSRequest{}},
		{devicecert.Attributes{"Called-Station-Id": {"AA:corp", "BB:corp"}}, posture.RADIUSRequest{}},
		{devicecert.Attributes{"Calling-Station-Id": {"a"}}, posture.RADIUSRequest{CallingStation: "a"}},
		{devicecert.Attributes{"Calling-Station-Id": {"a", "a"}}, posture.RADIUSRequest{}},
	} {
		if got := test.attributes.RADIUS(); *got != test.want {
			t.Errorf("%v is %+v, want %+v", test.attributes, *got, test.want)
		}
	}
}

// broken is an inventory with a fault in its program.
type broken struct{}

func (broken) Lookup(context.Context, posture.Query) (posture.Device, error) {
	panic("the inventory's hidden text")
}

// A panic is a fault and never an allow, with a cache too, and the next question is answered.
func TestPanic(t *testing.T) {
	t.Parallel()
	l := newLab(t, "")
	gate := &posture.Gate{Join: posture.Join{Inventories: []posture.Source{{Name: "broken", Kind: "broken", Provider: broken{}}}}, Policy: posture.Policy{Name: "default"}}
	trust := &devicecert.Trust{Issuers: []*x509.Certificate{l.devices.Certificate}, Provisioners: []string{"acme-da"}}
	for _, cache := range []time.Duration{0, time.Minute} {
		l.handler.Use(doors.New(trust, []*doors.Entry{
			{Door: posture.RADIUSDoor, Callers: []string{radiusCaller}, Gate: gate, Cache: cache, RADIUS: doors.RADIUS{Quarantine: "quarantine", QuarantineCodes: []posture.Code{"internal"}}},
			{Door: posture.ForwardAuthDoor, Callers: []string{webCaller}, Gate: gate, Cache: cache, ForwardAuth: doors.ForwardAuth{Header: "X-Client-Cert", Identity: devicecert.PermanentIdentifier}},
		}))
		cert := l.devices.Device(t, testca.Good(serial))
		for range 2 {
			for _, got := range []response{l.radius(t).device(t, cert), l.web(t).show(t, cert)} {
				if got.status != http.StatusInternalServerError && got.status != http.StatusServiceUnavailable || strings.Contains(got.body, "hidden") || strings.Contains(got.body, "Accept") {
					t.Errorf("a panic is answered %d %s", got.status, got.body)
				}
			}
		}
	}
	l.use(t, plain)
	accepted(t, l.radius(t).device(t, l.devices.Device(t, testca.Good(serial))))
}

// The validity of a certificate is that of the handler's clock, to the second, at both doors.
func TestClock(t *testing.T) {
	t.Parallel()
	l := newLab(t, plain)
	at := time.Now().Truncate(time.Second)
	d := testca.Good(serial)
	d.Change = func(c *x509.Certificate) { c.NotBefore, c.NotAfter = at.Add(-time.Minute), at.Add(time.Minute) }
	cert := l.devices.Device(t, d)
	web, ask, login := l.web(t), l.radius(t), l.devices.NewLogin(t, cert)
	var fixed time.Time
	l.now = func() time.Time { return fixed } // one question after the other
	for _, test := range []struct {
		now   time.Time
		valid bool
	}{
		{at.Add(-time.Minute - time.Nanosecond), false}, {at.Add(-time.Minute), true}, {at, true}, {at.Add(time.Minute), true}, {at.Add(time.Minute + time.Nanosecond), false}, {at.Add(48 * time.Hour), false}, {time.Time{}, false},
	} {
		fixed = test.now
		if got := web.show(t, cert); (got.status == http.StatusOK) != test.valid || got.status >= 500 {
			t.Errorf("at %s, the web server is answered %d %s", test.now, got.status, got.body)
		}
		if got := ask.login(t, login); (got.status == http.StatusOK) != test.valid || got.status >= 500 {
			t.Errorf("at %s, RADIUS is answered %d %s", test.now, got.status, got.body)
		}
		l.sync(t)
	}
}

// A body that does not come is waited for no longer than the budget, on HTTP/1.1 and on HTTP/2. The server's own limit is 10 s.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprint("HTTP/2: ", http2), func(t *testing.T) {
			t.Parallel()
			l := newLab(t, plain)
			never, end := context.WithCancel(t.Context())
			defer end()
			r := l.request(t, http.MethodPost, doors.RADIUSPath, waiting{never})
			client := l.client(t, l.caller(t, radiusCaller), http2)
			answered := make(chan struct{})
			go func() {
				defer close(answered)
				if got, err := try(client, r); err == nil && letsIn(got.status) {
					t.Errorf("the answer is %d %s", got.status, got.body)
				}
			}()
			// The client may wait on for its own body.
			defer func() { end(); <-answered }()
			l.waitFor(t, 1)
			if e := l.last(t); e.Allowed || e.Code != "malformed" {
				t.Errorf("the event is %+v", e)
			}
		})
	}
}

// waiting is a body that never comes.
type waiting struct{ end context.Context }

func (w waiting) Read([]byte) (int, error) { <-w.end.Done(); return 0, w.end.Err() }

// A body in pieces on HTTP/2 is read as a whole.
func TestHTTP2Body(t *testing.T) {
	t.Parallel()
	l := newLab(t, plain)
	body := l.devices.NewLogin(t, l.devices.Device(t, testca.Good(serial))).JSON(t)
	as := asker{l, l.client(t, l.caller(t, radiusCaller), true)}
	got := as.post(t, struct{ *bytes.Reader }{bytes.NewReader(body)})
	accepted(t, got)
	if got.major != 2 {
		t.Errorf("HTTP/%d was spoken", got.major)
	}
	if got := as.post(t, strings.NewReader(string(body)+strings.Repeat(" ", 64<<10))); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body over 64 KiB is answered %d %s", got.status, got.body)
	}
}
