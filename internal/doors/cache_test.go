package doors_test

import (
	"crypto/x509"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/test/testca"
)

// service is a simulated MDM. It counts what it is asked.
type service struct {
	*httptest.Server
	lookups atomic.Int64
	fault   atomic.Int64                  // a status in place of an answer
	managed atomic.Bool                   // what it says of every device
	hold    atomic.Pointer[chan struct{}] // answers wait until it is closed
	asked   chan struct{}                 // gets an element with each question
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{asked: make(chan struct{}, 1000)}
	s.managed.Store(true)
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.lookups.Add(1)
	s.asked <- struct{}{}
	if hold := s.hold.Load(); hold != nil {
		select {
		case <-*hold:
		case <-r.Context().Done():
			return
		}
	}
	if status := s.fault.Load(); status != 0 {
		w.WriteHeader(int(status))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"devices": []any{map[string]any{"sn": strings.TrimPrefix(r.URL.Path, "/devices/"), "managed": s.managed.Load()}}})
}

// want compares how often the service was asked.
func (s *service) want(t *testing.T, lookups int64, when string) {
	t.Helper()
	if got := s.lookups.Load(); got != lookups {
		t.Errorf("%s, the inventory was asked %d times, want %d", when, got, lookups)
	}
}

// cached is a policy file whose doors remember answers for 30 s, over the service.
func (s *service) cached(rules string) string {
	return `
inventories:
  service:
    provider: http
    base_url: ` + s.URL + `
    insecure_http: true
    limits: {timeout: 9s}
    request: {path: "/devices/{{serial}}"}
    outcome: {found: [200], not_found: "status == 404"}
    select: {items: body.devices, more: "false"}
    map: {device.serial_number: item.sn, device.managed: item.managed}
policies:
  default:
    inventories: [service]
` + rules + `
doors:
  issuers: issuers.pem
  provisioners: [acme-da]
  radius: [{callers: [radius.example.com], policy: default, cache: 30s}, {callers: [second.example.com], policy: default, cache: 30s}]
  forward_auth: [{callers: [proxy.example.com], policy: default, cache: 30s}]
`
}

// An answer is remembered for its time and no longer, allow and refuse alike, and emptied by every reload.
func TestCache(t *testing.T) {
	t.Parallel()
	s := newService(t)
	l := newLab(t, s.cached(""))
	web, cert := l.web(t), l.devices.Device(t, testca.Good(serial))
	pass := func(when string, lookups int64) {
		t.Helper()
		if got := web.show(t, cert); got.status != http.StatusOK || got.header.Get("X-Device-Id") != serial || got.header["X-Device-Name"] == nil {
			t.Errorf("%s, the answer is %d %v %s", when, got.status, got.header, got.body)
		}
		s.want(t, lookups, when)
	}
	pass("at first", 1)
	pass("within its time", 1)
	l.sync(t)
	if e := l.last(t); !e.Repeats || !e.Allowed || e.Identifier != serial {
		t.Errorf("the event of a remembered answer is %+v", e)
	}
	l.ahead.Store(int64(29 * time.Second))
	pass("a second before its end", 1)
	l.ahead.Store(int64(31 * time.Second))
	pass("past its time", 2)
	l.handler.Forget()
	pass("after Forget", 3)
	l.use(t, s.cached(""))
	pass("after a reload", 4)

	// A fault is no reason to use an answer past its time, and is itself not remembered.
	s.fault.Store(http.StatusForbidden)
	pass("with a fault, within its time", 4)
	l.ahead.Store(int64(2 * time.Minute))
	for range 2 {
		denied(t, web.show(t, cert), http.StatusServiceUnavailable, "unavailable")
	}
	if s.lookups.Load() < 6 {
		t.Error("a fault was remembered")
	}
	s.fault.Store(0)
	before := s.lookups.Load()
	pass("after the fault", before+1)

	// A refusal is remembered too, with the reference of its decision.
	l.handler.Forget()
	s.managed.Store(false)
	first := web.show(t, cert)
	denied(t, first, http.StatusForbidden, "deviceNotManaged")
	s.managed.Store(true)
	if second := web.show(t, cert); second.body != first.body {
		t.Errorf("a remembered refusal answers %s, want %s", second.body, first.body)
	}
	l.ahead.Store(int64(3 * time.Minute))
	pass("after the refusal", before+3)

	// One decision is one line of the audit log, with a reference of its own.
	seen := map[string]bool{}
	for _, e := range l.decisions() {
		if seen[e.Reference] || e.Repeats {
			t.Errorf("the audit log has the decision %s twice", e.Reference)
		}
		seen[e.Reference] = true
	}
	if want := int(s.lookups.Load()); len(seen) > want {
		t.Errorf("the audit log has %d decisions, and the inventory was asked %d times", len(seen), want)
	}
}

// RADIUS remembers too. The message of a refusal has the reference of the decision.
func TestCacheRADIUS(t *testing.T) {
	t.Parallel()
	s := newService(t)
	l := newLab(t, s.cached(""))
	s.managed.Store(false)
	ask, login := l.radius(t), l.devices.NewLogin(t, l.devices.Device(t, testca.Good(serial)))
	first := ask.login(t, login)
	ask.refused(t, first, "deviceNotManaged")
	login.Set("Calling-Station-Id", "02-00-00-00-00-02") // which no rule reads
	login.Set("NAS-Identifier", "ap2")
	if again := ask.login(t, login); again.body != first.body {
		t.Errorf("the answer is %s, want %s", again.body, first.body)
	}
	s.want(t, 1, "with another access point")
	l.sync(t)
	if e := l.last(t); e.NAS != "ap2" || !e.Repeats {
		t.Errorf("the event is %+v", e)
	}
	second := asker{l, l.client(t, l.caller(t, "second.example.com"), false)}
	second.refused(t, second.login(t, login), "deviceNotManaged")
	s.want(t, 2, "by another caller")
	ask.refused(t, ask.login(t, login.Resumed()), "certificateMissing")
}

// Where a rule reads the connection, each is decided by itself.
func TestCacheReadsRADIUS(t *testing.T) {
	t.Parallel()
	s := newService(t)
	l := newLab(t, s.cached(`    rules: [{name: place, when: request.door == "radius", require: request.radius.nas == "ap1"}]`))
	ask, login := l.radius(t), l.devices.NewLogin(t, l.devices.Device(t, testca.Good(serial)))
	accepted(t, ask.login(t, login))
	accepted(t, ask.login(t, login))
	s.want(t, 1, "at one access point")
	login.Set("NAS-Identifier", "ap2")
	ask.refused(t, ask.login(t, login), "deviceNotCompliant")
	login.Set("NAS-Identifier", "ap1", "ap1") // a doubled one is unknown, and is not replaced by the address
	ask.refused(t, ask.login(t, login), "deviceNotCompliant")
	login.Set("NAS-Identifier", "ap1")
	login.Set("Called-Station-Id", "AA-BB-CC-DD-EE-FF:guest")
	accepted(t, ask.login(t, login))
	s.want(t, 4, "at three others")
}

// What is remembered of one certificate helps no other one, and a certificate is verified before.
func TestCacheAndCertificates(t *testing.T) {
	t.Parallel()
	s := newService(t)
	l := newLab(t, s.cached(""))
	sibling := l.root.Intermediate(t, "Device CA", nil)
	web, ask, cert := l.web(t), l.radius(t), l.devices.Device(t, testca.Good(serial))
	warm := func() {
		t.Helper()
		accepted(t, ask.device(t, cert))
		if got := web.show(t, cert); got.status != http.StatusOK {
			t.Fatalf("the answer is %d %s", got.status, got.body)
		}
	}
	warm()
	s.want(t, 2, "at two doors")
	jwk := testca.Good(serial)
	jwk.Provisioner = "jwk"
	for _, wrong := range []*x509.Certificate{sibling.Device(t, testca.Good(serial)), l.devices.Device(t, jwk)} {
		denied(t, web.show(t, wrong), http.StatusForbidden, untrusted)
		ca := l.devices
		if wrong.Issuer.String() == sibling.Certificate.Subject.String() && wrong.CheckSignatureFrom(sibling.Certificate) == nil {
			ca = sibling
		}
		ask.refused(t, ask.login(t, ca.NewLogin(t, wrong)), untrusted)
	}
	s.want(t, 2, "with certificates of others")
	second := l.devices.Device(t, testca.Good(serial))
	s.managed.Store(false)
	denied(t, web.show(t, second), http.StatusForbidden, "deviceNotManaged")
	ask.refused(t, ask.device(t, second), "deviceNotManaged")
	s.want(t, 4, "with a second certificate")
	s.managed.Store(true)
	l.revoked.Store(new(big.Int).Set(cert.SerialNumber))
	denied(t, web.show(t, cert), http.StatusForbidden, untrusted)
	ask.refused(t, ask.device(t, cert), untrusted)
	l.revoked.Store(nil)
	warm()
	s.want(t, 4, "after the list was changed")

	// No answer outlives its certificate.
	short := testca.Good("SHORT1")
	short.Change = func(c *x509.Certificate) { c.NotAfter = time.Now().Add(10 * time.Second).Truncate(time.Second) }
	brief := l.devices.Device(t, short)
	if got := web.show(t, brief); got.status != http.StatusOK {
		t.Fatalf("the answer is %d %s", got.status, got.body)
	}
	l.ahead.Store(int64(11 * time.Second))
	denied(t, web.show(t, brief), http.StatusForbidden, untrusted)
}
