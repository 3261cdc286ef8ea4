package doors_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/devicecert"
	"step-posture-connector/internal/doors"
	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/policyfile"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/server"
	"step-posture-connector/internal/test/testca"
)

const (
	patience = 30 * time.Second // for anything that must happen; far more than it needs

	serial = "K3Q7XH2N9P" // of a device that is in the inventory
	other  = "DENY000001" // of another one, which no policy lets in

	radiusCaller, webCaller = "radius.example.com", "proxy.example.com"
)

// A policy file of tests is inventories, policies and doors.
const inventories = `
inventories:
  owned: {provider: file, path: devices.json, type: json}
`

// record is a device of the inventory.
type record struct {
	Identifier string         `json:"identifier"`
	Data       map[string]any `json:"data"`
	Facts      map[string]any `json:"facts"`
}

func records() []record {
	return []record{
		{serial, map[string]any{"vlan": "42"}, map[string]any{"device": map[string]any{"name": "Ada's Mac", "groups": []string{"staff", "admins"}}, "user": map[string]any{"username": "ada"}}},
		{other, nil, map[string]any{"device": map[string]any{"managed": false}}},
	}
}

func (l *lab) stock(t *testing.T, devices ...record) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"devices": devices})
	if err != nil {
		t.Fatal(err)
	}
	l.write(t, "devices.json", text)
}

const plainPolicies = `
policies:
  default: {inventories: [owned]}
`

const plainDoors = `
doors:
  issuers: issuers.pem
  provisioners: [acme-da]
  radius: [{callers: [radius.example.com], policy: default}]
  forward_auth: [{callers: [proxy.example.com], policy: default}]
`

// lab is a listener of DOOR_ADDRESS with its CAs and callers.
type lab struct {
	root, devices, callers *testca.CA
	folder                 string
	handler                *doors.Handler
	now                    func() time.Time
	ahead                  atomic.Int64 // by how much the clock of the handler is
	address                string
	revoked                atomic.Pointer[big.Int]
	answered               atomic.Int64

	mu     sync.Mutex
	events []*audit.Event // of all questions
	trail  []audit.Event  // of decisions
	log    bytes.Buffer
}

// newLab serves the doors of a policy file. The first device CA issues the certificates of devices.
func newLab(t *testing.T, file string, change ...func(*lab)) *lab {
	t.Helper()
	l := &lab{root: testca.New(t, "Lab Root"), callers: testca.New(t, "Callers"), folder: t.TempDir()}
	l.devices = l.root.Intermediate(t, "Device CA", nil)
	l.now = func() time.Time { return time.Now().Add(time.Duration(l.ahead.Load())) }
	l.stock(t, records()...)
	l.write(t, "issuers.pem", l.devices.PEM())
	l.handler = &doors.Handler{Now: func() time.Time { return l.now() }, Audit: l.decided, Record: l.asked, Trust: server.Trust}
	for _, c := range change {
		c(l)
	}
	if file != "" {
		l.use(t, file)
	}
	l.serve(t)
	return l
}

func (l *lab) decided(e *audit.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trail = append(l.trail, *e)
}

func (l *lab) asked(e *audit.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
	audit.NewLog(&l.log, false).Write(e)
}

// last waits for the event of a question after so many, and returns it.
func (l *lab) last(t *testing.T) *audit.Event {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.events) == 0 {
		t.Fatal("there is no event")
	}
	return l.events[len(l.events)-1]
}

func (l *lab) decisions() []audit.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]audit.Event(nil), l.trail...)
}

// waitFor waits until so many questions were recorded: that happens after the answer.
func (l *lab) waitFor(t *testing.T, questions int) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		l.mu.Lock()
		n := len(l.events)
		l.mu.Unlock()
		if n >= questions {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d questions were recorded, want %d", n, questions)
		}
	}
}

func (l *lab) write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(l.folder, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// use puts the doors of a policy file into effect.
func (l *lab) use(t *testing.T, file string) { t.Helper(); l.handler.Use(l.read(t, file)) }

// read makes the doors of a policy file, as the daemon does.
func (l *lab) read(t *testing.T, file string) *doors.Doors {
	t.Helper()
	read, err := policyfile.Load(l.write(t, "policy.yaml", []byte(file)), policyfile.Surroundings{Codes: outcome.Codes()})
	if err != nil {
		t.Fatal(err)
	}
	opened := map[string]posture.Source{}
	required := map[string]posture.Requirements{}
	for _, section := range read.Inventories {
		i, _, err := section.Open()
		if err != nil {
			t.Fatal(err)
		}
		if closer, ok := i.Provider.(interface{ Close() }); ok {
			t.Cleanup(closer.Close)
		}
		opened[i.Name] = posture.Source{Name: i.Name, Kind: i.Kind, Provider: i.Provider, DefaultType: i.DefaultType, AllowUnmanaged: i.Requirements.AllowUnmanaged}
		required[i.Name] = i.Requirements
	}
	trust := &devicecert.Trust{Issuers: l.issuers(t, read.Doors.Issuers), Provisioners: read.Doors.Provisioners, AnyProvisioner: read.Doors.AnyProvisioner, Revoked: l.isRevoked}
	var entries []*doors.Entry
	for _, d := range read.Doors.Doors {
		p := read.Policies[d.Policy]
		gate := p.Gate(func(name string) (posture.Source, posture.Requirements) {
			source := opened[name]
			source.Facts, source.Required = p.FactsOf(name), required[name].Facts()
			return source, required[name]
		})
		e := &doors.Entry{
			Door: d.Door, Callers: d.Callers, Gate: gate, Cache: d.Cache, ReadsRADIUS: p.ReadsRADIUS(d.Outputs()...),
			RADIUS:      doors.RADIUS{SessionTimeout: d.SessionTimeout, Quarantine: d.Quarantine, QuarantineCodes: d.QuarantineCodes},
			ForwardAuth: doors.ForwardAuth{Header: d.Header, Identity: d.Identity},
		}
		if d.VLAN != nil {
			e.RADIUS.VLAN = d.VLAN.Text
		}
		for _, h := range d.Headers {
			e.ForwardAuth.Headers = append(e.ForwardAuth.Headers, doors.Header{Name: h.Name, Text: h.Text.Text})
		}
		entries = append(entries, e)
	}
	return doors.New(trust, entries)
}

func (l *lab) issuers(t *testing.T, path string) (all []*x509.Certificate) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, cert)
	}
	return all
}

func (l *lab) isRevoked(_ []byte, serial *big.Int) string {
	if r := l.revoked.Load(); r != nil && r.Cmp(serial) == 0 {
		return "on the list of the test"
	}
	return ""
}
